"""What all pictures share: colours, fonts, axes."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, get_font
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

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


# Blue and orange are what charts show, too; a change is seen in every committed figure.
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
def text_width(text: str, size: float, *, bold: bool = False, formula: bool = False) -> float:
    """Width in points, without drawing."""
    shape = text_to_path.get_text_width_height_descent(text, font(size, bold=bold), ismath=formula)
    return float(shape[0])


def short_number(value: float) -> str:
    """A number for people: four digits that count, thousands and millions as a letter.

    >>> [short_number(x) for x in (0.25, 1500, 73306, 1_531_546, -0.00012, 40.0)]
    ['0.25', '1500', '73.31k', '1.532M', '-0.00012', '40']
    """
    for least, size, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= least:
            return f"{value / size:.4g}{letter}"
    return f"{value:.4g}"


# Letters as outlines and a fixed salt of names make the same figure the same bytes everywhere, so
# that a run written again and a committed figure made again differ only where something changed.
SETTINGS: dict[Any, Any] = {
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
def new_figure(width: float, height: float) -> Iterator[Figure]:
    """An empty figure, to be drawn inside of the block; sizes are in points.

    Its canvas needs no display, and no setting of the user's matplotlib changes what is drawn.
    """
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="white")
        FigureCanvasAgg(figure)
        yield figure


def add_axes(
    figure: Figure, left: float, bottom: float, width: float, height: float, **settings: Any
) -> Axes:
    """Axes at a position that is given in points, from the figure's lower left corner."""
    across, up = 72 * figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up), **settings)


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


def add_legend(axes: Axes, *, size: float = 8.5, **settings: Any) -> None:
    """Say what the marks of a chart are."""
    axes.legend(prop=font(size), labelcolor=INK, **{"frameon": False, **settings})


def mark_axis(axis: Axis, values: Sequence[float], *, log: bool = False) -> None:
    """Write short numbers at some round numbers within the data, and nothing between them."""
    axis.set_major_locator(FixedLocator(ticks(values, log=log)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))


def ticks(values: Sequence[float], *, log: bool = False) -> list[float]:
    """Round numbers within the data, equal ways or, of a logarithmic axis, equal ratios apart."""
    if not values:
        return []
    low, high = min(values), max(values)
    if log:  # powers of ten and, where there are too few of them, round numbers between
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for digits in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
            numbers = [float(f"{digit}e{decade}") for decade in decades for digit in digits]
            inside = [number for number in numbers if low <= number <= high]
            if len(inside) >= 3:
                return inside
    whole = all(value == round(value) for value in values)
    found = MaxNLocator(5, min_n_ticks=2, integer=whole).tick_values(low, high)
    # Without the noise of the last digits, such as 0.30000000000000004.
    return [float(f"{number:.12g}") for number in found if low <= number <= high] or [low]
