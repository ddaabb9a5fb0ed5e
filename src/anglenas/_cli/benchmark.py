"""What commands share that judge metrics by known accuracies: options, tables, scores."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anglenas._cli.options import Flip, Quiet, StoreFile, TriedRecipe, split_names, takes_workers
from anglenas.errors import SettingError

if TYPE_CHECKING:
    from anglenas._measuring.workers import Workers
    from anglenas._study import Benchmark, Measuring, Scores

_of_table = partial(typer.Option, rich_help_panel="Known accuracies")
_of_scores = partial(typer.Option, rich_help_panel="What was measured")

Sample = Annotated[
    str,
    _of_scores(
        help="Networks to measure: 300 of the table, top-1000:250 of a part of it, all of them, "
        "seed1 for the hundred of the released code's run; with commas between."
    ),
]
Seeds = Annotated[
    str,
    _of_scores(
        help="Seeds of images, weights and augmentation to measure with, with commas between; taus "
        "are averaged."
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


def known_table(
    benchmark: Annotated[
        Path,
        _of_table(
            "--benchmark",
            metavar="FILE",
            help="Table of known accuracies: .csv or .csv.gz, or a .json of NAS-Bench-Suite-Zero.",
        ),
    ],
    accuracy: Annotated[
        str | None,
        _of_table(
            metavar="COLUMN",
            help="Which accuracies, if the table has several: cifar10_test, cifar100_valid, ...",
        ),
    ] = None,
    architecture: Annotated[
        str | None,
        _of_table(
            metavar="COLUMN",
            help="Column of the architectures, if it is not named architecture, arch_str, arch or "
            "index.",
        ),
    ] = None,
    split: Annotated[
        str | None,
        _of_table(help="'test' or 'validation', if the column's name does not tell."),
    ] = None,
    epochs: Annotated[
        str | None,
        _of_table(help="How long the networks were trained, if the file does not tell."),
    ] = None,
    trainings: Annotated[
        str | None,
        _of_table(
            metavar="TEXT",
            help="Which trainings the accuracies are of, if the file does not tell: 'mean of 3 "
            "seeds'.",
        ),
    ] = None,
) -> "Callable[..., Benchmark]":
    """What reads the table when it is called; a bundle for :func:`takes`."""
    from anglenas._study import read_benchmark

    return partial(
        read_benchmark, benchmark, accuracy, architecture=architecture, split=split, epochs=epochs,
        seeds=trainings,
    )  # fmt: skip


@dataclass(frozen=True)
class Measurements:
    """Where scores come from and where what is found goes.

    Attributes:
        files: What was measured before.
        measuring: How to measure; ``None`` if there are no images.
        out: Folder for tables, data and figures; ``None`` to print alone.
        quiet: Whether nothing but the result is printed.
    """

    files: Sequence[Path]
    measuring: "Measuring | None"
    out: Path | None
    quiet: bool

    def gather(
        self, benchmark: "Benchmark", rankings: Sequence[str], sample: str, seeds: Sequence[int]
    ) -> "tuple[tuple[Scores, ...], tuple[str, ...]]":
        """Scores from files, or measured now with a bar, and then kept in the folder."""
        from anglenas._cli.progress import show_counts
        from anglenas._study import gather, scores_text

        asked = self.measuring and replace(self.measuring, sample=sample, seeds=seeds)
        with show_counts("measurements", quiet=self.quiet) as on_progress:
            found = gather(benchmark, rankings, self.files, asked, on_progress)
        if self.out is not None and asked is not None:
            (self.out / "scores.csv").write_text(scores_text(found[0], benchmark))
        return found


@takes_workers
def measurements(
    scores: Annotated[
        list[Path] | None,
        _of_scores(
            metavar="FILE", help="File of scores instead of measuring; may be given several times."
        ),
    ] = None,
    data: Annotated[
        str | None,
        _of_scores(
            metavar="DATA",
            help="Images to measure on, if there are no scores: a folder, an .npz file or a name.",
        ),
    ] = None,
    recipe: TriedRecipe = "paper",
    flip: Flip = None,
    *,
    workers: "Workers",
    store: StoreFile = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for tables, data and figures. (default: print alone)"),
    ] = None,
    quiet: Quiet = False,
) -> Measurements:
    """Scores from files or from images; a bundle for :func:`takes`."""
    from anglenas._report import prepare_folder
    from anglenas._study import Measuring

    measuring = None
    if data is not None:
        measuring = Measuring(data, recipe=recipe, flip=flip, workers=workers, store=store)
    # A folder that cannot be used is told before hours of measuring.
    return Measurements(scores or (), measuring, out and prepare_folder(out), quiet)


def judging(
    guard: Guards = "off",
    strata: Annotated[
        str | None,
        _of_scores(
            metavar="NAMES",
            help="Parts of the table that more, or fewer, networks of the scores were drawn from "
            "than from the rest, such as top-1000. (default: what the names of the samples tell)",
        ),
    ] = None,
    replicates: Annotated[
        int, typer.Option(min=20, help="Replicates of the sample that intervals come from.")
    ] = 500,
    seed: Annotated[
        int, typer.Option(help="Where replicates, the order of ties and searches come from.")
    ] = 1,
) -> dict[str, Any]:
    """Arguments of :func:`anglenas.correlate`; a bundle for :func:`takes`."""
    return {
        "guards": split_names(guard),
        "strata": None if strata is None else split_names(strata),
        "replicates": replicates,
        "seed": seed,
    }


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
def show_judging(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show, on a terminal, how many rankings were judged."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("Judging", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
