"""Augmentation for trainings, compared with Pillow, colorsys and loops."""

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from anglenas._evaluation.augment import (
    _brightness,
    _contrast,
    _hue,
    _saturation,
    centre,
    colour_jitter,
    cutout,
    random_part,
)

COLOURS = torch.rand(1, 3, 9, 7, generator=torch.Generator().manual_seed(3))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def picture() -> Image.Image:
    pixels = (255 * COLOURS[0]).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("change", "enhancer"),
    [
        (_brightness, ImageEnhance.Brightness),
        (_contrast, ImageEnhance.Contrast),
        (_saturation, ImageEnhance.Color),
    ],
)
@pytest.mark.parametrize("factor", [0.0, 0.6, 1.0, 1.4])
def test_brightness_contrast_and_saturation_are_pillows(change, enhancer, factor: float) -> None:
    image = picture()
    start = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
    found = change(start, torch.tensor(factor - 1).view(1, 1, 1, 1))
    expected = np.array(enhancer(image).enhance(factor)).transpose(2, 0, 1)
    # Pillow rounds its grey values, and then its result: at most 1.4 of half a level, and a half.
    assert np.abs(255 * found[0].numpy() - expected).max() <= 0.5 + 0.7 * max(1, factor)


@given(st.floats(-0.5, 0.5), st.tuples(*[st.integers(0, 255)] * 3))
def test_hue_is_that_of_colorsys(turn: float, colour: tuple[int, int, int]) -> None:
    rgb = [value / 255 for value in colour]
    hue, saturation, value = colorsys.rgb_to_hsv(*rgb)
    expected = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)
    image = torch.tensor(rgb, dtype=torch.float64).view(1, 3, 1, 1)
    found = _hue(image, torch.tensor(turn, dtype=torch.float64).view(1, 1, 1, 1))
    assert found.flatten().tolist() == pytest.approx(expected, abs=1e-9)


def test_jitter_keeps_the_range_and_gives_each_image_its_own() -> None:
    images = COLOURS.expand(6, -1, -1, -1)
    jittered = colour_jitter(images, (0.4, 0.4, 0.4, 0.2), generator())
    assert jittered.shape == images.shape
    assert 0 <= float(jittered.min()) <= float(jittered.max()) <= 1
    assert all(not torch.allclose(jittered[0], other) for other in jittered[1:])
    again = colour_jitter(images, (0.4, 0.4, 0.4, 0.2), generator())
    assert torch.equal(jittered, again)


def test_jitter_of_nothing_changes_nothing() -> None:
    assert torch.equal(colour_jitter(COLOURS, (0, 0, 0, 0), generator()), COLOURS)


def test_grey_images_have_no_colour_to_change() -> None:
    grey = COLOURS[:, :1]
    assert torch.equal(colour_jitter(grey, (0, 0, 0.4, 0.2), generator()), grey)
    assert not torch.equal(colour_jitter(grey, (0.4, 0.4, 0, 0), generator()), grey)


def test_cutout_blanks_one_square_of_each_image() -> None:
    images = torch.ones(200, 3, 12, 10)
    cut = cutout(images, 6, generator())
    sizes = set()
    for image in cut:
        assert torch.equal(image[0], image[1])
        rows, columns = torch.nonzero(image[0] == 0, as_tuple=True)
        top, left = int(rows.min()), int(columns.min())
        bottom, right = int(rows.max()) + 1, int(columns.max()) + 1
        assert len(rows) == (bottom - top) * (right - left)  # all of the rectangle
        sizes.add((bottom - top, right - left))
    # The centre may be at the edge, where half of the square is outside: 3 to 6 are left.
    assert sizes <= {(height, width) for height in range(3, 7) for width in range(3, 7)}
    assert (6, 6) in sizes
    assert (3, 3) in sizes


def test_cutout_equals_the_loop_of_the_released_code() -> None:
    images = torch.rand(20, 3, 8, 8, generator=generator(5))
    cut = cutout(images, 4, generator())
    draw = generator()
    rows, columns = (torch.randint(8, (20, 1), generator=draw)[:, 0].tolist() for _ in range(2))
    for image, expected, y, x in zip(cut, images.clone(), rows, columns, strict=True):
        top, bottom = (int(np.clip(y + shift, 0, 8)) for shift in (-2, 2))
        left, right = (int(np.clip(x + shift, 0, 8)) for shift in (-2, 2))
        expected[:, top:bottom, left:right] = 0
        assert torch.equal(image, expected)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 1000))
def test_parts_lie_inside(width: int, height: int, seed: int) -> None:
    left, top, right, bottom = random_part(width, height, generator(seed))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


def test_parts_have_the_published_areas_and_shapes() -> None:
    draw = generator()
    boxes = np.array([random_part(400, 400, draw) for _ in range(2000)])
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    share, ratio = wide * high / 400**2, wide / high
    assert 0.079 < share.min() < 0.1
    assert 0.9 < share.max() <= 1
    assert 0.74 < ratio.min() < 0.77
    assert 1.3 < ratio.max() < 1.35
    assert abs(np.log(ratio).mean()) < 0.03  # as often wide as high
    centres = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    assert np.abs([centres[0].mean() - 200, centres[1].mean() - 200]).max() < 5


def test_an_image_that_no_part_fits_gives_its_centre() -> None:
    assert random_part(1000, 4, generator()) == (497, 0, 502, 4)


def test_the_centre() -> None:
    images = torch.arange(36).view(1, 1, 6, 6)
    assert centre(images, 2).flatten().tolist() == [14, 15, 20, 21]
    assert centre(images, 8) is not None
    assert torch.equal(centre(images, 8), images)
