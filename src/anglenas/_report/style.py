"""How things look and what they are called: colours, type, short names of operations."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
from matplotlib.font_manager import FontProperties, get_font
from matplotlib.textpath import text_to_path

__all__ = [
    "FAINT",
    "INK",
    "KINDS",
    "MUTED",
    "PAPER",
    "Kind",
    "font",
    "kind_of",
    "label_of",
    "node_text",
    "printable",
    "text_width",
]

INK, MUTED, FAINT, PAPER = "#1c2128", "#5d6672", "#c3c9d1", "#ffffff"


@dataclass(frozen=True)
class Kind:
    """A kind of operation.

    Attributes:
        name: What the page calls it, in lower case with hyphens.
        light: Its colour on light paper; at least 4.5:1 against white.
        dark: Its colour on dark paper.
        words: What a name of an operation of this kind holds.
    """

    name: str
    light: str
    dark: str
    words: tuple[str, ...]


KINDS = (
    Kind("separable", "#1f7a5a", "#2fd39a", ("sep_conv", "sepconv")),
    Kind("dilated", "#b0479f", "#d877b0", ("dil_conv", "dilconv")),
    Kind("convolution", "#0066d6", "#4a9cff", ("conv",)),
    Kind("pooling", "#b95700", "#f5803e", ("pool",)),
    Kind("skip", "#23292f", "#e0e4e9", ("skip", "identity")),
    Kind("other", "#4a148c", "#f2e14c", ("",)),
)
"""Any two differ for colour-blind eyes too, and small text in them can be read."""

_LABELS = {
    "skip_connect": "skip",
    "nor_conv": "conv",
    "sep_conv": "sep conv",
    "dil_conv": "dil conv",
    "avg_pool": "avg pool",
    "max_pool": "max pool",
}
_KNOWN = re.compile(rf"({'|'.join(_LABELS)})(?:_(\d+x\d+))?")
_STATE = re.compile(r"c_\{k(-\d+)?\}")


def kind_of(operation: str) -> Kind:
    """The kind of an operation, by its name.

    >>> kind_of("sep_conv_3x3").name, kind_of("nor_conv_1x1").name, kind_of("mine").name
    ('separable', 'convolution', 'other')
    """
    return next(kind for kind in KINDS if any(word in operation.lower() for word in kind.words))


def label_of(operation: str) -> str:
    """A short name for people; an operation that is not built in keeps its own.

    >>> label_of("nor_conv_3x3"), label_of("skip_connect"), label_of("my_conv_3x3")
    ('conv 3x3', 'skip', 'my_conv_3x3')
    """
    known = _KNOWN.fullmatch(operation)
    return " ".join(filter(None, (_LABELS[known[1]], known[2]))) if known else operation


def font(size: float, *, bold: bool = False, mono: bool = False) -> FontProperties:
    """The fonts that come with matplotlib, so that drawings are alike everywhere."""
    return FontProperties(
        family="DejaVu Sans Mono" if mono else "DejaVu Sans",
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


def node_text(name: str) -> tuple[str, bool]:
    """A node's name, and whether it is a formula: only names like ``c_{k-2}`` are."""
    return (f"${name}$", True) if _STATE.fullmatch(name) else (printable(name), False)


def text_width(text: str, properties: FontProperties, *, formula: bool = False) -> float:
    """Width in points, without drawing."""
    return float(text_to_path.get_text_width_height_descent(text, properties, ismath=formula)[0])
