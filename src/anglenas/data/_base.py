"""What images are here: a source that reads those asked for, parts of it, and few-shot batches."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from anglenas._numerics import derive
from anglenas.data._pixels import channel_statistics, part
from anglenas.errors import DataError, SettingError

# No image in memory is larger, so that none is reduced; a source that enlarges makes 48 MB of it.
_WHOLE = 1 << 12

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of each channel, in units of 0 to 1."""

ChoosePart = Callable[[int, int], tuple[int, int, int, int]]
"""From width and height of an image to left, top, right and bottom of the part that is wanted."""


class UnreadableImageError(DataError):
    """One image of a source that cannot be read; a few-shot batch names it and takes the next.

    Args:
        index: Which image of the source that read it, which may be that of a single class.
        place: Where it is, in words for the user, such as its path.
        reason: Why it cannot be read.
    """

    def __init__(self, index: int, place: str, reason: str) -> None:
        super().__init__(index, place, reason)
        self.index = index
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.place} cannot be read as an image ({self.reason}); repair or remove it."


class ImageSource(ABC):
    """Labelled images, of which only those asked for are read; your own derive from it.

    Whoever derives from it sets the attributes, or computes them as properties, and writes
    :meth:`read`; all else is there to be replaced where it can be done better.

    Attributes:
        name: What reports call the data.
        labels: ``(N,)`` int64, class of every image, 0 to ``len(class_names) - 1``.
        class_names: Names of the classes, in the order of their numbers.
        flip: Whether a mirrored image is still one of its class.
        notices: What a user should know of the images, a sentence each.
    """

    name: str
    class_names: tuple[str, ...]
    flip: bool = True
    notices: tuple[str, ...] = ()

    if TYPE_CHECKING:  # at run time, dataclasses would take it for the default of their own field

        @property
        def labels(self) -> NDArray[np.int64]: ...

    @abstractmethod
    def read(self, indices: Sequence[int], resolution: int) -> torch.Tensor:
        """The images ``(n, C, side, side)`` uint8, larger ones reduced to ``resolution``.

        Raises:
            UnreadableImageError: One of the images is broken. A few-shot batch asks for one image
                at a time.
        """

    def normalisation(self, images: torch.Tensor) -> Statistics:
        """Mean and standard deviation of each channel, in units of 0 to 1.

        Args:
            images: ``(n, C, H, W)`` uint8, those that were read; they are what is measured, unless
                a source knows better.
        """
        return channel_statistics(images.numpy())

    def of_class(self, number: int) -> "ImageSource":
        """The images of one class alone, in their order; ``labels`` tell how many there are.

        A source that can list one class without all others should: few-shot batches ask for no
        others then.
        """
        return subset(self, np.flatnonzero(np.asarray(self.labels) == number))

    def read_part(self, index: int, choose: ChoosePart, side: int) -> torch.Tensor:
        """A part of one image, enlarged or reduced to ``side`` pixels: ``(C, side, side)`` uint8.

        Args:
            index: Which image. Its part is chosen from its centred square, unless a source reads
                whole images.
            choose: From width and height to left, top, right and bottom of the part.
            side: Side of the result.

        Raises:
            UnreadableImageError: The image is broken.
        """
        image = self.read([index], _WHOLE)[0].numpy()
        box = choose(image.shape[2], image.shape[1])
        planes = [part(Image.fromarray(np.ascontiguousarray(plane)), box, side) for plane in image]
        return torch.from_numpy(np.stack([np.asarray(plane) for plane in planes]))


class _View(ImageSource):
    """Some images of a source, in the order of their indices; nothing is read or copied."""

    def __init__(
        self, source: ImageSource, indices: NDArray[np.int64] | None, flip: bool | None = None
    ) -> None:
        self.source, self.indices = source, indices  # None stands for all, which are not listed
        self.name, self.class_names, self.notices = source.name, source.class_names, source.notices
        self.flip = source.flip if flip is None else flip

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        labels = np.asarray(self.source.labels)
        return labels if self.indices is None else labels[self.indices]

    def of_class(self, number: int) -> ImageSource:
        return self.source.of_class(number) if self.indices is None else super().of_class(number)

    def read(self, indices: Sequence[int], resolution: int) -> torch.Tensor:
        if self.indices is not None:
            indices = self.indices[np.asarray(indices)].tolist()
        return self.source.read(indices, resolution)

    def read_part(self, index: int, choose: ChoosePart, side: int) -> torch.Tensor:
        chosen = index if self.indices is None else int(self.indices[index])
        return self.source.read_part(chosen, choose, side)

    def normalisation(self, images: torch.Tensor) -> Statistics:
        return self.source.normalisation(images)


def subset(source: ImageSource, indices: Sequence[int] | NDArray[np.int64]) -> ImageSource:
    """Some images of a source, with its classes and its normalisation; nothing is read or copied.

    >>> from anglenas.data._digits import load
    >>> subset(load(), [0, 1, 10]).labels.tolist()
    [0, 1, 0]
    """
    return _View(source, np.asarray(indices, np.int64))


def with_flip(source: ImageSource, flip: bool) -> ImageSource:
    """The same images, with another word on whether a mirrored one is still of its class.

    >>> from anglenas.data._digits import load
    >>> with_flip(load(), True).flip
    True
    """
    return _View(source, None, flip)


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
    # Class by class: at random over all, a small class could be missing on one side.
    rng = np.random.default_rng(derive(seed, "split"))
    held_out = np.zeros(len(labels), bool)
    for number, name in enumerate(source.class_names):
        members = np.flatnonzero(labels == number)
        count = len(members)
        if count < 2:
            raise DataError(f"The class {name!r} has {count} image and cannot be split in two; "
                            "add images or remove the class.")  # fmt: skip
        share = min(max(round(count * fraction), 1), count - 1)
        held_out[rng.permutation(members)[:share]] = True
    return subset(source, np.flatnonzero(~held_out)), subset(source, np.flatnonzero(held_out))


@dataclass(frozen=True, eq=False)
class FewShot:
    """The few labelled images that candidates are measured on.

    Attributes:
        images: ``(N, C, H, W)`` uint8.
        labels: ``(N,)`` int64, 0 to ``len(class_names) - 1``.
        class_names: Names of the classes drawn.
        mean: Mean of each channel, in units of 0 to 1.
        std: Standard deviation of each channel, in the same units.
        flip: Whether augmentation may mirror an image.
        notices: What a user should know about the choice, a sentence each.
    """

    images: torch.Tensor
    labels: torch.Tensor
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    flip: bool
    notices: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits of everything that can change a score."""
        digest = hashlib.sha256()
        facts = (tuple(self.images.shape), self.mean, self.std, self.flip)
        digest.update(repr(facts).encode())
        digest.update(self.images.contiguous().numpy().tobytes())
        digest.update(self.labels.numpy().tobytes())
        return digest.hexdigest()[:16]
