"""CIFAR-10, CIFAR-100 and ImageNet16-120 in the files in which they are published.

Formats: A. Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html (Python and binary version);
P. Chrabaszcz et al., A Downsampled Variant of ImageNet, 2017, of which NAS-Bench-201 (X. Dong and
Y. Yang, ICLR 2020) takes the first 120 classes at 16 x 16 pixels. Means and standard deviations
are those of D-X-Y/AutoDL-Projects, ``get_datasets``, which the paper's code uses.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anglenas.data._arrays import ArraySource, from_arrays
from anglenas.data._files import Files, FolderFiles, TarFiles
from anglenas.data._pickles import PickledArray, read_pickle
from anglenas.errors import DataError

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]  # (N, 3, H, W) and (N,)


@dataclass(frozen=True)
class _Form:
    """One published form of a data set: which files, and what is in them."""

    name: str
    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    batch: Callable[[bytes], Batch]
    classes: int
    mean: tuple[float, ...]  # of 0 to 255, as they are published
    std: tuple[float, ...]
    names_file: str = ""
    class_names: Callable[[bytes], object] = lambda content: None


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
    batches: dict[str, Batch] = {}
    class_names = None
    for name, content in files.read({*names, form.names_file}):
        try:
            if name == form.names_file:
                class_names = _printable(form.class_names(content), form.classes)
            else:
                batches[name] = form.batch(content)
        except ValueError as error:
            raise DataError(f"The file {name!r} of {files.place} is no file of {form.name}: "
                            f"{error}; get it again from its source.") from error  # fmt: skip
    missing = [name for name in names if name not in batches]
    if missing:
        raise DataError(f"{files.place} looks like {form.name} and lacks "
                        f"{', '.join(missing)}; give the whole official archive.")  # fmt: skip
    # In the form's order, whatever the archive's is: a seed has to draw the same images of both.
    return from_arrays(
        np.concatenate([batches[name][0] for name in names]),
        np.concatenate([batches[name][1] for name in names]),
        name=form.name,
        class_names=class_names,
        mean=[level / 255 for level in form.mean],
        std=[level / 255 for level in form.std],
    )


def _pickled_batch(content: bytes, *, key: str, side: int, numbers: range, classes: int) -> Batch:
    """A batch of a pickled dictionary; of the classes that it numbers, the first are kept."""
    data, listed = _entries(content, "data", key)
    images = _pixels(data, side)
    labels = _labels(listed, len(images), numbers) - numbers.start
    kept = labels < classes
    return images[kept], labels[kept]


def _binary_batch(content: bytes, *, label_bytes: int, classes: int) -> Batch:
    """A batch of CIFAR's binary version; the last label byte of a record is the fine one."""
    record = label_bytes + 3 * 32 * 32
    if not content or len(content) % record:
        raise ValueError(f"its {len(content)} bytes are no whole number of {record}-byte records")
    records = np.frombuffer(content, np.uint8).reshape(-1, record)
    labels = _labels(records[:, label_bytes - 1].tolist(), len(records), range(classes))
    return records[:, label_bytes:].reshape(-1, 3, 32, 32), labels


def _entries(content: bytes, *keys: str) -> list[object]:
    """What a pickled dictionary has under some keys."""
    found = read_pickle(content)
    if not isinstance(found, dict):
        raise ValueError(f"it holds a {type(found).__name__} and no dictionary")
    for key in keys:
        if key not in found:
            raise ValueError(f"it has no entry {key!r}")
    return [found[key] for key in keys]


def _pixels(value: object, side: int) -> NDArray[np.uint8]:
    if not isinstance(value, PickledArray):
        raise ValueError("its images are no array")
    pixels = value.values()
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != 3 * side * side:
        raise ValueError(f"its images are {pixels.dtype} of shape {pixels.shape}, and not uint8 "
                         f"of (N, {3 * side * side})")  # fmt: skip
    return pixels.reshape(-1, 3, side, side)


def _labels(value: object, count: int, allowed: range) -> NDArray[np.int64]:
    numbers = value.values().tolist() if isinstance(value, PickledArray) else value
    if not isinstance(numbers, list) or any(type(number) is not int for number in numbers):
        raise ValueError("its labels are no list of integers")
    if len(numbers) != count:
        raise ValueError(f"it has {count} images and {len(numbers)} labels")
    if not set(numbers) <= set(allowed):
        raise ValueError(f"a label is not between {allowed[0]} and {allowed[-1]}")
    return np.array(numbers, np.int64)


def _printable(names: object, classes: int) -> list[str]:
    if not isinstance(names, list) or len(names) != classes:
        raise ValueError(f"it does not name {classes} classes")
    if not all(isinstance(name, str) and name.isprintable() for name in names):
        raise ValueError("a name of a class cannot be printed")
    return names


_CIFAR10 = _Form(
    name="cifar10",
    folder="cifar-10-batches-py",
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test=("test_batch",),
    batch=partial(_pickled_batch, key="labels", side=32, numbers=range(10), classes=10),
    classes=10,
    mean=(125.3, 123.0, 113.9),
    std=(63.0, 62.1, 66.7),
    names_file="batches.meta",
    class_names=lambda content: _entries(content, "label_names")[0],
)
_CIFAR100 = _Form(
    name="cifar100",
    folder="cifar-100-python",
    train=("train",),
    test=("test",),
    batch=partial(_pickled_batch, key="fine_labels", side=32, numbers=range(100), classes=100),
    classes=100,
    mean=(129.3, 124.1, 112.4),
    std=(68.2, 65.4, 70.4),
    names_file="meta",
    class_names=lambda content: _entries(content, "fine_label_names")[0],
)
_FORMS = (
    _CIFAR10,
    replace(
        _CIFAR10,
        folder="cifar-10-batches-bin",
        train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        test=("test_batch.bin",),
        batch=partial(_binary_batch, label_bytes=1, classes=10),
        names_file="batches.meta.txt",
        class_names=lambda content: content.decode().split(),
    ),
    _CIFAR100,
    replace(
        _CIFAR100,
        folder="cifar-100-binary",
        train=("train.bin",),
        test=("test.bin",),
        batch=partial(_binary_batch, label_bytes=2, classes=100),
        names_file="fine_label_names.txt",
        class_names=lambda content: content.decode().split(),
    ),
    _Form(
        name="imagenet16-120",
        folder="ImageNet16",
        train=tuple(f"train_data_batch_{number}" for number in range(1, 11)),
        test=("val_data",),
        # The files have all 1000 classes, numbered from 1.
        batch=partial(_pickled_batch, key="labels", side=16, numbers=range(1, 1001), classes=120),
        classes=120,
        mean=(122.68, 116.66, 104.01),
        std=(63.22, 61.26, 65.09),
    ),
)
_FOLDERS = tuple(form.folder for form in _FORMS)
_FORM_OF = {name: form for form in _FORMS for name in form.train}
