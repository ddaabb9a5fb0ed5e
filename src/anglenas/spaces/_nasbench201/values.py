"""Cells of NAS-Bench-201 as values.

A cell has four nodes. Node 0 is its input, node 3 its output, and node ``j`` is the sum over all
``i < j`` of one of five operations applied to node ``i``: six edges, ``5 ** 6 = 15 625`` cells.
"""

import re
from dataclasses import dataclass

import numpy as np

from anglenas._text import Cursor
from anglenas.errors import ArchitectureError, SettingError
from anglenas.spaces._graph import CellGraph, Operation

OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("none", "none", "none", learns=False),
        Operation("skip_connect", "skip", "skip", learns=False),
        Operation("nor_conv_1x1", "conv 1x1", "convolution"),
        Operation("nor_conv_3x3", "conv 3x3", "convolution"),
        Operation("avg_pool_3x3", "avg pool 3x3", "pooling", learns=False),
    )
}
"""The operations by name, in the benchmark's own order."""

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""``(from, to)`` of every edge, in the order of the text."""

_TEXT = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|"
_CELL = re.compile(re.escape(_TEXT).replace(r"\{\}", f"({'|'.join(OPERATIONS)})"))


@dataclass(frozen=True)
class NasBench201Architecture:
    """One cell: the operation on each of the six edges.

    Args:
        operations: Names, in the order of the text: of the edges 0 to 1, 0 to 2, 1 to 2, 0 to 3,
            1 to 3 and 2 to 3.

    Raises:
        SettingError: Not six operations, or one that the space does not have.

    >>> str(NasBench201Architecture(("none",) * 5 + ("nor_conv_3x3",)))
    '|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|'
    """

    operations: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.operations) != len(EDGES) or not set(self.operations) <= set(OPERATIONS):
            raise SettingError(
                f"A NAS-Bench-201 cell has {len(EDGES)} operations out of "
                f"{', '.join(OPERATIONS)}, not {self.operations}."
            )

    def __str__(self) -> str:
        return _TEXT.format(*self.operations)


def parse(text: str) -> NasBench201Architecture:
    """The cell of ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``.

    Raises:
        ArchitectureError: The text is none; points at the first wrong place.

    >>> text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"
    >>> str(parse(text)) == text
    True
    """
    if match := _CELL.fullmatch(text):  # tables hold thousands of cells, and this is quick
        return NasBench201Architecture(match.groups())
    hint = "; a NAS-Bench-201 cell reads |op~0|+|op~0|op~1|+|op~0|op~1|op~2|"
    cursor = Cursor(text, ArchitectureError, hint)
    operations: list[str] = []
    for edge, (source, _) in enumerate(EDGES):
        cursor.expect(*("|+|" if edge and source == 0 else "|"))
        start = cursor.position
        name = cursor.read(r"[^~|+]*")
        if name not in OPERATIONS:
            raise cursor.wrong(
                f"There is no operation {name!r}; NAS-Bench-201 has {', '.join(OPERATIONS)}.", start
            )
        operations.append(name)
        cursor.expect("~", str(source))
    cursor.expect("|")
    cursor.expect_end("A NAS-Bench-201 cell ends here.")
    return NasBench201Architecture(tuple(operations))


def sample(rng: np.random.Generator) -> NasBench201Architecture:
    """A cell, uniformly: every edge's operation independently."""
    names = tuple(OPERATIONS)
    choices = rng.integers(len(names), size=len(EDGES))
    return NasBench201Architecture(tuple(names[choice] for choice in choices))


def mutate(cell: NasBench201Architecture, rng: np.random.Generator) -> NasBench201Architecture:
    """A cell that differs in the operation of exactly one edge, uniformly."""
    edge = int(rng.integers(len(EDGES)))
    others = [name for name in OPERATIONS if name != cell.operations[edge]]
    operations = list(cell.operations)
    operations[edge] = others[int(rng.integers(len(others)))]
    return NasBench201Architecture(tuple(operations))


def drawings(cell: NasBench201Architecture) -> tuple[CellGraph, ...]:
    """The cell with all six edges."""
    edges = zip(EDGES, cell.operations, strict=True)
    operations = tuple((source, target, OPERATIONS[name]) for (source, target), name in edges)
    return (CellGraph("cell", ("in", "1", "2", "out"), operations, inputs=(0,), output=3),)
