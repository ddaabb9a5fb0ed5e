"""A chart of the page: what its template draws, in the units of an SVG view box."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from anglenas._report.figures import Mark, Scatter, short_number

__all__ = ["FRAME", "HEIGHT", "WIDTH", "Chart", "chart"]

_NAMED = 500


@dataclass(frozen=True)
class Frame:
    """The part of a chart that marks stand in."""

    left: int
    right: int
    top: int
    bottom: int


WIDTH, HEIGHT = 480, 320
FRAME = Frame(left=62, right=WIDTH - 14, top=12, bottom=HEIGHT - 48)


@dataclass(frozen=True)
class Dot:
    """A mark at its place."""

    x: float
    y: float
    text: str
    best: bool


@dataclass(frozen=True)
class Tick:
    """A place on an axis, and what is written there."""

    place: float
    text: str


@dataclass(frozen=True)
class Chart:
    """A scatter chart with places.

    Attributes:
        scatter: What it shows.
        x_ticks: Along the horizontal axis.
        y_ticks: Along the vertical axis.
        dots: The marks that tell their name, the best one last, so that it lies on top.
        crowd: All others, as the data of one SVG path of dots.
        front: The Pareto front, as the data of an SVG path of steps; empty if there is none.
    """

    scatter: Scatter
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    dots: tuple[Dot, ...]
    crowd: str
    front: str = ""


def chart(scatter: Scatter) -> Chart:
    """Give every mark its place; the first 500 tell their name."""
    marks = scatter.marks
    x = _scale([mark.x for mark in marks], FRAME.left, FRAME.right, log=scatter.log_x)
    y = _scale([mark.y for mark in marks], FRAME.bottom, FRAME.top)
    dots = [Dot(x(mark.x), y(mark.y), mark.text, mark.best) for mark in marks[:_NAMED]]
    return Chart(
        scatter,
        tuple(Tick(x(tick), short_number(tick)) for tick in scatter.x_ticks),
        tuple(Tick(y(tick), short_number(tick)) for tick in scatter.y_ticks),
        tuple(sorted(reversed(dots), key=lambda dot: dot.best)),
        "".join(_point(mark, x, y) for mark in marks[_NAMED:]),
        _steps(scatter.front, x, y),
    )


_Scale = Callable[[float], float]


def _scale(values: list[float], start: float, end: float, *, log: bool = False) -> _Scale:
    """From a value to its place, with some room at both ends."""
    turn = math.log if log else float
    low, high = turn(min(values)), turn(max(values))
    room = 0.05 * (high - low) or 1.0
    low, high = low - room, high + room
    return lambda value: round(start + (turn(value) - low) / (high - low) * (end - start), 1)


def _point(mark: Mark, x: _Scale, y: _Scale) -> str:
    return f"M{x(mark.x):g} {y(mark.y):g}h0"


def _steps(front: tuple[Mark, ...], x: _Scale, y: _Scale) -> str:
    if len(front) < 2:
        return ""
    first, *others = front
    steps = "".join(f"H{x(mark.x):g}V{y(mark.y):g}" for mark in others)
    return f"M{x(first.x):g} {y(first.y):g}{steps}"
