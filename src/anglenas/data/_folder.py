"""A folder of class folders, listed class by class and read image by image."""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from anglenas._text import reason
from anglenas.data._base import ChoosePart, ImageSource, UnreadableImageError
from anglenas.data._pixels import part, square
from anglenas.errors import DataError

_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
_FORMATS = ("JPEG", "PNG", "WEBP")
_EXPECTED = "expected is one folder for each class with its JPEG, PNG or WebP images in it"


@dataclass(frozen=True, eq=False)
class FolderSource(ImageSource):
    """A folder of class folders; :func:`load_folder` lists one.

    Attributes:
        name: What reports call the data.
        root: The folder.
        class_names: Names of the class folders.
        flip: Whether a mirrored image is still one of its class.
        notices: What a user should know of the listing, a sentence each.
    """

    name: str
    root: Path
    class_names: tuple[str, ...]
    flip: bool = True
    notices: tuple[str, ...] = ()

    def of_class(self, number: int) -> "FolderSource":
        """The images of one class alone; only its folder is listed."""
        return replace(self, class_names=(self.class_names[number],))

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Name of every image inside its class folder, class by class.

        Raises:
            DataError: A class folder holds no images, or cannot be listed.
        """
        return tuple(name for names in self._listed for name in names)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """``(N,)`` int64, class of every image, for which all class folders are listed.

        Raises:
            DataError: A class folder holds no images, or cannot be listed.
        """
        return np.repeat(np.arange(len(self._listed)), [len(names) for names in self._listed])

    @cached_property
    def _listed(self) -> tuple[tuple[str, ...], ...]:
        return tuple(_images(self.root / name, self.root) for name in self.class_names)

    def path(self, index: int) -> Path:
        """Where an image is."""
        return self.root / self.class_names[int(self.labels[index])] / self.files[index]

    def read(self, indices: Sequence[int], resolution: int) -> torch.Tensor:
        """The images ``(n, 3, resolution, resolution)`` uint8; only their files are opened.

        Each is turned as its EXIF data say, laid on white where it is transparent, made RGB with
        8 bits, and cut to its centred square, reduced with antialiasing or enlarged.

        Raises:
            UnreadableImageError: A file is no whole JPEG, PNG or WebP image, or has more pixels
                than Pillow holds for safe (``PIL.Image.MAX_IMAGE_PIXELS``).
        """
        images = []
        for index in indices:
            with self._opened(index) as image:
                # A JPEG is decoded at 1/2 to 1/8 of its size while four pixels a side are left for
                # every one that is wanted, so that the antialiasing below still decides.
                image.draft(None, (4 * resolution, 4 * resolution))
                upright = ImageOps.exif_transpose(image)
                images.append(np.asarray(square(_rgb(upright), resolution)))
        return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()

    def read_part(self, index: int, choose: ChoosePart, side: int) -> torch.Tensor:
        """A part of one whole image ``(3, side, side)`` uint8.

        Raises:
            UnreadableImageError: As of :meth:`read`.
        """
        with self._opened(index) as image:
            whole = _rgb(ImageOps.exif_transpose(image))
            pixels = np.array(part(whole, choose(*whole.size), side))
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()

    @contextmanager
    def _opened(self, index: int) -> Iterator[Image.Image]:
        """One image; whatever is wrong with it is told with its path."""
        path = self.path(index)
        try:
            with warnings.catch_warnings():
                # Pillow warns of damaged metadata, which is harmless, and of bombs, which is not.
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(path, formats=_FORMATS) as image:
                    yield image
        # A hostile file can make the decoders raise nearly anything.
        except Exception as error:
            other = isinstance(error, UnidentifiedImageError)
            why = "it is no JPEG, PNG or WebP image" if other else reason(error)
            raise UnreadableImageError(index, repr(str(path)), why) from error


def _rgb(image: Image.Image) -> Image.Image:
    """The image with three channels of 8 bits, on white where it is transparent."""
    if image.mode.startswith("I"):
        # Of 0 to 65535, the nearest of 0 to 255 (65535 is 257 times 255): Pillow would cut at 255.
        levels = (np.clip(np.asarray(image), 0, 65535).astype(np.uint32) + 128) // 257
        image = Image.fromarray(levels.astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert("RGB")
    canvas = Image.new("RGBA", image.size, "white")
    canvas.alpha_composite(image.convert("RGBA"))
    return canvas.convert("RGB")


def load_folder(path: str | Path) -> FolderSource:
    """The images of a folder of class folders; nothing is opened, and no class listed yet.

    Classes are in the order of their folders' names, images in that of theirs, by code point.
    Hidden files and folders, folders inside class folders, files that do not end in ``.jpg``,
    ``.jpeg``, ``.png`` or ``.webp`` (in any case) and images beside the class folders are left
    out. So are symbolic links that lead out of the folder: somebody else's data set must not be
    able to name other files of this machine. Links inside the folder are followed.

    Args:
        path: The folder.

    Raises:
        DataError: The folder cannot be used, and why.
    """
    given = Path(path).expanduser()
    if not given.is_dir():
        raise DataError(f"There is no folder {str(path)!r}; {_EXPECTED}.")
    root = given.resolve()
    names = tuple(folder.name for folder in _class_folders(root))
    return FolderSource(root.name, root, names, notices=_left_out(root))


def _left_out(root: Path) -> tuple[str, ...]:
    """A sentence on links that lead out of the folder, if there are some."""
    with os.scandir(root) as entries:
        names = sorted(entry.name for entry in entries if not _inside(entry, root))
    if not names:
        return ()
    return (
        f"{len(names)} links in {str(root)!r} lead out of it and are not followed ({names[0]!r}"
        f"{', ...' if names[1:] else ''}); put the folders themselves there.",
    )


def holds_folders(folder: Path) -> bool:
    """Whether there are folders in a folder, such as those of classes."""
    return any(entry.is_dir() for entry in _entries(folder, folder.resolve()))


def _class_folders(root: Path) -> list[Path]:
    entries = _entries(root, root)
    folders = [Path(entry.path) for entry in entries if entry.is_dir()]
    if len(folders) < 2:
        loose = " and images outside of them" if any(map(_is_image, entries)) else ""
        count = f"{len(folders)} class folder{'' if len(folders) == 1 else 's'}"
        links = "".join(f" {sentence}" for sentence in _left_out(root))
        raise DataError(
            f"{str(root)!r} has {count}{loose}; {_EXPECTED}, and at least 2 classes.{links}"
        )
    for folder in folders:
        if not folder.name.isprintable():
            raise DataError(f"The name of the class folder {str(folder)!r} cannot be printed; "
                            "rename it.")  # fmt: skip
    return folders


def _images(folder: Path, root: Path) -> tuple[str, ...]:
    entries = _entries(folder, root)
    images = tuple(entry.name for entry in entries if _is_image(entry))
    if images:
        return images
    if any(entry.is_dir() for entry in entries):
        raise DataError(f"{str(folder)!r} holds folders and no images; give that folder itself "
                        "if those are the classes.")  # fmt: skip
    raise DataError(f"The class folder {str(folder)!r} holds no images (links that lead out of "
                    f"{str(root)!r} are not followed); fill or remove it.")  # fmt: skip


def _is_image(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(_ENDINGS) and entry.is_file()


def _entries(folder: Path, root: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, sorted by name, without what is hidden or leads out of ``root``."""
    try:
        with os.scandir(folder) as entries:
            kept = [entry for entry in entries if entry.name[0] != "." and _inside(entry, root)]
    except OSError as error:
        raise DataError(f"{str(folder)!r} cannot be listed ({error.strerror}); "
                        "give a folder that may be read.") from error  # fmt: skip
    return sorted(kept, key=lambda entry: entry.name)


def _inside(entry: os.DirEntry[str], root: Path) -> bool:
    if not entry.is_symlink():
        return True
    target = Path(os.path.realpath(entry.path))
    return target.is_relative_to(root) and target.exists()
