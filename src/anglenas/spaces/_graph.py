"""A cell as a drawing sees it: nodes, and edges with the names of their operations."""

from dataclasses import dataclass

__all__ = ["CellGraph"]


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
