"""Images in memory, and the ``.npz`` files they come from."""

import lzma
import math
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from anglenas.data._base import ImageSource, Statistics
from anglenas.data._pixels import channel_statistics, fit
from anglenas.errors import DataError

_KEYS = (("x_train", "y_train"), ("images", "labels"))
_HELD_OUT_KEYS = (("x_val", "y_val"), ("x_test", "y_test"))
_OPTIONAL = ("class_names", "classes", "mean", "std")
_BROKEN = (
    OSError, EOFError, ValueError, TypeError, KeyError, RuntimeError, SyntaxError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ArraySource(ImageSource):
    """Images in memory; :func:`from_arrays` checks and makes one.

    Attributes:
        name: What reports call the data.
        images: ``(N, C, H, W)`` uint8.
        labels: ``(N,)`` int64, 0 to ``len(class_names) - 1``, every class at least once.
        class_names: Names of the classes.
        flip: Whether a mirrored image is still one of its class.
        stored: Mean and standard deviation of each channel, if they are known.
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    flip: bool = True
    stored: Statistics | None = None

    def read(self, indices: Sequence[int], resolution: int) -> torch.Tensor:
        """The images ``(n, C, side, side)`` uint8: centred squares, never enlarged."""
        side = min(resolution, *self.images.shape[2:])
        return torch.from_numpy(np.stack([fit(self.images[index], side) for index in indices]))

    def normalisation(self, images: torch.Tensor) -> Statistics:
        """Mean and standard deviation: the stored ones, else those of all images there are."""
        return self.stored or self._measured

    @cached_property
    def _measured(self) -> Statistics:
        return channel_statistics(self.images)


def from_arrays(
    images: ArrayLike,
    labels: ArrayLike,
    *,
    name: str = "arrays",
    class_names: Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    flip: bool = True,
) -> ArraySource:
    """A source of images that are in memory.

    Args:
        images: uint8, ``(N, H, W, C)``, ``(N, C, H, W)`` or, grey, ``(N, H, W)``; 1 or 3 channels.
        labels: ``(N,)`` or ``(N, 1)`` integers from 0; gaps between them are closed.
        name: What reports call the data.
        class_names: Names by class number, or one for each class that occurs.
        mean: Mean of each channel, in units of 0 to 1.
        std: Standard deviation of each channel, in the same units; given together with ``mean``.
        flip: Whether a mirrored image is still one of its class.

    Raises:
        DataError: The arrays cannot be used, and why.

    >>> source = from_arrays(np.zeros((4, 8, 8), np.uint8), [0, 7, 7, 0])
    >>> source.images.shape, source.labels.tolist(), source.class_names
    ((4, 1, 8, 8), [0, 1, 1, 0], ('0', '7'))
    """
    pixels = _channels_first(np.asarray(images))
    ids, numbers = _renumbered(np.asarray(labels), len(pixels))
    names = _names(ids, class_names)
    stored = _statistics(mean, std, pixels.shape[1])
    return ArraySource(name, pixels, numbers, names, flip, stored)


def _channels_first(images: NDArray[np.generic]) -> NDArray[np.uint8]:
    pixels = images.astype(np.uint8, copy=False)
    if images.dtype != np.uint8:
        raise DataError(f"Images are uint8, 0 to 255, not {images.dtype}; convert them first.")
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    elif pixels.ndim == 4 and pixels.shape[1] not in (1, 3):
        pixels = np.moveaxis(pixels, 3, 1)
    if pixels.ndim != 4 or pixels.shape[1] not in (1, 3) or min(pixels.shape[2:]) < 4:
        raise DataError(
            "Images are (N, H, W, C), (N, C, H, W) or (N, H, W), of 1 or 3 channels and at least "
            f"4 x 4 pixels, and these are read as {pixels.shape}; bring them into such a shape."
        )
    return pixels


def _renumbered(
    labels: NDArray[np.generic], count: int
) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
    """The class numbers that occur, and the labels as positions among them."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind not in "iu":
        raise DataError(f"Labels are integers, not {labels.dtype}; number the classes from 0.")
    if labels.shape != (count,):
        raise DataError(f"There are {count} images and labels of shape {labels.shape}; "
                        "give one label for each image.")  # fmt: skip
    ids, numbers = np.unique(labels, return_inverse=True)
    if len(ids) < 2:
        raise DataError(f"The labels name {len(ids)} class; at least 2 are needed to tell apart.")
    if ids[0] < 0:
        raise DataError(f"A label is {ids[0]}; leave unlabelled images out, number from 0.")
    return ids, numbers.astype(np.int64)


def _names(ids: NDArray[np.generic], given: Sequence[str] | None) -> tuple[str, ...]:
    """The name of each class that occurs: its own, else its number."""
    if given is None:
        return tuple(str(number) for number in ids.tolist())
    if len(given) > ids[-1]:
        return tuple(str(given[number]) for number in ids.tolist())
    if len(given) == len(ids):
        return tuple(str(name) for name in given)
    raise DataError(
        f"There are {len(given)} class names for {len(ids)} classes numbered up to {ids[-1]}; "
        "give one for each."
    )


def _statistics(
    mean: Sequence[float] | None, std: Sequence[float] | None, channels: int
) -> Statistics | None:
    if mean is None and std is None:
        return None
    given = [tuple(float(x) for x in values) for values in (mean, std) if values is not None]
    if len(given) != 2 or any(len(values) != channels for values in given):
        raise DataError(f"mean and std come together, with {channels} numbers each; "
                        "leave both out to have them measured.")  # fmt: skip
    if not (all(0 <= x <= 1 for x in given[0]) and all(0 < x <= 1 for x in given[1])):
        raise DataError(f"mean {given[0]} and std {given[1]} are not in units of 0 to 1 with "
                        "std above 0; divide values of 0 to 255 by 255.")  # fmt: skip
    return given[0], given[1]


def load_npz(path: str | Path, *, max_bytes: int = 2 << 30) -> ArraySource:
    """The images of a NumPy archive, named after the file.

    Args:
        path: File with ``x_train`` and ``y_train``, or ``images`` and ``labels``, as
            :func:`from_arrays` takes them; ``class_names`` (or ``classes``), ``mean`` and ``std``
            may be there too. Nothing else in it is read, and nothing is unpickled.
        max_bytes: The most that its arrays may take in memory. They are measured by their headers,
            before any is unpacked.

    Raises:
        DataError: The file cannot be used, and why.
    """
    path = Path(path).expanduser()
    source = _load(path, _KEYS, max_bytes)
    if source is None:
        with zipfile.ZipFile(path) as archive:
            found = ", ".join(sorted(archive.namelist())[:8]) or "nothing"
        raise DataError(f"{str(path)!r} needs arrays x_train and y_train, or images and labels, "
                        f"and has {found}.")  # fmt: skip
    return source


def load_npz_held_out(path: str | Path, *, max_bytes: int = 2 << 30) -> ArraySource | None:
    """The images that a NumPy archive keeps for validation or testing, if there are any.

    Args:
        path: As for :func:`load_npz`; the arrays are ``x_val`` and ``y_val``, else ``x_test`` and
            ``y_test``.
        max_bytes: As for :func:`load_npz`.

    Raises:
        DataError: The file cannot be used, and why.
    """
    return _load(Path(path).expanduser(), _HELD_OUT_KEYS, max_bytes)


def _load(path: Path, pairs: Sequence[tuple[str, str]], max_bytes: int) -> ArraySource | None:
    """The first pair of images and labels that is there."""
    with _explained(path), zipfile.ZipFile(path) as archive:
        members = set(archive.namelist())
        there = [pair for pair in pairs if all(f"{key}.npy" in members for key in pair)]
        if not there:
            return None
        images, labels = there[0]
        keys = [*there[0], *(key for key in _OPTIONAL if f"{key}.npy" in members)]
        # All headers are looked at before anything is unpacked: 1 MB of zip can become 1 GB.
        total = sum(_bytes(archive, key) for key in keys)
        if total > max_bytes:
            raise DataError(
                f"{str(path)!r} would take {total / 1e9:.3g} GB of memory, more than the limit of "
                f"{max_bytes / 1e9:.3g} GB; raise max_bytes, or keep fewer images."
            )
        arrays: dict[str, NDArray[np.generic]] = {}
        for key in keys:
            with archive.open(f"{key}.npy") as file:
                arrays[key] = np.lib.format.read_array(file, allow_pickle=False)
        names = _texts(arrays.get("class_names", arrays.get("classes")))
        mean, std = (_numbers(arrays.get(key), key) for key in ("mean", "std"))
        return from_arrays(
            arrays[images], arrays[labels], name=path.stem, class_names=names, mean=mean, std=std
        )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns what a broken or hostile file makes zipfile and NumPy raise into a sentence."""
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"There is no file {str(path)!r}; give an existing .npz file.") from error
    except _BROKEN as error:
        raise DataError(
            f"{str(path)!r} cannot be read as a NumPy archive ({error}); write it with "
            "numpy.savez_compressed(path, images=..., labels=...)."
        ) from error


def _bytes(archive: zipfile.ZipFile, key: str) -> int:
    """What an array takes in memory, from its header alone."""
    with archive.open(f"{key}.npy") as file:
        # Later versions of the format allow headers of 4 GB; no array of plain numbers needs one.
        if np.lib.format.read_magic(file) != (1, 0):
            raise DataError(f"The array {key!r} has an unusual header; save it as plain numbers.")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject:
        raise DataError(f"The array {key!r} holds Python objects, which are never unpickled; "
                        "save it as numbers or as text of fixed length.")  # fmt: skip
    if min(shape, default=0) < 0:
        raise DataError(f"The array {key!r} has a negative length; save it again with NumPy.")
    return math.prod(shape) * dtype.itemsize


def _texts(names: NDArray[np.generic] | None) -> list[str] | None:
    if names is None:
        return None
    if names.dtype.kind != "U" or names.ndim != 1:
        raise DataError(f"Class names are a list of texts, not {names.dtype} of {names.ndim} axes.")
    # NumPy does not check what it makes texts of, and Python fails on it much later.
    if names.view(f"{names.dtype.byteorder}u4").max(initial=0) > sys.maxunicode:
        raise DataError("A class name is no text; save the names as texts of fixed length.")
    texts: list[str] = names.tolist()
    if any(not text.isprintable() for text in texts):
        raise DataError("A class name holds characters that cannot be printed; rename the class.")
    return texts


def _numbers(values: NDArray[np.generic] | None, key: str) -> list[float] | None:
    if values is None:
        return None
    if values.dtype.kind not in "fiu" or values.ndim > 1:
        raise DataError(
            f"{key} is one number for each channel, not {values.dtype} of {values.ndim} axes."
        )
    numbers: list[float] = np.atleast_1d(values).tolist()
    return numbers
