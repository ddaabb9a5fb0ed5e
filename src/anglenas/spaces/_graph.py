"""An architecture as a drawing sees it: cells with operations, or options to choose from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["convolution", "separable", "dilated", "pooling", "skip", "none", "other"]
"""Kinds of operations, each of which is drawn in a colour of its own; ``"none"`` passes nothing."""


@dataclass(frozen=True, order=True)
class Operation:
    """What stands on an edge of a cell.

    Attributes:
        name: What texts of architectures call it.
        label: What drawings call it.
        kind: Its kind.
        learns: Whether it has weights that matter: without any such, a cell is trivial.
    """

    name: str
    label: str
    kind: Kind = "other"
    learns: bool = True


@dataclass(frozen=True)
class CellGraph:
    """A directed acyclic graph whose nodes stand in topological order.

    Attributes:
        title: What stands above the drawing, such as ``"normal cell"``.
        nodes: Names of the nodes.
        edges: ``(from, to, operation)``, the first two being positions in ``nodes``; several edges
            may join the same two nodes. An edge without operation gathers results.
        inputs: Positions of the nodes that images enter by.
        output: Position of the node that the cell's result leaves by.
    """

    title: str
    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int, Operation | None], ...]
    inputs: tuple[int, ...]
    output: int


@dataclass(frozen=True)
class OptionTable:
    """What could be chosen, and what was.

    Attributes:
        title: What stands above the drawing.
        rows: ``(name, options, chosen)`` of each choice: the position of what was chosen, or
            ``None`` where it makes no difference.
    """

    title: str
    rows: tuple[tuple[str, tuple[str, ...], int | None], ...]


Drawing = CellGraph | OptionTable
"""What can be drawn of an architecture."""


def live_nodes(graph: CellGraph) -> frozenset[int]:
    """The nodes on the ways from an input of a cell to its output.

    An operation of the kind ``"none"`` lets nothing through, so that a way ends there.
    """
    passing = sorted(edge[:2] for edge in graph.edges if edge[2] is None or edge[2].kind != "none")
    reached, leading = set(graph.inputs), {graph.output}
    for start, end in passing:
        reached |= {end} if start in reached else set()
    for start, end in reversed(passing):
        leading |= {start} if end in leading else set()
    return frozenset(reached & leading)


def live_operations(graph: CellGraph) -> frozenset[Operation]:
    """The operations on the ways from an input of a cell to its output.

    >>> none, skip = Operation("none", "", "none", False), Operation("skip", "skip", "skip", False)
    >>> cell = CellGraph("", ("in", "1", "out"),
    ...                  ((0, 1, none), (0, 2, skip), (1, 2, Operation("conv", "conv"))), (0,), 2)
    >>> [operation.name for operation in live_operations(cell)]
    ['skip']
    """
    live = live_nodes(graph)
    return frozenset(
        operation
        for start, end, operation in graph.edges
        if operation and operation.kind != "none" and {start, end} <= live
    )


def learns(drawings: Iterable[Drawing]) -> bool:
    """Whether anything learns on the ways through some cells; true if there is no cell to look at.

    Those in which nothing does are the trivial structures of Yang et al. (WACV 2023, supplement,
    section 3): their classifier hardly turns as it is trained.
    """
    cells = [graph for graph in drawings if isinstance(graph, CellGraph)]
    live = [operation for cell in cells for operation in live_operations(cell)]
    return not cells or any(operation.learns for operation in live)
