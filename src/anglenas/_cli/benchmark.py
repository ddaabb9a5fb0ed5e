"""What commands share that judge metrics by known accuracies: options, tables, scores."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anglenas._cli.options import split_names
from anglenas.errors import SettingError

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from anglenas._sheet import Sheet

__all__ = [
    "Accuracy",
    "Architecture",
    "BenchmarkFile",
    "Epochs",
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
    "print_sheets",
    "read_seeds",
    "show_judging",
    "show_steps",
]

_TABLE = "Known accuracies"
_MEASURED = "What was measured"

BenchmarkFile = Annotated[
    Path,
    typer.Option(
        "--benchmark",
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
    from anglenas._measuring.progress import Progress

    started = time.perf_counter()
    with show_progress("tasks", quiet=quiet) as show:
        yield lambda done, total: show(Progress(done, total, time.perf_counter() - started, done))


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
