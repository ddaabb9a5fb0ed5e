"""Images in memory, `.npz` archives and the built-in digits."""

import hashlib
import io
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anglenas.data import ArraySource, from_arrays, load_npz, open_parts, open_source
from anglenas.errors import DataError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (6, 8, 10, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def saved(folder: Path, **arrays: Any) -> Path:
    path = folder / "mine.npz"
    np.savez_compressed(path, **arrays)
    return path


def test_layouts_are_the_same_images() -> None:
    channels_last = from_arrays(COLOUR, LABELS)
    channels_first = from_arrays(COLOUR.transpose(0, 3, 1, 2), LABELS)
    assert channels_last.images.shape == (6, 3, 8, 10)
    np.testing.assert_array_equal(channels_last.images, channels_first.images)


def test_grey_images_get_one_channel() -> None:
    grey = COLOUR[..., 0]
    for images in (grey, grey[..., None], grey[:, None]):
        np.testing.assert_array_equal(from_arrays(images, LABELS).images, grey[:, None])


def test_small_images_are_read_as_they_are() -> None:
    square = COLOUR[:, :, :8]
    read = from_arrays(square, LABELS).read([4, 1], 32)
    assert read.dtype == torch.uint8
    np.testing.assert_array_equal(read.numpy(), square[[4, 1]].transpose(0, 3, 1, 2))


def test_oblong_images_are_cut_to_the_centre() -> None:
    read = from_arrays(COLOUR, LABELS).read([2], 32)
    np.testing.assert_array_equal(read[0].permute(1, 2, 0).numpy(), COLOUR[2, :, 1:9])


@pytest.mark.parametrize("channels", [1, 3])
def test_halving_is_antialiased(channels: int) -> None:
    """A checkerboard of single pixels becomes grey; taking every second pixel would not do so.

    At the border the filter (1, 3, 3, 1) / 8 loses one pixel, and the corners 1 / 49 of balance.
    """
    board = np.indices((32, 32)).sum(0) % 2 * np.uint8(255)
    images = np.repeat(board[None, None].astype(np.uint8), 2, 0).repeat(channels, 1)
    read = from_arrays(images, [0, 1]).read([0, 1], 16)
    assert read.shape == (2, channels, 16, 16)
    assert read[:, :, 1:-1, 1:-1].unique().tolist() in ([127], [128], [127, 128])
    assert (read - 127.5).abs().max() <= 127.5 / 49 + 1


def test_reduction_is_close_to_an_exact_triangle_filter() -> None:
    image = RNG.integers(0, 256, (3, 24, 24), dtype=np.uint8)
    read = from_arrays(np.stack([image, image]), [0, 1]).read([0], 10)
    exact = torch.nn.functional.interpolate(
        torch.tensor(image[None], dtype=torch.float64), (10, 10), mode="bilinear", antialias=True
    )
    assert (read - exact).abs().max() <= 1.01


def test_normalisation_is_of_all_images() -> None:
    source = from_arrays(COLOUR, LABELS)
    mean, std = source.normalisation(source.read([0], 4))
    scaled = COLOUR.astype(np.float64) / 255
    np.testing.assert_allclose(mean, scaled.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(std, scaled.std((0, 1, 2)), rtol=1e-12)


def test_constant_channel_can_be_divided_by() -> None:
    source = from_arrays(np.full((4, 8, 8), 51, np.uint8), [0, 1, 0, 1])
    assert source.normalisation(torch.empty(0)) == ((0.2,), (1 / 255,))


def test_stored_normalisation_is_used() -> None:
    source = from_arrays(COLOUR, LABELS, mean=[0.1, 0.2, 0.3], std=[0.4, 0.5, 0.6])
    assert source.normalisation(torch.empty(0)) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


@given(st.lists(st.integers(0, 2**40), min_size=2, max_size=9).filter(lambda x: len(set(x)) > 1))
def test_gaps_between_labels_are_closed(ids: list[int]) -> None:
    source = from_arrays(np.zeros((len(ids), 4, 4), np.uint8), np.array(ids, np.uint64))
    assert sorted(set(source.labels.tolist())) == list(range(len(set(ids))))
    assert [int(source.class_names[label]) for label in source.labels] == ids


def test_class_names_by_number_or_by_occurrence() -> None:
    labels = [0, 3, 3, 0, 5, 5]
    by_number = from_arrays(COLOUR, labels, class_names=list("abcdefg"))
    assert by_number.class_names == ("a", "d", "f")
    assert from_arrays(COLOUR, labels, class_names=list("xyz")).class_names == ("x", "y", "z")
    with pytest.raises(DataError, match="2 class names for 3 classes numbered up to 5"):
        from_arrays(COLOUR, labels, class_names=list("xy"))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (COLOUR / 255, "uint8, 0 to 255, not float64"),
        (COLOUR.astype(object), "not object"),
        (COLOUR[..., :2], r"1 or 3 channels.*\(6, 2, 8, 10\)"),
        (COLOUR[:, :3], "at least 4 x 4 pixels"),
        (COLOUR[0, 0], "bring them into such a shape"),
    ],
)
def test_images_that_do_not_do(images: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_arrays(images, LABELS)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:5], r"6 images and labels of shape \(5,\)"),
        (np.eye(6, dtype=int), r"labels of shape \(6, 6\)"),
        (LABELS / 2, "integers, not float64"),
        (LABELS > 0, "integers, not bool"),
        (LABELS - 1, "A label is -1"),
        (LABELS * 0, "at least 2 are needed"),
        (np.array(list("abcabc")), "integers, not <U1"),
    ],
)
def test_labels_that_do_not_do(labels: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_arrays(COLOUR, labels)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ([0.5] * 3, None, "come together, with 3 numbers"),
        ([0.5], [0.5], "with 3 numbers each"),
        ([125.3, 123.0, 113.9], [63.0, 62.1, 66.7], "divide values of 0 to 255 by 255"),
        ([0.5] * 3, [0.0] * 3, "std above 0"),
        ([float("nan")] * 3, [0.5] * 3, "not in units of 0 to 1"),
    ],
)
def test_statistics_that_do_not_do(mean: Any, std: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_arrays(COLOUR, LABELS, mean=mean, std=std)


@pytest.mark.parametrize("keys", [("x_train", "y_train"), ("images", "labels")])
def test_archives_come_back(tmp_path: Path, keys: tuple[str, str]) -> None:
    arrays = dict(zip(keys, (COLOUR, LABELS[:, None]), strict=True))
    path = saved(tmp_path, **arrays, class_names=np.array(["cat", "dog", "øl"]),
                 mean=np.float32([0.5] * 3), std=np.float32([0.25] * 3))  # fmt: skip
    source = load_npz(path)
    assert source.name == "mine"
    assert source.flip
    assert source.class_names == ("cat", "dog", "øl")
    assert source.stored == ((0.5,) * 3, (0.25,) * 3)
    np.testing.assert_array_equal(source.images, COLOUR.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(source.labels, LABELS)


def test_column_order_archives_come_back(tmp_path: Path) -> None:
    source = load_npz(saved(tmp_path, images=np.asfortranarray(COLOUR), labels=LABELS))
    np.testing.assert_array_equal(source.images, COLOUR.transpose(0, 3, 1, 2))


class Trap:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was loaded",))


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    path = saved(tmp_path, images=COLOUR, labels=np.array([Trap()] * 6, object))
    with pytest.raises(DataError, match="'labels' holds Python objects, which are never unpickled"):
        load_npz(path)


def test_other_arrays_of_the_archive_are_not_read(tmp_path: Path) -> None:
    path = saved(tmp_path, images=COLOUR, labels=LABELS, rest=np.array([Trap()], object))
    assert len(load_npz(path).labels) == 6


def test_large_arrays_are_refused_by_their_headers(tmp_path: Path) -> None:
    path = saved(tmp_path, images=np.zeros((1000, 64, 64, 3), np.uint8), labels=np.arange(1000) % 2)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match=r"0\.0123 GB of memory, more than the limit of 0\.01 GB"):
        load_npz(path, max_bytes=10_000_000)
    assert load_npz(path, max_bytes=13_000_000).images.shape == (1000, 3, 64, 64)


def archive_with_header(path: Path, header: bytes, version: bytes = b"\x01\x00") -> Path:
    """An archive whose `images.npy` has this header and no data."""
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(header))
    labels = io.BytesIO()
    np.save(labels, LABELS)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", b"\x93NUMPY" + version + length + header)
        archive.writestr("labels.npy", labels.getvalue())
    return path


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("(1099511627776, 1099511627776, 32, 3)", "of memory, more than the limit"),
        ("(-1, 32, 32, 3)", "negative length"),
        ("(6, 8, 8, 3)", "cannot be read as a NumPy archive"),
        ("__import__('os')", "cannot be read as a NumPy archive"),
    ],
)
def test_hostile_headers(tmp_path: Path, shape: str, message: str) -> None:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    with pytest.raises(DataError, match=message):
        load_npz(archive_with_header(tmp_path / "a.npz", header))


