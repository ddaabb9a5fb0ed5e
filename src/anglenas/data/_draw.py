"""The few images that candidates are measured on, drawn from a source."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from anglenas._numerics import derive
from anglenas.data._base import FewShot, ImageSource, UnreadableImageError
from anglenas.errors import DataError, SettingError


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
    count = len(source.class_names)
    if count < 2:
        raise DataError(f"{source.name!r} has {count} class; at least 2 are needed to tell apart.")
    rng = np.random.default_rng(derive(seed, "images"))
    chosen = rng.permutation(count)[:classes].tolist() if count > classes else list(range(count))
    parts = [source.of_class(number) for number in chosen]
    # All orders are made before any image is read: what is unreadable changes its own class alone.
    orders = [
        np.arange(len(part.labels)) if sampling == "first" else rng.permutation(len(part.labels))
        for part in parts
    ]
    share, rest = divmod(classes * images_per_class, len(chosen))
    drawn = [
        _take(
            parts[k], source.class_names[number], orders[k].tolist(), share + (k < rest),
            resolution, strict,
        )
        for k, number in enumerate(chosen)
    ]  # fmt: skip
    images = _joined(source, [image for group in drawn for image in group.images])
    mean, std = source.normalisation(images)
    return FewShot(
        images=images,
        labels=torch.repeat_interleave(torch.tensor([len(group.images) for group in drawn])),
        class_names=tuple(group.name for group in drawn),
        mean=tuple(mean),
        std=tuple(std),
        flip=source.flip,
        notices=(*source.notices, *_notices(source.name, drawn, classes)),
    )


def _check(classes: int, images_per_class: int, sampling: str, resolution: int) -> None:
    if classes < 2 or images_per_class < 1 or resolution < 1:
        raise SettingError(
            "A few-shot batch needs at least 2 classes, 1 image of each and a resolution of 1 "
            f"pixel, not {classes}, {images_per_class} and {resolution}."
        )
    if sampling not in ("random", "first"):
        raise SettingError(f"sampling is 'random' or 'first', not {sampling!r}.")


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
        # Else a class would vanish without a word, and scores be those of another task.
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
    short = [group for group in drawn if len(group.images) < group.wanted]
    if short:
        counts = ", ".join(f"{g.name!r} {len(g.images)} of {g.wanted}" for g in short)
        yield f"Some classes have fewer images than wanted and give all they have: {counts}."
    for error in (error for one in drawn for error in one.skipped):
        yield f"{error.place} is skipped, for it cannot be read ({error.reason})."
