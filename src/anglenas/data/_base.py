"""What images are here: a source that reads the images asked for, and the few that are drawn."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["FewShot", "ImageSource"]


class ImageSource(Protocol):
    """Labelled images, of which only those asked for are read.

    Attributes:
        name: What reports call the data.
        labels: ``(N,)`` int64, class of every image, 0 to ``len(class_names) - 1``.
        class_names: Names of the classes, in the order of their numbers.
        flip: Whether a mirrored image is still one of its class.
    """

    name: str
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    flip: bool

    def read(self, indices: Sequence[int], resolution: int) -> torch.Tensor:
        """The images ``(n, C, side, side)`` uint8, larger ones reduced to ``resolution``."""

    def normalisation(self, images: torch.Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel, in units of 0 to 1; a source that does not
        know them estimates them from the images that were read."""


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