def test_long_headers_are_not_unpacked(tmp_path: Path) -> None:
    header = b" " * 10_000_000
    with pytest.raises(DataError, match="'images' has an unusual header"):
        load_npz(archive_with_header(tmp_path / "a.npz", header, b"\x02\x00"))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": COLOUR}, "needs arrays x_train and y_train, or images and labels, and has im"),
        ({}, "and has nothing"),
        ({"images": COLOUR, "labels": LABELS, "class_names": [1, 2, 3]}, "list of texts"),
        ({"images": COLOUR, "labels": LABELS, "class_names": ["a", "b", "\x1b[31m"]}, "printed"),
        ({"images": COLOUR, "labels": LABELS, "mean": ["x"], "std": [0.1]}, "mean is one number"),
        ({"images": COLOUR, "labels": LABELS, "mean": 0.1, "std": 0.1}, "3 numbers each"),
    ],
)
def test_archives_that_do_not_do(tmp_path: Path, arrays: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_npz(saved(tmp_path, **arrays))


@pytest.mark.parametrize("order", "<>")
def test_class_names_that_are_no_texts(tmp_path: Path, order: str) -> None:
    names = np.full(3, 2**31 - 1, f"{order}u4").view(f"{order}U1")
    path = saved(tmp_path, images=COLOUR, labels=LABELS, class_names=names)
    with pytest.raises(DataError, match="A class name is no text"):
        load_npz(path)
    names = np.array(["a", "b", "ø"], f"{order}U1")
    path = saved(tmp_path, images=COLOUR, labels=LABELS, class_names=names)
    assert load_npz(path).class_names == ("a", "b", "ø")


def test_missing_file_and_folder_are_no_archives(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no file"):
        load_npz(tmp_path / "none.npz")
    with pytest.raises(DataError, match="cannot be read as a NumPy archive"):
        load_npz(tmp_path)


@given(st.data())
def test_broken_archives_are_explained(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = saved(tmp_path_factory.getbasetemp(), images=COLOUR[:, :4, :4], labels=LABELS)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with suppress(DataError):
        assert isinstance(load_npz(path), ArraySource)


def test_digits_are_what_they_were() -> None:
    """Their bytes are part of every score that was measured on them."""
    source = open_source("digits")
    digest = hashlib.sha256(source.images.tobytes() + source.labels.tobytes()).hexdigest()
    assert digest.startswith("0b7e9c3202d7bcd2")
    assert (source.name, source.flip, source.class_names) == ("digits", False, tuple("0123456789"))


def test_digits_are_those_of_scikit_learn() -> None:
    published = pytest.importorskip("sklearn.datasets").load_digits()
    source = open_source("digits")
    np.testing.assert_array_equal(source.labels, published.target)
    assert np.abs(source.images[:, 0] / 255 - published.images / 16).max() <= 0.5 / 255 + 1e-12
    assert (source.images.min(), source.images.max()) == (0, 255)


def test_fit_agrees_with_pillow_on_colour_images() -> None:
    image = RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    read = from_arrays(np.stack([image, image]), [0, 1]).read([0], 16)
    whole = Image.fromarray(image).resize((16, 16), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(read[0].permute(1, 2, 0).numpy(), np.asarray(whole))


def test_npz_keeps_images_to_validate_with(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (6, 8, 8, 3), np.uint8), np.arange(6) % 3
    np.savez(
        tmp_path / "all.npz", x_train=images, y_train=labels, x_test=images[3:], y_test=labels[3:]
    )
    train, held_out = open_parts(tmp_path / "all.npz")
    assert held_out is not None
    assert (len(train.labels), held_out.labels.tolist()) == (6, [0, 1, 2])
    assert torch.equal(held_out.read([1], 8), train.read([4], 8))
    np.savez(
        tmp_path / "few.npz", x_train=images, y_train=labels, x_val=images[:2], y_val=labels[:2]
    )
    with pytest.raises(DataError, match="other classes"):
        open_parts(tmp_path / "few.npz")
