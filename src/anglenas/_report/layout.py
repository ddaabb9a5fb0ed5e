"""Where the parts of a cell stand in its drawing: every node has a column of its own.

The nodes stand on one level line in their topological order. The first edge between neighbours goes
straight; every other edge runs in a lane above or below the line. So a node stands at the same
position in every cell of a space, and cells can be compared by eye; and an edge meets no node and
no label but its own, because it leaves its lane only in the gutter beside a node that it joins.
All lengths are in points; y grows upwards.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from anglenas.spaces import CellGraph

Point = tuple[float, float]

LINE_HEIGHT = 12.0
"""Between two lines of a label."""
_NODE_HEIGHT, _LABEL_HEIGHT, _EDGE_HEIGHT = 24.0, 15.0, 4.0
_GAP = 7.0
_PORT = 8.0  # between two edges at one side of a node
_STUB = 9.0  # straight beside a node: room for an arrowhead
_GUTTER = (12.0, 44.0)


@dataclass(frozen=True)
class Box:
    """A rectangle, by its centre."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """A cell with positions; its lower left corner is the origin.

    Attributes:
        width: Of the whole drawing.
        height: Of the whole drawing.
        nodes: A box for each node.
        labels: A box for each edge; ``None`` where the edge has no label.
        routes: For each edge the points that it is led through: a straight line between the first
            two, an S-shaped curve with level ends between the next two, and so on in turn.
    """

    width: float
    height: float
    nodes: tuple[Box, ...]
    labels: tuple[Box | None, ...]
    routes: tuple[tuple[Point, ...], ...]


@dataclass
class _Edge:
    """An edge between two columns, to which one step after another adds.

    Attributes:
        start: The column that it leaves.
        end: The column that it leads to.
        width: Of its label; 0 if it has none.
        height: Of its label, or of the line itself.
        side: 1 if its lane is above the nodes, -1 below them, 0 if it goes straight.
        zone: Its label stands between this column and the next one.
        y: Height of its lane above the middle of the nodes.
        leaving: How far above the middle of its first node it begins.
        arriving: How far above the middle of its last node it ends.
    """

    start: int
    end: int
    width: float
    height: float
    side: int = 0
    zone: int | None = None
    y: float = 0.0
    leaving: float = 0.0
    arriving: float = 0.0

    @property
    def length(self) -> int:
        return self.end - self.start

    def crosses(self, other: "_Edge") -> bool:
        """Whether the two meet on one side: each has an end between the ends of the other."""
        first, last = sorted((self, other), key=lambda edge: (edge.start, edge.end))
        return first.start < last.start < first.end < last.end


def arrange(
    graph: CellGraph,
    labels: Sequence[str],
    label_width: Callable[[str], float],
    name_width: Callable[[str], float],
) -> Layout:
    """Give every part of a cell its position.

    Args:
        graph: The cell; its nodes stand in topological order.
        labels: What to write on each edge, in one line or several; an empty text needs no room.
        label_width: Width of one line of a label.
        name_width: Width of a node's name.
    """
    edges = []
    for (start, end, _), label in zip(graph.edges, labels, strict=True):
        lines = label.split("\n")
        width = max(map(label_width, lines)) + 8 if label else 0.0
        height = _LABEL_HEIGHT + LINE_HEIGHT * (len(lines) - 1) if label else _EDGE_HEIGHT
        edges.append(_Edge(start, end, width, height))
    by_length = sorted(edges, key=lambda edge: (edge.length, edge.start))  # long ones go outside
    _choose_sides(by_length)
    _choose_zones(by_length)
    heights = _choose_ports(by_length, len(graph.nodes))
    _stack(by_length, heights)
    widths = [max(_NODE_HEIGHT, name_width(name) + 14) for name in graph.nodes]
    behind = [_gutter(e.y - e.leaving for e in edges if e.start == k) for k in range(len(widths))]
    before = [_gutter(e.y - e.arriving for e in edges if e.end == k) for k in range(len(widths))]
    # From left to right: a node, the gutter behind it, labels, the gutter before the next node.
    lefts, middles = [0.0], []
    for k, width in enumerate(widths[:-1]):
        room = max((edge.width for edge in edges if edge.zone == k), default=0.0)
        # Where no label stands between two gutters, they can share the half.
        room = room or -min(behind[k], before[k + 1]) / 2
        middles.append(lefts[k] + width + behind[k] + room / 2)
        lefts.append(lefts[k] + width + behind[k] + room + before[k + 1])
    parts = [*((0.0, height / 2) for height in heights), *((e.y, e.height / 2) for e in edges)]
    bottom, top = (max(side * y + half for y, half in parts) for side in (-1, 1))
    routes: list[tuple[Point, ...]] = []
    for edge in edges:
        right, left = lefts[edge.start] + widths[edge.start], lefts[edge.end]
        if not edge.side:
            routes.append(((right, bottom), (left, bottom)))
            continue
        leaving, y, arriving = edge.leaving + bottom, edge.y + bottom, edge.arriving + bottom
        routes.append((
            (right, leaving), (right + _STUB, leaving), (right + behind[edge.start], y),
            (left - before[edge.end], y), (left - _STUB, arriving), (left, arriving),
        ))  # fmt: skip
    return Layout(
        width=lefts[-1] + widths[-1],
        height=bottom + top,
        nodes=tuple(
            Box(left + width / 2, bottom, width, height)
            for left, width, height in zip(lefts, widths, heights, strict=True)
        ),
        labels=tuple(
            None
            if edge.zone is None
            else Box(middles[edge.zone], edge.y + bottom, edge.width, edge.height)
            for edge in edges
        ),
        routes=tuple(routes),
    )


def _choose_sides(edges: Sequence[_Edge]) -> None:
    """The first edge between neighbours goes straight; each other one where it crosses fewest."""
    straight = {edge.start: edge for edge in reversed(edges) if edge.length == 1}
    lanes = [edge for edge in edges if straight.get(edge.start) is not edge]

    def costs(edge: _Edge, side: int) -> tuple[int, int]:
        beside = [other for other in lanes if other.side == side and other is not edge]
        over = sum(other.start < edge.end and edge.start < other.end for other in beside)
        return sum(edge.crosses(other) for other in beside), over

    for _ in range(3):  # the first round chooses, the others mend what longer edges changed
        for edge in lanes:
            edge.side = min((1, -1), key=lambda side: costs(edge, side))


def _choose_zones(edges: Sequence[_Edge]) -> None:
    """Labels stand where others do, because few columns of labels make a narrow drawing."""
    taken: list[tuple[int, int]] = []
    for edge in edges:
        if edge.width:
            edge.zone = min(
                range(edge.start, edge.end),
                key=lambda zone: (
                    all(zone != other for other, _ in taken),
                    taken.count((zone, edge.side)),
                    zone,
                ),
            )
            taken.append((edge.zone, edge.side))


def _choose_ports(edges: Sequence[_Edge], nodes: int) -> list[float]:
    """Let edges join each node without a crossing; returns how high the nodes have to be for it."""
    # Lanes that end at the same side of a node lie the higher the longer they are.
    upwards = [e for _, e in sorted(enumerate(edges), key=lambda p: p[1].side * (p[0] + 1))]
    heights = []
    for node in range(nodes):
        out = [edge for edge in upwards if edge.start == node]
        into = [edge for edge in upwards if edge.end == node]
        for edge, port in zip(out, _ports(out), strict=True):
            edge.leaving = port
        for edge, port in zip(into, _ports(into), strict=True):
            edge.arriving = port
        farthest = max(map(abs, _ports(out) + _ports(into)), default=0.0)
        heights.append(max(_NODE_HEIGHT, 2 * farthest + 12))
    return heights


def _ports(edges: Sequence[_Edge]) -> list[float]:
    """Where edges join a side of a node, the lowest first; one that goes straight in its middle."""
    straight = [k for k, edge in enumerate(edges) if not edge.side]
    middle = straight[0] if straight else (len(edges) - 1) / 2
    return [_PORT * (k - middle) for k in range(len(edges))]


def _stack(edges: Sequence[_Edge], node_heights: Sequence[float]) -> None:
    """Lay each lane on what stands under it on its side."""
    for side in (1, -1):
        # How far the drawing reaches by now: even columns are nodes, odd ones what is between them.
        reach = [_EDGE_HEIGHT / 2] * (2 * len(node_heights) - 1)
        reach[::2] = [height / 2 for height in node_heights]
        for edge in edges:
            if edge.side == -side:
                continue
            columns = range(2 * edge.start + 1, 2 * edge.end)
            halves = {column: _EDGE_HEIGHT / 2 for column in columns}
            if edge.zone is not None:
                halves[2 * edge.zone + 1] = edge.height / 2
            if edge.side:
                edge.y = side * max(reach[column] + _GAP + half for column, half in halves.items())
            for column, half in halves.items():
                reach[column] = abs(edge.y) + half


def _gutter(climbs: Iterable[float]) -> float:
    """Width of the gutter beside a node: steep edges get more way."""
    least, most = _GUTTER
    return _STUB + min(max(least, 0.4 * max(map(abs, climbs), default=0.0)), most)
