"""The few images that candidates are measured on, drawn from a source."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from anglenas._numerics import derive
from anglenas.data._base import FewShot, ImageSource, UnreadableImageError
from anglenas.errors import DataError, SettingError

__all__ = ["draw_few_shot"]


@dataclass(frozen=True, eq=False)
class _Class:
    """What was drawn of one class."""

    name: str
    wanted: int
    images: tuple[torch.Tensor, ...]
    skipped: tuple[UnreadableImageError, ...]


def draw_few_shot(
    source: ImageSource,
    *,
    classes: int,
    images_per_class: int,
    sampling: Literal["random", "first"],
    resolution: int,
    seed: int,
    strict: bool = False,
) -> FewShot:
    """Random classes and images of each, the same ones for the same seed on every machine.

    The paper (Yang et al., WACV 2023, supplement, section 1) draws 10 classes and 10 images of
    each. Its released code takes the first images in file order for CIFAR-100 and ImageNet16-120,
    which is ``sampling="first"``.

    Classes are numbered in the order in which they are drawn. If the source has no more than
    ``classes``, all are used, in their own order, and share ``classes * images_per_class`` images
    as evenly as can be. A class with too few images gives what it has. Both are told in
    ``notices``.

    Args:
        source: The images.
        classes: Classes to draw.
        images_per_class: Images to draw from each, without repetition.
        sampling: ``"random"`` images, or the ``"first"`` readable ones in the source's order.
        resolution: Side in pixels that larger images are reduced to.
        seed: Where all randomness comes from.
        strict: Whether an unreadable image is an error. Otherwise the next image of its class
            stands in for it, and a notice names it.

    Raises:
        DataError: Fewer than 2 classes, or a class without any readable image.
        UnreadableImageError: An image is unreadable, and ``strict``.
        SettingError: A setting does not fit.
    """
    _check(classes, images_per_class, sampling, resolution)
    rng = np.random.default_rng(derive(seed, "images"))
    chosen = _choose(source, classes, rng)
    quotas = _quotas(classes * images_per_class, len(chosen))
    parts = [source.of_class(number) for number in chosen]
    queues = [_queue(len(part.labels), sampling, rng) for part in parts]
    drawn = [
        _take(part, source.class_names[number], queue, quota, resolution, strict)
        for number, part, queue, quota in zip(chosen, parts, queues, quotas, strict=True)
    ]
    images = _joined(source, [image for one in drawn for image in one.images])
    mean, std = source.normalisation(images)
    return FewShot(
        images=images,
        labels=torch.repeat_interleave(torch.tensor([len(one.images) for one in drawn])),
        class_names=tuple(one.name for one in drawn),
        mean=tuple(mean),
        std=tuple(std),
        flip=source.flip,
        notices=(*source.notices, *_notices(source.name, drawn, classes)),
    )


def _check(classes: int, images_per_class: int, sampling: str, resolution: int) -> None:
    if classes < 2 or images_per_class < 1 or resolution < 1:
        raise SettingError(
            "A draw needs at least 2 classes, 1 image of each and a resolution of 1 pixel, not "
            f"{classes}, {images_per_class} and {resolution}."
        )
    if sampling not in ("random", "first"):
        raise SettingError(f"sampling is 'random' or 'first', not {sampling!r}.")


def _choose(source: ImageSource, classes: int, rng: np.random.Generator) -> list[int]:
    count = len(source.class_names)
    if count < 2:
        raise DataError(f"{source.name!r} has {count} class; at least 2 are needed to tell apart.")
    if count <= classes:
        return list(range(count))
    chosen: list[int] = rng.permutation(count)[:classes].tolist()
    return chosen


def _quotas(total: int, classes: int) -> list[int]:
    """Shares of a total that differ by 1 at most, the larger ones first.

    >>> _quotas(100, 3)
    [34, 33, 33]
    """
    share, rest = divmod(total, classes)
    return [share + (number < rest) for number in range(classes)]


def _queue(count: int, sampling: str, rng: np.random.Generator) -> list[int]:
    """All images of a class, in the order in which they are tried."""
    queue: list[int] = (
        np.arange(count) if sampling == "first" else rng.permutation(count)
    ).tolist()
    return queue


def _take(
    part: ImageSource, name: str, queue: Sequence[int], wanted: int, resolution: int, strict: bool
) -> _Class:
    images: list[torch.Tensor] = []
    skipped: list[UnreadableImageError] = []
    for index in queue:
        if len(images) == wanted:
            break
        try:
            images.append(part.read([index], resolution))
        except UnreadableImageError as error:
            if strict:
                raise
            skipped.append(error)
    if not images:
        reason = f" ({skipped[0]})" if skipped else ""
        raise DataError(f"The class {name!r} has no readable image{reason}; add some or remove it.")
    return _Class(name, wanted, tuple(images), tuple(skipped))


def _joined(source: ImageSource, images: Sequence[torch.Tensor]) -> torch.Tensor:
    """The images as one batch; says so if a user's own source breaks its promise."""
    kinds = {(image.dtype, *image.shape) for image in images}
    if len(kinds) > 1 or images[0].dtype != torch.uint8 or images[0].ndim != 4:
        raise DataError(
            f"{source.name!r} has images of {sorted(map(str, kinds))[:3]}; its read must return "
            "uint8 tensors (n, C, side, side) of one size."
        )
    return torch.cat(list(images))


def _notices(source: str, drawn: Sequence[_Class], classes: int) -> Iterator[str]:
    """What is less than was asked for: classes, images of a class, and what cannot be read."""
    if len(drawn) < classes:
        yield (
            f"{source!r} has {len(drawn)} classes where {classes} are wanted: all are used, "
            f"with up to {drawn[0].wanted} images of each."
        )
    short = [one for one in drawn if len(one.images) < one.wanted]
    if short:
        counts = ", ".join(f"{one.name!r} {len(one.images)} of {one.wanted}" for one in short)
        yield f"Some classes have fewer images than wanted and give all they have: {counts}."
    for error in (error for one in drawn for error in one.skipped):
        yield f"{error.place} is skipped, for it cannot be read ({error.reason})."
