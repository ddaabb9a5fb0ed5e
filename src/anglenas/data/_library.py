"""Data sets under names of the user's own, each an entry of one folder.

An entry is a link to where the images are, or a copy or a download of them. So the folder itself
is the list, and nothing else has to be kept true.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from anglenas._plugins import names
from anglenas.errors import DataError, SettingError

# No separator and no dot in front: a name must not be able to lead out of the library.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Library:
    """The data sets that have a name on this machine.

    Attributes:
        folder: Where their entries are; it need not exist.
    """

    folder: Path

    @classmethod
    def default(cls) -> "Library":
        """The library below ``$ANGLENAS_DATA``, by default the user's data folder."""
        given = os.environ.get("ANGLENAS_DATA")
        base = Path(given).expanduser() if given else platformdirs.user_data_path("anglenas")
        return cls(base.absolute() / "datasets")

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        if not self.folder.is_dir():
            return ()
        return tuple(sorted(x.name for x in self.folder.iterdir() if _NAME.fullmatch(x.name)))

    def entry(self, name: str) -> Path:
        """Where the entry of a name is, or would be.

        Raises:
            SettingError: The name cannot be one of a data set.
        """
        if not _NAME.fullmatch(name):
            raise SettingError(f"{name!r} is no name for a data set; use up to 100 letters, "
                               "digits, dots, dashes and underscores.")  # fmt: skip
        if name in names("dataset"):
            raise SettingError(f"{name!r} is a built-in data set; choose another name.")
        return self.folder / name

    def path(self, name: str) -> Path:
        """Where the images are that a name stands for.

        Raises:
            DataError: No data set has the name, or its images have vanished.
        """
        entry = self.entry(name)
        if not os.path.lexists(entry):
            raise DataError(f"There is no data set named {name!r}; 'anglenas data list' shows "
                            "those there are.")  # fmt: skip
        if not entry.exists():
            raise DataError(
                f"The data set {name!r} is at {str(entry.readlink())!r}, where nothing is any "
                f"more; put it back there, or run 'anglenas data remove {name}'."
            )
        return entry

    def add(self, name: str, path: str | Path, *, copy: bool = False) -> Path:
        """Give a name to images, which stay where they are unless ``copy``.

        Args:
            name: The name, which then goes before a path of the same text.
            path: A folder or a file, as :func:`anglenas.data.open_source` takes it. What is in it
                is not looked at.
            copy: Whether to copy it into the library, so that the original may go.

        Returns:
            The new entry.

        Raises:
            SettingError: The name is taken, or cannot be one.
            DataError: There is nothing at the path, or it cannot be copied.
        """
        entry, source = self.vacant(name), Path(path).expanduser().resolve()
        if not source.exists():
            raise DataError(f"There is nothing at {str(path)!r}; give an existing path.")
        half = entry.with_name(f".{name}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _delete(half)
            if not copy:
                half.symlink_to(source)
            elif source.is_dir():  # links stay links: what they lead to may be somebody else's
                shutil.copytree(source, half, symlinks=True)
            else:
                shutil.copyfile(source, half)
            half.rename(entry)
        except OSError as error:
            _delete(half)
            raise DataError(f"{str(source)!r} cannot be added ({error}); free space, or give "
                            "another path or another ANGLENAS_DATA.") from error  # fmt: skip
        return entry

    def vacant(self, name: str) -> Path:
        """Where the entry of a new name would be.

        Raises:
            SettingError: The name is taken, or cannot be one.
        """
        entry = self.entry(name)
        if os.path.lexists(entry):
            raise SettingError(f"The name {name!r} is taken; choose another, or run 'anglenas data "
                               f"remove {name}' first.")  # fmt: skip
        return entry

    def remove(self, name: str) -> Path:
        """Forget a name; a copy or a download is deleted, images elsewhere stay.

        Returns:
            The entry that was removed.

        Raises:
            DataError: No data set has the name, or it cannot be deleted.
        """
        entry = self.entry(name)
        if not os.path.lexists(entry):
            self.path(name)
        try:
            _delete(entry)
        except OSError as error:
            raise DataError(f"{str(entry)!r} cannot be deleted ({error}).") from error
        return entry


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
