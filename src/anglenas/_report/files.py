"""Files of a report: each is replaced whole or not at all."""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from anglenas._json import json_text
from anglenas.errors import SettingError

__all__ = ["csv_bytes", "json_bytes", "remove", "table_bytes", "text_bytes", "write_bytes"]


def text_bytes(text: str) -> bytes:
    """UTF-8; a file name that is no valid text may stand in it, and must not cost the report."""
    return text.encode("utf-8", "backslashreplace")


def csv_bytes(rows: Iterable[Iterable[object]]) -> bytes:
    """A table for people, its head being the first row; numbers in all digits that they have."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return text_bytes(buffer.getvalue())


def table_bytes(rows: Sequence[Mapping[str, object]]) -> bytes:
    """A table of rows that have the same columns; empty if there is no row."""
    return csv_bytes([[*rows[0]], *(row.values() for row in rows)]) if rows else b""


def json_bytes(content: object) -> bytes:
    """Strict JSON: it has no word for infinity, nor for what is not a number; they become null."""
    return json_text(content).encode() + b"\n"


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; its folder is made if it is missing.

    Raises:
        SettingError: The path cannot be written.
    """
    # Beside the file, because only within a file system is a replacement one step; with the process
    # in its name, because two runs may write into one folder.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Delete a file if it is there.

    Raises:
        SettingError: It cannot be deleted.
    """
    with _writing(path):
        path.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingError(
            f"{path} cannot be written ({error.strerror}); choose a folder that can."
        ) from error
