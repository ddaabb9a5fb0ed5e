"""What all pictures share: colours, fonts, axes, and files with the same bytes each time."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, get_font
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, FuncFormatter, Locator, NullLocator

from anglenas._report.files import write_bytes
from anglenas.errors import SettingError

__all__ = [
    "FAINT",
    "INK",
    "KINDS",
    "MUTED",
    "PAPER",
    "PICTURES",
    "Format",
    "Kind",
    "blank",
    "dress",
    "font",
    "mark_axis",
    "printable",
    "render",
    "save_figure",
    "settings",
    "short_number",
    "text_width",
    "write_pictures",
]

INK, MUTED, FAINT, PAPER = "#1c2128", "#5d6672", "#c3c9d1", "#ffffff"


@dataclass(frozen=True)
class Kind:
    """A kind of operation.

    Attributes:
        name: What the page calls it, in lower case with hyphens.
        light: Its colour on light paper; at least 4.5:1 against white.
        dark: Its colour on dark paper.
    """

    name: str
    light: str
    dark: str


KINDS = (
    Kind("separable", "#1f7a5a", "#2fd39a"),
    Kind("dilated", "#b0479f", "#d877b0"),
    Kind("convolution", "#0066d6", "#4a9cff"),
    Kind("pooling", "#b95700", "#f5803e"),
    Kind("skip", "#23292f", "#e0e4e9"),
    Kind("other", "#4a148c", "#f2e14c"),
)
"""Any two differ for colour-blind eyes too, and small text in them can be read."""


def font(size: float, *, bold: bool = False) -> FontProperties:
    """The font that comes with matplotlib, so that drawings are alike everywhere."""
    return FontProperties(
        family="DejaVu Sans",
        size=size,
        weight="bold" if bold else "normal",
        math_fontfamily="dejavusans",
    )


@cache
def _glyphs() -> frozenset[int]:
    path = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return frozenset(get_font(str(path)).get_charmap())


def printable(text: str, longest: int = 40) -> str:
    """The text on one line, cut if it is long; what the font lacks becomes a question mark.

    >>> printable("a" * 50, 8)
    'aaaaaaa…'
    """
    text = " ".join(text.split())
    shown = "".join(c if ord(c) in _glyphs() and c.isprintable() else "\ufffd" for c in text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


@cache  # a supernet names the same few operations hundreds of times
def _width(text: str, size: float, bold: bool, formula: bool) -> float:
    shape = text_to_path.get_text_width_height_descent(text, font(size, bold=bold), ismath=formula)
    return float(shape[0])


def text_width(text: str, size: float, *, bold: bool = False, formula: bool = False) -> float:
    """Width in points, without drawing."""
    return _width(text, size, bold, formula)


def short_number(value: float) -> str:
    """A number for people: four digits that count, thousands and millions as a letter.

    >>> [short_number(x) for x in (0.25, 1500, 73306, 1_531_546, -0.00012, 40.0)]
    ['0.25', '1500', '73.31k', '1.532M', '-0.00012', '40']
    """
    for least, size, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= least:
            return f"{value / size:.4g}{letter}"
    return f"{value:.4g}"


Format = Literal["svg", "png", "pdf"]
PICTURES: tuple[Format, ...] = ("svg", "png")
"""The forms in which a folder holds each picture: one to scale, one for everywhere else."""

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


def dress(axes: Axes, *, title: str = "", x: str = "", y: str = "", frame: bool = True) -> None:
    """Give the axes of a chart the look that all have, and say what they show.

    The texts may be anybody's: none of them is read as a formula.
    """
    for side, spine in axes.spines.items():
        spine.set(visible=frame and side in ("left", "bottom"), color=FAINT)
    axes.tick_params(color=FAINT, labelcolor=MUTED, labelsize=8, labelfontfamily="DejaVu Sans")
    axes.grid(True, color=FAINT, lw=0.6, alpha=0.5)
    axes.set_axisbelow(True)
    axes.set_title(
        printable(title, 70), fontproperties=font(10.5, bold=True), color=INK, loc="left",
        parse_math=False,
    )  # fmt: skip
    for write, text in ((axes.set_xlabel, x), (axes.set_ylabel, y)):
        write(printable(text, 60), fontproperties=font(9), color=INK, parse_math=False)


def mark_axis(axis: Axis, ticks: Sequence[float] | Locator) -> None:
    """Write short numbers at some ticks of an axis, and nothing between them."""
    axis.set_major_locator(ticks if isinstance(ticks, Locator) else FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))


def render(figure: Figure, kind: Format) -> bytes:
    """The figure's file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with settings():
        figure.savefig(
            buffer, format=kind, dpi=200, facecolor="white", metadata=dict(_NO_DATES[kind])
        )
    return buffer.getvalue()


def write_pictures(folder: Path, figures: Mapping[str, Figure]) -> None:
    """Write each figure into a folder in the forms that every folder holds.

    Raises:
        SettingError: The folder cannot be written.
    """
    for name, figure in figures.items():
        for kind in PICTURES:
            write_bytes(folder / f"{name}.{kind}", render(figure, kind))


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
