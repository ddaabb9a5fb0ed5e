"""The few images drawn, and the ways a user names data."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anglenas import Recipe
from anglenas.data import (
    ArraySource,
    FewShot,
    FolderSource,
    ImageSource,
    UnreadableImageError,
    draw_few_shot,
    from_arrays,
    load_folder,
    load_npz,
    open_parts,
    open_source,
    with_flip,
)
from anglenas.errors import DataError, SettingError, UnknownNameError, UsageError


def numbered(counts: list[int]) -> ArraySource:
    """A source whose images tell their position: grey level ``p % 256`` above ``p // 256``."""
    total = sum(counts)
    images = np.zeros((total, 4, 4), np.uint8)
    images[:, 0, 0], images[:, 1, 0] = np.divmod(np.arange(total), 256)[::-1]
    labels = np.repeat(np.arange(len(counts)), counts)
    return from_arrays(images, np.random.default_rng(0).permutation(labels))


def positions(batch: FewShot) -> list[int]:
    return (batch.images[:, 0, 0, 0].int() + 256 * batch.images[:, 0, 1, 0].int()).tolist()


def draw(source: ImageSource, seed: int = 1, **changes: Any) -> FewShot:
    recipe = Recipe()
    settings: dict[str, Any] = {
        "classes": recipe.classes,
        "images_per_class": recipe.images_per_class,
        "sampling": recipe.sampling,
        "resolution": recipe.resolution,
    }
    return draw_few_shot(source, seed=seed, **(settings | changes))


COUNTS = st.lists(st.integers(1, 12), min_size=2, max_size=14)


@given(COUNTS, st.integers(2, 12), st.integers(1, 8), st.sampled_from(["random", "first"]))
def test_counts_labels_and_no_repetition(
    counts: list[int], classes: int, each: int, sampling: str
) -> None:
    source = numbered(counts)
    batch = draw(source, classes=classes, images_per_class=each, sampling=sampling)
    taken = positions(batch)
    assert len(set(taken)) == len(taken)
    names = [batch.class_names[label] for label in batch.labels]
    assert names == [source.class_names[label] for label in source.labels[taken]]
    assert len(set(batch.class_names)) == len(batch.class_names) == min(classes, len(counts))
    share, rest = divmod(classes * each, len(batch.class_names))
    for number, name in enumerate(batch.class_names):
        assert names.count(name) == min(share + (number < rest), counts[int(name)])
    assert batch.labels.dtype == torch.int64
    assert batch.images.is_contiguous()


@given(COUNTS, st.integers(0, 2**40))
def test_same_seed_same_images(counts: list[int], seed: int) -> None:
    state = torch.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[union-attr]  # noqa: NPY002
    one, two = draw(numbered(counts), seed), draw(numbered(counts), seed)
    assert torch.equal(one.images, two.images)
    assert one.fingerprint == two.fingerprint
    assert torch.equal(torch.get_rng_state(), state[0])
    assert np.random.get_state()[1].tolist() == state[1]  # type: ignore[union-attr]  # noqa: NPY002


def test_other_seeds_other_images() -> None:
    source = numbered([50] * 30)
    batches = [draw(source, seed) for seed in range(20)]
    assert len({batch.fingerprint for batch in batches}) == 20
    assert len({batch.class_names for batch in batches}) == 20


def test_all_classes_keep_their_order() -> None:
    for seed in range(5):
        batch = draw(numbered([20] * 10), seed)
        assert batch.class_names == tuple("0123456789")
        assert batch.labels.tolist() == [label for label in range(10) for _ in range(10)]
        assert batch.notices == ()


def test_first_images_are_the_first_in_file_order() -> None:
    source = numbered([30] * 20)
    batch = draw(source, sampling="first")
    wanted = [int(i) for name in batch.class_names
              for i in np.flatnonzero(source.labels == int(name))[:10]]  # fmt: skip
    assert positions(batch) == wanted
    assert positions(draw(source)) != wanted


def test_every_image_is_as_likely() -> None:
    """Chi-square over 400 draws of 2 of 4 classes and 2 of 5 images: 20 images, 80 hits each.

    Hits of one draw are not independent, but less spread than Poisson's, so the bound of the
    chi-square distribution at p = 1e-4 holds.
    """
    source = numbered([5] * 4)
    hits = np.zeros(20)
    for seed in range(400):
        hits[positions(draw(source, seed, classes=2, images_per_class=2))] += 1
    classes = np.bincount(source.labels, weights=hits)
    assert ((classes - 400) ** 2 / 400).sum() < 21.1  # 3 degrees of freedom
    for label in range(4):
        inside = hits[source.labels == label]
        assert ((inside - inside.mean()) ** 2 / inside.mean()).sum() < 23.5  # 4 degrees


