"""What a person gets to see of a study: tables, and taus with their intervals as a figure."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anglenas._json import json_text
from anglenas._report.render import Format, blank, render, settings, write_bytes
from anglenas._report.style import FAINT, INK, KINDS, MUTED, PAPER, font, printable
from anglenas._sheet import Sheet, latex, markdown, number_text
from anglenas._study import Choice, Estimate, Study
from anglenas.ranking import Interval

__all__ = [
    "study_figure",
    "study_json",
    "study_notes",
    "study_sheets",
    "study_text",
    "write_study",
]

_FORMATS: tuple[Format, ...] = ("svg", "png")
_COLOURS = {"off": KINDS[2].light, "score": KINDS[3].light, "structure": KINDS[0].light}
_LINE, _PANEL = 17.0, 150.0
_SPARE = ("s each", "undefined", "Spearman", "tau, ties broken", "tau-b with params", "networks",
          "sd over seeds", "precision", "over params")  # fmt: skip


def study_sheets(study: Study) -> tuple[Sheet, ...]:
    """One table for each subset, and one of what random searches pick.

    Args:
        study: The study.
    """
    subsets = dict.fromkeys(one.subset for one in study.estimates)
    sheets = [_subset_sheet(study, name) for name in subsets]
    if study.choices:
        sheets.append(_choice_sheet(study.choices))
    return tuple(sheets)


def _subset_sheet(study: Study, subset: str) -> Sheet:
    estimates = [one for one in study.estimates if one.subset == subset]
    columns: dict[str, list[str]] = {
        "metric": [one.metric for one in estimates],
        "guard": [one.guard for one in estimates],
        "ranks in": [one.ranks for one in estimates],
        "tau-b": [str(one.tau) for one in estimates],
        "tau, ties broken": [str(one.tau_broken) for one in estimates],
        "Spearman": [str(one.spearman) for one in estimates],
        "over params": [one.gain.text(signed=True) for one in estimates],
        "tau-b with params": [number_text(one.with_params) for one in estimates],
        "sd over seeds": [number_text(one.deviation) for one in estimates],
        "precision": [str(one.precision) for one in estimates],
        "undefined": [str(one.undefined or "") for one in estimates],
        "networks": [f"{one.networks:,}" for one in estimates],
        "s each": [_seconds(study.seconds[one.metric]) for one in estimates],
    }
    shown = {name: cells for name, cells in columns.items() if _tells(name, cells)}
    texts = sum(name in shown for name in ("metric", "guard", "ranks in"))
    title = f"{subset}: {estimates[0].population:,} networks"
    spare = tuple(name for name in _SPARE if name in shown)
    return Sheet(title, tuple(shown), tuple(zip(*shown.values(), strict=True)), texts, spare)


def _tells(name: str, cells: Sequence[str]) -> bool:
    """Whether a column is worth its place: it holds more than what goes without saying."""
    usual = {"guard": {"off"}, "ranks in": {"all"}}.get(name, set())
    return name == "metric" or not set(cells) <= {"", *usual}


def _choice_sheet(choices: Sequence[Choice]) -> Sheet:
    one = choices[0]
    head = ("metric", "guard", "accuracy", "sd", "over params", "below the best", "networks")
    rows = tuple(
        (each.metric, each.guard, f"{each.accuracy:.2f}", f"{each.deviation:.2f}",
         number_text(each.gain, 2, signed=True), f"{each.regret:.2f}", f"{each.networks:,}")
        for each in choices
    )  # fmt: skip
    title = (
        f"Picks of {one.searches:,} random searches among {one.size:,} networks, percent; "
        f"the best of a search reaches {one.best:.2f}"
    )
    return Sheet(title, head, rows, 2, ("networks", "below the best"))


def _seconds(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2g}" if value < 10 else f"{value:.0f}"


def study_text(study: Study) -> str:
    """The whole study as a page of Markdown.

    Args:
        study: The study.
    """
    return "\n".join([f"Accuracies: {study.about}.", "", *map(markdown, study_sheets(study)),
                      *(f"* {line}" for line in study_notes(study)), ""])  # fmt: skip


def study_notes(study: Study) -> tuple[str, ...]:
    """What has to be known to read the tables, a sentence or two each."""
    chance = (
        f"Intervals of 95 % from {study.replicates:,} replicates of the sample, drawn within "
        f"{'its strata' if study.strata else 'it'}: what would vary had other networks been drawn, "
        "not with other images and weights. Where every network was measured, that of tau with "
        "ties broken is over orders of the ties. Tau-b with params and the picks have none. Empty "
        "cells: of a part of the subset too few networks were measured."
    )
    ranks = (
        "Ranks that are added are formed in the whole table (ranks in: all), or among the networks "
        "of the subset alone (subset)."
    )
    return (*study.notices, chance, ranks, *_detector_note(study.detectors))


def _detector_note(detectors: Mapping[tuple[bool, bool], int]) -> tuple[str, ...]:
    if not detectors:
        return ()
    total = sum(detectors.values())
    return (
        f"Of {total:,} networks, {detectors[True, True]:,} are trivial by score and by structure, "
        f"{detectors[True, False]:,} by score alone, {detectors[False, True]:,} by structure "
        f"alone; the two agree on {(detectors[True, True] + detectors[False, False]) / total:.0%}.",
    )


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

    ``study.md`` and ``study.tex`` hold the tables, ``estimates.csv``, ``choices.csv`` and
    ``study.json`` all numbers, and ``study.svg`` and ``study.png`` the figure.

    Args:
        study: The study.
        folder: Where to; files of an earlier study there are replaced.

    Raises:
        SettingError: The folder cannot be written.
    """
    files = {
        "study.md": study_text(study),
        "study.tex": "\n".join(map(latex, study_sheets(study))),
        "study.json": json_text(study_json(study)) + "\n",
        "estimates.csv": _csv(study.estimates),
        "choices.csv": _csv(study.choices),
    }
    for name, text in files.items():
        write_bytes(folder / name, text.encode())
    figure = study_figure(study)
    for kind in _FORMATS:
        write_bytes(folder / f"study.{kind}", render(figure, kind))


def study_json(study: Study) -> dict[str, Any]:
    """All numbers in values that JSON can hold; what is not known is null.

    Args:
        study: The study.
    """
    content = asdict(study)
    content["detectors"] = [
        {"score": score, "structure": structure, "networks": count}
        for (score, structure), count in study.detectors.items()
    ]
    content["notices"] = study_notes(study)
    known: dict[str, Any] = _known(content)
    return known


def _known(value: Any) -> Any:
    match value:
        case float() if math.isnan(value):
            return None
        case dict():
            return {key: _known(one) for key, one in value.items()}
        case list() | tuple():
            return [_known(one) for one in value]
    return value


def _csv(records: Sequence[Estimate] | Sequence[Choice]) -> str:
    """A line for each record; an interval is three columns."""
    text = io.StringIO()
    lines = [_flat(one) for one in records]
    if lines:
        writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    return text.getvalue()


def _flat(record: Estimate | Choice) -> dict[str, object]:
    flat: dict[str, object] = {}
    for one in fields(record):
        value = getattr(record, one.name)
        if isinstance(value, Interval):
            flat |= {one.name: value.value, f"{one.name}_low": value.low,
                     f"{one.name}_high": value.high}  # fmt: skip
        else:
            flat[one.name] = value
    return {name: "" if value != value else value for name, value in flat.items()}
