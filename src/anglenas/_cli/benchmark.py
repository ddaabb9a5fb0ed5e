"""What commands share that judge metrics by known accuracies: options, tables, scores."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from anglenas._cli.options import split_names
from anglenas.errors import SettingError

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from anglenas._sheet import Sheet
    from anglenas._study import Scores, Table

__all__ = [
    "Accuracy",
    "Architecture",
    "Benchmark",
    "Epochs",
    "Evidence",
    "Guards",
    "Images",
    "JudgingSeed",
    "Out",
    "Replicates",
    "Sample",
    "ScoreFiles",
    "Seeds",
    "Split",
    "Strata",
    "Trainings",
    "gather",
    "print_sheets",
    "read_seeds",
    "show_judging",
    "show_steps",
]

_TABLE = "Known accuracies"
_MEASURED = "What was measured"

Benchmark = Annotated[
    Path,
    typer.Option(
        metavar="FILE",
        help="Table of known accuracies: .csv or .csv.gz, or a .json of NAS-Bench-Suite-Zero.",
        rich_help_panel=_TABLE,
    ),
]
Accuracy = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Which accuracies, if the table has several: cifar10_test, cifar100_valid, ...",
        rich_help_panel=_TABLE,
    ),
]
Split = Annotated[
    str | None,
    typer.Option(
        help="'test' or 'validation', if the column's name does not tell.", rich_help_panel=_TABLE
    ),
]
Epochs = Annotated[
    str | None,
    typer.Option(
        help="How long the networks were trained, if the file does not tell.",
        rich_help_panel=_TABLE,
    ),
]
Trainings = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Which trainings the accuracies are of, if the file does not tell: 'mean of 3 seeds'.",
        rich_help_panel=_TABLE,
    ),
]
ScoreFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--scores",
        metavar="FILE",
        help="File of scores instead of measuring; may be given several times.",
        rich_help_panel=_MEASURED,
    ),
]
Architecture = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Column of the architectures, if it is not named architecture, arch_str, arch or "
        "index.",
        rich_help_panel=_TABLE,
    ),
]
Images = Annotated[
    str | None,
    typer.Option(
        metavar="DATA",
        help="Images to measure on, if there are no scores: a folder, an .npz file or a name.",
        rich_help_panel=_MEASURED,
    ),
]
Sample = Annotated[
    str,
    typer.Option(
        help="Networks to measure: 300 of the table, top-1000:250 of a part of it, all of them, "
        "seed1 for the hundred of the released code's run; with commas between.",
        rich_help_panel=_MEASURED,
    ),
]
Seeds = Annotated[
    str,
    typer.Option(
        help="Seeds of images, weights and augmentation to measure with, with commas between; taus "
        "are averaged.",
        rich_help_panel=_MEASURED,
    ),
]
JudgingSeed = Annotated[
    int, typer.Option("--seed", help="Where replicates, the order of ties and searches come from.")
]
Strata = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="Parts of the table that more, or fewer, networks of the scores were drawn from than "
        "from the rest, such as top-1000. (default: what the names of the samples tell)",
        rich_help_panel=_MEASURED,
    ),
]
Guards = Annotated[
    str,
    typer.Option(
        "--guard",
        metavar="NAMES",
        help="How to treat trivial networks: 'off'; 'score', behind where the classifier hardly "
        "turned; 'structure', behind where nothing that learns is on the ways through the cell. "
        "Several are compared.",
    ),
]
Replicates = Annotated[
    int, typer.Option(min=20, help="Replicates of the sample that intervals come from.")
]
Out = Annotated[
    Path | None, typer.Option(help="Folder for tables, data and figures. (default: print alone)")
]


class Evidence(NamedTuple):
    """Scores beside the accuracies that they are judged by.

    Attributes:
        table: The accuracies.
        scores: One for each seed.
        strata: Parts of the table that were drawn from more, or less; ``None`` if samples tell.
        notices: What to know of the images and the recipe, a sentence each.
    """

    table: "Table"
    scores: "tuple[Scores, ...]"
    strata: tuple[str, ...] | None
    notices: tuple[str, ...]


def gather(
    table: "Table",
    metrics: Sequence[str],
    files: Sequence[Path] | None,
    data: str | None,
    sample: str,
    strata: str | None,
    *,
    seeds: Sequence[int] = (1,),
    quiet: bool,
    out: Path | None,
    **settings: Any,
) -> Evidence:
    """The scores of some rankings: from files, or measured now, and then written to ``out``.

    Raises:
        SettingError: Neither scores nor images were given, or both.
    """
    from anglenas._study import draw_samples, measure, read_scores, scores_text
    from anglenas.ranking import parse

    names = list(dict.fromkeys(name for one in metrics for name in parse(one).metrics))
    told = None if strata is None else split_names(strata)
    if files and data is not None:
        raise SettingError("Give either scores that were measured, --scores, or images, --data.")
    if files or (data is None and set(names) <= table.columns.keys()):
        return Evidence(table, read_scores(files or [], table, names), told, ())
    if data is None:
        raise SettingError(
            "There is nothing to judge: give images to measure on, --data, or a file of what was "
            "measured, --scores."
        )
    samples = draw_samples(sample, table, seeds[0])
    with show_steps(quiet=quiet) as on_progress:
        scores, notices = measure(
            table, names, samples, data, seeds=seeds, on_progress=on_progress, **settings
        )
    if out is not None:
        (out / "scores.csv").write_text(scores_text(scores, table))
    return Evidence(table, scores, told, notices)


def read_seeds(text: str) -> list[int]:
    """Whole numbers with commas between.

    Raises:
        SettingError: There is none, or another text among them.
    """
    try:
        seeds = [int(one) for one in split_names(text)]
    except ValueError as error:
        raise SettingError(f"Seeds are whole numbers with commas between, not {text!r}.") from error
    if not seeds:
        raise SettingError("Name at least one seed, such as 1.")
    return seeds


@contextmanager
def show_steps(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show how much is done, as a search shows its candidates."""
    import time

    from anglenas._cli.progress import show_progress
    from anglenas._searching import Progress

    started = time.perf_counter()
    with show_progress(quiet=quiet) as show:
        yield lambda done, total: show(
            Progress(done, total, time.perf_counter() - started, done, lambda: None)
        )


