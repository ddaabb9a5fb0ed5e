"""Augmentation of a whole batch, against the published pipeline image by image."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from anglenas.data import Augmenter, FewShot, augment, normalise, normalised, standard_padding

MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
LAYOUTS = [torch.contiguous_format, torch.channels_last]


def batch_of(count: int, channels: int = 3, side: int = 8, flip: bool = True) -> FewShot:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(1, 256, (count, channels, side, side), generator=generator)
    labels = torch.arange(count) % 2
    return FewShot(images.byte(), labels, ("a", "b"), MEAN[:channels], STD[:channels], flip)


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def to_picture(image: torch.Tensor) -> Image.Image:
    pixels = image.permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(pixels if len(image) == 3 else pixels[..., 0]))


def published(
    image: torch.Tensor, mirrored: bool, top: int, left: int, padding: int
) -> torch.Tensor:
    """Flip, pad with black, crop, ToTensor, Normalize: on one image with Pillow and NumPy."""
    picture = to_picture(image)
    if mirrored:
        picture = ImageOps.mirror(picture)
    padded = ImageOps.expand(picture, padding, fill=0)
    side = image.shape[-1]
    pixels = np.asarray(padded.crop((left, top, left + side, top + side)), np.float32) / 255
    pixels = pixels.reshape(side, side, len(image)).transpose(2, 0, 1)
    mean, std = (np.float32(v[: len(image)]).reshape(-1, 1, 1) for v in (MEAN, STD))
    return torch.tensor((pixels - mean) / std)


def placement(
    image: torch.Tensor, result: torch.Tensor, padding: int
) -> tuple[bool, int, int] | None:
    """The flip and shift that the published pipeline needs for this result."""
    for mirrored in (False, True):
        for top in range(2 * padding + 1):
            for left in range(2 * padding + 1):
                if torch.equal(published(image, mirrored, top, left, padding), result):
                    return mirrored, top, left
    return None


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_image_is_one_of_the_published_pipeline(
    channels: int, flip: bool, layout: torch.memory_format
) -> None:
    batch = batch_of(40, channels, flip=flip)
    batch = replace(batch, images=batch.images.contiguous(memory_format=layout))
    result = Augmenter(batch, 2)(seeded())
    found = [placement(*pair, 2) for pair in zip(batch.images, result, strict=True)]
    assert None not in found
    mirrored, tops, lefts = zip(*(place for place in found if place), strict=True)
    assert set(mirrored) == ({False, True} if flip else {False})
    assert set(tops) == set(lefts) == set(range(5))
    assert len(set(zip(tops, lefts, strict=True))) > 12


def test_flips_and_shifts_are_as_likely() -> None:
    """A marked pixel tells both; chi-square bounds at p = 1e-4 (one fixed seed)."""
    images = torch.zeros(8000, 1, 9, 9)
    images[:, 0, 4, 4], images[:, 0, 4, 5] = 1, 2
    result = augment(images, padding=2, flip=True, generator=seeded())[:, 0].flatten(1)
    place, neighbour = (result == 1).int().argmax(1), (result == 2).int().argmax(1)
    assert set((neighbour - place).tolist()) == {-1, 1}
    flipped = int((neighbour < place).sum())
    assert (2 * flipped - 8000) ** 2 / 8000 < 15.1
    cells = torch.bincount(torch.stack([place // 9 - 2, place % 9 - 2]).T @ torch.tensor([5, 1]))
    assert len(cells) == 25
    assert ((cells - 320.0) ** 2 / 320).sum() < 61


@given(st.integers(1, 12), st.integers(0, 3), st.booleans(), st.integers(0, 2**40))
def test_augmenter_is_normalise_of_augment(n: int, padding: int, flip: bool, seed: int) -> None:
    batch = batch_of(n, flip=flip)
    pixels = augment(batch.images, padding=padding, flip=flip, generator=seeded(seed))
    assert pixels.dtype == torch.uint8
    assert torch.equal(
        Augmenter(batch, padding)(seeded(seed)), normalise(pixels, batch.mean, batch.std)
    )


def test_uncovered_border_is_black() -> None:
    batch = batch_of(200)
    result = Augmenter(batch, 4)(seeded())
    black = normalise(torch.zeros_like(batch.images), MEAN, STD)
    uncovered = (result == black).all(1).any((1, 2))
    assert uncovered.float().mean() > 0.9


def test_no_padding_and_no_flip_change_nothing() -> None:
    batch = batch_of(5, flip=False)
    assert torch.equal(Augmenter(batch, 0)(seeded()), normalised(batch))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [1, 3])
def test_memory_layout_is_kept(layout: torch.memory_format, channels: int) -> None:
    batch = batch_of(6, channels)
    other = replace(batch, images=batch.images.contiguous(memory_format=layout))
    for result in (Augmenter(other, 1)(seeded()), normalised(other)):
        assert result.is_contiguous(memory_format=layout)
        assert result.dtype == torch.float32
    assert torch.equal(Augmenter(other, 1)(seeded()), Augmenter(batch, 1)(seeded()))


def test_randomness_is_the_generators_alone() -> None:
    augmenter = Augmenter(batch_of(20), 1)
    state = torch.get_rng_state()
    first, second = augmenter(seeded(1)), augmenter(seeded(2))
    assert not torch.equal(first, second)
    assert torch.equal(first, augmenter(seeded(1)))
    assert torch.equal(state, torch.get_rng_state())
    generator = seeded(1)
    assert not torch.equal(augmenter(generator), augmenter(generator))


def test_results_are_the_callers_own() -> None:
    augmenter = Augmenter(batch_of(4, flip=False), 0)
    wanted = augmenter(seeded()).clone()
    augmenter(seeded()).zero_()
    assert torch.equal(augmenter(seeded()), wanted)


def test_normalise_is_that_of_numpy() -> None:
    batch = batch_of(3)
    shape = (1, 3, 1, 1)
    exact = (batch.images.numpy() / 255 - np.reshape(MEAN, shape)) / np.reshape(STD, shape)
    np.testing.assert_allclose(normalised(batch).numpy(), exact, rtol=0, atol=1e-6)
    assert batch.images.dtype == torch.uint8


@pytest.mark.parametrize(("side", "padding"), [(32, 4), (16, 2), (8, 1), (64, 8)])
def test_padding_as_published(side: int, padding: int) -> None:
    assert standard_padding(side) == padding


@pytest.mark.slow
@pytest.mark.alone
def test_a_batch_takes_less_than_two_milliseconds() -> None:
    """100 x 3 x 32 x 32 with one thread; the best of many, so that a busy machine passes."""
    augmenter, generator, before = (
        Augmenter(batch_of(100, side=32), 4),
        seeded(),
        torch.get_num_threads(),
    )
    times = []
    torch.set_num_threads(1)
    try:
        for _ in range(50):
            start = time.perf_counter()
            augmenter(generator)
            times.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
    assert min(times) < 2e-3
