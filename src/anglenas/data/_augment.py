"""Normalisation and augmentation of a whole batch at once.

The published pipeline works on single images: RandomHorizontalFlip, RandomCrop with zero padding,
ToTensor, Normalize (D-X-Y/AutoDL-Projects, ``get_datasets`` with cutout 0; the released code of
Yang et al., WACV 2023, uses it). Here a batch is padded, mirrored and normalised once, and every
augmented batch is one gather of windows from that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F

from anglenas.data._base import FewShot


def standard_padding(side: int) -> int:
    """The published padding before a random crop: 4 pixels for images of 32, 2 for 16.

    >>> standard_padding(32), standard_padding(16)
    (4, 2)
    """
    return side // 8


def normalise(images: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """``(images / 255 - mean) / std``, float32, in the memory format of the images.

    Args:
        images: ``(N, C, H, W)`` uint8.
        mean: Mean of each channel, in units of 0 to 1.
        std: Standard deviation of each channel, in the same units.

    >>> normalise(torch.tensor([[[[0, 255]]]], dtype=torch.uint8), (0.5,), (0.25,)).tolist()
    [[[[-2.0, 2.0]]]]
    """
    offset, scale = (torch.tensor(v, dtype=torch.float32).view(-1, 1, 1) for v in (mean, std))
    return images.to(torch.float32).div_(255).sub_(offset).div_(scale)


def normalised(batch: FewShot) -> torch.Tensor:
    """The images of a batch without augmentation, ``(N, C, H, W)`` float32."""
    return normalise(batch.images, batch.mean, batch.std)


def augment(
    images: torch.Tensor, *, padding: int, flip: bool, generator: torch.Generator
) -> torch.Tensor:
    """Each image mirrored with probability 1/2 and cropped at random from its zero-padded self.

    Args:
        images: ``(N, C, H, W)`` of any type. Zero must mean black, so augment before normalising;
            :class:`Augmenter` does both.
        padding: Pixels of zeros on each side, which is how far an image can be shifted.
        flip: Whether to mirror at all.
        generator: Where all randomness comes from.

    Returns:
        New images of the same shape, type and memory format.
    """
    return _windows(_bank(images, padding, flip), images, padding, flip, generator)


@dataclass(frozen=True, eq=False)
class Augmenter:
    """Augmented and normalised versions of one batch, each ``(N, C, H, W)`` float32.

    Equal, bit by bit, to :func:`normalise` of :func:`augment` with the batch's own ``flip``, so
    the border that a shift uncovers is black; in the memory format of the batch's images.

    Attributes:
        batch: The images.
        padding: See :func:`standard_padding`.
    """

    batch: FewShot
    padding: int

    @cached_property
    def _bank(self) -> torch.Tensor:
        bank = _bank(self.batch.images, self.padding, self.batch.flip)
        return normalise(bank, self.batch.mean, self.batch.std)

    def __call__(self, generator: torch.Generator) -> torch.Tensor:
        """One augmented batch; all randomness comes from the generator."""
        return _windows(self._bank, self.batch.images, self.padding, self.batch.flip, generator)


def _bank(images: torch.Tensor, padding: int, flip: bool) -> torch.Tensor:
    """The zero-padded images and, if wanted, after them their mirror images: ``(N or 2N, ...)``."""
    padded = F.pad(images, (padding,) * 4)
    return torch.cat([padded, padded.flip(3)]) if flip else padded


def _windows(
    bank: torch.Tensor,
    images: torch.Tensor,
    padding: int,
    flip: bool,
    generator: torch.Generator,
) -> torch.Tensor:
    """A window of the bank for each image, shifted and mirrored at random."""
    count, _, height, width = images.shape
    # Scores depend on the order in which the generator is asked: shifts, then mirrors.
    top, left = torch.randint(0, 2 * padding + 1, (2, count), generator=generator)
    chosen = torch.arange(count)
    if flip:
        chosen = chosen + count * torch.randint(0, 2, (count,), generator=generator)
    views = bank.unfold(2, height, 1).unfold(3, width, 1)  # (B, C, tops, lefts, H, W)
    return views[chosen, :, top, left]
