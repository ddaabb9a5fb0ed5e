"""From what a user calls the data to a source of images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from anglenas.data._arrays import load_npz
from anglenas.data._base import ImageSource
from anglenas.data._folder import load_folder
from anglenas.errors import DataError, UnknownNameError
from anglenas.plugins import load, names

__all__ = ["open_source", "with_flip"]

_MEMBERS = ("name", "labels", "class_names", "flip", "read", "normalisation")
_CHOICES = "a folder of class folders, or an .npz file with images and labels"


class _UnknownDataError(UnknownNameError):
    def __str__(self) -> str:
        return f"{super().__str__()} Paths do as well: of {_CHOICES}."


def open_source(data: str | Path | ImageSource) -> ImageSource:
    """The source of images that ``data`` stands for.

    Args:
        data: One of: a registered name such as ``"digits"`` (which goes before a folder of the
            same name; write ``"./digits"`` for that); the path of a folder of class folders; the
            path of an ``.npz`` file; ``"package.module:function"`` of a function without arguments
            that returns a source; or a source itself.

    Raises:
        UnknownNameError: A text is none of these.
        DataError: What it stands for cannot be used, and why.
        UsageError: The module or the function after the colon does not exist.

    >>> open_source("digits").class_names[:3]
    ('0', '1', '2')
    """
    if isinstance(data, Path):
        return _from_path(data)
    if isinstance(data, str):
        return _from_text(data)
    return _checked(data)


def _from_text(text: str) -> ImageSource:
    if text in names("dataset"):
        return _checked(load("dataset", text)())
    path = Path(text)
    if path.expanduser().exists():
        return _from_path(path)
    if ":" in text:
        return _checked(load("dataset", text)())
    if "/" in text or path.suffix:
        return _from_path(path)
    raise _UnknownDataError("data set", text, names("dataset"))


def _from_path(path: Path) -> ImageSource:
    path = path.expanduser()
    if not path.exists():
        raise DataError(f"There is nothing at {str(path)!r}; give {_CHOICES}.")
    if path.is_dir():
        return load_folder(path)
    if path.suffix.lower() == ".npz":
        return load_npz(path)
    raise DataError(f"{str(path)!r} is neither a folder nor an .npz file; give {_CHOICES}.")


def _checked(source: Any) -> ImageSource:
    """The source, if it keeps the protocol as far as can be seen without reading an image."""
    kind = type(source).__name__
    missing = [member for member in _MEMBERS if not hasattr(source, member)]
    if missing:
        raise DataError(
            f"What is given ({kind}) is no source of images, for it lacks {', '.join(missing)}; "
            "see anglenas.data.ImageSource."
        )
    labels, count = np.asarray(source.labels), len(source.class_names)
    if labels.ndim != 1 or not np.array_equal(np.unique(labels), np.arange(count)):
        raise DataError(
            f"The labels of a source ({kind}) are one number for each image, and every number "
            f"from 0 to {count - 1} must occur; number the classes that have images."
        )
    return cast("ImageSource", source)


@dataclass(frozen=True, eq=False)
class _WithFlip:
    source: ImageSource
    flip: bool

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.source.labels

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.source.class_names

    def read(self, indices: Sequence[int], resolution: int) -> torch.Tensor:
        return self.source.read(indices, resolution)

    def normalisation(self, images: torch.Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return self.source.normalisation(images)


def with_flip(source: ImageSource, flip: bool) -> ImageSource:
    """The same images, with another word on whether a mirrored one is still of its class.

    >>> with_flip(open_source("digits"), True).flip
    True
    """
    return _WithFlip(source, flip)
