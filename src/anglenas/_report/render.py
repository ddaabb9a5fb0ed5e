"""Figures as files: the same bytes for the same figure."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from anglenas.errors import SettingError

__all__ = ["Format", "blank", "remove", "render", "save_figure", "settings", "write_bytes"]

Format = Literal["svg", "png", "pdf"]

_NO_DATES: dict[Format, dict[str, None]] = {
    "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
    "png": {"Software": None},
    "pdf": dict.fromkeys(("CreationDate", "Creator", "Producer")),
}
_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "anglenas",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "text.usetex": False,
    "savefig.bbox": None,
    "path.sketch": None,
    "path.effects": [],
    "axes.unicode_minus": True,
}


@contextmanager
def settings() -> Iterator[None]:
    """For a while, the settings of matplotlib that change a drawing are ours."""
    with matplotlib.rc_context(_SETTINGS):
        yield


def blank(width: float, height: float) -> Figure:
    """An empty figure on a canvas that needs no display; sizes are in points."""
    figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def render(figure: Figure, kind: Format) -> bytes:
    """The figure's file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with settings():
        figure.savefig(
            buffer, format=kind, dpi=200, facecolor="white", metadata=dict(_NO_DATES[kind])
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
            write_bytes(path, render(figure, kind))
            return
    raise SettingError(f"A figure is saved as .svg, .png or .pdf, not as {path.name!r}.")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; its folder is made if it is missing.

    Raises:
        SettingError: The place cannot be written.
    """
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
