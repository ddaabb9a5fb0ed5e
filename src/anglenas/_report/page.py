"""One self-contained HTML page of a run."""

import base64
import hashlib
import math
import re
from collections.abc import Callable, Sequence
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from anglenas._measuring.result import Result
from anglenas._report.canvas import FAINT, INK, KINDS, MUTED, PAPER
from anglenas._report.draw import draw_cells
from anglenas._report.figures import BEST, MARKS, Scatter, rank_figure, scatters
from anglenas._report.files import render
from anglenas._runs import versions
from anglenas.spaces import CellGraph, Drawing

_WIDEST = 900.0
_LISTED = _NAMED = 500
_STYLE = re.compile(r"<style.*?</style>", re.DOTALL)
_MARKED = re.compile(rf'<g id="({MARKS}|{BEST})">.*?</g>\s*</g>', re.DOTALL)
_USE = re.compile(r'<use xlink:href="(#\w+)" x="([\d.-]+)" y="([\d.-]+)"[^>]*>')
# The page's name for each colour of a drawing, so that they follow a dark theme.
_COLOURS = {INK: "ink", MUTED: "muted", FAINT: "faint", PAPER: "paper"} | {
    kind.light: f"op-{kind.name}" for kind in KINDS
}


def render_page(result: Result, cells: Sequence[tuple[Drawing, ...]], command: str = "") -> str:
    """The page: it loads nothing, runs no script but its own, and escapes every text.

    The same result gives the same page. Of a large run it lists the first 500 candidates, and the
    first 500 of those that could not be scored.

    Args:
        result: The run.
        cells: Drawings of the best candidates, the best one first.
        command: What repeats the run.
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
    scored = [candidate for candidate in result.candidates if candidate.scored]
    failed = [candidate for candidate in result.candidates if not candidate.scored]
    return environment.get_template("report.html").render(
        result=result,
        command=command,
        listed=scored[:_LISTED] + failed[:_LISTED],
        scored=len(scored),
        failed=len(failed),
        snippet=_snippet(result),
        versions=versions(),
        drawings=[
            _inline(draw_cells(drawn, widest=_WIDEST), f"cell{rank}-")
            for rank, drawn in enumerate(cells, 1)
        ],
        cells=any(isinstance(drawing, CellGraph) for drawn in cells for drawing in drawn),
        charts=[(scatter, _chart(scatter)) for scatter in scatters(result)],
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


def _breakable(architecture: object) -> Markup:
    """An architecture may go on in a new line where one of its parts ends."""
    return Markup("<wbr>").join(re.split(r"(?<=[+,;])|(?<=[^+|]\|)(?!\+)", str(architecture)))


def _snippet(result: Result) -> str:
    config = result.best.config
    space = "" if result.space == "nasbench201" else f", space={result.space!r}"
    return (
        "import anglenas\n\n"
        "network = anglenas.make_network(\n"
        f"    {str(result.best.architecture)!r}{space},\n"
        f"    num_classes={config.num_classes}, in_channels={config.in_channels},"
        f" channels={config.channels}, cells={config.cells},\n"
        ")  # an ordinary torch.nn.Module with fresh weights, ready to be trained\n"
    )


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
