"""Supernets as values: cells whose edges hold sets of operations.

A supernet is an architecture like any other: it is printed and parsed, has a network, and can be
measured. Each of its edges is the mean of the operations that are left on it. Pruning begins with
all of them and ends where an architecture of the space can be read off. As in TE-NAS (Chen, Gong &
Wang, ICLR 2021; VITA-Group/TENAS), ``none`` is not among the operations; in a text it stands for an
edge that nothing is left on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

import numpy as np

from anglenas._text import Cursor
from anglenas.errors import ArchitectureError, SettingError
from anglenas.spaces._graph import CellGraph, Operation

_NONE = Operation("none", "none", "none", learns=False)


class Edge(NamedTuple):
    """A place for operations.

    Attributes:
        cell: Name of its cell; empty if there is one kind of cell.
        source: Number of the node that it leaves.
        target: Number of the node that it enters.
    """

    cell: str
    source: int
    target: int


@dataclass(frozen=True)
class Topology:
    """What all supernets of a space have in common.

    Attributes:
        operations: What an edge can hold.
        edges: All edges: cell by cell, and in a cell by target and source.
        gathers: Whether a cell gives on what all of its nodes have, as in DARTS, rather than what
            the last one has.
    """

    operations: tuple[Operation, ...]
    edges: tuple[Edge, ...]
    gathers: bool = False

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the operations."""
        return tuple(operation.name for operation in self.operations)

    def full(self) -> "Supernet":
        """The supernet with every operation on every edge."""
        return Supernet(self, (self.names,) * len(self.edges))

    def parse(self, text: str) -> "Supernet":
        """The supernet of a text such as ``|conv+skip~0|+|none~0|...``.

        The cells of a space with several are named: ``normal=|...|; reduce=|...|``. The order of
        the operations on an edge does not matter.

        Raises:
            ArchitectureError: The text is none; points at the first wrong place.
        """
        hint = "; an edge of a supernet reads |op+op~source"
        cursor = Cursor(text, ArchitectureError, hint)
        held: list[tuple[str, ...]] = []
        before: Edge | None = None
        for edge in self.edges:
            if before is None or before.cell != edge.cell:
                cursor.expect(*([] if before is None else "|; "))
                cursor.expect(*([edge.cell, "="] if edge.cell else []), "|")
            else:
                cursor.expect(*("|" if before.target == edge.target else "|+|"))
            held.append(self._read_operations(cursor))
            cursor.expect("~", str(edge.source))
            before = edge
        cursor.expect("|")
        cursor.expect_end("The supernet ends here.")
        return Supernet(self, tuple(held))

    def _read_operations(self, cursor: Cursor) -> tuple[str, ...]:
        found: list[str] = []
        while True:
            start = cursor.position
            name = cursor.read(r"[^~|+]*")
            if name == "none" and not found and not cursor.at("+"):
                return ()
            if name not in self.names or name in found:
                known = ", ".join(self.names)
                raise cursor.wrong(
                    f"Expected another one of {known}, or 'none' alone, not {name!r}.", start
                )
            found.append(name)
            if not cursor.take("+"):
                return self._in_order(found)

    def _in_order(self, names: "set[str] | list[str]") -> tuple[str, ...]:
        return tuple(name for name in self.names if name in names)

    def sample(self, rng: np.random.Generator) -> "Supernet":
        """A supernet with one operation or more on each edge, uniformly."""
        draws = rng.integers(1, 2 ** len(self.names), size=len(self.edges))
        return Supernet(
            self,
            tuple(
                tuple(name for k, name in enumerate(self.names) if int(bits) >> k & 1)
                for bits in draws
            ),
        )

    def mutate(self, supernet: "Supernet", rng: np.random.Generator) -> "Supernet":
        """A supernet that holds one operation more or less on one edge."""
        edge = int(rng.integers(len(self.edges)))
        changed = self.names[rng.integers(len(self.names))]
        held = list(supernet.operations)
        held[edge] = self._in_order({*held[edge]} ^ {changed})
        return Supernet(self, tuple(held))

    def drawings(self, supernet: "Supernet") -> tuple[CellGraph, ...]:
        """Each cell with an edge for every operation that is left."""
        held = zip(self.edges, supernet.operations, strict=True)
        cells = groupby(held, key=lambda pair: pair[0].cell)
        return tuple(self._graph(name, list(cell)) for name, cell in cells)

    def _graph(self, name: str, held: list[tuple[Edge, tuple[str, ...]]]) -> CellGraph:
        """Nodes are numbered as they are in texts; those that no edge enters are inputs."""
        table = dict(zip(self.names, self.operations, strict=True))
        targets = sorted({edge.target for edge, _ in held})
        last = targets[-1]
        edges: list[tuple[int, int, Operation | None]] = [
            (edge.source, edge.target, operation)
            for edge, names in held
            for operation in [table[one] for one in names] or [_NONE]
        ]
        nodes = tuple(map(str, range(last + 1)))
        if self.gathers:
            edges += [(node, last + 1, None) for node in targets]
            nodes, last = (*nodes, "c_{k}"), last + 1
        title = {"": "cell", "reduce": "reduction cell"}.get(name, f"{name} cell")
        return CellGraph(title, nodes, tuple(edges), tuple(range(targets[0])), last)


@dataclass(frozen=True)
class Supernet:
    """A set of operations on each edge.

    Args:
        topology: The edges.
        operations: For each edge the names of what is left on it, in the topology's order.

    Raises:
        SettingError: The sets do not fit the topology.
    """

    topology: Topology
    operations: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        names = self.topology.names
        if len(self.operations) != len(self.topology.edges):
            raise SettingError(f"There are {len(self.topology.edges)} edges to hold operations.")
        for held in self.operations:
            if held != tuple(name for name in names if name in held):
                raise SettingError(
                    f"An edge holds some of {', '.join(names)}, in this order and each once, not "
                    f"{held}."
                )

    def __str__(self) -> str:
        held = zip(self.topology.edges, self.operations, strict=True)
        cells = groupby(held, key=lambda pair: pair[0].cell)
        texts = ((name, "+".join(_node_texts(cell))) for name, cell in cells)
        return "; ".join(f"{name}={text}" if name else text for name, text in texts)

    def without(self, edge: int, operation: str) -> "Supernet":
        """The supernet in which an edge, by its number, lacks an operation."""
        left = tuple(name for name in self.operations[edge] if name != operation)
        return replace(
            self, operations=(*self.operations[:edge], left, *self.operations[edge + 1 :])
        )

    def holds(self, edge: int, operation: str) -> bool:
        """Whether an operation is left on an edge, by its number."""
        return operation in self.operations[edge]


def _node_texts(cell: Iterator[tuple[Edge, tuple[str, ...]]]) -> Iterator[str]:
    """The operations on all edges that enter a node, for each node of a cell."""
    for _, node in groupby(cell, key=lambda pair: pair[0].target):
        yield "".join(f"|{'+'.join(names) or 'none'}~{edge.source}" for edge, names in node) + "|"
