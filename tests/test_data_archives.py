"""Official archives of CIFAR, ImageNet16-120 and ImageNet: good, damaged and hostile ones."""

import builtins
import gzip
import io
import os
import pickle
import struct
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from anglenas.data import (
    ArraySource,
    ImageSource,
    draw_few_shot,
    find_archive,
    load_folder,
    open_parts,
    open_source,
    subset,
    with_flip,
)
from anglenas.data._pickles import PickledArray, read_pickle
from anglenas.errors import DataError

RNG = np.random.default_rng(0)


def python2(value: Any) -> bytes:
    """The pickle that Python 2's ``cPickle.dump(value, file, 2)`` writes, with NumPy 1.

    Opcodes as in the official ``data_batch_1``, which begins with ``80 02 7d 71 01 28 55 0b``.
    """
    memo = iter(range(1, 1 << 20))
    return b"\x80\x02" + b"".join(_python2(value, memo)) + b"."


def _put(memo: Iterator[int]) -> bytes:
    number = next(memo)
    return b"q" + bytes([number]) if number < 256 else b"r" + struct.pack("<I", number)


def _python2(value: Any, memo: Iterator[int]) -> Iterator[bytes]:
    if isinstance(value, dict):
        yield b"}" + _put(memo) + b"("
        for key, item in value.items():
            yield from _python2(key, memo)
            yield from _python2(item, memo)
        yield b"u"
    elif isinstance(value, list):
        yield b"]" + _put(memo) + b"("
        for item in value:
            yield from _python2(item, memo)
        yield b"e"
    elif isinstance(value, str | bytes):
        text = value.encode() if isinstance(value, str) else value
        short = len(text) < 256
        yield b"U" + bytes([len(text)]) if short else b"T" + struct.pack("<i", len(text))
        yield text + _put(memo)
    elif isinstance(value, np.ndarray):
        yield b"cnumpy.core.multiarray\n_reconstruct\n" + _put(memo)
        yield b"cnumpy\nndarray\n" + _put(memo) + b"K\x00\x85U\x01b\x87R" + _put(memo) + b"(K\x01"
        for length in value.shape:
            yield from _python2(length, memo)
        yield bytes([0x84 + value.ndim]) + b"cnumpy\ndtype\n" + _put(memo)
        yield from _python2(value.dtype.str[1:], memo)
        yield b"K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        yield from _python2(value.tobytes(), memo)
        yield b"tb"
    elif 0 <= value < 256:
        yield b"K" + bytes([value])
    else:
        yield (
            b"M" + struct.pack("<H", value)
            if 0 <= value < 1 << 16
            else b"J" + struct.pack("<i", value)
        )


def plain(value: Any) -> Any:
    """A value of :func:`read_pickle` with its arrays as NumPy's."""
    if isinstance(value, PickledArray):
        return value.values()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def test_python_2_pickles_are_read_as_python_reads_them() -> None:
    batch = {
        "batch_label": "training batch 1 of 5",
        "labels": [6, 9, 300, 70_000],
        "data": RNG.integers(0, 256, (4, 300), dtype=np.uint8),
        "filenames": ["leptodactylus_pentadactylus_s_000004.png", "x" * 300],
    }
    content = python2(batch)
    assert content.startswith(
        b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03"
    )
    python = pickle.loads(content, encoding="latin1")
    read = plain(read_pickle(content))
    for mine in (python, read):
        np.testing.assert_equal(mine, batch)
        assert mine["data"].dtype == np.uint8


ARRAYS = hnp.arrays(
    st.sampled_from(["u1", "<i8", ">i4", "<f4", ">f8", "i1", "?"]),
    hnp.array_shapes(min_dims=1, max_dims=3, max_side=4),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text()
    | ARRAYS | ARRAYS.map(np.asfortranarray),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)  # fmt: skip


@given(VALUES, st.sampled_from([2, 3, 4, 5]))
def test_plain_pickles_are_read_as_python_reads_them(value: Any, protocol: int) -> None:
    content = pickle.dumps(value, protocol)
    np.testing.assert_equal(plain(read_pickle(content)), pickle.loads(content))


