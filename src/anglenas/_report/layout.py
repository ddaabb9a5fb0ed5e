"""Where the parts of a cell stand in its drawing: a layered layout, from left to right.

Nodes and labels stand in columns of their own, and each edge is led through every column between
its ends at a place that is kept free for it (Sugiyama, Tagawa, Toda, 1981). Edges bend only in
the gutters between columns, where nothing else stands, so an edge meets no node and no label but
its own. All lengths are in points; y grows upwards.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from anglenas.spaces import CellGraph

__all__ = ["LINE_HEIGHT", "Box", "Layout", "Point", "arrange"]

Point = tuple[float, float]
_Array = NDArray[np.float64]

_NODE_HEIGHT = 24.0
_LABEL_HEIGHT = 15.0
LINE_HEIGHT = 12.0
"""Between two lines of a label."""
_EDGE_HEIGHT = 4.0
_GAP = 9.0
_PORT = 8.0  # between two edges at one side of a node
_STUB = 9.0  # straight way beside a node, room for an arrowhead
_GUTTER = (16.0, 44.0)
_STARTS, _TRIES = 60, 6
_MANY = (
    40  # edges from which on exchanging pairs, whose number grows with the square, takes too long
)


@dataclass(frozen=True)
class Box:
    """A rectangle, by its centre."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: "Box") -> bool:
        """Whether the two have an inner point in common.

        >>> Box(0, 0, 2, 2).overlaps(Box(1, 1, 2, 2)), Box(0, 0, 2, 2).overlaps(Box(2, 0, 2, 2))
        (True, False)
        """
        return (
            2 * abs(self.x - other.x) < self.width + other.width
            and 2 * abs(self.y - other.y) < self.height + other.height
        )

    def moved(self, dx: float, dy: float) -> "Box":
        """The same rectangle elsewhere."""
        return Box(self.x + dx, self.y + dy, self.width, self.height)


@dataclass(frozen=True)
class Layout:
    """A cell with places; its lower left corner is the origin.

    Attributes:
        width: Of the whole drawing.
        height: Of the whole drawing.
        nodes: A box for each node.
        labels: A box for each edge; ``None`` where the edge has no label.
        routes: For each edge the points it is led through: a straight line between the first two,
            an S-shaped curve with level ends between the next two, and so on in turn.
    """

    width: float
    height: float
    nodes: tuple[Box, ...]
    labels: tuple[Box | None, ...]
    routes: tuple[tuple[Point, ...], ...]

    def moved(self, dx: float, dy: float) -> "Layout":
        """The same layout elsewhere."""
        return Layout(
            self.width,
            self.height,
            tuple(box.moved(dx, dy) for box in self.nodes),
            tuple(box and box.moved(dx, dy) for box in self.labels),
            tuple(tuple((x + dx, y + dy) for x, y in route) for route in self.routes),
        )


@dataclass(frozen=True)
class _Item:
    """Something that stands in a column: a node, a label, or an edge on its way."""

    column: int
    width: float
    height: float
    node: bool = False


