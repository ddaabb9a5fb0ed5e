"""What is left of a supernet, on the terminal."""

import re
from collections.abc import Iterable
from itertools import groupby

from rich.columns import Columns
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from anglenas.spaces import Edge, Supernet, Topology

_GAP = 2  # columns between two cells


def supernet_view(supernet: Supernet, width: int) -> RenderableType:
    """A row an edge, ``source>target``, with each operation that is left and a dot for the others.

    Cells stand side by side where the terminal is wide enough.

    Args:
        supernet: What is left.
        width: Columns of the terminal.
    """
    names = _names(supernet.topology, width)
    held = zip(supernet.topology.edges, supernet.operations, strict=True)
    cells = [
        _cell(name, cell, names) for name, cell in groupby(held, key=lambda pair: pair[0].cell)
    ]
    return Columns(cells, padding=(0, _GAP))


def _cell(
    name: str, held: Iterable[tuple[Edge, tuple[str, ...]]], names: dict[str, str]
) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.title, grid.title_justify, grid.title_style = f"{name} cell" if name else None, "left", ""
    for edge, left in held:
        marks = [Text(names[key]) if key in left else Text(".", "dim") for key in names]
        grid.add_row(Text(_label(edge), "dim"), *marks)
    for column, written in zip(grid.columns, ["", *names.values()], strict=True):
        column.min_width, column.no_wrap = len(written), True  # it stays where nothing is left
    return grid


def _label(edge: Edge) -> str:
    return f"{edge.source}>{edge.target}"


def _names(topology: Topology, width: int) -> dict[str, str]:
    """Operations as they are written: whole if all cells then fit side by side, else short."""
    whole = {name: name for name in topology.names}
    short = {name: _short(name) for name in topology.names}
    cells = len({edge.cell for edge in topology.edges})
    row = max(len(_label(edge)) for edge in topology.edges) + sum(len(name) + 1 for name in whole)
    fits = cells * row + (cells - 1) * _GAP <= width
    return whole if fits or len(set(short.values())) < len(short) else short


def _short(name: str) -> str:
    """The first word and the first digit: ``sep3`` for ``sep_conv_3x3``."""
    digit = re.search(r"\d", name)
    return name.partition("_")[0] + (digit.group() if digit else "")
