"""The files of an archive, in a folder or in a tar file; nothing is ever written to disk."""

import gzip
import tarfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from anglenas._text import reason
from anglenas.errors import DataError

_GZIP = b"\x1f\x8b"
_MOST_MEMBERS = 1000
_BROKEN = (OSError, EOFError, ValueError, zlib.error, tarfile.TarError)


@dataclass(frozen=True)
class _Files:
    """Files by their names alone, which take ``max_bytes`` together at most."""

    path: Path
    max_bytes: int

    @property
    def place(self) -> str:
        """Where they are, for messages."""
        return repr(str(self.path))


class FolderFiles(_Files):
    """The files that lie in a folder itself."""

    def first(self, names: Collection[str]) -> str | None:
        """One of the names under which there is a file."""
        return next((name for name in names if self._is_there(name)), None)

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Name and content of those that exist, one after another.

        Raises:
            DataError: They cannot be read, or are larger than ``max_bytes`` together.
        """
        present = [name for name in names if self._is_there(name)]
        with _explained(self.place):
            total = sum((self.path / name).stat().st_size for name in present)
            _check_total(total, self.max_bytes, self.place)
            for name in present:
                yield name, (self.path / name).read_bytes()

    def _is_there(self, name: str) -> bool:
        # A folder can be somebody else's: a link in it must not name other files of this machine.
        path = self.path / name
        return path.is_file() and path.resolve().is_relative_to(self.path.resolve())


class TarFiles(_Files):
    """The files of a tar file, gzipped or not, by the last part of their names."""

    def first(self, names: Collection[str]) -> str | None:
        """One of the names under which there is a file; what comes after it is not looked at."""
        return next((name for name, _ in self._members() if name in names), None)

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Name and content of those that exist, in the order of the archive.

        Raises:
            DataError: The file is broken, hostile or larger than ``max_bytes``.
        """
        for name, member in self._members():
            if name in names:
                with _explained(self.place):
                    content = member.read()
                yield name, content

    def _members(self) -> Iterator[tuple[str, IO[bytes]]]:
        with _explained(self.place), self.path.open("rb") as file, ExitStack() as stack:
            bounded = cast(
                "IO[bytes]", _Bounded(_unzipped(file, stack), self.max_bytes, self.place)
            )
            # A stream ("r|") is only read, one block after the other: no header can send us back.
            tar = stack.enter_context(tarfile.open(fileobj=bounded, mode="r|"))
            for number, member in enumerate(tar):
                self._check(member, number)
                content = tar.extractfile(member)
                if content is not None:
                    yield PurePosixPath(member.name).name, content

    def _check(self, member: tarfile.TarInfo, number: int) -> None:
        # Nothing is unpacked to disk, but whoever finds such a member has no official archive.
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts:
            raise DataError(f"{self.place} has a file {member.name!r}, which climbs out of the "
                            "archive; get the archive from its official source.")  # fmt: skip
        if not (member.isreg() or member.isdir()) or member.issparse():
            raise DataError(f"{self.place} holds {member.name!r}, a link, a device or the like; "
                            "get the archive from its official source.")  # fmt: skip
        _check_total(member.size, self.max_bytes, self.place)
        if number >= _MOST_MEMBERS:
            raise DataError(f"{self.place} holds more than {_MOST_MEMBERS} files, which no known "
                            "archive does; unpack it, and give the folder.")  # fmt: skip


Files = FolderFiles | TarFiles


def is_tar(path: Path) -> bool:
    """Whether a path is that of a tar file, gzipped or not, by its first bytes."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file, ExitStack() as stack:
            tarfile.TarInfo.frombuf(_unzipped(file, stack).read(512), "utf-8", "surrogateescape")
    except _BROKEN:
        return False
    return True


def _unzipped(file: IO[bytes], stack: ExitStack) -> IO[bytes]:
    """The file without its compression."""
    zipped = file.read(2) == _GZIP
    file.seek(0)
    return cast("IO[bytes]", stack.enter_context(gzip.open(file))) if zipped else file


@dataclass
class _Bounded:
    """Reads no more than ``left`` bytes: a few bytes of gzip can become gigabytes."""

    file: IO[bytes]
    left: int
    place: str

    def read(self, size: int) -> bytes:
        content = self.file.read(size)
        self.left -= len(content)
        _check_total(-self.left, 0, self.place)
        return content


@contextmanager
def _explained(place: str) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except _BROKEN as error:
        raise DataError(f"{place} cannot be read ({reason(error)}); get it again.") from error


def _check_total(size: int, limit: int, place: str) -> None:
    if size > limit:
        raise DataError(f"{place} is larger than any known archive; unpack what you need of it.")