@dataclass(frozen=True)
class _Plan:
    """The items of a cell, and the way of every edge from item to item."""

    items: tuple[_Item, ...]
    ways: tuple[tuple[int, ...], ...]

    @cached_property
    def columns(self) -> tuple[tuple[int, ...], ...]:
        count = 1 + max(item.column for item in self.items)
        return tuple(
            tuple(k for k, item in enumerate(self.items) if item.column == c) for c in range(count)
        )

    @cached_property
    def neighbours(self) -> tuple[tuple[int, ...], ...]:
        near: list[list[int]] = [[] for _ in self.items]
        for a, b in (step for way in self.ways for step in pairwise(way)):
            near[a].append(b)
            near[b].append(a)
        return tuple(map(tuple, near))

    @cached_property
    def gutters(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """For each gap between two columns, the pairs of items that it joins."""
        steps = [step for way in self.ways for step in pairwise(way)]
        return tuple(
            tuple(step for step in steps if self.items[step[0]].column == c)
            for c in range(len(self.columns) - 1)
        )


def arrange(graph: CellGraph, labels: Sequence[str], measure: Callable[[str], float]) -> Layout:
    """Give every part of a cell its place.

    Args:
        graph: The cell.
        labels: What to write on each edge, in one line or several; an empty text needs no room.
        measure: Width of a text of one line.
    """
    plan = _plan(graph, labels, measure)
    ranks = _order(plan)
    ports = _ports(plan, ranks)
    heights = _heights(plan, ranks, ports)
    return _place(plan, heights, ports)


# Which items there are.


def _layers(graph: CellGraph) -> list[int]:
    """The longest way to each node; the output stands behind all others."""
    layers = [0] * len(graph.nodes)
    for start, end, _ in sorted(graph.edges):
        layers[end] = max(layers[end], layers[start] + 1)
    others = [layer for node, layer in enumerate(layers) if node != graph.output]
    layers[graph.output] = max([layers[graph.output], *(layer + 1 for layer in others)])
    return layers


def _label_columns(spans: Sequence[range], labels: Sequence[str]) -> dict[int, int]:
    """Spread the labels, short edges first, so that no column gets many of them."""
    load: dict[int, int] = {}
    chosen = {}
    for edge in sorted(range(len(spans)), key=lambda e: len(spans[e])):
        if labels[edge]:
            middle = (spans[edge][0] + spans[edge][-1]) / 2
            best = min(spans[edge][::2], key=lambda c: (load.get(c, 0), abs(c - middle), c))
            load[best] = load.get(best, 0) + 1
            chosen[edge] = best
    return chosen


def _plan(graph: CellGraph, labels: Sequence[str], measure: Callable[[str], float]) -> _Plan:
    """Nodes stand in even columns, labels in odd ones."""
    layers = _layers(graph)
    items = [
        _Item(2 * layer, max(_NODE_HEIGHT, measure(name) + 14), _node_height(graph, node), True)
        for node, (layer, name) in enumerate(zip(layers, graph.nodes, strict=True))
    ]
    spans = [range(2 * layers[start] + 1, 2 * layers[end]) for start, end, _ in graph.edges]
    chosen = _label_columns(spans, labels)
    ways = []
    for edge, (start, end, _) in enumerate(graph.edges):
        first = len(items)
        for column in spans[edge]:
            named = chosen.get(edge) == column
            width, height = _label_size(labels[edge], measure) if named else (0.0, _EDGE_HEIGHT)
            items.append(_Item(column, width, height))
        ways.append((start, *range(first, len(items)), end))
    return _Plan(tuple(items), tuple(ways))


def _label_size(label: str, measure: Callable[[str], float]) -> tuple[float, float]:
    lines = label.split("\n")
    return max(map(measure, lines)) + 8, _LABEL_HEIGHT + LINE_HEIGHT * (len(lines) - 1)


def _node_height(graph: CellGraph, node: int) -> float:
    leaving = sum(start == node for start, _, _ in graph.edges)
    entering = sum(end == node for _, end, _ in graph.edges)
    return max(_NODE_HEIGHT, _PORT * (max(leaving, entering) - 1) + 12)


# In which order they stand: few crossings.

_Ranks = list[float]
"""The place of each item in its column from the bottom up, the column's middle being 0."""
_Move = list[tuple[int, int]]
"""Pairs of items that change places."""


def _order(plan: _Plan) -> _Ranks:
    """The best of many starts; the generator is fixed, so a cell is always drawn alike."""
    rng = random.Random(0)
    every = range(len(plan.gutters))
    starts = [_start(plan, rng) for _ in range(_STARTS)]
    for ranks in starts:
        _sweep(plan, ranks)
    tries = sorted(starts, key=lambda ranks: _cost(plan, ranks, every))[:_TRIES]
    if len(plan.ways) <= _MANY:
        moves = [(move, _touched(plan, move)) for move in _moves(plan)]
        for ranks in tries:
            _exchange(plan, ranks, moves)
    tries += [[-rank for rank in ranks] for ranks in tries]
    return min(tries, key=lambda ranks: (*_cost(plan, ranks, every), _upturned(ranks)))


def _start(plan: _Plan, rng: random.Random) -> _Ranks:
    """Nodes at random heights, and what edges pass through on a straight line between them."""
    heights = [rng.random() for _ in plan.items]
    for way in plan.ways:
        for item, height in zip(
            way, np.linspace(heights[way[0]], heights[way[-1]], len(way)), strict=True
        ):
            heights[item] = float(height)
    for column in plan.columns:
        _stack(heights, sorted(column, key=lambda k: heights[k]))
    return heights


def _upturned(ranks: _Ranks) -> float:
    """How much stands upside down: what comes first belongs on top."""
    return sum(rank * item for item, rank in enumerate(ranks))


def _stack(ranks: _Ranks, column: Sequence[int]) -> None:
    for place, item in enumerate(column):
        ranks[item] = place - (len(column) - 1) / 2


def _cost(plan: _Plan, ranks: _Ranks, gutters: Sequence[int]) -> tuple[int, float]:
    """The crossings in some gutters, then how far edges climb there."""
    crossings, climbs = 0, 0.0
    for gutter in gutters:
        ends = [(ranks[a], ranks[b]) for a, b in plan.gutters[gutter]]
        climbs += sum(abs(a - b) for a, b in ends)
        for k, (a, b) in enumerate(ends):
            crossings += sum((a - c) * (b - d) < 0 for c, d in ends[:k])
    return crossings, climbs


def _sweep(plan: _Plan, ranks: _Ranks) -> None:
    """Sort each column by the mean place of its neighbours, to the right and back."""
    last = len(plan.columns) - 1
    for column in [*range(1, last + 1), *range(last - 1, -1, -1)] * 3:
        wanted = {item: _barycentre(plan.neighbours[item], ranks) for item in plan.columns[column]}
        _stack(ranks, sorted(plan.columns[column], key=lambda k: (wanted[k], ranks[k])))


def _barycentre(items: Sequence[int], ranks: _Ranks) -> float:
    return sum(ranks[item] for item in items) / max(len(items), 1)


def _moves(plan: _Plan) -> list[_Move]:
    """Two items of a column, or two edges on all the way that they share."""
    single = [[pair] for column in plan.columns for pair in combinations(column, 2)]
    column = [item.column for item in plan.items]
    whole = [
        [(i, j) for i in one[1:-1] for j in other[1:-1] if column[i] == column[j]]
        for one, other in combinations(plan.ways, 2)
    ]
    return single + [move for move in whole if len(move) > 1]


def _touched(plan: _Plan, move: _Move) -> list[int]:
    columns = {plan.items[item].column for item, _ in move}
    gutters = columns | {column - 1 for column in columns}
    return sorted(gutters & set(range(len(plan.gutters))))


def _exchange(plan: _Plan, ranks: _Ranks, moves: Sequence[tuple[_Move, list[int]]]) -> None:
    """Make every move that helps, until none does."""
    improved = True
    while improved:
        improved = False
        for move, gutters in moves:
            before = _cost(plan, ranks, gutters)
            _swap(ranks, move)
            if _cost(plan, ranks, gutters) < before:
                improved = True
            else:
                _swap(ranks, move)


def _swap(ranks: _Ranks, move: _Move) -> None:
    for i, j in move:
        ranks[i], ranks[j] = ranks[j], ranks[i]


# How high they stand: level edges.

_Ports = dict[tuple[int, int], tuple[float, float]]


def _ports(plan: _Plan, ranks: _Ranks) -> _Ports:
    """For each step of an edge, how far from the middle of its items it leaves and arrives."""
    ports: _Ports = {step: (0.0, 0.0) for way in plan.ways for step in pairwise(way)}
    for node in (k for k, item in enumerate(plan.items) if item.node):
        leaving = sorted((step for step in ports if step[0] == node), key=lambda s: ranks[s[1]])
        for step, offset in zip(leaving, _offsets(len(leaving)), strict=True):
            ports[step] = (offset, ports[step][1])
        arriving = sorted((step for step in ports if step[1] == node), key=lambda s: ranks[s[0]])
        for step, offset in zip(arriving, _offsets(len(arriving)), strict=True):
            ports[step] = (ports[step][0], offset)
    return ports


def _offsets(count: int) -> list[float]:
    return [_PORT * (place - (count - 1) / 2) for place in range(count)]


def _heights(plan: _Plan, ranks: _Ranks, ports: _Ports) -> list[float]:
    """Least squares of the edges' climbs, with all items of a column kept apart.

    The unknowns are the height of each column's lowest item and, for each above it, how far it
    stands beyond the least distance; so keeping apart is a bound on the unknowns.
    """
    stack, floor, least = _stacks(plan, ranks)
    rows, wanted = [], []
    for (a, b), (leaving, arriving) in ports.items():
        stiffness = _stiffness(plan.items[a], plan.items[b])
        rows.append(stiffness * (stack[a] - stack[b]))
        wanted.append(stiffness * (floor[b] + arriving - floor[a] - leaving))
    rows.append(1e-3 * stack.sum(axis=0))  # nothing else says how high all of it stands
    fitted = lsq_linear(np.array(rows), [*wanted, 0.0], (least, np.inf), method="bvls").x
    heights = (stack @ fitted + floor).tolist()
    lowest = min(y - item.height / 2 for y, item in zip(heights, plan.items, strict=True))
    return [round(y - lowest, 2) for y in heights]


def _stacks(plan: _Plan, ranks: _Ranks) -> tuple[_Array, _Array, _Array]:
    """Heights are ``stack @ unknowns + floor``, and the unknowns at least ``least``."""
    size = len(plan.items)
    stack, floor, least = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    for members in plan.columns:
        column = sorted(members, key=lambda k: ranks[k])
        least[column[0]] = -np.inf
        for place, item in enumerate(column):
            stack[item, column[: place + 1]] = 1
            floor[item] = _clearance(plan, column[: place + 1])
    return stack, floor, least


def _clearance(plan: _Plan, below: Sequence[int]) -> float:
    sizes = [plan.items[item].height for item in below]
    return sum((a + b) / 2 + _GAP for a, b in pairwise(sizes))


def _stiffness(a: _Item, b: _Item) -> float:
    """Between two nodes' surroundings edges may climb; on their long way they stay level."""
    return 1.0 if a.node or b.node else 300.0


# The finished layout.


def _sides(plan: _Plan, heights: list[float], ports: _Ports) -> list[Point]:
    """Left and right side of each column; one that only edges pass through has no width."""
    sides, right = [], -_STUB
    for column, members in enumerate(plan.columns):
        widest = max((plan.items[k].width for k in members), default=0.0)
        left = right + (_gutter(plan, column - 1, heights, ports) if column and widest else 0.0)
        right = left + widest + (2 * _STUB if column % 2 == 0 else 0.0)
        sides.append((left, right))
    return sides


def _gutter(plan: _Plan, column: int, heights: list[float], ports: _Ports) -> float:
    """Steep edges get more way; beside labels of many lines they are steeper than elsewhere."""
    climbs = [
        abs(heights[a] + ports[a, b][0] - heights[b] - ports[a, b][1])
        for a, b in plan.gutters[column]
    ]
    least, most = _GUTTER
    tallest = max((item.height for item in plan.items if not item.node), default=0.0)
    return min(max(least, 0.6 * max(climbs, default=0.0)), max(most, tallest))


def _place(plan: _Plan, heights: list[float], ports: _Ports) -> Layout:
    sides = _sides(plan, heights, ports)
    boxes = [
        Box(sum(sides[item.column]) / 2, y, item.width, item.height)
        for y, item in zip(heights, plan.items, strict=True)
    ]
    return Layout(
        width=sides[-1][1] - _STUB,
        height=max(box.y + box.height / 2 for box in boxes),
        nodes=tuple(box for box, item in zip(boxes, plan.items, strict=True) if item.node),
        labels=tuple(
            next((boxes[k] for k in way[1:-1] if boxes[k].width), None) for way in plan.ways
        ),
        routes=tuple(_route(plan, way, boxes, sides, ports) for way in plan.ways),
    )


def _route(
    plan: _Plan,
    way: tuple[int, ...],
    boxes: Sequence[Box],
    sides: Sequence[Point],
    ports: _Ports,
) -> tuple[Point, ...]:
    start, end = boxes[way[0]], boxes[way[-1]]
    leaving, arriving = ports[way[0], way[1]][0], ports[way[-2], way[-1]][1]
    points = [(start.x + start.width / 2, start.y + leaving)]
    points.append((sides[plan.items[way[0]].column][1], start.y + leaving))
    for k in way[1:-1]:
        left, right = sides[plan.items[k].column]
        if left < right:
            points += [(left, boxes[k].y), (right, boxes[k].y)]
    points.append((sides[plan.items[way[-1]].column][0], end.y + arriving))
    points.append((end.x - end.width / 2, end.y + arriving))
    return tuple(points)
