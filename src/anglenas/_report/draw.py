"""Drawings of cells, and of what was chosen, for papers and for the report."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path

from anglenas._report.layout import LINE_HEIGHT, Box, Layout, Point, arrange
from anglenas._report.render import blank, settings
from anglenas._report.style import (
    FAINT,
    INK,
    MUTED,
    PAPER,
    font,
    kind_of,
    label_of,
    node_text,
    printable,
    text_width,
)
from anglenas.spaces import CellGraph, Drawing, OptionTable

__all__ = ["cell_size", "draw_cells", "inset_cell"]

_MARGIN = 12.0
_BETWEEN = 40.0
_BELOW = 24.0
_WIDEST = 1500.0
_BLOCK_GAP = 10.0
_HEAD = (7.0, 3.4)
_ROW, _OPTION, _APART = 26.0, 20.0, 6.0
# After a sign or at a space, but not inside of ('skip_connect', 0).
_BREAKS = re.compile(r"(\s+(?!\d+\))|(?<=[+;])|(?<=,)(?!\s))")
_LABEL = font(9)
_NODE = font(9.5, bold=True)
_CELL_TITLE = font(10, bold=True)
_TITLE = font(11.5, bold=True)
_CAPTION = font(8.5)


@dataclass(frozen=True)
class _Line:
    """Operations that lead from one node to another, drawn as one line."""

    start: int
    end: int
    operations: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """What people call the operations."""
        return tuple(printable(label_of(operation)) for operation in self.operations)

    @property
    def label(self) -> str:
        """The operations below each other; empty if there is nothing to read."""
        return "\n".join(self.texts) if any(self.texts) else ""

    @property
    def passes(self) -> bool:
        """Whether anything passes."""
        return self.operations != ("none",)


@dataclass(frozen=True)
class _Cell:
    """A cell with its layout, and the lines that stand for its edges."""

    graph: CellGraph
    lines: tuple[_Line, ...]
    layout: Layout

    @property
    def title(self) -> str:
        return printable(self.graph.title, 60)

    @property
    def width(self) -> float:
        return max(self.layout.width, text_width(self.title, _CELL_TITLE))

    @property
    def height(self) -> float:
        return self.layout.height + (22 if self.graph.title else 0)


@dataclass(frozen=True)
class _Table:
    """A table of options; each row is a name and the boxes beside it."""

    graph: OptionTable

    @property
    def title(self) -> str:
        return printable(self.graph.title, 60)

    @property
    def names(self) -> float:
        """Width of the column of names."""
        return max(text_width(printable(name), _LABEL) for name, _, _ in self.graph.rows) + 10

    @property
    def width(self) -> float:
        ends = (_boxes(options)[-1] for _, options, _ in self.graph.rows)
        row = self.names + max(box.x + box.width / 2 for box in ends)
        return max(row, text_width(self.title, _CELL_TITLE))

    @property
    def height(self) -> float:
        return _ROW * len(self.graph.rows) + (22 if self.graph.title else 0)


_Part = _Cell | _Table


def draw_cells(
    graphs: Sequence[Drawing],
    *,
    title: str | None = None,
    caption: str | None = None,
    widest: float = _WIDEST,
) -> Figure:
    """Draw cells side by side, or below each other where they are too wide.

    An operation's colour tells its kind. ``none`` passes nothing on and is a faint dashed line
    without a label; what cannot be reached, or leads nowhere, because of it is faint too. Edges
    that only gather results (operation ``""``) are grey. Operations that join the same two nodes,
    as in a supernet, are one line that names them below each other; it is black if their kinds
    differ.

    Of a table of options, those that were chosen are filled.

    Args:
        graphs: The cells or tables, one or more.
        title: What stands above them.
        caption: What stands below them, in small type.
        widest: Width in points up to which they stand side by side; any two cells of the DARTS
            space do by default.

    Returns:
        A figure on a canvas of its own, as large as it needs to be.

    >>> cell = CellGraph("cell", ("in", "out"), ((0, 1, "nor_conv_3x3"),), (0,), 1)
    >>> figure = draw_cells([cell], title="A small one")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['A small one', 'cell', 'conv 3x3', 'in', 'out']
    """
    rows = _rows([_part(graph) for graph in graphs], widest)
    width = max(160.0, *(_row_width(row) for row in rows))
    above, below = _wrap(title, width, _TITLE), _wrap(caption, width, _CAPTION)
    body = sum(_row_height(row) for row in rows) + _BELOW * (len(rows) - 1)
    height = above.height + body + below.height
    with settings():
        figure = blank(width + 2 * _MARGIN, height + 2 * _MARGIN)
        axes = figure.add_axes((0, 0, 1, 1), frameon=False)
        axes.set_axis_off()
        axes.set(xlim=(-_MARGIN, width + _MARGIN), ylim=(-_MARGIN, height + _MARGIN))
        _draw_block(axes, above, height, INK)
        _draw_block(axes, below, below.height - _BLOCK_GAP, MUTED)
        _draw_rows(axes, rows, width, height - above.height)
    return figure


def cell_size(graph: CellGraph) -> tuple[float, float]:
    """Width and height of a cell's drawing in points."""
    cell = _cell(graph)
    return cell.width, cell.height