class Calls:
    """Pickled, it calls a function when it is unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("nested", [lambda x: x, lambda x: {"data": x}, lambda x: [1, {"a": [x]}]])
def test_hostile_pickles_run_nothing(
    tmp_path: Path, protocol: int, nested: Callable[[Any], Any]
) -> None:
    for call in (
        Calls(os.system, f"touch {tmp_path}/ran"),
        Calls(eval, f"open({str(tmp_path / 'ran')!r}, 'w')"),
        Calls(np.load, str(tmp_path / "ran")),
        Calls(np.ndarray, (1 << 40,)),
        object(),
        np.array([object()]),
        np.zeros(2, [("a", "u1")]),
    ):
        with pytest.raises(ValueError, match=r"not allowed|more than plain|else than|calls"):
            plain(read_pickle(pickle.dumps(nested(call), protocol)))
    assert list(tmp_path.iterdir()) == []


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(tR"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "pickle exhausted before seeing STOP"),
        (b"\x80\x02K\x01", "pickle exhausted before seeing STOP"),
        (b".", "pop from empty list"),
        (b"cthis\ns\n.", r"'this\.s', which is not allowed"),
        (b"\x8c\x04this\x8c\x01s\x93.", r"'this\.s', which is not allowed"),
        (b"(S'x'\nios\nsystem\n.", "more than plain values: STRING"),
        (b"Pid\n.", "more than plain values: PERSID"),
        (b"K\x01)\x81.", "more than plain values: NEWOBJ"),
        (b"K\x01)R.", "calls what is no way to make an array"),
        (b"]}b.", "sets the state of what has none"),
        (b"}K\x01K\x02s.", "keys that are no texts"),
        (b"}" + b")" + b"\x85" * 300_000 + b"Ns.", "keys that are no texts"),
        (b"NK\x01a.", "appends to what is no list"),
        (b"h\x05.", "5"),
        (b"u.", "pop from empty list"),
        (b"T\xff\xff\xff\x7f.", "expected 2147483647 bytes"),
        (b"\x96" + b"\xff" * 8 + b".", "bytearray8 byte count|expected"),
        (b"N" * 2_000_002 + b".", "more than plain values: NONE at step 2000001"),
        (ARRAY + b"(K\x01K\x02tb.", "not enough values to unpack"),
    ],
)  # fmt: skip
def test_pickles_that_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_pickle(content)
    assert "this" not in sys.modules


def test_a_memo_with_huge_numbers_takes_no_memory() -> None:
    assert read_pickle(b"Nr\xff\xff\xff\x7f.") is None


@pytest.mark.parametrize(
    ("shape", "kind", "raw", "message"),
    [
        ((3,), "u1", b"ab", "cannot reshape"),
        ((-1,), "u1", b"ab", "negative length"),
        ((1 << 70, 0), "u1", b"", "dimension exceeded|too large|too big"),
        ((2,), "O", b"ab", "something else than numbers"),
        ((2,), "V1", b"ab", "something else than numbers"),
        ((2,), None, b"ab", "expected string"),
        ((1,), "i4", b"abc", "multiple of element size"),
        ((1,), "u1", "\u20ac", "latin-1"),
        ((1,), "u1", 7, "bytes-like|buffer"),
        (7, "u1", b"ab", "iterable"),
    ],
)
def test_arrays_that_are_refused(shape: Any, kind: Any, raw: Any, message: str) -> None:
    dtype = read_pickle(pickle.dumps(np.dtype("u1"), 2))
    dtype.code = kind
    with pytest.raises(ValueError, match=message):
        PickledArray(dtype, shape, raw).values()


@given(st.data())
def test_damaged_pickles_are_read_or_refused(data: st.DataObject) -> None:
    batch = {"labels": [1, 2], "data": np.zeros((2, 3), np.uint8), "x": "text"}
    content = bytearray(data.draw(st.sampled_from([python2(batch), pickle.dumps(batch, 5)])))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ValueError):
        plain(read_pickle(bytes(content[: data.draw(st.integers(0, len(content)))])))


class Part(NamedTuple):
    images: Any  # (N, 3, H, W)
    names: list[str]  # of the class of each image


class Form(NamedTuple):
    """A published form of a data set, written here as its authors describe it."""

    name: str
    folder: str
    write: Callable[[Path], tuple[Part, Part]]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def pixels(count: int, side: int = 32) -> Any:
    return RNG.integers(0, 256, (count, 3 * side * side), dtype=np.uint8)


def part(rows: list[Any], labels: list[int], names: list[str], side: int = 32) -> Part:
    return Part(np.concatenate(rows).reshape(-1, 3, side, side), [names[i] for i in labels])


CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck".split()  # noqa: SIM905
CIFAR100 = [f"fine_{number}" for number in range(100)]


def write_cifar10_python(folder: Path) -> tuple[Part, Part]:
    batches, labels = [pixels(4) for _ in range(6)], [[(4 * b + i) % 10 for i in range(4)]
                                                      for b in range(5)]  # fmt: skip
    labels.append(list(range(10)))
    batches[5] = pixels(10)
    files = [f"data_batch_{b + 1}" for b in range(5)] + ["test_batch"]
    for name, rows, numbers in zip(files, batches, labels, strict=True):
        batch = {"batch_label": name, "labels": numbers, "data": rows,
                 "filenames": [f"{name}_{i}.png" for i in range(len(rows))]}  # fmt: skip
        (folder / name).write_bytes(python2(batch))
    meta = {"num_cases_per_batch": 10000, "label_names": CIFAR10, "num_vis": 3072}
    (folder / "batches.meta").write_bytes(python2(meta))
    (folder / "readme.html").write_text("<meta HTTP-EQUIV='REFRESH'>")
    train = part(batches[:5], [i for numbers in labels[:5] for i in numbers], CIFAR10)
    return train, part(batches[5:], labels[5], CIFAR10)


def write_cifar10_binary(folder: Path) -> tuple[Part, Part]:
    batches = [(pixels(10), RNG.permutation(10)) for _ in range(6)]
    files = [f"data_batch_{b + 1}.bin" for b in range(5)] + ["test_batch.bin"]
    for name, (rows, labels) in zip(files, batches, strict=True):
        records = [bytes([label]) + row.tobytes() for row, label in zip(rows, labels, strict=True)]
        (folder / name).write_bytes(b"".join(records))
    (folder / "batches.meta.txt").write_text("\n".join([*CIFAR10, "", ""]))
    train = part([rows for rows, _ in batches[:5]], [i for _, n in batches[:5] for i in n], CIFAR10)
    return train, part([batches[5][0]], list(batches[5][1]), CIFAR10)


def write_cifar100_python(folder: Path) -> tuple[Part, Part]:
    parts = []
    for name, count in (("train", 150), ("test", 100)):
        rows, fine = pixels(count), [(7 * i) % 100 for i in range(count)]
        batch = {
            "filenames": ["x.png"] * count,
            "batch_label": f"{name}ing batch 1 of 1",
            "fine_labels": fine,
            "coarse_labels": [i // 5 for i in fine],
            "data": rows,
        }
        (folder / name).write_bytes(python2(batch))
        parts.append(part([rows], fine, CIFAR100))
    meta = {"fine_label_names": CIFAR100, "coarse_label_names": [f"c{i}" for i in range(20)]}
    (folder / "meta").write_bytes(python2(meta))
    (folder / "file.txt~").touch()
    return parts[0], parts[1]


def write_cifar100_binary(folder: Path) -> tuple[Part, Part]:
    parts = []
    for name, count in (("train.bin", 120), ("test.bin", 100)):
        rows, fine = pixels(count), [(3 * i) % 100 for i in range(count)]
        records = [bytes([i // 5, i]) + row.tobytes() for row, i in zip(rows, fine, strict=True)]
        (folder / name).write_bytes(b"".join(records))
        parts.append(part([rows], fine, CIFAR100))
    (folder / "fine_label_names.txt").write_text("\n".join([*CIFAR100, ""]))
    (folder / "coarse_label_names.txt").write_text("\n".join(f"c{i}" for i in range(20)))
    return parts[0], parts[1]


def write_imagenet16(folder: Path) -> tuple[Part, Part]:
    numbers = RNG.permutation([*range(1, 121), *range(121, 1001, 44)]).tolist()
    kept, rows = [i for i in numbers if i <= 120], pixels(len(numbers), 16)
    names = [str(i - 1) for i in range(121)]
    chosen = part([rows[np.array(numbers) <= 120]], kept, names, 16)
    for b, lines in enumerate(np.array_split(np.arange(len(numbers)), 10)):
        batch = {"data": rows[lines], "labels": [numbers[i] for i in lines], "mean": np.ones(768)}
        (folder / f"train_data_batch_{b + 1}").write_bytes(pickle.dumps(batch, 2 + b % 4))
    (folder / "val_data").write_bytes(pickle.dumps({"data": rows, "labels": numbers}))
    return chosen, chosen


FORMS = [
    Form("cifar10", "cifar-10-batches-py", write_cifar10_python,
         (125.3, 123.0, 113.9), (63.0, 62.1, 66.7)),
    Form("cifar10", "cifar-10-batches-bin", write_cifar10_binary,
         (125.3, 123.0, 113.9), (63.0, 62.1, 66.7)),
    Form("cifar100", "cifar-100-python", write_cifar100_python,
         (129.3, 124.1, 112.4), (68.2, 65.4, 70.4)),
    Form("cifar100", "cifar-100-binary", write_cifar100_binary,
         (129.3, 124.1, 112.4), (68.2, 65.4, 70.4)),
    Form("imagenet16-120", "ImageNet16", write_imagenet16,
         (122.68, 116.66, 104.01), (63.22, 61.26, 65.09)),
]  # fmt: skip


def tarred(folder: Path, mode: str = "w:gz") -> Path:
    """The folder as a tar file, the last file first: official tar files are not sorted either."""
    path = folder.with_suffix(".archive")
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        tar.add(folder, folder.name, recursive=False)
        for file in sorted(folder.iterdir(), reverse=True):
            tar.add(file, f"{folder.name}/{file.name}")
    return path


CONTAINERS: dict[str, Callable[[Path], Path]] = {
    "folder": lambda folder: folder,
    "folder around it": lambda folder: folder.parent,
    "tar": lambda folder: tarred(folder, "w"),
    "tar.gz": tarred,
}


def same(source: ImageSource, expected: Part) -> None:
    assert isinstance(source, ArraySource)
    np.testing.assert_array_equal(source.images, expected.images)
    assert [source.class_names[label] for label in source.labels] == expected.names


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("form", FORMS, ids=[form.folder for form in FORMS])
def test_official_files(tmp_path: Path, form: Form, container: str) -> None:
    folder = tmp_path / "data" / form.folder
    folder.mkdir(parents=True)
    train, test = form.write(folder)
    path = CONTAINERS[container](folder)
    source, held_out = open_parts(path)
    same(source, train)
    assert held_out is not None
    same(held_out, test)
    same(open_source(str(path)), train)
    assert source.name == form.name
    assert source.flip
    mean, std = source.normalisation(source.read([0], 32))
    np.testing.assert_allclose(np.multiply(mean, 255), form.mean, rtol=1e-12)
    np.testing.assert_allclose(np.multiply(std, 255), form.std, rtol=1e-12)


def test_real_images_in_the_official_form(tmp_path: Path, dev_data: Path) -> None:
    """A part of CIFAR-10 written as its binary version gives the few-shot draw of its arrays."""
    known = open_source(dev_data / "cifar10_subset.npz")
    assert isinstance(known, ArraySource)
    for number, lines in enumerate(np.array_split(np.arange(5000), 5)):
        records = np.column_stack([known.labels[lines], known.images[lines].reshape(-1, 3072)])
        records.astype(np.uint8).tofile(tmp_path / f"data_batch_{number + 1}.bin")
    drawn = [draw(source) for source in (open_source(tmp_path), subset(known, range(5000)))]
    assert (drawn[0].images == drawn[1].images).all()
    assert (drawn[0].labels == drawn[1].labels).all()


def test_names_of_classes_may_be_missing(tmp_path: Path) -> None:
    write_cifar10_python(tmp_path)
    (tmp_path / "batches.meta").unlink()
    assert open_source(tmp_path).class_names == tuple("0123456789")


def test_labels_may_be_an_array(tmp_path: Path) -> None:
    write_cifar100_python(tmp_path)
    batch = {"data": pixels(2), "fine_labels": np.array([7, 3])}
    (tmp_path / "train").write_bytes(pickle.dumps(batch))
    assert open_source(tmp_path).class_names == ("fine_3", "fine_7")


def test_several_official_folders_are_no_choice(tmp_path: Path) -> None:
    for form in FORMS[:2]:
        (tmp_path / form.folder).mkdir()
        form.write(tmp_path / form.folder)
    assert find_archive(tmp_path) is None


BATCH = {"labels": [0, 1], "data": np.zeros((2, 3072), np.uint8)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no pickle", "'data_batch_2' of .* is no file of cifar10: .*; get it again"),
        (python2(BATCH)[:-100], "expected 6144 bytes in a string4, but only"),
        (python2([1]), "holds a list and no dictionary"),
        (python2({"labels": [0, 1]}), "no entry 'data'"),
        (python2({"data": BATCH["data"]}), "no entry 'labels'"),
        (python2(BATCH | {"data": "text"}), "images are no array"),
        (python2(BATCH | {"data": np.zeros((2, 3071), np.uint8)}), r"uint8 of shape \(2, 3071\)"),
        (python2(BATCH | {"data": np.zeros((6144,), np.uint8)}), r"uint8 of shape \(6144,\)"),
        (pickle.dumps(BATCH | {"data": np.zeros((2, 3072))}, 2), "images are float64"),
        (python2(BATCH | {"labels": [0]}), "2 images and 1 labels"),
        (python2(BATCH | {"labels": [0, 10]}), "label is not between 0 and 9"),
        (python2(BATCH | {"labels": [0, -1]}), "label is not between 0 and 9"),
        (python2(BATCH | {"labels": [0, "1"]}), "no list of integers"),
        (python2(BATCH | {"labels": "01"}), "no list of integers"),
        (pickle.dumps(BATCH | {"labels": [0, True]}), "no list of integers"),
        (pickle.dumps(BATCH | {"labels": [0, 1 << 80]}), "label is not between 0 and 9"),
        (pickle.dumps(BATCH | {"x": Calls(os.system, "true")}), r"'posix.system', which is not"),
    ],
)
@pytest.mark.parametrize("container", ["folder", "tar.gz"])
def test_damaged_batches(tmp_path: Path, content: bytes, message: str, container: str) -> None:
    folder = tmp_path / "cifar"
    folder.mkdir()
    write_cifar10_python(folder)
    (folder / "data_batch_2").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        open_source(CONTAINERS[container](folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("form", "name", "content", "message"),
    [
        (1, "data_batch_3.bin", bytes(3073 + 3072), "6145 bytes are no whole number of 3073-byte"),
        (1, "data_batch_3.bin", b"", "0 bytes are no whole number"),
        (1, "data_batch_3.bin", b"\x0a" + bytes(3072), "label is not between 0 and 9"),
        (3, "train.bin", bytes(3073 * 2), "no whole number of 3074-byte records"),
        (3, "train.bin", b"\x00\x64" + bytes(3072), "label is not between 0 and 99"),
        (3, "fine_label_names.txt", b"apple", "does not name 100 classes"),
        (3, "fine_label_names.txt", b"\xff\xfe", "can't decode byte"),
        (1, "batches.meta.txt", b"a b c d e f g h i \x1b[31m", "cannot be printed"),
        (0, "batches.meta", python2({"label_names": "airplane"}), "does not name 10 classes"),
        (0, "batches.meta", python2({"label_names": [1] * 10}), "cannot be printed"),
        (0, "batches.meta", python2({}), "no entry 'label_names'"),
        (4, "train_data_batch_7", pickle.dumps({"data": pixels(2, 16), "labels": [0, 1]}),
         "label is not between 1 and 1000"),
        (4, "train_data_batch_7", pickle.dumps({"data": pixels(2, 32), "labels": [1, 2]}),
         r"shape \(2, 3072\), and not uint8 of \(N, 768\)"),
    ],
)  # fmt: skip
def test_damaged_files(tmp_path: Path, form: int, name: str, content: bytes, message: str) -> None:
    FORMS[form].write(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_source(tmp_path)


def test_missing_batches_are_named(tmp_path: Path) -> None:
    write_cifar10_python(tmp_path)
    (tmp_path / "data_batch_2").unlink()
    (tmp_path / "data_batch_5").unlink()
    with pytest.raises(DataError, match=r"like cifar10 and lacks data_batch_2, data_batch_5; give"):
        open_source(tmp_path)
    (tmp_path / "test_batch").unlink()
    write_cifar10_python(tmp_path)
    (tmp_path / "test_batch").unlink()
    with pytest.raises(DataError, match="lacks test_batch"):
        open_parts(tmp_path)


def test_files_outside_of_the_folder_are_not_read(tmp_path: Path) -> None:
    for name in ("inside", "outside"):
        (tmp_path / name).mkdir()
    write_cifar10_python(tmp_path / "inside")
    (tmp_path / "inside" / "data_batch_2").rename(tmp_path / "outside" / "data_batch_2")
    (tmp_path / "inside" / "data_batch_2").symlink_to(tmp_path / "outside" / "data_batch_2")
    with pytest.raises(DataError, match="lacks data_batch_2"):
        open_source(tmp_path / "inside")


def member(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "") -> Any:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, link
    return info


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (member("../escape"), r"file '\.\./escape', which climbs out of the archive"),
        (member("c/../../escape"), "climbs out of the archive"),
        (member("/etc/passwd"), "climbs out of the archive"),
        (member("c/test_batch", kind=tarfile.SYMTYPE, link="/etc/passwd"), "a link, a device or"),
        (member("c/test_batch", kind=tarfile.LNKTYPE, link="c/data_batch_1"), "a link, a device"),
        (member("c/pipe", kind=tarfile.FIFOTYPE), "a link, a device or the like"),
        (member("c/disk", kind=tarfile.BLKTYPE), "a link, a device or the like"),
    ],
)
def test_hostile_tar_files(tmp_path: Path, info: tarfile.TarInfo, message: str) -> None:
    folder = tmp_path / "cifar"
    folder.mkdir()
    write_cifar10_python(folder)
    path = tarred(folder, "w")
    with tarfile.open(path, "a") as tar:
        tar.addfile(info)
    with pytest.raises(DataError, match=message):
        open_source(path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["cifar", "cifar.archive"]


def test_tar_files_that_are_too_large(tmp_path: Path) -> None:
    folder = tmp_path / "cifar"
    folder.mkdir()
    write_cifar10_python(folder)
    path = tarred(folder)
    with pytest.raises(DataError, match="larger than any known archive"):
        find_archive(path, max_bytes=20_000)
    large = find_archive(path, max_bytes=50_000)
    assert large is not None
    with pytest.raises(DataError, match="larger than any known archive"):
        large.train()
    in_folder = find_archive(folder, max_bytes=20_000)
    assert in_folder is not None
    with pytest.raises(DataError, match="larger than any known archive"):
        in_folder.train()
    for info in (member("huge", 1 << 40), member("pax", 1 << 33, tarfile.XHDTYPE)):
        with gzip.open(path, "wb") as file:
            file.write(info.tobuf() + bytes(1 << 20))
        with pytest.raises(DataError, match=r"larger than any known archive|cannot be read"):
            open_source(path)


def test_bombs_stop_at_the_limit(tmp_path: Path) -> None:
    """A header that is kept in memory as it is unpacked: 64 MB of zeros in 64 kB of gzip."""
    path = tmp_path / "bomb.tar.gz"
    with gzip.open(path, "wb") as file:
        file.write(member("pax", 1 << 26, tarfile.XHDTYPE).tobuf() + bytes(1 << 26))
    with pytest.raises(DataError, match="larger than any known archive"):
        find_archive(path, max_bytes=1 << 20)


def test_tar_files_with_too_many_files(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "many.tar", "w") as tar:
        for number in range(1001):
            tar.addfile(member(f"{number}.png"))
    with pytest.raises(DataError, match="more than 1000 files"):
        open_source(tmp_path / "many.tar")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
def test_truncated_tar_files(tmp_path: Path, mode: str, keep: float) -> None:
    folder = tmp_path / "cifar"
    folder.mkdir()
    write_cifar10_python(folder)
    path = tarred(folder, mode)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(DataError, match=r"cannot be read \(.*; get it again|lacks data_batch_1"):
        open_source(path)


def test_files_that_are_no_archive(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "photos.tar.gz", "w:gz") as tar:
        tar.addfile(member("cat/1.jpg", 4), io.BytesIO(b"jpeg"))
    with pytest.raises(DataError, match="holds none of the known data sets; unpack it"):
        open_source(tmp_path / "photos.tar.gz")
    for content in (b"", b"text", b"\x1f\x8b", gzip.compress(b"no tar"), gzip.compress(b"")[:-9]):
        (tmp_path / "x.tar.gz").write_bytes(content)
        with pytest.raises(DataError, match="none of what can be read; give a folder of class"):
            open_source(tmp_path / "x.tar.gz")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="none of what can be read"):
        open_source(tmp_path / "pipe")


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 classes in ImageNet's layout; the colour of an image tells its class and its number."""
    root = tmp_path_factory.mktemp("imagenet") / "CLS-LOC"
    for number in range(40):
        folder = root / "train" / f"n{number:08}"
        folder.mkdir(parents=True)
        for i in range(15):
            colour = (6 * number, 16 * i, 0)
            Image.new("RGB", (8, 8), colour).save(folder / f"{folder.name}_{i}.JPEG", quality=95)
    (root / "val").mkdir()
    (root / "val" / "ILSVRC2012_val_00000001.JPEG").touch()
    return root