@contextmanager
def show_judging(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show, on a terminal, how many rankings were judged."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("Judging", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def print_sheets(sheets: "Sequence[Sheet]", notes: Sequence[str]) -> None:
    """Tables on the terminal, and below them what has to be known to read them."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(emoji=False)
    left_out: dict[str, None] = {}
    for sheet in sheets:
        fitting = _fit(sheet, console.width)
        left_out |= dict.fromkeys(name for name in sheet.head if name not in fitting.head)
        console.print(_table(fitting), "")
    if left_out:
        notes = [*notes, f"Too wide for this terminal, and left out: {', '.join(left_out)}."]
    for note in notes:
        console.print(f"[yellow]Note:[/] {escape(note)}", highlight=False)


_GAP, _FOLDED = 2, 16


def _fit(sheet: "Sheet", width: int) -> "Sheet":
    """The table without the columns that it can spare, as far as it is too wide.

    The first column can be folded, but not to less than 16 characters.
    """
    columns = zip(sheet.head, *sheet.rows, strict=True)
    first, *others = (max(map(len, cells)) + _GAP for cells in columns)
    if not sheet.spare or min(first, _FOLDED) + sum(others) <= width:
        return sheet
    return _fit(sheet.without(sheet.spare[0]), width)


def _table(sheet: "Sheet") -> "RichTable":
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table as RichTable

    shown = RichTable(
        title=escape(sheet.title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False,
        padding=(0, _GAP, 0, 0), show_edge=False,
    )  # fmt: skip
    for place, name in enumerate(sheet.head):
        shown.add_column(
            escape(name), justify="left" if place < sheet.texts else "right", no_wrap=place > 0,
            overflow="fold",
        )  # fmt: skip
    for row in sheet.rows:
        shown.add_row(*map(escape, row))
    return shown
