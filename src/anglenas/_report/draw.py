"""Drawings of cells, and of what was chosen, for papers and for the report."""

import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path

from anglenas._report.canvas import (
    FAINT,
    INK,
    KINDS,
    MUTED,
    PAPER,
    add_axes,
    font,
    new_figure,
    printable,
    text_width,
)
from anglenas._report.layout import LINE_HEIGHT, Box, Point, arrange
from anglenas.spaces import Drawing, Operation, OptionTable
from anglenas.spaces._graph import live_nodes

_MARGIN, _BETWEEN, _BELOW, _BLOCK_GAP = 12.0, 40.0, 24.0, 10.0
_WIDEST = 1500.0
_HEAD = (7.0, 3.4)  # length of an arrowhead, and half its width
_ROW, _OPTION, _APART = 26.0, 20.0, 6.0
_LABEL, _NODE, _PART_TITLE, _TITLE, _CAPTION = 9.0, 9.5, 10.0, 11.5, 8.5  # sizes of type
# A caption may go on in a new line after a sign or at a space, but not inside of
# ('skip_connect', 0).
_BREAKS = re.compile(r"(\s+(?!\d+\))|(?<=[+;])|(?<=,)(?!\s))")
_STATE = re.compile(r"c_\{k(-\d+)?\}")


@dataclass(frozen=True)
class Part:
    """A cell or a table of options, ready to be put into a figure; sizes are in points."""

    title: str
    body_width: float
    body_height: float
    ink: Callable[[Axes], None]
    """Draws it on axes whose unit is a point and whose origin is its lower left corner."""

    @property
    def width(self) -> float:
        """Of the whole drawing."""
        return max(self.body_width, text_width(self.title, _PART_TITLE, bold=True))

    @property
    def height(self) -> float:
        """Of the whole drawing."""
        return self.body_height + (22 if self.title else 0)

    def put(self, figure: Figure, left: float, bottom: float) -> None:
        """Draw it into a figure, its lower left corner at a point that is given in points."""
        room = 2.0  # lines at the rim are as wide outside as inside
        width, height = self.width + 2 * room, self.height + 2 * room
        axes = add_axes(figure, left - room, bottom - room, width, height, frameon=False)
        axes.set_axis_off()
        start = (self.body_width - self.width) / 2
        axes.set_xlim(start - room, start + self.width + room)
        axes.set_ylim(-room, self.height + room)
        if self.title:
            middle = (self.body_width / 2, self.height - 8)
            _text(axes, *middle, self.title, _PART_TITLE, INK, bold=True)
        self.ink(axes)


def draw_cells(
    graphs: Sequence[Drawing],
    *,
    title: str | None = None,
    caption: str | None = None,
    widest: float = _WIDEST,
) -> Figure:
    """Draw cells side by side, or below each other where they are too wide.

    An operation's colour tells its kind. One of the kind ``none`` passes nothing on and is a faint
    dashed line without a label; what cannot be reached, or leads nowhere, because of it is faint
    too. Edges that only gather results (without an operation) are grey. Operations that join the
    same two nodes, as in a supernet, are one line that names them below each other; it is black if
    their kinds differ.

    Of a table of options, those that were chosen are filled.

    Args:
        graphs: The cells or tables, one or more.
        title: What stands above them.
        caption: What stands below them, in small type.
        widest: Width in points up to which they stand side by side; any two cells of the DARTS
            space do by default.

    Returns:
        A figure on a canvas of its own, as large as it needs to be, with axes for each cell.

    >>> from anglenas.spaces import CellGraph, Operation
    >>> convolution = Operation("nor_conv_3x3", "conv 3x3", "convolution")
    >>> cell = CellGraph("cell", ("in", "out"), ((0, 1, convolution),), (0,), 1)
    >>> figure = draw_cells([cell], title="A small one")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['cell', 'conv 3x3', 'in', 'out']
    """
    rows: list[list[Part]] = [[]]
    for part in map(part_of, graphs):
        if rows[-1] and _row_width([*rows[-1], part]) > widest:
            rows.append([])
        rows[-1].append(part)
    width = max(160.0, *map(_row_width, rows))
    heights = [max(part.height for part in row) for row in rows]
    above = _wrap(title, width, _TITLE, bold=True)
    below = _wrap(caption, width, _CAPTION)
    bottom = _MARGIN + _block_height(below, _CAPTION)
    top = bottom + sum(heights) + _BELOW * (len(rows) - 1)
    whole = top + _block_height(above, _TITLE) + _MARGIN
    with new_figure(width + 2 * _MARGIN, whole) as figure:
        _write(figure, above, whole - _MARGIN, _TITLE, INK, bold=True)
        _write(figure, below, bottom - _BLOCK_GAP, _CAPTION, MUTED)
        for row, height in zip(rows, heights, strict=True):
            left = _MARGIN + (width - _row_width(row)) / 2
            for part in row:
                part.put(figure, left, top - part.height)
                left += part.width + _BETWEEN
            top -= height + _BELOW
    return figure


