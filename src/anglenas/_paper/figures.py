"""Figures 1 and 2 of the supplement of Yang et al.: where networks land, trivial ones too."""

from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anglenas._paper.runs import Position
from anglenas._report.canvas import KINDS, PAPER, add_axes, add_legend, dress, new_figure
from anglenas._report.draw import part_of
from anglenas._sheet import Sheet
from anglenas.spaces import NASBENCH201

_PLAIN, _FIRST, _TRIVIAL = KINDS[2].light, KINDS[3].light, KINDS[1].light
_WIDTH, _HEIGHT = 330.0, 250.0


def positions_figure(
    positions: Sequence[Position],
    ranking: Literal["angle", "angle+params"],
    *,
    about: str = "",
) -> Figure:
    """Accuracy by rank index, with the network that angle ranks highest marked and drawn.

    Squares are networks with nothing that learns on the ways through their cell.

    Args:
        positions: The networks.
        ranking: Which rank index: that by angle (figure 1), or that by angle + #Param (figure 2).
        about: What the accuracies are.
    """
    [first] = [one for one in positions if one.first]
    cell = part_of(NASBENCH201.drawings(NASBENCH201.parse(first.architecture))[0])
    width, height = 52 + _WIDTH + 24 + cell.width + 14, 48 + max(_HEIGHT, cell.height) + 34
    with new_figure(width, height) as figure:
        axes = add_axes(figure, 52, 48, _WIDTH, height - 82)
        dress(
            axes, title=f"Ranked by {ranking.replace('params', '#Param')}",
            x="rank index, 0 is the worst",
            y=f"accuracy, % ({about})" if about else "accuracy, %",
        )  # fmt: skip
        axes.margins(0.04)
        _draw_positions(axes, positions, ranking)
        _draw_legend(axes, any(one.trivial for one in positions))
        cell.put(figure, 52 + _WIDTH + 24, 48 + (height - 82 - cell.height) / 2)
    return figure


def _draw_positions(axes: Axes, positions: Sequence[Position], ranking: str) -> None:
    """Those in front last, so that nothing covers them."""
    for position in sorted(positions, key=lambda one: (one.first, one.trivial)):
        colour = _FIRST if position.first else _TRIVIAL if position.trivial else _PLAIN
        axes.plot(
            [position.by_angle if ranking == "angle" else position.by_sum], [position.accuracy],
            linestyle="none", color=colour, marker="s" if position.trivial else "o",
            markersize=9 if position.first else 5,
            markeredgecolor=PAPER if position.first else "none",
            alpha=1.0 if position.first or position.trivial else 0.55, clip_on=False, zorder=3,
        )  # fmt: skip


def _draw_legend(axes: Axes, trivial: bool) -> None:
    axes.plot([], [], "o", color=_FIRST, markersize=8, label="ranked highest by angle, drawn")
    if trivial:
        axes.plot([], [], "s", color=_TRIVIAL, markersize=5, label="trivial structure")
    add_legend(axes, loc="lower left", bbox_to_anchor=(1.04, 0), handletextpad=0.2)


def position_sheet(positions: Sequence[Position]) -> Sheet:
    """The trivial structures, and the network that angle ranks highest: where they land.

    Args:
        positions: The networks.
    """
    shown = [one for one in positions if one.trivial or one.first]
    rows = tuple(
        (one.architecture, "yes" if one.trivial else "no", f"{one.accuracy:.2f}",
         f"{one.by_angle:g}", f"{one.by_sum:g}")
        for one in sorted(shown, key=lambda one: -one.by_angle)
    )  # fmt: skip
    head = ("network", "trivial structure", "accuracy", "by angle", "by angle+#Param")
    title = f"Rank index of {len(shown)} of {len(positions)} networks, 0 is the worst"
    return Sheet(title, head, rows, 2)
