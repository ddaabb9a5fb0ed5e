"""Columns of CSV files, as texts and as numbers."""

import csv
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anglenas._plugins import load
from anglenas.errors import AnglenasError, DataError
from anglenas.spaces import Space

_ARCHITECTURE = ("architecture", "arch_str", "arch")
_LARGEST = 1 << 30  # bytes: a compressed file from outside could unpack without bound


@dataclass(frozen=True)
class Columns:
    """A CSV file.

    Attributes:
        name: Name of the file.
        texts: Cells of each column, by the name in its head.
        facts: What lines ``# key: value`` before the head say.
    """

    name: str
    texts: Mapping[str, Sequence[str]]
    facts: Mapping[str, str]

    def __len__(self) -> int:
        return len(next(iter(self.texts.values())))

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column as numbers; empty cells are NaN.

        Raises:
            DataError: A cell is no number.
        """
        try:
            return np.array([text or "nan" for text in self.texts[name]], dtype=np.float64)
        except ValueError as error:
            raise DataError(f"Column {name!r} of {self.name!r} holds a text ({error}).") from error


def read_text(path: Path) -> str:
    """A text file, or a gzip file of one.

    Raises:
        DataError: It cannot be read, or is larger than a gigabyte.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(_LARGEST + 1)
            if len(content) > _LARGEST:
                raise DataError(f"{str(path)!r} holds more than a gigabyte; give a smaller file.")
            return content.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(
            f"The file {str(path)!r} cannot be read ({error}); give a text file, or one that gzip "
            "compressed."
        ) from error


def read_columns(path: Path) -> Columns:
    """The columns of a CSV file with a head; it may be compressed by gzip.

    Raises:
        DataError: It cannot be read, has no head, or a line of it is longer or shorter.
    """
    # Spreadsheets and editors leave lines at the end that hold spaces, or commas and nothing else.
    lines = [line for line in read_text(path).splitlines() if line.strip(" \t,")]
    comments = (line[1:].partition(":") for line in lines if line[0] == "#")
    facts = {key.strip(): value.strip() for key, colon, value in comments if colon}
    head, *rows = csv.reader([line for line in lines if line[0] != "#"] or [""])
    if not rows:
        raise DataError(
            f"{str(path)!r} holds no rows; a table has a line of names and one a network."
        )
    if len(set(head)) < len(head):
        twice = next(name for name in head if head.count(name) > 1)
        raise DataError(f"{str(path)!r} has two columns named {twice!r}; rename or drop one.")
    if odd := next((row for row in rows if len(row) != len(head)), None):
        raise DataError(
            f"{str(path)!r} has {len(head)} columns, but a line of {len(odd)}: "
            f"{','.join(odd)[:60]}."
        )
    return Columns(path.name, dict(zip(head, zip(*rows, strict=True), strict=True)), facts)


def architectures_of(columns: Columns, space: str, column: str | None = None) -> list[str]:
    """The architectures of the rows, as the space spells them.

    They stand in a column ``architecture``, ``arch_str`` or ``arch``; or, for spaces whose
    architectures have numbers, their numbers in ``index``.

    Args:
        columns: The file.
        space: Name of the space.
        column: Name of another column that holds the texts.

    Raises:
        DataError: There is no such column, or a cell that is no architecture of the space.
    """
    searched: Space[Any] = load("space", space)
    at = searched.at
    name = column or next((one for one in _ARCHITECTURE if one in columns.texts), "index")
    if name not in columns.texts or (name == "index" and at is None):
        raise DataError(
            f"{columns.name!r} has no column {column or 'architecture'!r}; its columns are "
            f"{', '.join(columns.texts)}."
        )
    found = []
    for row, text in enumerate(columns.texts[name], start=1):
        try:
            found.append(str(at(int(text)) if at and name == "index" else searched.parse(text)))
        except (AnglenasError, ValueError) as error:
            raise DataError(
                f"Row {row} of {columns.name!r} names no architecture of {space}: {text[:80]!r}."
            ) from error
    return found