def _row_width(row: Sequence[Part]) -> float:
    return sum(part.width for part in row) + _BETWEEN * (len(row) - 1)


# Blocks of text above and below.


def _wrap(text: str | None, width: float, size: float, *, bold: bool = False) -> list[str]:
    shown = printable(text or "", 600)
    if not shown:
        return []
    mean = text_width(shown, size, bold=bold) / len(shown)
    wrapper = textwrap.TextWrapper(max(1, int(0.95 * width / mean)), break_on_hyphens=False)
    wrapper.wordsep_simple_re = _BREAKS
    return wrapper.wrap(shown)


def _block_height(lines: Sequence[str], size: float) -> float:
    return 1.35 * size * len(lines) + _BLOCK_GAP if lines else 0.0


def _write(
    figure: Figure, lines: Sequence[str], top: float, size: float, colour: str, *,
    bold: bool = False,
) -> None:  # fmt: skip
    for line, text in enumerate(lines):
        figure.text(
            _MARGIN / 72, (top - (line + 0.5) * 1.35 * size) / 72, text, color=colour,
            fontproperties=font(size, bold=bold), va="center_baseline", parse_math=False,
            transform=figure.dpi_scale_trans,
        )  # fmt: skip


# Cells.


@dataclass(frozen=True)
class _Line:
    """Operations that lead from one node to another, drawn as one line."""

    start: int
    end: int
    operations: tuple[Operation | None, ...]

    @property
    def texts(self) -> list[str]:
        """What people call the operations."""
        return [printable(operation.label) if operation else "" for operation in self.operations]

    @property
    def passes(self) -> bool:
        """Whether anything passes."""
        return any(map(_passes, self.operations))


def _passes(operation: Operation | None) -> bool:
    return operation is None or operation.kind != "none"


def part_of(graph: Drawing) -> Part:
    """A cell or a table of options with all positions, ready to be put into a figure."""
    if isinstance(graph, OptionTable):
        return _table(graph)
    # One line for all operations between two nodes, because with one for each operation nobody
    # could read a supernet. What gathers results stays apart. Beside another operation, one that
    # passes nothing has nothing to tell.
    joined: dict[tuple[int, int, bool], list[Operation | None]] = {}
    for start, end, operation in graph.edges:
        joined.setdefault((start, end, operation is None), []).append(operation)
    lines = [
        _Line(start, end, tuple(filter(_passes, held)) or (held[0],))
        for (start, end, _), held in joined.items()
    ]
    labels = ["\n".join(line.texts) if any(line.texts) else "" for line in lines]
    edges = tuple((line.start, line.end, None) for line in lines)
    layout = arrange(
        replace(graph, edges=edges), labels, lambda text: text_width(text, _LABEL), _name_width
    )
    live = live_nodes(graph)  # as trivial cells are told, so that a drawing and the guard agree

    def ink(axes: Axes) -> None:
        for line, route, box in zip(lines, layout.routes, layout.labels, strict=True):
            alive = line.passes and {line.start, line.end} <= live
            _draw_edge(axes, route, line, _colour(line.operations) if alive else FAINT)
            if box and line.passes:
                _draw_label(axes, line, box, alive=alive)
        ends = {*graph.inputs, graph.output}
        for node, (name, box) in enumerate(zip(graph.nodes, layout.nodes, strict=True)):
            colour = INK if node in ends | live else FAINT
            _draw_node(axes, name, box, colour, filled=node in ends)

    return Part(printable(graph.title, 60), layout.width, layout.height, ink)


def _name_width(name: str) -> float:
    text, formula = _node_text(name)
    return text_width(text, _NODE, bold=True, formula=formula)


def _node_text(name: str) -> tuple[str, bool]:
    """A node's name, and whether it is a formula: only names like ``c_{k-2}`` are."""
    return (f"${name}$", True) if _STATE.fullmatch(name) else (printable(name), False)


def _colour(operations: Sequence[Operation | None]) -> str:
    """The colour of their kind; black for several kinds."""
    light = {kind.name: kind.light for kind in KINDS}
    colours = {light[operation.kind] if operation else MUTED for operation in operations}
    return colours.pop() if len(colours) == 1 else INK


