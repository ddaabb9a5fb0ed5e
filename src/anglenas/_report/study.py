"""What a person gets to see of a study: tables, and taus with their intervals as a figure."""

import math
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anglenas._report.canvas import (
    FAINT,
    INK,
    KINDS,
    MUTED,
    PAPER,
    blank,
    dress,
    font,
    printable,
    settings,
    write_pictures,
)
from anglenas._report.files import json_bytes, table_bytes, text_bytes, write_bytes
from anglenas._sheet import latex
from anglenas._study.estimates import Estimate
from anglenas._study.picks import Picks
from anglenas._study.study import Study
from anglenas.ranking import Interval

__all__ = ["study_figure", "write_study"]

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
    with settings():
        figure = blank(width, height)
        for panel, subset in enumerate(subsets):
            left = margin + (_PANEL + 14) * panel
            box = (left / width, 34 / height, _PANEL / width, _LINE * len(rows) / height)
            axes = figure.add_axes(box)
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
    files = {
        "study.md": text_bytes(str(study)),
        "study.tex": text_bytes("\n".join(map(latex, study.sheets()))),
        "study.json": json_bytes(study.to_dict()),
        "estimates.csv": _csv(study.estimates),
        "picks.csv": _csv(study.picks),
    }
    for name, content in files.items():
        write_bytes(folder / name, content)
    write_pictures(folder, {"study": study_figure(study)})


def _csv(records: Sequence[Estimate] | Sequence[Picks]) -> bytes:
    """A line for each record; an interval is three columns."""
    lines = [_flat(record) for record in records]
    return table_bytes(lines)


def _flat(record: Estimate | Picks) -> dict[str, object]:
    flat: dict[str, object] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, Interval):
            flat |= {field.name: value.value, f"{field.name}_low": value.low,
                     f"{field.name}_high": value.high}  # fmt: skip
        else:
            flat[field.name] = value
    return {name: "" if value != value else value for name, value in flat.items()}