def test_few_classes_share_all_images() -> None:
    batch = draw(numbered([60, 60, 60]))
    assert torch.bincount(batch.labels).tolist() == [34, 33, 33]
    assert batch.notices == (
        "'arrays' has 3 classes where 10 are wanted: all are used, with up to 34 images of each.",
    )


def test_small_classes_give_what_they_have() -> None:
    batch = draw(numbered([4, 20, 9]), classes=3)
    assert torch.bincount(batch.labels).tolist() == [4, 10, 9]
    assert batch.notices == (
        "Some classes have fewer images than wanted and give all they have: "
        "'0' 4 of 10, '2' 9 of 10.",
    )


def test_larger_images_are_reduced_and_smaller_ones_kept() -> None:
    source = open_source("digits")
    assert draw(source, resolution=32).images.shape == (100, 1, 8, 8)
    assert draw(source, resolution=4).images.shape == (100, 1, 4, 4)


def test_facts_of_the_source_are_passed_on() -> None:
    source = numbered([5, 5])
    batch = draw(source)
    assert (batch.mean, batch.std) == source.normalisation(batch.images)
    assert batch.flip
    assert not draw(with_flip(source, False)).flip
    assert draw(with_flip(source, False)).fingerprint != batch.fingerprint


def test_images_do_not_depend_on_threads() -> None:
    source, before = open_source("digits"), torch.get_num_threads()
    fingerprints = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            fingerprints.append(draw(source, resolution=6).fingerprint)
    finally:
        torch.set_num_threads(before)
    assert fingerprints[0] == fingerprints[1]


def test_seed_1_of_the_digits_is_what_it_was() -> None:
    """A change here changes the address of every stored score; it must be on purpose."""
    assert draw(open_source("digits")).fingerprint == "c0ea2d9ddec91a2e"


@pytest.fixture
def photos(tmp_path: Path) -> FolderSource:
    """Two classes of four images; image ``i`` of a class has the colour ``(10 i, 0, class)``."""
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / name).mkdir()
        for i in range(4):
            Image.new("RGB", (9, 7), (10 * i, 0, label)).save(tmp_path / name / f"{i}.png")
    return load_folder(tmp_path)


def test_unreadable_images_are_replaced_and_named(photos: FolderSource) -> None:
    photos.path(1).write_bytes(b"broken")
    batch = draw(photos, classes=2, images_per_class=3, sampling="first", resolution=8)
    assert batch.images[:, 0, 0, 0].tolist() == [0, 20, 30, 0, 10, 20]
    assert batch.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert batch.notices == (
        f"{str(photos.path(1))!r} is skipped, for it cannot be read "
        "(it is no JPEG, PNG or WebP image).",
    )


def test_readable_images_stay_the_same_when_another_breaks(photos: FolderSource) -> None:
    whole = draw(photos, classes=2, images_per_class=4, resolution=8)
    photos.path(1).write_bytes(b"broken")
    rest = draw(photos, classes=2, images_per_class=4, resolution=8)
    kept = [image for image in whole.images.tolist()
            if image[0][0][0] != 10 or image[2][0][0] != 0]  # fmt: skip
    assert rest.images.tolist() == kept
    assert rest.notices[0].endswith("give all they have: 'cat' 3 of 4.")


def test_strict_draws_stop_at_unreadable_images(photos: FolderSource) -> None:
    photos.path(0).write_bytes(b"broken")
    with pytest.raises(UnreadableImageError, match=r"cat/0\.png' cannot be read as an image"):
        draw(photos, sampling="first", strict=True)


def test_class_without_readable_images(photos: FolderSource) -> None:
    for index in range(4):
        photos.path(index).write_bytes(b"broken")
    with pytest.raises(DataError, match=r"class 'cat' has no readable image \('.*repair or remove"):
        draw(photos)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": 1}, "at least 2 classes"),
        ({"images_per_class": 0}, "1 image of each"),
        ({"resolution": 0}, "resolution of 1 pixel"),
        ({"sampling": "last"}, "'random' or 'first', not 'last'"),
    ],
)
def test_settings_that_do_not_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        draw(numbered([3, 3]), **changes)


def test_one_class_is_not_enough() -> None:
    single = replace(numbered([3, 3]), labels=np.zeros(6, np.int64), class_names=("only",))
    with pytest.raises(DataError, match="has 1 class; at least 2 are needed"):
        draw(single)


