"""Supernets as values: cells whose edges hold sets of operations.

A supernet is an architecture like any other: it is printed and parsed, has a network, and can be
measured. Each of its edges is the mean of the operations that are left on it. Pruning begins with
all of them and ends where an architecture of the space can be read off. As in TE-NAS (Chen, Gong &
Wang, ICLR 2021; VITA-Group/TENAS), ``none`` is not among the operations; in a text it stands for an
edge that nothing is left on.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from anglenas.errors import ArchitectureError, SettingError, UsageError
from anglenas.spaces._darts import values as darts
from anglenas.spaces._graph import CellGraph
from anglenas.spaces._nasbench201 import values as nasbench201

__all__ = [
    "DARTS_SUPERNET",
    "DARTS_SUPERNET_DEEP",
    "DARTS_SUPERNET_IMAGENET",
    "NASBENCH201_SUPERNET",
    "Edge",
    "Layout",
    "Supernet",
    "SupernetSpace",
]


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
class Layout:
    """What all supernets of a space have in common.

    Attributes:
        operations: What an edge can hold.
        edges: All edges: cell by cell, and in a cell by target and source.
        gathers: Whether a cell gives on what all of its nodes have, as in DARTS, rather than what
            the last one has.
    """

    operations: tuple[str, ...]
    edges: tuple[Edge, ...]
    gathers: bool = False


@dataclass(frozen=True)
class Supernet:
    """A set of operations on each edge.

    Args:
        layout: The edges.
        operations: For each edge what is left on it, in the order of the layout's operations.

    Raises:
        SettingError: The sets do not fit the layout.
    """

    layout: Layout
    operations: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if len(self.operations) != len(self.layout.edges):
            raise SettingError(f"There are {len(self.layout.edges)} edges to hold operations.")
        for held in self.operations:
            if held != tuple(name for name in self.layout.operations if name in held):
                raise SettingError(
                    f"An edge holds some of {', '.join(self.layout.operations)}, in this order "
                    f"and each once, not {held}."
                )

    def __str__(self) -> str:
        held = zip(self.layout.edges, self.operations, strict=True)
        cells = groupby(held, key=lambda pair: pair[0].cell)
        return "; ".join(f"{name}={text}" if name else text
                         for name, text in ((name, _cell_text(list(cell))) for name, cell in cells)
                         )  # fmt: skip

    def without(self, edge: int, operation: str) -> "Supernet":
        """The supernet in which an edge, by its number, lacks an operation."""
        left = tuple(name for name in self.operations[edge] if name != operation)
        return replace(
            self, operations=(*self.operations[:edge], left, *self.operations[edge + 1 :])
        )

    def holds(self, edge: int, operation: str) -> bool:
        """Whether an operation is left on an edge, by its number."""
        return operation in self.operations[edge]


def _cell_text(held: list[tuple[Edge, tuple[str, ...]]]) -> str:
    nodes = groupby(held, key=lambda pair: pair[0].target)
    return "+".join(
        "".join(f"|{'+'.join(names) or 'none'}~{edge.source}" for edge, names in node) + "|"
        for _, node in nodes
    )


@dataclass(frozen=True)
class SupernetSpace:
    """The supernets of a space; a search space itself.

    Attributes:
        name: See :class:`anglenas.spaces.SearchSpace`.
        builder: See :class:`anglenas.spaces.SearchSpace`.
        layout: Edges and operations.
        read: From a supernet with one operation on each edge to the architecture that it is. Edges
            that are to be left out hold none.
        number: How many operations of an edge TE-NAS prunes in a round.
        edges_kept: How many edges of a node stay in the end; ``None`` if all do.
        recipe: Name of the recipe to prune with by a metric of a short training.
        tenas_recipe: Name of the recipe with TE-NAS's settings.
        version: See :class:`anglenas.spaces.SearchSpace`.
        size: ``None``: they are too many to go through.
    """

    name: str
    builder: str
    layout: Layout
    read: Callable[[Supernet], Any]
    number: int = 1
    edges_kept: int | None = None
    recipe: str = "paper-pruning"
    tenas_recipe: str = "tenas"
    version: int = 1
    size: int | None = None

    def full(self) -> Supernet:
        """The supernet with every operation on every edge."""
        return Supernet(self.layout, (self.layout.operations,) * len(self.layout.edges))

    def parse(self, text: str) -> Supernet:
        """The supernet of a text such as ``|nor_conv_3x3+skip_connect~0|+|none~0|...``.

        The cells of a space with several are named: ``normal=|...|; reduce=|...|``. The order of
        the operations on an edge does not matter.

        Raises:
            ArchitectureError: The text is none; points at the first wrong place.

        >>> text = str(NASBENCH201_SUPERNET.full().without(0, "nor_conv_1x1"))
        >>> str(NASBENCH201_SUPERNET.parse(text)) == text
        True
        """
        held: list[tuple[str, ...]] = []
        position = 0
        for edge, opening in zip(self.layout.edges, _openings(self.layout), strict=True):
            position = self._expect(text, position, opening)
            names, position = self._operations_at(text, position)
            held.append(names)
            position = self._expect(text, position, f"~{edge.source}")
        position = self._expect(text, position, "|")
        if position < len(text):
            raise ArchitectureError("The supernet ends here.", text, position)
        return Supernet(self.layout, tuple(held))

    def _expect(self, text: str, position: int, token: str) -> int:
        for offset, character in enumerate(token):
            if text[position + offset : position + offset + 1] != character:
                raise ArchitectureError(
                    f"Expected {character!r} here; an edge of a supernet reads |op+op~source.",
                    text,
                    position + offset,
                )
        return position + len(token)

    def _operations_at(self, text: str, position: int) -> tuple[tuple[str, ...], int]:
        match = re.compile(r"[^~|]*").match(text, position)
        written = match.group() if match else ""
        found: list[str] = []
        for name in written.split("+") if written != "none" else ():
            if name not in self.layout.operations or name in found:
                known = ", ".join(self.layout.operations)
                raise ArchitectureError(
                    f"Expected another one of {known}, or 'none' alone, not {name!r}.",
                    text,
                    position,
                )
            found.append(name)
            position += len(name) + 1
        end = position - 1 if found else position + len(written)
        return tuple(name for name in self.layout.operations if name in found), end

    def sample(self, rng: np.random.Generator) -> Supernet:
        """A supernet with one operation or more on each edge, uniformly."""
        draws = rng.integers(1, 2 ** len(self.layout.operations), size=len(self.layout.edges))
        return Supernet(self.layout, tuple(self._subset(int(bits)) for bits in draws))

    def _subset(self, bits: int) -> tuple[str, ...]:
        return tuple(name for k, name in enumerate(self.layout.operations) if bits >> k & 1)

    def enumerate(self) -> Iterator[Supernet]:
        """Refused.

        Raises:
            UsageError: Always.
        """
        raise UsageError(f"The supernets of {self.name!r} are too many to go through.")

    def mutate(self, architecture: Supernet, rng: np.random.Generator) -> Supernet:
        """A supernet that holds one operation more or less on one edge."""
        edge = int(rng.integers(len(self.layout.edges)))
        changed = self.layout.operations[rng.integers(len(self.layout.operations))]
        held = list(architecture.operations)
        wanted = {*held[edge]} ^ {changed}
        held[edge] = tuple(name for name in self.layout.operations if name in wanted)
        return Supernet(self.layout, tuple(held))

    def canonical(self, architecture: Supernet) -> str:
        """The text: which supernets compute the same function is not looked into."""
        return str(architecture)

    def subject(self, text: str) -> Supernet:
        """The supernet that a text names."""
        return self.parse(text)

    def graphs(self, architecture: Supernet) -> tuple[CellGraph, ...]:
        """Each cell with an edge for every operation that is left, for drawing."""
        held = zip(self.layout.edges, architecture.operations, strict=True)
        cells = groupby(held, key=lambda pair: pair[0].cell)
        return tuple(_graph(name, list(cell), self.layout.gathers) for name, cell in cells)

    def is_trivial(self, architecture: Supernet) -> bool:
        """Whether nothing but skips is left."""
        return all(set(held) <= {"skip_connect"} for held in architecture.operations)


def _openings(layout: Layout) -> Iterator[str]:
    """What stands before the operations of each edge in a text."""
    before: Edge | None = None
    for edge in layout.edges:
        if before is None:
            yield f"{edge.cell}=|" if edge.cell else "|"
        elif before.cell != edge.cell:
            yield f"|; {edge.cell}=|"
        else:
            yield "|" if before.target == edge.target else "|+|"
        before = edge


def _graph(name: str, held: list[tuple[Edge, tuple[str, ...]]], gathers: bool) -> CellGraph:
    """Nodes are numbered as they are in texts; those that no edge enters are inputs."""
    targets = sorted({edge.target for edge, _ in held})
    inputs = tuple(range(targets[0]))
    edges = tuple(
        (edge.source, edge.target, operation)
        for edge, operations in held
        for operation in operations or ("none",)
    )
    names = tuple(map(str, range(targets[-1] + 1)))
    title = {"": "cell", "reduce": "reduction cell"}.get(name, f"{name} cell")
    if not gathers:
        return CellGraph(title, names, edges, inputs, targets[-1])
    output = targets[-1] + 1
    ends = tuple((node, output, "") for node in targets)
    return CellGraph(title, (*names, "c_{k}"), edges + ends, inputs, output)


def _read_nasbench201(supernet: Supernet) -> nasbench201.NasBench201Architecture:
    if any(len(held) != 1 for held in supernet.operations):
        raise SettingError("A cell can be read off when one operation is left on each edge.")
    return nasbench201.NasBench201Architecture(tuple(held[0] for held in supernet.operations))


NASBENCH201_SUPERNET = SupernetSpace(
    name="nasbench201_supernet",
    builder="anglenas.spaces._nasbench201.network:build",
    layout=Layout(
        operations=nasbench201.OPERATIONS[1:],
        edges=tuple(Edge("", source, target) for source, target in nasbench201.EDGES),
    ),
    read=_read_nasbench201,
    version=2,
)
"""Supernets of NAS-Bench-201; entry point ``nasbench201_supernet`` of ``anglenas.spaces``."""


def _read_darts(supernet: Supernet) -> darts.Genotype:
    cells: dict[str, list[darts.Choice]] = {"normal": [], "reduce": []}
    held = zip(supernet.layout.edges, supernet.operations, strict=True)
    for (cell, _), node in groupby(held, key=lambda pair: (pair[0].cell, pair[0].target)):
        left = [(operations, edge.source) for edge, operations in node if operations]
        if [len(operations) for operations, _ in left] != [1, 1]:
            raise SettingError(
                "A genotype can be read off when each node has two edges with one operation left."
            )
        cells[cell] += [(operations[0], source) for operations, source in left]
    return darts.Genotype(tuple(cells["normal"]), tuple(cells["reduce"]))


DARTS_SUPERNET = SupernetSpace(
    name="darts_supernet",
    builder="anglenas.spaces._darts.supernet_network:build",
    layout=Layout(
        operations=darts.OPERATIONS,
        edges=tuple(
            Edge(cell, source, target)
            for cell in ("normal", "reduce")
            for target in range(darts.INPUTS, darts.INPUTS + darts.NODES)
            for source in range(target)
        ),
        gathers=True,
    ),
    read=_read_darts,
    number=3,
    edges_kept=2,
    recipe="paper-darts",
    tenas_recipe="tenas-darts",
    version=2,
)
"""Supernets of DARTS in TE-NAS's small network: normal cells and one reduction cell; entry point
``darts_supernet``."""

DARTS_SUPERNET_IMAGENET = replace(
    DARTS_SUPERNET,
    name="darts_supernet_imagenet",
    number=2,
    tenas_recipe="tenas-darts-imagenet",
)
"""The same with TE-NAS's settings for ImageNet; entry point ``darts_supernet_imagenet``."""

DARTS_SUPERNET_DEEP = replace(
    DARTS_SUPERNET,
    name="darts_supernet_deep",
    builder="anglenas.spaces._darts.supernet_network:build_deep",
)
"""Supernets of DARTS in a network with all three stages; entry point ``darts_supernet_deep``."""
