"""An architecture as a drawing sees it: cells with named operations, or options to choose from."""

from dataclasses import dataclass

__all__ = ["CellGraph", "Drawing", "OptionTable"]


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