def draw(source: ImageSource, seed: int = 1, sampling: Any = "random") -> Any:
    return draw_few_shot(source, classes=10, images_per_class=10, sampling=sampling,
                         resolution=32, seed=seed)  # fmt: skip


@pytest.mark.parametrize("flip", [True, False])
def test_only_drawn_classes_are_listed_and_drawn_images_opened(
    imagenet: Path, monkeypatch: pytest.MonkeyPatch, flip: bool
) -> None:
    listed: list[str] = []
    opened: list[str] = []

    def noted(function: Any, notes: list[str]) -> Any:
        def call(path: Any, *args: Any, **kwargs: Any) -> Any:
            notes.append(str(path))
            return function(path, *args, **kwargs)

        return call

    for module, name, notes in (
        (os, "scandir", listed), (os, "listdir", listed), (builtins, "open", opened),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, noted(getattr(module, name), notes))
    source = with_flip(open_source(imagenet), flip)
    assert set(listed) == {str(imagenet / "train")}
    listed.clear()
    batch = draw(source)
    assert sorted(listed) == sorted(str(imagenet / "train" / name) for name in batch.class_names)
    assert len(opened) == len(set(opened)) == 100
    assert {Path(path).parent.name for path in opened} == set(batch.class_names)
    assert batch.flip is flip


@pytest.mark.parametrize("sampling", ["random", "first"])
def test_listing_by_class_changes_no_draw(imagenet: Path, sampling: str) -> None:
    source = load_folder(imagenet / "train")
    everything = subset(source, np.arange(len(source.labels)))
    for seed in range(3):
        lazy, full = draw(source, seed, sampling), draw(everything, seed, sampling)
        assert lazy.fingerprint == full.fingerprint
        assert lazy.class_names == full.class_names
    colours = full.images.float().mean((2, 3))
    assert [f"n{round(c / 6):08}" for c in colours[:, 0].tolist()] == [
        full.class_names[label] for label in full.labels
    ]
