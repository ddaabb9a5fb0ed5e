"""One self-contained HTML page, and the folder of files around it."""

import base64
import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from anglenas._report.chart import FRAME, HEIGHT, WIDTH, chart
from anglenas._report.draw import draw_cells
from anglenas._report.figures import COSTS, rank_figure, scatters
from anglenas._report.model import Row, RunReport
from anglenas._report.render import Format, remove, render, write_bytes
from anglenas._report.style import FAINT, INK, KINDS, MUTED, PAPER
from anglenas.spaces import CellGraph, Drawing

__all__ = ["render_page", "write_report"]

_DRAWN = 3
_WIDEST = 900.0
_LISTED = 500
_FIGURES = ("score_by_rank", *(f"score_by_{cost}" for cost in COSTS))
_KINDS: tuple[Format, ...] = ("svg", "png")
_STYLE = re.compile(r"<style.*?</style>", re.DOTALL)


def render_page(report: RunReport) -> str:
    """The page: it loads nothing, runs no script but its own, and escapes every text.

    The same report gives the same page. Of a large run it lists the first 500 candidates, and the
    first 500 of those that could not be scored.
    """
    environment = _environment()
    script = _source("report.js")
    scored = [row for row in report.ordered if row.status == "ok"]
    failed = [row for row in report.ordered if row.status != "ok"]
    return environment.get_template("report.html").render(
        report=report,
        best=report.best,
        ordered=report.ordered,
        ranked_by=report.ranked_by,
        rows=scored[:_LISTED] + failed[:_LISTED],
        scored=len(scored),
        failed=len(failed),
        data={"name": report.data, **report.data_facts, "seed": report.seed},
        drawings=_drawings(report),
        cells=any(isinstance(one, CellGraph) for cells in report.graphs for one in cells),
        charts=[chart(scatter) for scatter in scatters(report)],
        **{"width": WIDTH, "height": HEIGHT, "frame": FRAME},
        style=Markup(environment.get_template("report.css").render(kinds=KINDS)),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("anglenas._report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=_number, setting=_setting, sort_key=_sort_key, breakable=_breakable
    )
    return environment


def _source(name: str) -> str:
    return resources.files("anglenas._report").joinpath("templates", name).read_text("utf-8")


def _number(value: float | None) -> str:
    """A value for people; a whole number in full, so that parameters can be compared."""
    if value is None or not math.isfinite(value):
        return "\N{EN DASH}"
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _setting(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "\N{EN DASH}" if value is None else str(value)


def _sort_key(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else repr(float(value))


def _breakable(text: str) -> Markup:
    """An architecture may go on in a new line where one of its parts ends."""
    return Markup("<wbr>").join(re.split(r"(?<=[+,;])|(?<=[^+|]\|)(?!\+)", text))


# Drawings inside the page.


def _drawings(report: RunReport) -> list[Markup]:
    """Below each other where they are too wide for a screen."""
    return [
        _inline(draw_cells(cells, widest=_WIDEST), f"cell{place}-")
        for place, cells in _drawn(report)
    ]


def _drawn(report: RunReport) -> list[tuple[int, tuple[Drawing, ...]]]:
    """The cells to draw, with their place; each needs a candidate that it belongs to."""
    count = min(_DRAWN, len(report.rows))
    return list(enumerate(report.graphs[:count], 1))


def _inline(figure: Figure, prefix: str) -> Markup:
    """The figure as an SVG element whose names are its own and whose colours are the page's."""
    svg = render(figure, "svg").decode()
    svg = _STYLE.sub("", svg[svg.index("<svg") :])
    svg = re.sub(r'\s(?:xmlns|xmlns:xlink|version)="[^"]*"', "", svg)
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}", svg)
    width = float(figure.get_figwidth()) * 72
    sizes = f'<svg style="max-width: {width:.0f}pt; min-width: {0.72 * width:.0f}pt"'
    svg = svg.replace("<svg", sizes, 1)
    for colour, variable in _variables().items():
        svg = svg.replace(colour, f"var(--{variable})")
    return Markup(svg)


def _variables() -> Mapping[str, str]:
    """The page's name for each colour of a drawing."""
    operations = {kind.light: f"op-{kind.name}" for kind in KINDS}
    return {INK: "ink", MUTED: "muted", FAINT: "faint", PAPER: "paper", **operations}


# The folder.


def write_report(report: RunReport, folder: Path | str) -> Path:
    """Write the page, the table, the best architecture, its drawings and the charts.

    The folder holds ``report.html``, ``table.csv``, ``best.json``, ``cells/rank1.svg`` and ``.png``
    up to rank 3, and ``figures/score_by_rank`` and one for each cost that was measured, such as
    ``figures/score_by_params``, all as ``.svg`` and ``.png``. The same report gives the same
    bytes. Each file is replaced whole or not at all; one of these that this run does not have, but
    an earlier one had, is deleted.

    Args:
        report: The run.
        folder: Where to; made if it is missing.

    Returns:
        Path of the page.

    Raises:
        SettingError: The folder cannot be written.
    """
    folder = Path(folder)
    for name, content in _files(report).items():
        if content is None:
            remove(folder / name)
        else:
            write_bytes(folder / name, content)
    return folder / "report.html"


def _files(report: RunReport) -> dict[str, bytes | None]:
    """Every file by its name, the page last; ``None`` for one that must not be there."""
    figures: dict[str, Figure] = {
        f"cells/rank{place}": draw_cells(cells) for place, cells in _drawn(report)
    }
    figures |= {f"figures/{chart.name}": rank_figure(chart) for chart in scatters(report)}
    names = [f"cells/rank{place}" for place in range(1, _DRAWN + 1)]
    names += [f"figures/{name}" for name in _FIGURES]
    files: dict[str, bytes | None] = {}
    for name in names:
        for kind in _KINDS:
            files[f"{name}.{kind}"] = render(figures[name], kind) if name in figures else None
    files["table.csv"] = _encode(_table(report))
    files["best.json"] = _encode(_best(report, report.best)) if report.best else None
    files["report.html"] = _encode(render_page(report))
    return files


def _encode(text: str) -> bytes:
    """A file name that is no valid text may stand in it; it must not cost the report."""
    return text.encode("utf-8", "backslashreplace")


def _table(report: RunReport) -> str:
    """One line a candidate, the best first; numbers in as many digits as tell them apart."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    metrics = [column.name for column in report.columns]
    places = [f"rank_{name}" for name in report.ranked_by]
    facts = ("guarded", "status", "architecture", "canonical")
    writer.writerow(["rank", "proposal", "score", *metrics, *places, *facts])
    for row in report.ordered:
        values = [row.score, *map(row.values.get, metrics), *map(row.ranks.get, report.ranked_by)]
        texts = ("yes" if row.guarded else "no", row.status, row.architecture, row.canonical)
        writer.writerow([row.rank, row.proposal, *map(_exact, values), *texts])
    return buffer.getvalue()


def _exact(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def _best(report: RunReport, best: Row) -> str:
    content = {
        "architecture": best.architecture,
        "canonical": best.canonical,
        "proposal": best.proposal,
        "score": best.score,
        "values": dict(best.values),
        "ranks": dict(best.ranks),
        "space": report.space,
        "data": report.data,
        "rank_expression": report.rank_expression,
        "recipe": {"name": report.recipe, "calibrated": report.calibrated}
        | {"settings": dict(report.recipe_settings)},
        "seed": report.seed,
        "command": report.command,
        "versions": dict(report.versions),
    }
    return json.dumps(_finite(content), indent=2, sort_keys=True, allow_nan=False) + "\n"


def _finite(content: Any) -> Any:
    """JSON has no word for infinity, nor for what is not a number: they become null."""
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    return None if isinstance(content, float) and not math.isfinite(content) else content