def _draw_edge(axes: Axes, route: Sequence[Point], line: _Line, colour: str) -> None:
    """Lines and S-shaped curves in turn, in a casing that tells crossing lines apart."""
    (x, y), (length, half) = route[-1], _HEAD
    points = [*route[:-1], (x - length + 1, y)]  # the last line ends where the arrowhead begins
    vertices, codes = [points[0]], [Path.MOVETO]
    for k, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
        if k % 2:
            vertices += [((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1)]
            codes += [Path.CURVE4] * 2
        vertices.append((x1, y1))
        codes.append(Path.CURVE4 if k % 2 else Path.LINETO)
    curve = Path(vertices, codes)
    width = 1.7 if line.passes and any(line.operations) else 1.1
    style, order = ("solid", 1) if line.passes else ((0, (3, 3)), 0.5)
    if line.passes:
        axes.add_patch(PathPatch(curve, fc="none", ec=PAPER, lw=width + 3, capstyle="butt"))
    axes.add_patch(
        PathPatch(curve, fc="none", ec=colour, lw=width, ls=style, capstyle="butt", zorder=order)
    )
    corners = [(x, y), (x - length, y + half), (x - length, y - half)]
    axes.add_patch(Polygon(corners, closed=True, fc=colour, ec="none", zorder=order))


def _draw_label(axes: Axes, line: _Line, box: Box, *, alive: bool) -> None:
    """Each operation in its own colour; a frame holds several together."""
    several = len(line.operations) > 1
    axes.add_patch(_round(box, 4, fc=PAPER, ec=FAINT if several else "none", zorder=3))
    y = box.y + LINE_HEIGHT * (len(line.operations) - 1) / 2
    for operation, text in zip(line.operations, line.texts, strict=True):
        _text(axes, box.x, y, text, _LABEL, _colour([operation]) if alive else MUTED)
        y -= LINE_HEIGHT


def _draw_node(axes: Axes, name: str, box: Box, colour: str, *, filled: bool) -> None:
    axes.add_patch(_round(box, 8, fc=colour if filled else PAPER, ec=colour, lw=1.2, zorder=3))
    text, formula = _node_text(name)
    ink = PAPER if filled else MUTED if colour == FAINT else colour
    _text(axes, box.x, box.y, text, _NODE, ink, bold=True, formula=formula)


# Tables of options.


def _table(graph: OptionTable) -> Part:
    """Each row is a name and the boxes beside it."""
    rows = graph.rows[::-1]
    names = max(text_width(printable(name), _LABEL) for name, _, _ in rows) + 10
    boxes: list[list[Box]] = []
    for row, (_, options, _) in enumerate(rows):
        boxes.append([])
        left = names
        for option in options:
            width = max(30.0, text_width(printable(option), _LABEL) + 14)
            boxes[-1].append(Box(left + width / 2, (row + 0.5) * _ROW, width, _OPTION))
            left += width + _APART

    def ink(axes: Axes) -> None:
        for row, (name, options, chosen) in zip(boxes, rows, strict=True):
            colour, ink = (FAINT, MUTED) if chosen is None else (INK, INK)
            _text(axes, 0, row[0].y, printable(name), _LABEL, ink, ha="left")
            for k, (option, box) in enumerate(zip(options, row, strict=True)):
                rim, fill, text = (colour, colour, PAPER) if k == chosen else (FAINT, PAPER, MUTED)
                axes.add_patch(_round(box, 6, fc=fill, ec=rim))
                _text(axes, box.x, box.y, printable(option), _LABEL, text)

    width = max(row[-1].x + row[-1].width / 2 for row in boxes)
    return Part(printable(graph.title, 60), width, _ROW * len(rows), ink)


# Ink.


def _text(
    axes: Axes, x: float, y: float, text: str, size: float, colour: str, *,
    bold: bool = False, formula: bool = False, ha: str = "center",
) -> None:  # fmt: skip
    axes.text(
        x, y, text, color=colour, fontproperties=font(size, bold=bold), zorder=4,
        parse_math=formula, ha=ha, va="center_baseline",
    )  # fmt: skip


def _round(box: Box, radius: float, **style: Any) -> FancyBboxPatch:
    corner = (box.x - box.width / 2, box.y - box.height / 2)
    return FancyBboxPatch(
        corner, box.width, box.height, boxstyle=f"round,pad=0,rounding_size={radius}", **style
    )
