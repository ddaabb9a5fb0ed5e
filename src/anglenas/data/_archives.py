"""CIFAR-10, CIFAR-100 and ImageNet16-120 in the files in which they are published.

Formats: A. Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html (Python and binary version);
P. Chrabaszcz et al., A Downsampled Variant of ImageNet, 2017, of which NAS-Bench-201 (X. Dong and
Y. Yang, ICLR 2020) takes the first 120 classes at 16 x 16 pixels. Means and standard deviations
are those of D-X-Y/AutoDL-Projects, ``get_datasets``, which the paper's code uses.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anglenas.data._arrays import ArraySource, from_arrays
from anglenas.data._files import Files, FolderFiles, TarFiles
from anglenas.data._pickles import PickledArray, read_pickle
from anglenas.errors import DataError

__all__ = ["Archive", "find_archive"]

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]  # (N, 3, H, W) and (N,)


@dataclass(frozen=True)
class _Form:
    """One published form of a data set: which files, and what is in them."""

    name: str
    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    batch: Callable[[bytes], Batch]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    names_file: str = ""
    class_names: Callable[[bytes], list[str]] | None = None


@dataclass(frozen=True)
class Archive:
    """A published data set in its own files; :func:`find_archive` finds one."""

    files: Files
    form: _Form

    def train(self) -> ArraySource:
        """The images to train on.

        Raises:
            DataError: A file is missing, damaged, or holds anything but images and labels.
        """
        return _load(self.files, self.form, self.form.train)

    def held_out(self) -> ArraySource:
        """The images to test with.

        Raises:
            DataError: As of :meth:`train`.
        """
        return _load(self.files, self.form, self.form.test)


def find_archive(path: Path, *, max_bytes: int = 2 << 30) -> Archive | None:
    """The published data set that lies in a folder or a tar file, told by the files' names.

    Args:
        path: A folder with the files, or with the one official folder of them; or a tar file,
            gzipped or not.
        max_bytes: The most that the files may take, unpacked.

    Raises:
        DataError: The tar file cannot be read.
    """
    if not path.is_dir():
        return _recognised(TarFiles(path, max_bytes))
    inner = [path / folder for folder in _FOLDERS if (path / folder).is_dir()]
    folders = [path, *(inner if len(inner) == 1 else [])]
    found = (_recognised(FolderFiles(folder, max_bytes)) for folder in folders)
    return next(filter(None, found), None)


def _recognised(files: Files) -> Archive | None:
    name = files.first(_FORM_OF)
    return Archive(files, _FORM_OF[name]) if name else None


def _load(files: Files, form: _Form, names: tuple[str, ...]) -> ArraySource:
    read = dict(_decoded(files, form, names))
    missing = [name for name in names if name not in read]
    if missing:
        raise DataError(f"{files.place} looks like {form.name} and lacks "
                        f"{', '.join(missing)}; give the whole official archive.")  # fmt: skip
    return from_arrays(
        np.concatenate([read[name][0] for name in names]),
        np.concatenate([read[name][1] for name in names]),
        name=form.name,
        class_names=read.get(form.names_file),
        mean=form.mean,
        std=form.std,
    )


def _decoded(files: Files, form: _Form, names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Name and content of each file, as images and labels or as names of classes."""
    readers: dict[str, Callable[[bytes], Any]] = dict.fromkeys(names, form.batch)
    if form.class_names is not None:
        readers[form.names_file] = form.class_names
    for name, content in files.read(readers):
        try:
            yield name, readers[name](content)
        except ValueError as error:
            raise DataError(f"The file {name!r} of {files.place} is no file of {form.name}: "
                            f"{error}; get it again from its source.") from error  # fmt: skip


def _pickled_batch(content: bytes, *, key: str, classes: int) -> Batch:
    """A batch of CIFAR's Python version."""
    batch = _pickled_dictionary(content)
    images = _pixels(_entry(batch, "data"), 32)
    return images, _labels(_entry(batch, key), len(images), 0, classes - 1)


def _imagenet16_batch(content: bytes, *, classes: int) -> Batch:
    """A batch of 1000 classes numbered from 1, of which the first are kept."""
    batch = _pickled_dictionary(content)
    images = _pixels(_entry(batch, "data"), 16)
    labels = _labels(_entry(batch, "labels"), len(images), 1, 1000)
    kept = labels <= classes
    return images[kept], labels[kept] - 1


