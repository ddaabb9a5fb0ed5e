"""What a person gets to see of a verification: accuracies beside the ranking, and beside sizes."""

import csv
import io
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, Locator, LogLocator, MaxNLocator, NullLocator

from anglenas._evaluation import Agreement, Checked, Place, Verification
from anglenas._json import json_text
from anglenas._report.figures import short_number
from anglenas._report.render import Format, blank, render, settings, write_bytes
from anglenas._report.style import FAINT, INK, KINDS, MUTED, font, printable

__all__ = ["verification_figure", "verification_table", "write_verification"]

_COLOURS: dict[Place, str] = {
    "top": KINDS[3].light,
    "middle": KINDS[2].light,
    "bottom": KINDS[1].light,
}
_MARKERS: dict[Place, str] = {"top": "o", "middle": "s", "bottom": "D"}
_WIDE = 5  # from here on a logarithmic axis has room for 1, 2 and 5 times powers of ten
_FORMATS: tuple[Format, ...] = ("svg", "png")


def verification_figure(verification: Verification) -> Figure:
    """Accuracy against rank and, beside it, against parameters; each with Kendall's tau."""
    ranking, params, _ = verification.agreements.values()
    trained = [one for one in verification.checked if one.accuracy is not None]
    with settings():
        figure = blank(620, 280)
        left = figure.add_axes((0.085, 0.17, 0.42, 0.73))
        right = figure.add_axes((0.555, 0.17, 0.42, 0.73), sharey=left)
        _draw(left, trained, lambda one: one.ranked.rank)
        _draw(right, trained, lambda one: one.ranked.values["params"])
        left.invert_xaxis()  # better is further to the right in both
        right.set_xscale("log")
        right.tick_params(labelleft=False)
        right.xaxis.set_major_locator(_locator([one.ranked.values["params"] for one in trained]))
        right.xaxis.set_minor_locator(NullLocator())
        right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
        left.set_ylabel("accuracy, %", fontproperties=font(9), color=INK)
        left.set_xlabel(
            printable(f"rank by {verification.run.expression}", 60),
            fontproperties=font(9), color=INK, parse_math=False,
        )  # fmt: skip
        right.set_xlabel("parameters", fontproperties=font(9), color=INK)
        left.legend(loc="best", prop=font(8.5), frameon=False, labelcolor=INK)
        for axes, name, agreement in ((left, "search", ranking), (right, "params", params)):
            title = f"{name}: {_interval(agreement)}"
            axes.set_title(title, fontproperties=font(9.5, bold=True), color=INK, loc="left")
    return figure


def _draw(axes: Axes, trained: list[Checked], x: Callable[[Checked], float]) -> None:
    for place, colour in _COLOURS.items():
        part = [one for one in trained if one.place == place]
        axes.plot(
            [x(one) for one in part], [100 * (one.accuracy or 0) for one in part],
            linestyle="none", marker=_MARKERS[place], markersize=6, markeredgecolor="white",
            markeredgewidth=0.6, color=colour, label=place,
        )  # fmt: skip
    for side, spine in axes.spines.items():
        spine.set(visible=side in ("left", "bottom"), color=FAINT)
    axes.tick_params(color=FAINT, labelcolor=MUTED, labelsize=8, labelfontfamily="DejaVu Sans")
    axes.grid(True, color=FAINT, lw=0.6, alpha=0.5)
    axes.set_axisbelow(True)


def _locator(values: list[float]) -> Locator:
    """Round numbers on a logarithmic axis, as equally spaced as its range allows."""
    if values and max(values) >= _WIDE * min(values):
        return LogLocator(subs=(1, 2, 5))
    return MaxNLocator(4, steps=[1, 2, 5, 10])


def _interval(agreement: Agreement) -> str:
    return f"tau {agreement.tau:.2f} ({agreement.low:.2f} to {agreement.high:.2f})"


def verification_table(verification: Verification) -> str:
    """The networks and the agreements, as Markdown.

    Every network has a line with its rank, part, accuracy, score and parameters.
    """
    expression = verification.run.expression
    lines = [
        f"| part | rank | accuracy | `{expression}` | parameters | architecture |",
        "|---|---:|---:|---:|---:|---|",
        *map(_line, verification.checked),
        "",
        "| order by | Kendall's tau | 95 % interval |",
        "|---|---:|---:|",
    ]
    for name, one in verification.agreements.items():
        label = "what the ranking gains" if name == "gain" else f"`{name}`"
        lines.append(f"| {label} | {one.tau:.2f} | {one.low:.2f} to {one.high:.2f} |")
    return "\n".join(lines) + "\n"


def _line(one: Checked) -> str:
    accuracy = one.status if one.accuracy is None else f"{one.accuracy:.2%}"
    text = one.ranked.subject.architecture.replace("|", "\\|")
    return (
        f"| {one.place} | {one.ranked.rank} | {accuracy} | {one.ranked.score:.4g} | "
        f"{one.ranked.values['params']:,.0f} | `{text}` |"
    )


def write_verification(verification: Verification, folder: Path | str, command: str = "") -> Path:
    """Write what came of a verification: table, figure, summary.

    The folder gets ``table.md``, ``table.csv``, ``figure.svg`` and ``.png``, and ``summary.json``.

    Args:
        verification: What came of it.
        folder: Where to.
        command: What repeats it.

    Returns:
        The figure, ``figure.png``.

    Raises:
        SettingError: The folder cannot be written.
    """
    folder = Path(folder)
    figure = verification_figure(verification)
    for kind in _FORMATS:
        write_bytes(folder / f"figure.{kind}", render(figure, kind))
    write_bytes(folder / "table.md", verification_table(verification).encode())
    write_bytes(folder / "table.csv", _csv(verification))
    summary = json_text(_summary(verification, command))
    write_bytes(folder / "summary.json", summary.encode() + b"\n")
    return folder / "figure.png"


def _csv(verification: Verification) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    head = ("part", "rank", "accuracy", "score", "params", "seconds", "status", "architecture")
    writer.writerow(head)
    for one in verification.checked:
        writer.writerow([
            one.place, one.ranked.rank, "" if one.accuracy is None else repr(one.accuracy),
            repr(one.ranked.score), repr(one.ranked.values["params"]), f"{one.seconds:.0f}",
            one.status, one.ranked.subject.architecture,
        ])  # fmt: skip
    return buffer.getvalue().encode("utf-8", "backslashreplace")


def _summary(verification: Verification, command: str) -> dict[str, object]:
    return {
        "search": str(verification.run.folder),
        "rank": verification.run.expression,
        "recipe": {"name": verification.recipe.name, **verification.recipe.values()},
        "seed": verification.seed,
        "networks": len(verification.checked),
        "left out": verification.left_out,
        "agreements": {name: asdict(one) for name, one in verification.agreements.items()},
        "mean accuracies": dict(verification.means),
        "command": command,
    }