def inset_cell(figure: Figure, graph: CellGraph, left: float, bottom: float) -> None:
    """Draw a cell into a figure of something else.

    Args:
        figure: The figure.
        graph: The cell.
        left: Where its drawing begins, in points from the left.
        bottom: Where it begins, in points from below; :func:`cell_size` tells how large it is.
    """
    cell = _cell(graph)
    whole = 72 * figure.get_size_inches()
    place = (left / whole[0], bottom / whole[1], cell.width / whole[0], cell.height / whole[1])
    axes = figure.add_axes(place, frameon=False)
    axes.set_axis_off()
    axes.set(xlim=(0, cell.width), ylim=(0, cell.height))
    _draw_part(axes, cell, 0, 0)


# What goes where.


def _part(graph: Drawing) -> _Part:
    return _Table(graph) if isinstance(graph, OptionTable) else _cell(graph)


def _cell(graph: CellGraph) -> _Cell:
    lines = _lines(graph)
    edges = tuple((line.start, line.end, line.label) for line in lines)
    layout = arrange(replace(graph, edges=edges), [line.label for line in lines], _measure)
    return _Cell(graph, lines, layout)


def _lines(graph: CellGraph) -> tuple[_Line, ...]:
    """One line for all operations between two nodes: with one for each, few supernets would fit.

    What gathers results stays apart. Beside another operation, ``none`` has nothing to tell.
    """
    joined: dict[tuple[int, int, bool], list[str]] = {}
    for start, end, operation in graph.edges:
        joined.setdefault((start, end, bool(operation)), []).append(operation)
    return tuple(
        _Line(start, end, tuple(name for name in names if name != "none") or ("none",))
        for (start, end, _), names in joined.items()
    )


def _measure(text: str) -> float:
    """Width of a label or of a node's name, whichever is larger."""
    shown, formula = node_text(text)
    return text_width(shown, _NODE if formula else _LABEL, formula=formula)


def _boxes(options: Sequence[str]) -> list[Box]:
    """The boxes of a row, beginning at the origin."""
    boxes: list[Box] = []
    left = 0.0
    for option in options:
        width = max(30.0, text_width(printable(option), _LABEL) + 14)
        boxes.append(Box(left + width / 2, 0.0, width, _OPTION))
        left += width + _APART
    return boxes


def _rows(cells: Sequence[_Part], widest: float) -> list[list[_Part]]:
    rows: list[list[_Part]] = [[]]
    for cell in cells:
        if rows[-1] and _row_width([*rows[-1], cell]) > widest:
            rows.append([])
        rows[-1].append(cell)
    return rows


def _row_width(row: Sequence[_Part]) -> float:
    return sum(cell.width for cell in row) + _BETWEEN * (len(row) - 1)


def _row_height(row: Sequence[_Part]) -> float:
    return max(cell.height for cell in row)


@dataclass(frozen=True)
class _Block:
    """Lines of text."""

    lines: tuple[str, ...]
    properties: FontProperties

    @property
    def line_height(self) -> float:
        return 1.35 * self.properties.get_size_in_points()

    @property
    def height(self) -> float:
        return self.line_height * len(self.lines) + _BLOCK_GAP if self.lines else 0.0


def _wrap(text: str | None, width: float, properties: FontProperties) -> _Block:
    shown = printable(text or "", 600)
    if not shown:
        return _Block((), properties)
    mean = text_width(shown, properties) / len(shown)
    wrapper = textwrap.TextWrapper(max(1, int(0.95 * width / mean)), break_on_hyphens=False)
    wrapper.wordsep_simple_re = _BREAKS
    return _Block(tuple(wrapper.wrap(shown)), properties)


# Ink.


def _draw_block(axes: Axes, block: _Block, top: float, colour: str) -> None:
    for line, text in enumerate(block.lines):
        _text(axes, 0, top - (line + 0.5) * block.line_height, text, block.properties, colour)


def _text(
    axes: Axes, x: float, y: float, text: str, properties: FontProperties, colour: str,
    centre: bool = False, formula: bool = False,
) -> None:  # fmt: skip
    axes.text(
        x, y, text, color=colour, fontproperties=properties, zorder=4, parse_math=formula,
        ha="center" if centre else "left", va="center_baseline",
    )  # fmt: skip


def _draw_rows(axes: Axes, rows: Sequence[Sequence[_Part]], width: float, top: float) -> None:
    for row in rows:
        left = (width - _row_width(row)) / 2
        for cell in row:
            _draw_part(axes, cell, left, top - cell.height)
            left += cell.width + _BETWEEN
        top -= _row_height(row) + _BELOW


def _draw_part(axes: Axes, part: _Part, left: float, bottom: float) -> None:
    if part.title:
        top = bottom + part.height - 8
        _text(axes, left + part.width / 2, top, part.title, _CELL_TITLE, INK, centre=True)
    if isinstance(part, _Table):
        _draw_table(axes, part, left, bottom)
    else:
        _draw_cell(axes, part, left, bottom)


