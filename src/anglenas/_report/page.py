"""One self-contained HTML page, and the folder of files around it."""

import base64
import hashlib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from anglenas._report.canvas import FAINT, INK, KINDS, MUTED, PAPER, PICTURES, render
from anglenas._report.draw import draw_cells
from anglenas._report.figures import BEST, COSTS, MARKS, Scatter, rank_figure, scatters
from anglenas._report.files import csv_bytes, json_bytes, remove, text_bytes, write_bytes
from anglenas._report.model import Row, RunReport
from anglenas.spaces import CellGraph, Drawing

__all__ = ["render_page", "write_report"]

_DRAWN = 3
_WIDEST = 900.0
_LISTED = _NAMED = 500
_STYLE = re.compile(r"<style.*?</style>", re.DOTALL)
_MARKED = re.compile(rf'<g id="({MARKS}|{BEST})">.*?</g>\s*</g>', re.DOTALL)
_USE = re.compile(r'<use xlink:href="(#\w+)" x="([\d.-]+)" y="([\d.-]+)"[^>]*>')
# The page's name for each colour of a drawing, so that they follow a dark theme.
_COLOURS = {INK: "ink", MUTED: "muted", FAINT: "faint", PAPER: "paper"} | {
    kind.light: f"op-{kind.name}" for kind in KINDS
}


def render_page(report: RunReport) -> str:
    """The page: it loads nothing, runs no script but its own, and escapes every text.

    The same report gives the same page. Of a large run it lists the first 500 candidates, and the
    first 500 of those that could not be scored.
    """
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
    script = resources.files("anglenas._report").joinpath("templates", "report.js").read_text()
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
        drawings=[
            _inline(draw_cells(graphs, widest=_WIDEST), f"cell{rank}-")
            for rank, graphs in _drawn(report)
        ],
        cells=any(isinstance(one, CellGraph) for cells in report.graphs for one in cells),
        charts=[(scatter, _chart(scatter)) for scatter in scatters(report)],
        style=Markup(environment.get_template("report.css").render(kinds=KINDS)),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


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


def _drawn(report: RunReport) -> list[tuple[int, tuple[Drawing, ...]]]:
    """The cells to draw, with their rank; each needs a candidate that it belongs to."""
    return list(enumerate(report.graphs[: min(_DRAWN, len(report.rows))], 1))


def _chart(scatter: Scatter) -> Markup:
    """The chart, each of its first marks with its name for the pointer."""
    figure = rank_figure(scatter)
    figure.axes[0].set_title("", loc="left")  # a heading of the page says it
    marks = scatter.marks[:_NAMED]
    texts = {
        MARKS: iter([mark.text for mark in marks if not mark.best]),
        BEST: iter([mark.text for mark in scatter.marks if mark.best]),
    }

    def name(group: re.Match[str]) -> str:
        def mark(use: re.Match[str]) -> str:
            text = next(texts[group[1]], None)
            named = "" if text is None else f' data-text="{escape(text)}"'
            # The style of the group, so that it is not repeated for each of thousands of marks.
            return f'<use xlink:href="{use[1]}" x="{use[2]}" y="{use[3]}"{named}/>'

        shown = group[0].replace(f'id="{group[1]}"', f'class="{group[1]}"')
        return _USE.sub(mark, shown)

    return _inline(figure, f"{scatter.name}-", lambda svg: _MARKED.sub(name, svg))


def _inline(figure: Figure, prefix: str, change: Callable[[str], str] = str) -> Markup:
    """The figure as an SVG element whose names are its own and whose colours are the page's."""
    svg = render(figure, "svg").decode()
    svg = change(_STYLE.sub("", svg[svg.index("<svg") :]))
    svg = re.sub(r'\s(?:xmlns|xmlns:xlink|version)="[^"]*"', "", svg)
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}", svg)
    width = float(figure.get_figwidth()) * 72
    # Half of its size can still be read; what is then wider than a phone is scrolled.
    sizes = f"max-width: {width:.0f}pt; min-width: {width / 2:.0f}pt"
    svg = svg.replace("<svg", f'<svg style="{sizes}"', 1)
    for colour, name in _COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    return Markup(svg)


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
    figures = {f"cells/rank{rank}": draw_cells(graphs) for rank, graphs in _drawn(report)}
    figures |= {f"figures/{chart.name}": rank_figure(chart) for chart in scatters(report)}
    names = [f"cells/rank{rank}" for rank in range(1, _DRAWN + 1)]
    names += [f"figures/score_by_{what}" for what in ("rank", *COSTS)]
    files: dict[str, bytes | None] = {
        f"{name}.{kind}": render(figures[name], kind) if name in figures else None
        for name in names
        for kind in PICTURES
    }
    files["table.csv"] = csv_bytes(_table(report))
    files["best.json"] = _best(report, report.best) if report.best else None
    files["report.html"] = text_bytes(render_page(report))
    return files


def _table(report: RunReport) -> Iterator[Sequence[object]]:
    """One line a candidate, the best first; numbers in as many digits as tell them apart."""
    metrics = [column.name for column in report.columns]
    ranks = [f"rank_{name}" for name in report.ranked_by]
    facts = ("guarded", "status", "architecture", "canonical")
    yield ["rank", "proposal", "score", *metrics, *ranks, *facts]
    for row in report.ordered:
        values = [row.score, *map(row.values.get, metrics), *map(row.ranks.get, report.ranked_by)]
        numbers = ["" if value is None else repr(float(value)) for value in values]
        texts = ("yes" if row.guarded else "no", row.status, row.architecture, row.canonical)
        yield [row.rank, row.proposal, *numbers, *texts]


def _best(report: RunReport, best: Row) -> bytes:
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
    return json_bytes(content)
