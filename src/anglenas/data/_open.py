"""From what a user calls the data to a source of images."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from anglenas._plugins import load, names, refuse_code
from anglenas.data._archives import find_archive
from anglenas.data._arrays import ArraySource, load_npz, load_npz_held_out
from anglenas.data._base import ImageSource
from anglenas.data._download import DOWNLOADS
from anglenas.data._files import is_tar
from anglenas.data._folder import FolderSource, holds_folders, load_folder
from anglenas.data._library import Library
from anglenas.errors import DataError, SettingError, UnknownNameError

_CHOICES = (
    "a folder of class folders, an .npz file with images and labels, or the official files of "
    "CIFAR-10, CIFAR-100 or ImageNet16-120 as a folder or a tar file"
)
_ZIP = b"PK\x03\x04"
_HELD_OUT = ("val", "validation", "test")


class _UnknownDataError(UnknownNameError):
    def __str__(self) -> str:
        download = f" 'anglenas data download {self.name}' fetches it." * (self.name in DOWNLOADS)
        return f"{super().__str__()}{download} Paths do as well: of {_CHOICES}."


def open_source(data: str | Path | ImageSource) -> ImageSource:
    """The source of images that ``data`` stands for.

    Args:
        data: One of: a built-in or installed name such as ``"digits"``; a name of the user's own
            (see :class:`Library`); a path; ``"package.module:function"`` of a function without
            arguments that returns a source; or a source itself. Names go before paths: write
            ``"./digits"`` for a folder of that name. A path is told by its content: a folder of
            class folders, or with such a folder ``train`` beside ``val`` or ``test``, of which
            ``train`` is used; an ``.npz`` file; or the official files of CIFAR-10 or CIFAR-100 (in
            their Python or binary version) or ImageNet16-120, in a folder or a tar file, of which
            those to train on are used.

    Raises:
        UnknownNameError: A text is none of these.
        DataError: What it stands for cannot be used, and why.
        UsageError: The module or the function after the colon does not exist.

    >>> open_source("digits").class_names[:3]
    ('0', '1', '2')
    """
    return _open(data)[0]


def open_parts(data: str | Path | ImageSource) -> tuple[ImageSource, ImageSource | None]:
    """The images to train on, and those that the data keep for validation or testing, if any.

    These are of ``val``, ``validation`` or ``test`` beside a folder ``train``, of ``x_val`` or
    ``x_test`` in an ``.npz`` file, or of the test batches of an official archive. Where there are
    none, :func:`split` makes them.

    Raises:
        DataError: Either part cannot be used, or they have different classes.
        UnknownNameError, UsageError: As of :func:`open_source`.

    >>> open_parts("digits")[1] is None
    True
    """
    train, open_held_out = _open(data)
    held_out = open_held_out()
    # Else a network would be judged by other classes than it was trained for, numbers being equal.
    if held_out is not None and held_out.class_names != train.class_names:
        raise DataError(f"The images that {train.name!r} holds out have other classes than those "
                        "to train on; give both parts the same.")  # fmt: skip
    return train, held_out


def locate(data: str | Path | ImageSource) -> str:
    """The text that :func:`open_source` finds the same images by, from any folder.

    It is empty for a source itself, which no text names.

    >>> locate("digits"), locate("/tmp/../tmp")
    ('digits', '/tmp')
    """
    if not isinstance(data, str | Path):
        return ""
    if isinstance(data, str) and _is_name(data):
        return data
    path = Path(data).expanduser()
    return str(path.resolve()) if path.exists() else str(data)


def relocate(origin: str, place: str | Path) -> str | Path:
    """What :func:`open_source` takes for the images that a file tells of, which is never code.

    Args:
        origin: What :func:`locate` said when the file was written; empty if nothing was known. It
            may be somebody else's: a registered name or a path is opened, no module is imported.
        place: The file or its folder, for messages.

    Raises:
        SettingError: Nothing was known, or it is code.

    >>> relocate("digits", "runs/first")
    'digits'
    """
    if not origin:
        raise SettingError(f"{str(place)!r} does not tell where its images are; name them with "
                           "--data.")  # fmt: skip
    if _is_name(origin):
        return origin
    if not Path(origin).exists():
        refuse_code("dataset", origin, place)
    return Path(origin)


def _is_name(text: str) -> bool:
    return text in names("dataset") or text in Library.default().names()


def _open(
    data: str | Path | ImageSource,
) -> tuple[ImageSource, Callable[[], ImageSource | None]]:
    """The images to train on, and what opens those held out."""
    found = _found(data)  # once: a function may take long, or give another source each time
    if isinstance(found, ImageSource):
        return found, lambda: None
    train, held_out = _openers(found)
    source = train()
    # A copy or a download lies under a name of the library's own making.
    entry = isinstance(data, str) and data in Library.default().names()
    return (replace(source, name=str(data)) if entry else source), held_out


def _found(data: str | Path | ImageSource) -> Path | ImageSource:
    if isinstance(data, Path):
        return data.expanduser()
    if not isinstance(data, str):
        return _checked(data)
    library, path = Library.default(), Path(data).expanduser()
    if data in names("dataset"):
        return _checked(load("dataset", data)())
    if data in library.names():
        return library.path(data)
    if path.exists():  # before code: a path may hold a colon
        return path
    if ":" in data:
        return _checked(load("dataset", data)())
    if "/" in data or path.suffix:
        return path
    raise _UnknownDataError("data set", data, {*names("dataset"), *library.names()})


def _openers(
    path: Path,
) -> tuple[Callable[[], ArraySource | FolderSource], Callable[[], ImageSource | None]]:
    """What opens the images to train on and those held out, by what lies at a path."""
    if not path.exists():
        raise DataError(f"There is nothing at {str(path)!r}; give {_CHOICES}.")
    if _is_npz(path):
        return partial(load_npz, path), partial(load_npz_held_out, path)
    if not path.is_dir() and not is_tar(path):
        raise DataError(f"{str(path)!r} is none of what can be read; give {_CHOICES}.")
    archive = find_archive(path)
    if archive is not None:
        return archive.train, archive.held_out
    if not path.is_dir():
        raise DataError(f"{str(path)!r} holds none of the known data sets; unpack it, and give the "
                        "folder of class folders.")  # fmt: skip
    train, held_out = _parts(path)
    return (
        lambda: replace(load_folder(train), name=path.resolve().name),
        lambda: None if held_out is None else load_folder(held_out),
    )


def _is_npz(path: Path) -> bool:
    """By its name, or by its first bytes, since a copy in the library has another name."""
    if not path.is_file() or path.suffix.lower() == ".npz":
        return path.is_file()
    try:
        with path.open("rb") as file:
            return file.read(len(_ZIP)) == _ZIP
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read ({error.strerror}); give a file that may "
                        "be read.") from error  # fmt: skip


def _parts(root: Path) -> tuple[Path, Path | None]:
    """The folder to train on, and the one held out if there is ``train`` with folders in it."""
    train, held_out = _inside(root, ("train",)), _inside(root, _HELD_OUT)
    if train is None or held_out is None:
        return root, None
    return (train, held_out) if holds_folders(train) else (root, None)


def _inside(root: Path, choices: Sequence[str]) -> Path | None:
    """The first of some folders that is there, unless it is a link that leads out of the root."""
    found = ((root / name).resolve() for name in choices if (root / name).is_dir())
    return next((path for path in found if path.is_relative_to(root.resolve())), None)


def _checked(source: object) -> ImageSource:
    """The source, if it keeps its promises as far as can be seen without reading an image."""
    kind = type(source).__name__
    if not isinstance(source, ImageSource):
        raise DataError(f"What is given ({kind}) is no source of images; derive its class from "
                        "anglenas.data.ImageSource.")  # fmt: skip
    # The type goes first: an attribute that is computed, such as labels, is not computed for this.
    promised = ("name", "labels", "class_names")
    missing = [m for m in promised if not (hasattr(type(source), m) or hasattr(source, m))]
    if missing:
        raise DataError(f"The source of images ({kind}) lacks {', '.join(missing)}; see "
                        "anglenas.data.ImageSource.")  # fmt: skip
    if type(source).of_class is not ImageSource.of_class:
        return source  # it lists one class alone, so that a million images need not be listed
    labels, count = np.asarray(source.labels), len(source.class_names)
    if labels.ndim != 1 or not np.array_equal(np.unique(labels), np.arange(count)):
        raise DataError(
            f"The labels of a source ({kind}) are one number for each image, and every number "
            f"from 0 to {count - 1} must occur; number the classes that have images."
        )
    return source
