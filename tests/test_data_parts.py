"""Parts of whole images: what a random resized crop is made of."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from anglenas.data import (
    ImageSource,
    UnreadableImageError,
    from_arrays,
    load_folder,
    split,
    subset,
    with_flip,
)


@pytest.fixture
def gradient() -> Image.Image:
    """48 x 20 pixels that differ, so that a wrong part shows."""
    across, down = np.meshgrid(np.arange(48), np.arange(20))
    return Image.fromarray(np.stack([5 * across, 12 * down, across + down], 2).astype(np.uint8))


@pytest.fixture
def folder(tmp_path: Path, gradient: Image.Image) -> ImageSource:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        gradient.save(tmp_path / name / "1.png")
    (tmp_path / "b" / "2.png").write_bytes(b"none")
    return load_folder(tmp_path)


def test_a_part_of_a_file_is_pillows_own(folder: ImageSource, gradient: Image.Image) -> None:
    def box(width: int, height: int) -> tuple[int, int, int, int]:
        assert (width, height) == (48, 20)  # all of the image, not its centred square
        return 30, 2, 46, 14

    found = folder.read_part(1, box, 8)
    expected = gradient.crop((30, 2, 46, 14)).resize((8, 8), Image.Resampling.BILINEAR)
    assert torch.equal(found.permute(1, 2, 0), torch.from_numpy(np.array(expected)))


def test_a_part_of_the_same_size_is_the_pixels_themselves() -> None:
    pixels = np.arange(2 * 16 * 16, dtype=np.uint8).reshape(2, 16, 16)
    source = from_arrays(pixels, [0, 1])
    found = source.read_part(1, lambda width, height: (4, 8, 12, 16), 8)
    assert torch.equal(found, torch.from_numpy(pixels[1, 8:16, 4:12])[None])


def test_views_read_the_image_that_they_show(folder: ImageSource) -> None:
    def box(width: int, height: int) -> tuple[int, int, int, int]:
        return 0, 0, width // 2, height

    whole = folder.read_part(0, box, 8)
    assert torch.equal(with_flip(folder, False).read_part(0, box, 8), whole)
    assert torch.equal(subset(folder, [1, 0]).read_part(1, box, 8), whole)
    arrays = from_arrays(np.random.default_rng(0).integers(0, 256, (8, 9, 9), np.uint8), [0, 1] * 4)
    for part in split(arrays, 0.5, seed=1):
        assert part.read_part(0, box, 8).shape == (1, 8, 8)


def test_a_broken_file_is_named(folder: ImageSource) -> None:
    with pytest.raises(UnreadableImageError, match=r"2\.png.*no JPEG"):
        folder.read_part(2, lambda width, height: (0, 0, width, height), 8)
