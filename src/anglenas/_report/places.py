"""Figures 1 and 2 of the supplement of Yang et al.: where networks land, trivial ones too."""

from collections.abc import Sequence
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anglenas._plugins import load
from anglenas._report.draw import cell_size, inset_cell
from anglenas._report.render import blank, settings
from anglenas._report.sheet import Sheet
from anglenas._report.style import FAINT, INK, KINDS, MUTED, PAPER, font, printable
from anglenas._study import Place

__all__ = ["place_sheet", "places_figure"]

_PLAIN, _FIRST, _UNTRAINED = KINDS[2].light, KINDS[3].light, KINDS[1].light
_WIDTH, _HEIGHT = 330.0, 250.0


def places_figure(
    places: Sequence[Place],
    ranking: Literal["angle", "angle+params"],
    *,
    space: str = "nasbench201",
    about: str = "",
) -> Figure:
    """Accuracy by rank index, with the network that angle ranks highest marked and drawn.

    Squares are networks with nothing that learns on the ways through their cell.

    Args:
        places: The networks.
        ranking: Which rank index: that by angle (figure 1), or that by angle + #Param (figure 2).
        space: Name of their space.
        about: What the accuracies are.
    """
    [first] = [one for one in places if one.first]
    searched: Any = load("space", space)
    cell = searched.graphs(searched.parse(first.architecture))[0]
    cell_width, cell_height = cell_size(cell)
    width, height = 52 + _WIDTH + 24 + cell_width + 14, 48 + max(_HEIGHT, cell_height) + 34
    with settings():
        figure = blank(width, height)
        box = (52 / width, 48 / height, _WIDTH / width, (height - 82) / height)
        axes = figure.add_axes(box)
        _draw_axes(axes, f"Ranked by {ranking.replace('params', '#Param')}", about)
        _draw_places(axes, places, ranking)
        _draw_legend(axes, any(one.untrained for one in places))
        inset_cell(figure, cell, 52 + _WIDTH + 24, 48 + (height - 82 - cell_height) / 2)
    return figure


def _index(place: Place, ranking: str) -> float:
    return place.by_angle if ranking == "angle" else place.by_sum


def _draw_axes(axes: Axes, title: str, about: str) -> None:
    for side, spine in axes.spines.items():
        spine.set(visible=side in ("left", "bottom"), color=FAINT)
    axes.tick_params(color=FAINT, labelcolor=MUTED, labelsize=8, labelfontfamily="DejaVu Sans")
    axes.grid(True, color=FAINT, lw=0.6, alpha=0.5)
    axes.set_axisbelow(True)
    axes.margins(0.04)
    axes.set_title(title, fontproperties=font(10.5, bold=True), color=INK, loc="left")
    axes.set_xlabel("rank index, 0 is the worst", fontproperties=font(9), color=INK)
    label = printable(f"accuracy, % ({about})" if about else "accuracy, %", 60)
    axes.set_ylabel(label, fontproperties=font(9), color=INK, parse_math=False)


def _draw_places(axes: Axes, places: Sequence[Place], ranking: str) -> None:
    """Those in front last, so that nothing covers them."""
    for place in sorted(places, key=lambda one: (one.first, one.untrained)):
        colour = _FIRST if place.first else _UNTRAINED if place.untrained else _PLAIN
        axes.plot(
            [_index(place, ranking)], [place.accuracy], linestyle="none", color=colour,
            marker="s" if place.untrained else "o", markersize=9 if place.first else 5,
            markeredgecolor=PAPER if place.first else "none",
            alpha=1.0 if place.first or place.untrained else 0.55, clip_on=False, zorder=3,
        )  # fmt: skip


def _draw_legend(axes: Axes, untrained: bool) -> None:
    axes.plot([], [], "o", color=_FIRST, markersize=8, label="ranked highest by angle, drawn")
    if untrained:
        axes.plot([], [], "s", color=_UNTRAINED, markersize=5, label="trivial structure")
    axes.legend(
        loc="lower left", bbox_to_anchor=(1.04, 0), prop=font(8.5), frameon=False, labelcolor=INK,
        handletextpad=0.2,
    )  # fmt: skip


def place_sheet(places: Sequence[Place]) -> Sheet:
    """The trivial structures, and the network that angle ranks highest: where they land.

    Args:
        places: The networks.
    """
    shown = [one for one in places if one.untrained or one.first]
    rows = tuple(
        (one.architecture, "yes" if one.untrained else "no", f"{one.accuracy:.2f}",
         f"{one.by_angle:g}", f"{one.by_sum:g}")
        for one in sorted(shown, key=lambda one: -one.by_angle)
    )  # fmt: skip
    head = ("network", "trivial structure", "accuracy", "by angle", "by angle+#Param")
    title = f"Rank index of {len(shown)} of {len(places)} networks, 0 is the worst"
    return Sheet(title, head, rows, 2)
