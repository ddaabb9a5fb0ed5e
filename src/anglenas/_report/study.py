"""What a person gets to see of a study: tables, and taus with their intervals as a figure."""

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anglenas._report.canvas import (
    FAINT,
    INK,
    KINDS,
    MUTED,
    PAPER,
    add_axes,
    dress,
    font,
    new_figure,
    printable,
)
from anglenas._report.files import write_files
from anglenas._sheet import latex
from anglenas._study.estimates import Estimate
from anglenas._study.picks import Picks
from anglenas._study.study import Study
from anglenas.ranking import Interval

_COLOURS = {"off": KINDS[2].light, "score": KINDS[3].light, "structure": KINDS[0].light}
_LINE, _PANEL = 17.0, 150.0


def study_figure(study: Study) -> Figure:
    """Tau-b of each ranking with its interval, a panel for each subset.

    A dashed line stands where ``params`` is. Hollow marks are of ranks formed inside the subset.

    Args:
        study: The study.
    """
    rows = list(dict.fromkeys((estimate.metric, estimate.guard) for estimate in study.estimates))
    subsets = list(dict.fromkeys(estimate.subset for estimate in study.estimates))
    names = [
        printable(metric, 44) + ("" if guard == "off" else f", guard: {guard}")
        for metric, guard in rows
    ]
    margin = 24 + 5.4 * max(map(len, names))
    width, height = margin + (_PANEL + 14) * len(subsets), 62 + _LINE * len(rows)
    legend = ["dashed: params"]
    if any(estimate.ranks == "subset" for estimate in study.estimates):
        legend.append("hollow: ranks in the subset")
    with new_figure(width, height) as figure:
        for panel, subset in enumerate(subsets):
            left = margin + (_PANEL + 14) * panel
            axes = add_axes(figure, left, 34, _PANEL, _LINE * len(rows))
            estimates = [estimate for estimate in study.estimates if estimate.subset == subset]
            _draw_panel(axes, subset, estimates, rows)
            axes.set_yticks(range(len(rows)), names if panel == 0 else [""] * len(rows),
                            fontproperties=font(8.5), color=INK, parse_math=False)  # fmt: skip
        figure.text(8 / width, 8 / height, "\n".join(legend), fontproperties=font(7.5),
                    color=MUTED, va="bottom", linespacing=1.3)  # fmt: skip
    return figure


def _draw_panel(
    axes: Axes, subset: str, estimates: Sequence[Estimate], rows: Sequence[tuple[str, str]]
) -> None:
    dress(axes, title=subset, x="Kendall's tau-b", frame=False)
    axes.axvline(0, color=FAINT, lw=1)
    known = [estimate for estimate in estimates if not math.isnan(estimate.tau.value)]
    for estimate in known:
        if estimate.metric == "params":
            axes.axvline(estimate.tau.value, color=MUTED, lw=1, ls=(0, (3, 2)))
    for estimate in known:
        _draw_estimate(axes, estimate, rows.index((estimate.metric, estimate.guard)))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(False, axis="y")
    axes.tick_params(length=0)


def _draw_estimate(axes: Axes, estimate: Estimate, row: int) -> None:
    inside, tau = estimate.ranks == "subset", estimate.tau
    # Ranks formed inside the subset stand below those of the same ranking on all networks.
    y, colour = row + (0.2 if inside else 0.0), _COLOURS[estimate.guard]
    axes.plot([tau.low, tau.high], [y, y], color=colour, lw=1.2, solid_capstyle="butt")
    axes.plot(
        [tau.value], [y], marker="o", markersize=4 if inside else 5.5, color=colour,
        markerfacecolor=PAPER if inside else colour, linestyle="none", zorder=3,
    )  # fmt: skip


def write_study(study: Study, folder: Path) -> None:
    """Write everything that a study found: tables, data and a figure.

    ``study.md`` and ``study.tex`` hold the tables, ``estimates.csv``, ``picks.csv`` and
    ``study.json`` all numbers, and ``study.svg`` and ``study.png`` the figure.

    Args:
        study: The study.
        folder: Where to; files of an earlier study there are replaced.

    Raises:
        SettingError: The folder cannot be written.
    """
    write_files(folder, {
        "study": study_figure(study),
        "study.md": str(study),
        "study.tex": "\n".join(map(latex, study.sheets())),
        "study.json": study.to_dict(),
        "estimates.csv": [_row(estimate) for estimate in study.estimates],
        "picks.csv": [_row(pick) for pick in study.picks],
    })  # fmt: skip


def _row(record: Estimate | Picks) -> dict[str, object]:
    """What the record holds; an interval is three columns."""
    row: dict[str, object] = {}
    for name, value in vars(record).items():
        if isinstance(value, Interval):
            row |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
        else:
            row[name] = value
    return row
