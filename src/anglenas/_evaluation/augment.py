"""Augmentation of a whole batch for trainings from scratch; every random choice from a generator.

Window and mirror image are those of :func:`anglenas.data.augment`. What is added here follows
torchvision's ``RandomResizedCrop`` and ``ColorJitter`` and the cutout of DARTS (quark0/darts), as
operations on tensors.
"""

import math

import torch

# Why not a library's: kornia 0.9.0 draws from PyTorch's global generator alone, so that a training
# that goes on would not repeat the epoch that it was in; it takes no bytes, and is slower where
# trainings here spend their time (64 images of 32 x 32 on one thread of an AMD EPYC, torch 2.13,
# the best of 8: jitter 15 ms against 2.2, flip and crop 2.6 against 0.33, a square blanked 0.58
# against 0.15; at 224 x 224 they are alike). albumentations 2.0.8 works on single images and brings
# OpenCV, 170 MB. torchvision's wheels do not load beside the CPU build of PyTorch.

Box = tuple[int, int, int, int]

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's mode L
_TRIES = 10


def cutout(images: torch.Tensor, length: int, generator: torch.Generator) -> torch.Tensor:
    """Each image with one square of zeros; its centre lies anywhere, so it may be cut off.

    DeVries & Taylor, 2017, arXiv 1708.04552. Applied after normalisation, zero is the mean colour.

    Args:
        images: ``(N, C, H, W)``.
        length: Side of the square in pixels.
        generator: Where all randomness comes from.
    """
    height, width = images.shape[2:]
    rows = _outside(height, length, len(images), generator)
    columns = _outside(width, length, len(images), generator)
    return images * (rows[:, None, :, None] | columns[:, None, None, :])


def _outside(size: int, length: int, count: int, generator: torch.Generator) -> torch.Tensor:
    """``(N, size)``, whether a row or a column lies outside of each image's square."""
    start = torch.randint(size, (count, 1), generator=generator) - length // 2
    places = torch.arange(size)
    return (places < start) | (places >= start + length // 2 * 2)


def random_part(width: int, height: int, generator: torch.Generator) -> Box:
    """A random part of an image: 8 % to all of its area, 3/4 to 4/3 as wide as high.

    Where ten draws do not fit, as much of the centre as has a permitted shape (Szegedy et al., CVPR
    2015, arXiv 1409.4842, section 6; torchvision's ``RandomResizedCrop``).

    Args:
        width: Width of the image in pixels.
        height: Its height.
        generator: Where all randomness comes from.

    Returns:
        Left, top, right and bottom of the part, in whole pixels.
    """
    for _ in range(_TRIES):
        share, shape, across, down = torch.rand(4, generator=generator).tolist()
        area = width * height * (0.08 + 0.92 * share)
        ratio = (3 / 4) * (16 / 9) ** shape
        wide, high = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < wide <= width and 0 < high <= height:
            left, top = int(across * (width - wide + 1)), int(down * (height - high + 1))
            return left, top, left + wide, top + high
    ratio = min(max(width / height, 3 / 4), 4 / 3)
    wide, high = min(width, round(height * ratio)), min(height, round(width / ratio))
    left, top = (width - wide) // 2, (height - high) // 2
    return left, top, left + wide, top + high


def colour_jitter(
    images: torch.Tensor,
    amounts: tuple[float, float, float, float],
    generator: torch.Generator,
) -> torch.Tensor:
    """Each image with other brightness, contrast, saturation and hue, in a random order.

    The factors of the first three are uniform in 1 plus or minus the amount, the shift of the hue
    in plus or minus its amount. Each image has factors of its own, a batch has one order.

    Args:
        images: ``(N, C, H, W)`` float, 0 to 1. Grey images have brightness and contrast alone.
        amounts: How far brightness, contrast, saturation and hue vary; what is 0 is left as it is.
        generator: Where all randomness comes from.
    """
    changes = (_brightness, _contrast, _saturation, _hue)
    coloured = images.shape[1] == 3
    order: list[int] = torch.randperm(4, generator=generator).tolist()
    draws = 2 * torch.rand(4, len(images), 1, 1, 1, generator=generator) - 1
    for number in order:
        if amounts[number] and (coloured or number < 2):
            images = changes[number](images, draws[number] * amounts[number])
    return images


def _brightness(images: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    return _blended(images, torch.zeros_like(images), amount)


def _contrast(images: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    return _blended(images, _grey(images).mean((2, 3), keepdim=True), amount)


def _saturation(images: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    return _blended(images, _grey(images), amount)


def _blended(images: torch.Tensor, other: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    """As far away from the other image as ``1 + amount`` says, cut to 0 to 1."""
    return (other + (1 + amount).clamp(min=0) * (images - other)).clamp_(0, 1)


def _grey(images: torch.Tensor) -> torch.Tensor:
    if images.shape[1] == 1:
        return images
    weights = torch.tensor(_LUMA).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True)


def _hue(images: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    """Hue turned in the hexagon of HSV: saturation and value stay (Smith, SIGGRAPH 1978)."""
    value, minimum = images.amax(1), images.amin(1)  # (N, H, W)
    spread = value - minimum
    red, green, blue = images.unbind(1)
    safe = torch.where(spread > 0, spread, 1)  # grey has no hue, and stays as it is
    # 0 to 6: where in the hexagon of red, yellow, green, cyan, blue, magenta.
    hue = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    turns = [(hue + 6 * amount.squeeze(1) + turn).remainder(6) for turn in (5, 3, 1)]
    shares = [torch.minimum(turn, 4 - turn).clamp_(0, 1) for turn in turns]
    return torch.stack([value - spread * share for share in shares], 1)


def centre(images: torch.Tensor, side: int) -> torch.Tensor:
    """The centred square of images ``(N, C, S, S)``, all of it where they are no larger."""
    start = max((images.shape[-1] - side) // 2, 0)
    return images[..., start : start + side, start : start + side]
