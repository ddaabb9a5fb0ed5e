"""Files of a report: each is replaced whole or not at all, and has the same bytes each time."""

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import matplotlib
from matplotlib.figure import Figure

from anglenas._json import json_text
from anglenas._report.canvas import SETTINGS
from anglenas.errors import SettingError

Rows = Sequence[Mapping[str, object]] | Sequence[Sequence[object]]
Content = Figure | str | Mapping[str, object] | Rows | None
"""Of a file: a figure, a text, what JSON can hold, a table; ``None`` if it must not be there.

A table is rows of the same names, or rows of which the first one is the head.
"""

Format = Literal["svg", "png", "pdf"]
PICTURES: tuple[Format, ...] = ("svg", "png")
"""The forms in which a folder holds each picture: one to scale, one for everywhere else."""

_NO_DATES: dict[Format, dict[str, None]] = {
    "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
    "png": {"Software": None},
    "pdf": dict.fromkeys(("CreationDate", "Creator", "Producer")),
}


def render(figure: Figure, kind: Format) -> bytes:
    """The figure's file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(SETTINGS):
        figure.savefig(
            buffer, format=kind, dpi=200, facecolor="white", metadata=dict(_NO_DATES[kind])
        )
    return buffer.getvalue()


def write_files(folder: Path, contents: Mapping[str, Content]) -> None:
    """Write the files of a folder, which is made if it is missing.

    Args:
        folder: Where to.
        contents: What is in each file, by its name; of a picture the name has no suffix, because
            it is written in each of the forms of :data:`PICTURES`.

    Raises:
        SettingError: A file cannot be written.
    """
    for name, content in contents.items():
        if isinstance(content, Figure):
            for kind in PICTURES:
                _replace(folder / f"{name}.{kind}", render(content, kind))
        elif content is None:
            for gone in [name] if Path(name).suffix else [f"{name}.{kind}" for kind in PICTURES]:
                with _writing(folder / gone):
                    (folder / gone).unlink(missing_ok=True)
        else:
            _replace(folder / name, _text(content).encode("utf-8", "backslashreplace"))


def _text(content: str | Mapping[str, object] | Rows) -> str:
    """The text of a file; names of files that are no valid text may stand in it."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        return json_text(content) + "\n"
    rows = [list(row.values()) if isinstance(row, Mapping) else row for row in content]
    if content and isinstance(content[0], Mapping):
        rows.insert(0, list(content[0]))
    buffer = io.StringIO()
    # What is not a number is left empty, as every program reads it; all others have all digits.
    csv.writer(buffer, lineterminator="\n").writerows(
        ["" if value != value else value for value in row] for row in rows
    )
    return buffer.getvalue()


def save_figure(figure: Figure, path: Path | str) -> None:
    """Write a figure as SVG, PNG or PDF; the same figure gives the same bytes.

    Args:
        figure: What :func:`draw_cells` or :func:`rank_figure` made.
        path: Where to; its suffix, ``.svg``, ``.png`` or ``.pdf``, says what.

    Raises:
        SettingError: The suffix is another one, or the file cannot be written.
    """
    path = Path(path)
    for kind in _NO_DATES:
        if path.suffix.lower() == f".{kind}":
            _replace(path, render(figure, kind))
            return
    raise SettingError(f"A figure is saved as .svg, .png or .pdf, not as {path.name!r}.")


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; its folder is made if it is missing."""
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


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingError(
            f"{path} cannot be written ({error.strerror}); choose a folder that can."
        ) from error