def _binary_batch(content: bytes, *, label_bytes: int, classes: int) -> Batch:
    """A batch of CIFAR's binary version; the last label byte of a record is the fine one."""
    record = label_bytes + 3 * 32 * 32
    if not content or len(content) % record:
        raise ValueError(f"its {len(content)} bytes are no whole number of {record}-byte records")
    records = np.frombuffer(content, np.uint8).reshape(-1, record)
    labels = _labels(records[:, label_bytes - 1].tolist(), len(records), 0, classes - 1)
    return records[:, label_bytes:].reshape(-1, 3, 32, 32), labels


def _pickled_dictionary(content: bytes) -> dict[str, Any]:
    value = read_pickle(content)
    if not isinstance(value, dict):
        raise ValueError(f"it holds a {type(value).__name__} and no dictionary")
    return value


def _entry(batch: dict[str, Any], key: str) -> Any:
    if key not in batch:
        raise ValueError(f"it has no entry {key!r}")
    return batch[key]


def _pixels(value: Any, side: int) -> NDArray[np.uint8]:
    if not isinstance(value, PickledArray):
        raise ValueError("its images are no array")
    pixels = value.values()
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != 3 * side * side:
        raise ValueError(f"its images are {pixels.dtype} of shape {pixels.shape}, and not uint8 "
                         f"of (N, {3 * side * side})")  # fmt: skip
    return pixels.reshape(-1, 3, side, side)


def _labels(value: Any, count: int, lowest: int, highest: int) -> NDArray[np.int64]:
    numbers = value.values().tolist() if isinstance(value, PickledArray) else value
    if not isinstance(numbers, list) or any(type(number) is not int for number in numbers):
        raise ValueError("its labels are no list of integers")
    if len(numbers) != count:
        raise ValueError(f"it has {count} images and {len(numbers)} labels")
    if numbers and not (lowest <= min(numbers) and max(numbers) <= highest):
        raise ValueError(f"a label is not between {lowest} and {highest}")
    return np.array(numbers, np.int64)


def _pickled_names(content: bytes, *, key: str, classes: int) -> list[str]:
    return _printable(_entry(_pickled_dictionary(content), key), classes)


def _listed_names(content: bytes, *, classes: int) -> list[str]:
    return _printable(content.decode().split(), classes)


def _printable(names: Any, classes: int) -> list[str]:
    if not isinstance(names, list) or len(names) != classes:
        raise ValueError(f"it does not name {classes} classes")
    if not all(isinstance(name, str) and name.isprintable() for name in names):
        raise ValueError("a name of a class cannot be printed")
    return names


def _cifar10(**form: Any) -> _Form:
    mean, std = _scaled(125.3, 123.0, 113.9), _scaled(63.0, 62.1, 66.7)
    return _Form(name="cifar10", mean=mean, std=std, **form)


def _cifar100(**form: Any) -> _Form:
    mean, std = _scaled(129.3, 124.1, 112.4), _scaled(68.2, 65.4, 70.4)
    return _Form(name="cifar100", mean=mean, std=std, **form)


def _scaled(*levels: float) -> tuple[float, ...]:
    return tuple(level / 255 for level in levels)


_FORMS = (
    _cifar10(
        folder="cifar-10-batches-py",
        train=tuple(f"data_batch_{number}" for number in range(1, 6)),
        test=("test_batch",),
        batch=partial(_pickled_batch, key="labels", classes=10),
        names_file="batches.meta",
        class_names=partial(_pickled_names, key="label_names", classes=10),
    ),
    _cifar10(
        folder="cifar-10-batches-bin",
        train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        test=("test_batch.bin",),
        batch=partial(_binary_batch, label_bytes=1, classes=10),
        names_file="batches.meta.txt",
        class_names=partial(_listed_names, classes=10),
    ),
    _cifar100(
        folder="cifar-100-python",
        train=("train",),
        test=("test",),
        batch=partial(_pickled_batch, key="fine_labels", classes=100),
        names_file="meta",
        class_names=partial(_pickled_names, key="fine_label_names", classes=100),
    ),
    _cifar100(
        folder="cifar-100-binary",
        train=("train.bin",),
        test=("test.bin",),
        batch=partial(_binary_batch, label_bytes=2, classes=100),
        names_file="fine_label_names.txt",
        class_names=partial(_listed_names, classes=100),
    ),
    _Form(
        name="imagenet16-120",
        folder="ImageNet16",
        train=tuple(f"train_data_batch_{number}" for number in range(1, 11)),
        test=("val_data",),
        batch=partial(_imagenet16_batch, classes=120),
        mean=_scaled(122.68, 116.66, 104.01),
        std=_scaled(63.22, 61.26, 65.09),
    ),
)
_FOLDERS = tuple(form.folder for form in _FORMS)
_FORM_OF = {name: form for form in _FORMS for name in form.train}
