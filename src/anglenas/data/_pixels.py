"""Pixels alone: the centred square of an image at another size, and statistics of channels."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_CHUNK = 4096  # images counted at once: the counts of millions take no memory of their own


def square(image: Image.Image, side: int) -> Image.Image:
    """The largest centred square of an image, resized to ``side`` x ``side`` pixels.

    As if its shorter side were resized to ``side`` and the centre cut out, but without rounding
    the other length, and without an image of 1 x 1 000 000 pixels growing in between. A reduction
    is antialiased (a triangle filter as wide as the reduction). Pillow computes it in integers, so
    that every machine gets the same bytes.

    >>> square(Image.new("RGB", (64, 48)), 32).size
    (32, 32)
    """
    short = min(image.size)
    left, top = ((length - short) / 2 for length in image.size)
    box = (left, top, left + short, top + short)
    return image.resize((side, side), Image.Resampling.BILINEAR, box)


def part(image: Image.Image, box: tuple[int, int, int, int], side: int) -> Image.Image:
    """The pixels from left, top to right, bottom alone, resized to ``side`` x ``side``.

    >>> part(Image.new("RGB", (64, 48)), (0, 0, 10, 20), 32).size
    (32, 32)
    """
    return image.crop(box).resize((side, side), Image.Resampling.BILINEAR)


def fit(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """An image ``(C, H, W)`` as its centred square ``(C, side, side)``; any number of channels."""
    if image.shape[1:] == (side, side):
        return image
    planes = (Image.fromarray(np.ascontiguousarray(plane)) for plane in image)
    return np.stack([np.asarray(square(plane, side)) for plane in planes])


def channel_statistics(
    images: NDArray[np.uint8],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over all pixels, in units of 0 to 1.

    The sums are exact integers, rounded once at the end, so that they are the same on every
    machine. A constant channel has the standard deviation of one grey level, 1/255, by which it
    can be divided.

    Args:
        images: ``(N, C, H, W)``, with at least one pixel.

    >>> channel_statistics(np.array([0, 255], np.uint8).reshape(2, 1, 1, 1))
    ((0.5,), (0.5,))
    """
    moments = [_moments(images[:, channel]) for channel in range(images.shape[1])]
    means = tuple(total / (255 * n) for n, total, _ in moments)
    variances = (
        max(n * squares - total**2, n**2) / (255 * n) ** 2 for n, total, squares in moments
    )
    return means, tuple(math.sqrt(variance) for variance in variances)


def _moments(plane: NDArray[np.uint8]) -> tuple[int, int, int]:
    """Number of pixels, their sum and the sum of their squares."""
    chunks = (plane[start : start + _CHUNK] for start in range(0, len(plane), _CHUNK))
    counts = sum(
        (np.bincount(chunk.ravel(), minlength=256) for chunk in chunks), np.zeros(256, np.int64)
    )
    values = np.arange(256)
    return int(counts.sum()), int(counts @ values), int(counts @ values**2)
