"""Parts of a source, as sources: some of its images, one class, a split in two."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from anglenas._numerics import derive
from anglenas.data._base import ChoosePart, ImageSource
from anglenas.data._pixels import part
from anglenas.errors import DataError, SettingError

__all__ = ["ByClass", "ByPart", "of_class", "read_part", "split", "subset"]

_WHOLE = 1 << 16  # no image in memory is larger, so that none is reduced


@runtime_checkable
class ByClass(Protocol):
    """A source that can list one class without all others; a draw then asks for no others."""

    def of_class(self, number: int) -> ImageSource:
        """The images of one class alone, in their order; ``labels`` tell how many there are."""


@runtime_checkable
class ByPart(Protocol):
    """A source that can read a part of an image which is chosen by the image's own size."""

    def read_part(self, index: int, choose: ChoosePart, side: int) -> torch.Tensor:
        """A part of one image ``(C, side, side)`` uint8."""


@dataclass(frozen=True, eq=False)
class _View:
    """Some images of a source, in the order of their indices."""

    source: ImageSource
    indices: NDArray[np.int64]

    @property
    def name(self) -> str:
        return self.source.name

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        return np.asarray(self.source.labels)[self.indices]

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.source.class_names

    @property
    def flip(self) -> bool:
        return self.source.flip

    def read(self, indices: Sequence[int], resolution: int) -> torch.Tensor:
        return self.source.read(self.indices[np.asarray(indices)].tolist(), resolution)

    def read_part(self, index: int, choose: ChoosePart, side: int) -> torch.Tensor:
        return read_part(self.source, int(self.indices[index]), choose, side)

    def normalisation(self, images: torch.Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return self.source.normalisation(images)


def subset(source: ImageSource, indices: Sequence[int] | NDArray[np.int64]) -> ImageSource:
    """Some images of a source, with its classes and its normalisation; nothing is read or copied.

    >>> from anglenas.data._digits import load
    >>> subset(load(), [0, 1, 10]).labels.tolist()
    [0, 1, 0]
    """
    return _View(source, np.asarray(indices, np.int64))


def of_class(source: ImageSource, number: int) -> ImageSource:
    """The images of one class alone, in their order, listed by the source itself if it can.

    >>> from anglenas.data._digits import load
    >>> len(of_class(load(), 3).labels)
    183
    """
    if isinstance(source, ByClass):
        return source.of_class(number)
    return subset(source, np.flatnonzero(np.asarray(source.labels) == number))


def read_part(source: ImageSource, index: int, choose: ChoosePart, side: int) -> torch.Tensor:
    """A part of one image, enlarged or reduced to ``side`` pixels: ``(C, side, side)`` uint8.

    Args:
        source: The images. Of one that is not :class:`ByPart`, the part is chosen from the centred
            square of an image.
        index: Which image.
        choose: From width and height to left, top, right and bottom of the part.
        side: Side of the result.

    Raises:
        UnreadableImageError: The image is broken.

    >>> from anglenas.data._digits import load
    >>> read_part(load(), 0, lambda width, height: (0, 0, width // 2, height), 16).shape
    torch.Size([1, 16, 16])
    """
    if isinstance(source, ByPart):
        return source.read_part(index, choose, side)
    image = source.read([index], _WHOLE)[0].numpy()
    box = choose(image.shape[2], image.shape[1])
    planes = [part(Image.fromarray(np.ascontiguousarray(plane)), box, side) for plane in image]
    return torch.from_numpy(np.stack([np.asarray(plane) for plane in planes]))


def split(source: ImageSource, fraction: float, seed: int) -> tuple[ImageSource, ImageSource]:
    """Images to train on and images to validate with, the same ones for the same seed.

    Of each class, ``fraction`` of its images are drawn at random for validation, rounded to the
    nearest number, but at least 1, and at least 1 is left. Both parts keep the source's order.

    Args:
        source: The images; all of them are listed, none is read.
        fraction: Share for validation, between 0 and 1.
        seed: Where all randomness comes from.

    Returns:
        The part to train on and the part to validate with, which share no image.

    Raises:
        SettingError: The fraction is not between 0 and 1.
        DataError: A class has a single image.

    >>> from anglenas.data._digits import load
    >>> train, validation = split(load(), 0.2, seed=1)
    >>> len(train.labels), len(validation.labels)
    (1438, 359)
    """
    if not 0 < fraction < 1:
        raise SettingError(f"The fraction for validation is {fraction}; give one between 0 and 1.")
    labels = np.asarray(source.labels)
    rng = np.random.default_rng(derive(seed, "split"))
    held_out = np.zeros(len(labels), bool)
    for number, name in enumerate(source.class_names):
        members = np.flatnonzero(labels == number)
        held_out[rng.permutation(members)[: _share(len(members), fraction, name)]] = True
    return subset(source, np.flatnonzero(~held_out)), subset(source, np.flatnonzero(held_out))


def _share(count: int, fraction: float, name: str) -> int:
    if count < 2:
        raise DataError(f"The class {name!r} has {count} image and cannot be split in two; "
                        "add images or remove the class.")  # fmt: skip
    return min(max(round(count * fraction), 1), count - 1)