def _draw_table(axes: Axes, table: _Table, left: float, bottom: float) -> None:
    for place, (name, options, chosen) in enumerate(reversed(table.graph.rows)):
        y = bottom + (place + 0.5) * _ROW
        colour = FAINT if chosen is None else INK
        _text(axes, left, y, printable(name), _LABEL, MUTED if chosen is None else INK)
        for k, (option, box) in enumerate(zip(options, _boxes(options), strict=True)):
            filled = k == chosen
            _draw_option(axes, option, box.moved(left + table.names, y), filled, colour)


def _draw_option(axes: Axes, text: str, box: Box, filled: bool, colour: str) -> None:
    axes.add_patch(_round(box, 6, fc=colour if filled else PAPER, ec=colour if filled else FAINT))
    ink = PAPER if filled else MUTED
    _text(axes, box.x, box.y, printable(text), _LABEL, ink, centre=True)


def _draw_cell(axes: Axes, cell: _Cell, left: float, bottom: float) -> None:
    layout = cell.layout.moved(left + (cell.width - cell.layout.width) / 2, bottom)
    live = _live(cell.graph)
    for line, route, box in zip(cell.lines, layout.routes, layout.labels, strict=True):
        alive = line.passes and {line.start, line.end} <= live
        _draw_edge(axes, route, line, _colour(line.operations) if alive else FAINT)
        if box and line.passes:
            _draw_label(axes, line, box, alive=alive)
    ends = {*cell.graph.inputs, cell.graph.output}
    for node, (name, box) in enumerate(zip(cell.graph.nodes, layout.nodes, strict=True)):
        colour = INK if node in ends | live else FAINT
        _draw_node(axes, name, box, colour, filled=node in ends)


def _live(graph: CellGraph) -> set[int]:
    """The nodes on a way from an input to the output that no ``none`` stands on."""
    passing = sorted((start, end) for start, end, operation in graph.edges if operation != "none")
    reached, leading = set(graph.inputs), {graph.output}
    for start, end in passing:
        reached |= {end} if start in reached else set()
    for start, end in reversed(passing):
        leading |= {start} if end in leading else set()
    return reached & leading


def _colour(operations: Sequence[str]) -> str:
    """The colour of their kind; black for several kinds."""
    colours = {kind_of(operation).light if operation else MUTED for operation in operations}
    return colours.pop() if len(colours) == 1 else INK


def _curve(route: Sequence[Point]) -> Path:
    """Lines and S-shaped curves in turn; the last line ends where the arrowhead begins."""
    points = [*route[:-1], (route[-1][0] - _HEAD[0] + 1, route[-1][1])]
    vertices, codes = [points[0]], [Path.MOVETO]
    for k, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
        if k % 2:
            middle = (x0 + x1) / 2
            vertices += [(middle, y0), (middle, y1)]
            codes += [Path.CURVE4] * 2
        vertices.append((x1, y1))
        codes.append(Path.CURVE4 if k % 2 else Path.LINETO)
    return Path(vertices, codes)


def _draw_edge(axes: Axes, route: Sequence[Point], line: _Line, colour: str) -> None:
    """A line in a casing of paper colour, so that crossing lines are told apart."""
    width = 1.7 if line.passes and any(line.operations) else 1.1
    style, order = ("solid", 1) if line.passes else ((0, (3, 3)), 0.5)
    curve = _curve(route)
    if line.passes:
        axes.add_patch(PathPatch(curve, fc="none", ec=PAPER, lw=width + 3, capstyle="butt"))
    axes.add_patch(
        PathPatch(curve, fc="none", ec=colour, lw=width, ls=style, capstyle="butt", zorder=order)
    )
    (x, y), (length, half) = route[-1], _HEAD
    corners = [(x, y), (x - length, y + half), (x - length, y - half)]
    axes.add_patch(Polygon(corners, closed=True, fc=colour, ec="none", zorder=order))


def _draw_label(axes: Axes, line: _Line, box: Box, *, alive: bool) -> None:
    """Each operation in its own colour; a frame holds several together."""
    several = len(line.operations) > 1
    axes.add_patch(_round(box, 4, fc=PAPER, ec=FAINT if several else "none", zorder=3))
    y = box.y + LINE_HEIGHT * (len(line.operations) - 1) / 2
    for operation, text in zip(line.operations, line.texts, strict=True):
        colour = _colour([operation]) if alive else MUTED
        _text(axes, box.x, y, text, _LABEL, colour, centre=True)
        y -= LINE_HEIGHT


def _draw_node(axes: Axes, name: str, box: Box, colour: str, *, filled: bool) -> None:
    axes.add_patch(_round(box, 8, fc=colour if filled else PAPER, ec=colour, lw=1.2, zorder=3))
    text, formula = node_text(name)
    ink = PAPER if filled else MUTED if colour == FAINT else colour
    _text(axes, box.x, box.y, text, _NODE, ink, centre=True, formula=formula)


def _round(box: Box, radius: float, **style: Any) -> FancyBboxPatch:
    corner = (box.x - box.width / 2, box.y - box.height / 2)
    return FancyBboxPatch(
        corner, box.width, box.height, boxstyle=f"round,pad=0,rounding_size={radius}", **style
    )
