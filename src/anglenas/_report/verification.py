"""What a person gets to see of a verification: accuracies beside the ranking, and beside sizes."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import Locator, LogLocator, MaxNLocator

from anglenas._evaluation.verification import Checked, Part, Verification
from anglenas._report.canvas import (
    INK,
    KINDS,
    blank,
    dress,
    font,
    mark_axis,
    settings,
    write_pictures,
)
from anglenas._report.files import csv_bytes, json_bytes, text_bytes, write_bytes
from anglenas.ranking import Interval

__all__ = ["verification_figure", "verification_table", "write_verification"]

_MARKS: dict[Part, tuple[str, str]] = {
    "top": (KINDS[3].light, "o"),
    "middle": (KINDS[2].light, "s"),
    "bottom": (KINDS[1].light, "D"),
}
_WIDE = 5  # from here on a logarithmic axis has room for 1, 2 and 5 times powers of ten


def verification_figure(verification: Verification) -> Figure:
    """Accuracy against rank and, beside it, against parameters; each with Kendall's tau."""
    ranking, params, _ = verification.agreements.values()
    trained = [checked for checked in verification.checked if checked.accuracy is not None]
    with settings():
        figure = blank(620, 280)
        left = figure.add_axes((0.085, 0.17, 0.42, 0.73))
        right = figure.add_axes((0.555, 0.17, 0.42, 0.73), sharey=left)
        _draw(left, trained, lambda checked: checked.ranked.rank)
        _draw(right, trained, lambda checked: checked.params)
        left.invert_xaxis()  # better is further to the right in both
        right.set_xscale("log")
        right.tick_params(labelleft=False)
        mark_axis(right.xaxis, _locator([c.params for c in trained]))
        expression = verification.run.rank
        dress(left, title=f"search: {_text(ranking)}", x=f"rank by {expression}", y="accuracy, %")
        dress(right, title=f"params: {_text(params)}", x="parameters")
        left.legend(loc="best", prop=font(8.5), frameon=False, labelcolor=INK)
    return figure


def _draw(axes: Axes, trained: list[Checked], x: Callable[[Checked], float]) -> None:
    for place, (colour, marker) in _MARKS.items():
        part = [checked for checked in trained if checked.part == place]
        axes.plot(
            [x(checked) for checked in part], [100 * (checked.accuracy or 0) for checked in part],
            linestyle="none", marker=marker, markersize=6, markeredgecolor="white",
            markeredgewidth=0.6, color=colour, label=place,
        )  # fmt: skip


def _locator(values: list[float]) -> Locator:
    """Round numbers on a logarithmic axis, as equally spaced as its range allows."""
    if values and max(values) >= _WIDE * min(values):
        return LogLocator(subs=(1, 2, 5))
    return MaxNLocator(4, steps=[1, 2, 5, 10])


def _text(agreement: Interval) -> str:
    return f"tau {agreement.value:.2f} ({agreement.low:.2f} to {agreement.high:.2f})"


def verification_table(verification: Verification) -> str:
    """The networks and the agreements, as Markdown.

    Every network has a line with its rank, part, accuracy, score and parameters.
    """
    lines = [
        f"| part | rank | accuracy | `{verification.run.rank}` | parameters | architecture |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for checked in verification.checked:
        ranked = checked.ranked
        accuracy = checked.status if checked.accuracy is None else f"{checked.accuracy:.2%}"
        # A bar would end the cell of the table, in code too.
        text = str(ranked.architecture).replace("|", "\\|")
        lines.append(
            f"| {checked.part} | {ranked.rank} | {accuracy} | {ranked.score:.4g} | "
            f"{checked.params:,.0f} | `{text}` |"
        )
    lines += ["", "| order by | Kendall's tau | 95 % interval |", "|---|---:|---:|"]
    for name, agreement in verification.agreements.items():
        label = "what the ranking gains" if name == "gain" else f"`{name}`"
        lines.append(
            f"| {label} | {agreement.value:.2f} | {agreement.low:.2f} to {agreement.high:.2f} |"
        )
    return "\n".join(lines) + "\n"


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
    write_pictures(folder, {"figure": verification_figure(verification)})
    write_bytes(folder / "table.md", text_bytes(verification_table(verification)))
    head = ("part", "rank", "accuracy", "score", "params", "seconds", "status", "architecture")
    rows = (
        (checked.part, checked.ranked.rank,
         "" if checked.accuracy is None else repr(checked.accuracy), repr(checked.ranked.score),
         repr(checked.params), f"{checked.seconds:.0f}", checked.status,
         str(checked.ranked.architecture))
        for checked in verification.checked
    )  # fmt: skip
    write_bytes(folder / "table.csv", csv_bytes([head, *rows]))
    summary = {
        "search": str(verification.folder),
        "rank": verification.run.rank,
        "recipe": {"name": verification.recipe.name, **verification.recipe.values()},
        "seed": verification.seed,
        "networks": len(verification.checked),
        "left out": verification.left_out,
        "agreements": {name: asdict(value) for name, value in verification.agreements.items()},
        "mean accuracies": dict(verification.means),
        "command": command,
    }
    write_bytes(folder / "summary.json", json_bytes(summary))
    return folder / "figure.png"
