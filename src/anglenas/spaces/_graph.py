"""An architecture as a drawing sees it: cells with named operations, or options to choose from."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["CellGraph", "Drawing", "OptionTable", "is_untrained", "live_operations"]

_FIXED = frozenset({"", "none", "skip_connect", "avg_pool_3x3"})


@dataclass(frozen=True)
class CellGraph:
    """A directed acyclic graph whose nodes stand in topological order.

    Attributes:
        title: What stands above the drawing, such as ``"normal cell"``.
        nodes: Names of the nodes.
        edges: ``(from, to, operation)``, the first two being positions in ``nodes``; several edges
            may join the same two nodes.
        inputs: Positions of the nodes that images enter by.
        output: Position of the node that the cell's result leaves by.
    """

    title: str
    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int, str], ...]
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


def live_operations(graph: CellGraph) -> frozenset[str]:
    """The operations on the ways from an input of a cell to its output.

    An operation ``none`` lets nothing through, so that a way ends there.

    >>> cell = CellGraph("", ("in", "1", "out"),
    ...                  ((0, 1, "none"), (0, 2, "skip_connect"), (1, 2, "nor_conv_3x3")), (0,), 2)
    >>> sorted(live_operations(cell))
    ['skip_connect']
    """
    open_ = [edge for edge in sorted(graph.edges, key=lambda edge: edge[:2]) if edge[2] != "none"]
    reached, leading = set(graph.inputs), {graph.output}
    for start, end, _ in open_:
        reached |= {end} if start in reached else set()
    for start, end, _ in reversed(open_):
        leading |= {start} if end in leading else set()
    return frozenset(name for start, end, name in open_ if start in reached and end in leading)


def is_untrained(graphs: Iterable[Drawing]) -> bool:
    """Whether nothing but ``none``, ``skip_connect`` and ``avg_pool`` is on the ways through cells.

    These are the trivial structures of Yang et al. (WACV 2023, supplement, section 3): no layer of
    a cell learns anything, and the classifier hardly turns.

    Args:
        graphs: What the space draws of an architecture; cells alone are looked at.

    Returns:
        Whether it is such a structure; false where there is no cell to look at.
    """
    cells = [graph for graph in graphs if isinstance(graph, CellGraph)]
    return bool(cells) and all(live_operations(cell) <= _FIXED for cell in cells)
