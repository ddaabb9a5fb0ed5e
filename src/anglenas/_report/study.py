"""What a person gets to see of a study: tables, and taus with their intervals as a figure."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anglenas._json import json_text
from anglenas._report.render import Format, blank, render, settings, write_bytes
from anglenas._report.style import FAINT, INK, KINDS, MUTED, PAPER, font, printable
from anglenas._sheet import latex
from anglenas._study import Estimate, Picks, Study
from anglenas.ranking import Interval

__all__ = ["study_figure", "write_study"]

_FORMATS: tuple[Format, ...] = ("svg", "png")
_COLOURS = {"off": KINDS[2].light, "score": KINDS[3].light, "structure": KINDS[0].light}
_LINE, _PANEL = 17.0, 150.0


def study_figure(study: Study) -> Figure:
    """Tau-b of each ranking with its interval, a panel for each subset.

    A dashed line stands where ``params`` is. Hollow marks are of ranks formed inside the subset.

    Args:
        study: The study.
    """
    rows = list(dict.fromkeys((one.metric, one.guard) for one in study.estimates))
    subsets = list(dict.fromkeys(one.subset for one in study.estimates))
    names = [_row_name(metric, guard) for metric, guard in rows]
    margin = 24 + 5.4 * max(map(len, names))
    width, height = margin + (_PANEL + 14) * len(subsets), 62 + _LINE * len(rows)
    with settings():
        figure = blank(width, height)
        for place, subset in enumerate(subsets):
            left = margin + (_PANEL + 14) * place
            box = (left / width, 34 / height, _PANEL / width, _LINE * len(rows) / height)
            axes = figure.add_axes(box)
            _draw_panel(axes, [one for one in study.estimates if one.subset == subset], rows)
            axes.set_title(subset, fontproperties=font(10, bold=True), color=INK, loc="left")
            axes.set_yticks(range(len(rows)), names if place == 0 else [""] * len(rows),
                            fontproperties=font(8.5), color=INK, parse_math=False)  # fmt: skip
        figure.text(8 / width, 8 / height, "\n".join(_legend(study)), fontproperties=font(7.5),
                    color=MUTED, va="bottom", linespacing=1.3)  # fmt: skip
    return figure


def _legend(study: Study) -> list[str]:
    lines = ["dashed: params"]
    if any(one.ranks == "subset" for one in study.estimates):
        lines.append("hollow: ranks in the subset")
    return lines


def _row_name(metric: str, guard: str) -> str:
    name = printable(metric, 44)
    return name if guard == "off" else f"{name}, guard: {guard}"


def _draw_panel(axes: Axes, estimates: Sequence[Estimate], rows: Sequence[tuple[str, str]]) -> None:
    for spine in axes.spines.values():
        spine.set(visible=False)
    axes.axvline(0, color=FAINT, lw=1)
    for one in estimates:
        if one.metric == "params" and not math.isnan(one.tau.value):
            axes.axvline(one.tau.value, color=MUTED, lw=1, ls=(0, (3, 2)))
    for one in estimates:
        if not math.isnan(one.tau.value):
            _draw_estimate(axes, one, rows.index((one.metric, one.guard)))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(True, axis="x", color=FAINT, lw=0.6, alpha=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=MUTED, labelsize=8, labelfontfamily="DejaVu Sans")
    axes.set_xlabel("Kendall's tau-b", fontproperties=font(8.5), color=INK)


def _draw_estimate(axes: Axes, one: Estimate, row: int) -> None:
    inside = one.ranks == "subset"
    y, colour = row + (0.2 if inside else 0.0), _COLOURS[one.guard]
    axes.plot([one.tau.low, one.tau.high], [y, y], color=colour, lw=1.2, solid_capstyle="butt")
    axes.plot(
        [one.tau.value], [y], marker="o", markersize=4 if inside else 5.5, color=colour,
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
        "study.md": str(study),
        "study.tex": "\n".join(map(latex, study.sheets())),
        "study.json": json_text(study.to_dict()) + "\n",
        "estimates.csv": _csv(study.estimates),
        "picks.csv": _csv(study.picks),
    }
    for name, text in files.items():
        write_bytes(folder / name, text.encode())
    figure = study_figure(study)
    for kind in _FORMATS:
        write_bytes(folder / f"study.{kind}", render(figure, kind))


def _csv(records: Sequence[Estimate] | Sequence[Picks]) -> str:
    """A line for each record; an interval is three columns."""
    text = io.StringIO()
    lines = [_flat(one) for one in records]
    if lines:
        writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    return text.getvalue()


def _flat(record: Estimate | Picks) -> dict[str, object]:
    flat: dict[str, object] = {}
    for one in fields(record):
        value = getattr(record, one.name)
        if isinstance(value, Interval):
            flat |= {one.name: value.value, f"{one.name}_low": value.low,
                     f"{one.name}_high": value.high}  # fmt: skip
        else:
            flat[one.name] = value
    return {name: "" if value != value else value for name, value in flat.items()}
