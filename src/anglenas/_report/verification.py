"""What a person gets to see of a verification: accuracies beside the ranking, and beside sizes."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anglenas._evaluation.verification import Checked, Part, Verification
from anglenas._report.canvas import KINDS, add_legend, dress, mark_axis, new_figure
from anglenas._report.files import write_files
from anglenas._sheet import Sheet, markdown

# Shapes too, for print in black and for eyes that do not tell the colours apart.
_MARKS: dict[Part, tuple[str, str]] = {
    "top": (KINDS[3].light, "o"),
    "middle": (KINDS[2].light, "s"),
    "bottom": (KINDS[1].light, "D"),
}


def verification_figure(verification: Verification) -> Figure:
    """Accuracy against rank and, beside it, against parameters; each with Kendall's tau."""
    ranking, params, _ = verification.agreements.values()
    trained = [checked for checked in verification.checked if checked.accuracy is not None]
    with new_figure(620, 280) as figure:
        left = figure.add_axes((0.085, 0.17, 0.42, 0.73))
        right = figure.add_axes((0.555, 0.17, 0.42, 0.73), sharey=left)
        _draw(left, trained, lambda checked: checked.ranked.rank)
        _draw(right, trained, lambda checked: checked.params)
        left.invert_xaxis()  # better is further to the right in both
        right.set_xscale("log")
        right.tick_params(labelleft=False)
        mark_axis(right.xaxis, [checked.params for checked in trained], log=True)
        rank = f"rank by {verification.run.rank}"
        dress(left, title=f"search: tau {ranking}", x=rank, y="accuracy, %")
        dress(right, title=f"params: tau {params}", x="parameters")
        add_legend(left, loc="best")
    return figure


def _draw(axes: Axes, trained: list[Checked], x: Callable[[Checked], float]) -> None:
    for part, (colour, marker) in _MARKS.items():
        shown = [checked for checked in trained if checked.part == part]
        axes.plot(
            [x(checked) for checked in shown], [100 * (checked.accuracy or 0) for checked in shown],
            linestyle="none", marker=marker, markersize=6, markeredgecolor="white",
            markeredgewidth=0.6, color=colour, label=part,
        )  # fmt: skip


def verification_sheets(verification: Verification) -> tuple[Sheet, Sheet]:
    """The networks that were trained, and how well orders agree with their accuracies."""
    # An architecture is code: Markdown strikes out what stands between tildes.
    networks = tuple(
        (checked.part, str(checked.ranked.rank), _accuracy(checked), f"{checked.ranked.score:.4g}",
         f"{checked.params:,.0f}", f"`{checked.ranked.architecture}`")
        for checked in verification.checked
    )  # fmt: skip
    agreements = tuple(
        ("gain over params" if name == "gain" else f"tau of {name}", str(agreement))
        for name, agreement in verification.agreements.items()
    )  # fmt: skip
    return (
        Sheet(
            f"Ranked by {verification.run.rank}, trained for {verification.recipe.epochs} epochs",
            ("part", "rank", "accuracy", "score", "parameters", "architecture"), networks,
        ),
        Sheet("Kendall's tau with accuracy", ("order", "with its 95 % interval"), agreements),
    )  # fmt: skip


def write_verification(verification: Verification, folder: Path | str, command: str = "") -> Path:
    """Write what came of a verification: tables, figure, summary.

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
    rows = (
        (checked.part, checked.ranked.rank, checked.accuracy, checked.ranked.score, checked.params,
         round(checked.seconds), checked.status, checked.ranked.architecture)
        for checked in verification.checked
    )  # fmt: skip
    head = ("part", "rank", "accuracy", "score", "params", "seconds", "status", "architecture")
    write_files(folder, {
        "figure": verification_figure(verification),
        "table.md": "\n".join(map(markdown, verification_sheets(verification))),
        "table.csv": [head, *rows],
        "summary.json": {
            "search": str(verification.folder),
            "rank": verification.run.rank,
            "recipe": {"name": verification.recipe.name, **verification.recipe.values()},
            "seed": verification.seed,
            "networks": len(verification.checked),
            "left out": verification.left_out,
            "agreements": verification.agreements,
            "mean accuracies": verification.means,
            "command": command,
        },
    })  # fmt: skip
    return folder / "figure.png"


def _accuracy(checked: Checked) -> str:
    return checked.status if checked.accuracy is None else f"{checked.accuracy:.2%}"
