"""What images are here: a source that reads the images asked for, and the few that are drawn."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from anglenas.errors import DataError

__all__ = ["ChoosePart", "FewShot", "ImageSource", "UnreadableImageError"]


ChoosePart = Callable[[int, int], tuple[int, int, int, int]]
"""From width and height of an image to left, top, right and bottom of the part that is wanted."""


class UnreadableImageError(DataError):
    """One image of a source that cannot be read; a draw names it and takes the next instead.

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


class ImageSource(Protocol):
    """Labelled images, of which only those asked for are read.

    A source that can list one class without all others has the method of :class:`ByClass` too.

    What is a property here may be a plain attribute; nothing sets it.
    """

    @property
    def name(self) -> str:
        """What reports call the data."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """``(N,)`` int64, class of every image, 0 to ``len(class_names) - 1``."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their numbers."""

    @property
    def flip(self) -> bool:
        """Whether a mirrored image is still one of its class."""

    def read(self, indices: Sequence[int], resolution: int) -> torch.Tensor:
        """The images ``(n, C, side, side)`` uint8, larger ones reduced to ``resolution``.

        Raises:
            UnreadableImageError: One of the images is broken. A draw asks for one image at a time.
        """

    def normalisation(self, images: torch.Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel, in units of 0 to 1.

        A source that does not know them estimates them from the images that were read.
        """


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
        notices: What a user should know about the draw, a sentence each.
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