@dataclass
class Own(ImageSource):
    """A user's own source, with plain attributes; images of 4, or with a fault 5, pixels."""

    name: str = "own"
    labels: Any = None
    class_names: tuple[str, ...] = ("a", "b")
    flip: bool = True
    faulty: bool = False

    def __post_init__(self) -> None:
        self.labels = np.array([0, 1]) if self.labels is None else self.labels

    def read(self, indices: Any, resolution: int) -> torch.Tensor:
        side = 4 + self.faulty * int(indices[0])
        return torch.zeros(len(indices), 1, side, side, dtype=torch.uint8)

    def normalisation(self, images: torch.Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return (0.5,), (0.5,)


class Nameless(ImageSource):
    """Forgets to say what it is."""

    labels = np.array([0, 1])

    def read(self, indices: Any, resolution: int) -> torch.Tensor:
        raise NotImplementedError


def own() -> ImageSource:
    return Own()


def test_own_sources_do() -> None:
    source = Own()
    assert open_source(source) is source
    assert draw(source).images.shape == (2, 1, 4, 4)
    with pytest.raises(DataError, match=r"'own' has images of .*of one size"):
        draw(Own(faulty=True))


def test_own_sources_by_module_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "my_images", sys.modules[__name__])
    assert open_source("my_images:own").name == "own"
    with pytest.raises(UsageError, match="'my_images:other' cannot be imported"):
        open_source("my_images:other")


def test_a_function_is_called_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take long, and another call may give another source."""
    calls = []
    module = type(sys)("counted")
    monkeypatch.setattr(module, "load", lambda: calls.append(1) or own(), raising=False)
    monkeypatch.setitem(sys.modules, "counted", module)
    source, held_out = open_parts("counted:load")
    assert (source.name, held_out, calls) == ("own", None, [1])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (3, r"\(int\) is no source of images; derive its class from anglenas.data.ImageSource"),
        (Nameless(), r"source of images \(Nameless\) lacks name, class_names; see"),
        (Own(labels=np.array([0, 2])), "every number from 0 to 1 must occur"),
        (Own(labels=np.array([0, 0])), "every number from 0 to 1 must occur"),
        (Own(labels=np.array([[0, 1]])), "one number for each image"),
    ],
)
def test_things_that_are_no_source(source: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_source(source)


def test_names_and_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: FolderSource
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    np.savez("x.npz", images=np.zeros((2, 4, 4), np.uint8), labels=[0, 1])
    assert open_source("digits").name == "digits"
    assert open_source("x.npz").name == open_source(tmp_path / "x.npz").name == "x"
    assert open_source("~/x.npz").name == "x"
    assert open_source(str(tmp_path)).class_names == photos.class_names
    (tmp_path / "digits").mkdir()
    assert open_source("digits").name == "digits"
    with pytest.raises(DataError, match="has 0 class folders"):
        open_source("./digits")
    (tmp_path / "a:b").mkdir()
    with pytest.raises(DataError, match="has 0 class folders"):
        open_source("a:b")


def test_texts_that_stand_for_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean digits") as caught:
        open_source("digts")
    assert "Paths do as well: of a folder of class folders, an .npz file" in str(caught.value)
    for missing in ("photos/", "photos.npz", tmp_path / "photos"):
        with pytest.raises(DataError, match=r"nothing at .*; give a folder of class folders"):
            open_source(missing)
    (tmp_path / "x.zip").touch()
    with pytest.raises(DataError, match=r"none of what can be read; give a folder of class"):
        open_source(tmp_path / "x.zip")


@pytest.mark.parametrize("flip", [False, True])
def test_another_word_on_flipping(flip: bool) -> None:
    source = numbered([3, 4])
    changed = with_flip(source, flip)
    assert changed.flip is flip
    assert (changed.name, changed.class_names) == (source.name, source.class_names)
    assert changed.labels is source.labels
    assert torch.equal(changed.read([2], 4), source.read([2], 4))
    assert open_source(changed) is changed


def test_cifar10_loads_and_draws(dev_data: Path) -> None:
    source = load_npz(dev_data / "cifar10_subset.npz")
    assert source.images.shape == (20_000, 3, 32, 32)
    assert source.class_names[:2] == ("airplane", "automobile")
    batch = draw(source)
    assert batch.images.shape == (100, 3, 32, 32)
    assert torch.bincount(batch.labels).tolist() == [10] * 10
    assert batch.notices == ()
    published = (125.3, 123.0, 113.9), (63.0, 62.1, 66.7)
    for measured, stated in zip((batch.mean, batch.std), published, strict=True):
        np.testing.assert_allclose(np.multiply(measured, 255), stated, rtol=0.01)


def test_photographs_load_and_draw(dev_data: Path) -> None:
    source = open_source(dev_data / "tinyimagenet64_folder" / "train")
    batch = draw(source)
    assert batch.images.shape == (100, 3, 32, 32)
    assert batch.notices == ()
    assert batch.fingerprint == draw(source).fingerprint
    assert len(set(batch.class_names)) == 10
