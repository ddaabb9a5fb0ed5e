"""Batches to train on and to validate with: which images, in which order, changed how."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anglenas._evaluation.augment import cutout
from anglenas._evaluation.images import (
    EpochSampler,
    HeldOutSet,
    PartSampler,
    Step,
    TrainingSet,
    open_images,
)
from anglenas._evaluation.recipe import TrainingRecipe
from anglenas._numerics import derive
from anglenas.data import ImageSource, augment, from_arrays, load_folder, normalise, open_source
from anglenas.errors import DataError

counts = st.integers(1, 200)


def coloured(count: int = 12, side: int = 8) -> ImageSource:
    rng = np.random.default_rng(0)
    return from_arrays(rng.integers(0, 256, (count, side, side, 3), np.uint8), np.arange(count) % 3)


@given(counts, st.integers(2, 50), st.integers(0, 5), st.integers(1, 4))
def test_an_epoch_is_every_image_once(count: int, batch: int, epoch: int, world: int) -> None:
    shares = []
    for rank in range(world):
        sampler = EpochSampler(count, batch, 7, rank, world)
        sampler.set_epoch(epoch)
        shares.append(list(sampler))
        assert len(shares[-1]) == len(sampler)
    seen = [number for share in shares for draw in share for number in draw.numbers]
    assert len(seen) == len(set(seen))
    rest = count % batch
    left_out = rest if count > batch and 0 < rest < 2 * world else 0
    assert len(seen) == count - left_out
    assert {(d.epoch, d.step) for share in shares for d in share} == {
        (epoch, step) for step in range(len(shares[0]))
    }


def test_the_order_comes_from_seed_and_epoch_alone() -> None:
    def orders(seed: int) -> list[list[Step]]:
        sampler = EpochSampler(30, 8, seed)
        found = []
        for epoch in (0, 1, 0):
            sampler.set_epoch(epoch)
            found.append(list(sampler))
        return found

    first, second, again = orders(1)
    assert first == again
    assert [d.numbers for d in first] != [d.numbers for d in second]
    assert orders(2)[0] != first


@given(st.integers(4, 200), st.integers(1, 50), st.integers(1, 4))
def test_validation_is_every_image_once_in_equally_many_steps(
    count: int, batch: int, world: int
) -> None:
    shares = [list(PartSampler(count, batch, rank, world)) for rank in range(world)]
    assert len({len(share) for share in shares}) == 1
    parts = [part for share in shares for part in share]
    assert all(parts)
    assert sorted(number for part in parts for number in part) == list(range(count))
    if count // world >= -(-count // batch):
        assert max(map(len, parts)) <= -(-batch // world) + 1


def test_a_batch_is_the_published_augmentation_of_its_images() -> None:
    images = open_images(coloured(), 8)
    recipe = TrainingRecipe(side=8, cutout=4)
    pixels, labels = TrainingSet(images, recipe, seed=5)[Step(2, 1, (4, 0, 7))]
    generator = torch.Generator().manual_seed(derive(5, "augmentation", 2, 1, 0))
    expected = augment(images.read([4, 0, 7]), padding=1, flip=True, generator=generator)
    normal = normalise(expected, images.mean, images.std)
    assert torch.equal(pixels, cutout(normal, 4, generator))
    assert labels.tolist() == [1, 0, 1]


def test_a_batch_depends_on_epoch_step_seed_and_process() -> None:
    images = open_images(coloured(), 8)
    numbers = tuple(range(12))
    batches = [
        TrainingSet(images, TrainingRecipe(side=8), seed, rank)[Step(epoch, step, numbers)][0]
        for seed, rank, epoch, step in [(1, 0, 0, 0), (2, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0),
                                        (1, 0, 0, 1), (1, 0, 0, 0)]
    ]  # fmt: skip
    assert torch.equal(batches[0], batches[-1])
    assert all(not torch.equal(batches[0], other) for other in batches[1:-1])


def test_no_crop_and_no_mirror_leave_the_images() -> None:
    source = open_source("digits")
    images = open_images(source, 8)
    batch, _ = TrainingSet(images, TrainingRecipe(crop="none"), 1)[Step(0, 0, (0, 5))]
    assert torch.equal(batch, normalise(source.read([0, 5], 8), images.mean, images.std))


def test_jitter_and_parts_make_images_of_the_wanted_side() -> None:
    images = open_images(coloured(side=10), 24, enlarge=True, most=0)
    assert images.kept is None
    recipe = TrainingRecipe(side=16, crop="resized", brightness=0.4, hue=0.2)
    batch, _ = TrainingSet(images, recipe, 1)[Step(0, 0, (0, 1))]
    assert batch.shape == (2, 3, 16, 16)
    assert images.shape == (3, 24, 24)


def test_held_out_images_are_normalised_as_those_trained_on() -> None:
    images = open_images(coloured(side=10), 10)
    batch, labels = HeldOutSet(images, 8, (0.5,) * 3, (0.25,) * 3)[(3, 4)]
    centre = images.read([3, 4])[..., 1:9, 1:9]
    assert torch.equal(batch, normalise(centre, (0.5,) * 3, (0.25,) * 3))
    assert labels.tolist() == [0, 1]


def test_reading_one_by_one_gives_the_same_images() -> None:
    source = coloured()
    kept, read = open_images(source, 8), open_images(source, 8, most=0)
    assert kept.kept is not None
    assert read.kept is None
    assert torch.equal(kept.read([3, 1]), read.read([3, 1]))
    assert (kept.mean, kept.std) == (read.mean, read.std)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(3):
            pixels = rng.integers(0, 256, (12, 9, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    return tmp_path


def test_broken_files_are_left_out_and_told(folder: Path) -> None:
    (folder / "cat" / "1.png").write_bytes(b"none")
    images = open_images(load_folder(folder), 8)
    assert images.labels.tolist() == [0, 0, 1, 1, 1]
    assert images.indices == (0, 2, 3, 4, 5)
    [notice] = images.notices
    assert "1 images" in notice
    assert "cat/1.png" in notice


def test_a_class_without_a_readable_image_is_refused(folder: Path) -> None:
    for path in (folder / "dog").iterdir():
        path.write_bytes(b"none")
    with pytest.raises(DataError, match=r"class 'dog' has no readable image \(.*dog/0\.png"):
        open_images(load_folder(folder), 8)
