"""Scatter charts of one run, as figures and as data."""

import math
from dataclasses import dataclass

from matplotlib.figure import Figure

from anglenas._measuring.result import Candidate, Result
from anglenas._report.canvas import KINDS, PAPER, add_legend, dress, mark_axis, new_figure
from anglenas.ranking import pareto_front

MARKS, BEST = "marks", "best"
"""What the groups of marks are called in a figure's SVG."""
_USUAL, _BEST, _FRONT = KINDS[2].light, KINDS[3].light, KINDS[0].light
_SCORE = "score, higher is better"

COSTS = {
    "params": ("parameters", "parameters"),
    "flops": ("operations", "operations of one image"),
    "latency": ("time", "milliseconds of one image, on this machine"),
}
"""By metric: what a network costs, in the title of its chart and on the axis."""


@dataclass(frozen=True)
class Mark:
    """A candidate in a chart.

    Attributes:
        x: Where it stands.
        y: How high it stands.
        text: What it is called.
        best: Whether it is the one to be seen.
    """

    x: float
    y: float
    text: str
    best: bool = False


@dataclass(frozen=True)
class Scatter:
    """A chart: one mark for each candidate.

    Attributes:
        name: Name of its file, such as ``"score_by_params"``.
        title: What stands above it.
        x_label: What the horizontal axis shows.
        y_label: What the vertical axis shows.
        marks: The candidates, one or more, with finite values.
        log_x: Whether equal ways on the horizontal axis are equal ratios; needs positive values.
        front: Those of the marks that no other one beats in height and, further left, in cost; from
            left to right.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    marks: tuple[Mark, ...]
    log_x: bool = False
    front: tuple[Mark, ...] = ()


def scatters(result: Result) -> tuple[Scatter, ...]:
    """The charts of a run: score against rank, and against each cost that was measured.

    Args:
        result: The run; candidates without a score are left out.
    """
    scored = [candidate for candidate in result.candidates if candidate.scored]
    by_rank = tuple(_mark(candidate, candidate.rank) for candidate in scored)
    charts = (
        Scatter("score_by_rank", "Score against rank", "rank, 1 is best", _SCORE, by_rank),
        *(_by_cost(scored, cost) for cost in COSTS),
    )
    return tuple(chart for chart in charts if chart.marks)


def _by_cost(scored: list[Candidate], cost: str) -> Scatter:
    title, label = COSTS[cost]
    costs = [(candidate, candidate.values.get(cost) or 0) for candidate in scored]
    marks = tuple(_mark(candidate, x) for candidate, x in costs if 0 < x < math.inf)
    worth = pareto_front([mark.y for mark in marks], [mark.x for mark in marks])
    front = [mark for mark, is_on in zip(marks, worth, strict=True) if is_on]
    front.sort(key=lambda mark: (mark.x, mark.y))
    return Scatter(
        f"score_by_{cost}", f"Score against {title}", label, _SCORE, marks, True, tuple(front)
    )


def _mark(candidate: Candidate, x: float) -> Mark:
    text = f"#{candidate.rank}  {candidate.architecture}"
    return Mark(x, candidate.score, text, best=candidate.rank == 1)


def rank_figure(chart: Scatter) -> Figure:
    """Draw a chart, with the best candidate marked.

    >>> chart = Scatter("a", "A", "x", "y", (Mark(1, 2, "one", best=True), Mark(2, 1, "two")))
    >>> rank_figure(chart).axes[0].get_xlabel()
    'x'
    """
    with new_figure(400, 280) as figure:
        axes = figure.add_axes((0.14, 0.165, 0.83, 0.735))
        dress(axes, title=chart.title, x=chart.x_label, y=chart.y_label)
        axes.set_xscale("log" if chart.log_x else "linear")
        axes.margins(0.06)
        mark_axis(axes.xaxis, [mark.x for mark in chart.marks], log=chart.log_x)
        mark_axis(axes.yaxis, [mark.y for mark in chart.marks])
        others = [mark for mark in chart.marks if not mark.best]
        axes.plot(
            [mark.x for mark in others], [mark.y for mark in others], "o", markersize=4.5,
            markeredgecolor="none", color=_USUAL, alpha=0.5, gid=MARKS,
        )  # fmt: skip
        if len(chart.front) > 1:
            axes.plot(
                [mark.x for mark in chart.front], [mark.y for mark in chart.front], color=_FRONT,
                drawstyle="steps-post", lw=1.3, gid="front", label="nothing better at this cost",
            )  # fmt: skip
        best = [mark for mark in chart.marks if mark.best]
        axes.plot(
            [mark.x for mark in best], [mark.y for mark in best], "o", markersize=9,
            markeredgecolor=PAPER, color=_BEST, gid=BEST, label="best", zorder=3,
        )  # fmt: skip
        # Above the axes, because marks can be anywhere inside of them.
        add_legend(
            axes, size=7.5, loc="lower right", bbox_to_anchor=(1.01, 0.98), ncols=2,
            handletextpad=0.3, columnspacing=1,
        )  # fmt: skip
    return figure
