"""``anglenas paper``: what was published, made again."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from anglenas._cli.benchmark import (
    Accuracy,
    BenchmarkFile,
    Epochs,
    Guards,
    Images,
    JudgingSeed,
    Out,
    Replicates,
    Sample,
    ScoreFiles,
    Seeds,
    Strata,
    Trainings,
    print_sheets,
    read_seeds,
    show_judging,
    show_steps,
)
from anglenas._cli.options import (
    PublishedRecipe,
    Quiet,
    StoreFile,
    flowing,
    split_names,
    takes_workers,
)
from anglenas._paper.cells import cells
from anglenas.errors import DataError, SettingError

if TYPE_CHECKING:
    from anglenas._measuring.workers import Workers
    from anglenas._sheet import Sheet
    from anglenas._study import Benchmark, Scores

__all__ = ["paper"]

paper = typer.Typer(help="Make figures and tables of the paper again.", no_args_is_help=True)

_TEST = "cifar10_test"
_Run = Annotated[int, typer.Option("--run", help="Seed of the run that drew the networks.")]
_Seed = Annotated[
    int, typer.Option("--seed", help="Where images, weights and augmentation come from.")
]


@takes_workers
def table1(
    benchmark: BenchmarkFile,
    accuracy: Accuracy = _TEST,
    epochs: Epochs = None,
    trainings: Trainings = None,
    scores: ScoreFiles = None,
    data: Images = None,
    sample: Sample = "seed1,seed2,seed3,top-1000:250",
    strata: Strata = None,
    guard: Guards = "off,score",
    replicates: Replicates = 500,
    seeds: Seeds = "1",
    seed: JudgingSeed = 1,
    recipe: PublishedRecipe = "paper",
    *,
    workers: "Workers",
    store: StoreFile = None,
    out: Out = None,
    quiet: Quiet = False,
) -> None:
    """Measure the supplement's table 1 again: Kendall's tau of metrics with test accuracy.

    Shows the published numbers beside ours with their 95 % intervals, and for each whether they
    agree, disagree, or whether too few networks were measured to tell. Rows of which nothing was
    measured are left out.

    Measuring the 550 networks of the default sample takes hours: about five on two cores, most of
    them for the short trainings. What was measured is kept, and the same command goes on where it
    stopped; --recipe fast takes half of one instead.

    Example:

        anglenas paper table1 --benchmark nasbench201.csv --data cifar10 --out table1
    """  # noqa: D412
    from anglenas import _study as study
    from anglenas._paper.table import TABLE_1, table_1, table_1_sheets
    from anglenas._report import prepare_folder, write_study
    from anglenas.ranking import parse

    if out is not None:
        prepare_folder(out)
    known = study.read_benchmark(benchmark, accuracy, epochs=epochs, seeds=trainings)
    if known.split != "test":
        raise DataError(f"Table 1 is about test accuracies, and {accuracy} is not of test images.")
    metrics = [row.metric for row in TABLE_1]
    measured, notices = _gather(
        known, metrics, scores, data, sample, read_seeds(seeds), out=out, quiet=quiet,
        recipe=recipe, workers=workers, store=store,
    )  # fmt: skip
    columns = set.intersection(*(set(one.columns) for one in measured))
    judged = [metric for metric in metrics if columns.issuperset(parse(metric).metrics)]
    with show_judging(quiet=quiet) as on_progress:
        found = study.correlate(
            known, measured, judged, guards=split_names(guard),
            strata=None if strata is None else split_names(strata),
            replicates=replicates, seed=seed, on_progress=on_progress,
        )  # fmt: skip
    sheets = table_1_sheets(table_1(found))
    missing = [row.name for row in TABLE_1 if row.metric not in judged]
    notes = [*notices, *found.remarks()]
    if missing:
        notes.append(f"Not measured: {', '.join(missing)}.")
    if out is not None:
        write_study(found, out)
    _show(known, sheets, notes, out, "table1")


def _gather(
    benchmark: "Benchmark",
    rankings: Sequence[str],
    files: Sequence[Path] | None,
    data: str | None,
    sample: str,
    seeds: Sequence[int],
    *,
    out: Path | None,
    quiet: bool,
    **settings: Any,
) -> "tuple[tuple[Scores, ...], tuple[str, ...]]":
    """Scores from files, or measured now with a bar, and then kept in the folder."""
    from anglenas._study import gather, scores_text

    with show_steps(quiet=quiet) as on_progress:
        found = gather(benchmark, rankings, files or (), data, sample, seeds=seeds,
                       on_progress=on_progress, **settings)  # fmt: skip
    if out is not None and data is not None:
        (out / "scores.csv").write_text(scores_text(found[0], benchmark))
    return found


def _figure(
    number: int, ranking: Literal["angle", "angle+params"], about: str
) -> Callable[..., None]:
    """The command that draws a figure of a ranking's rank index against accuracy."""

    def figure(
        benchmark: BenchmarkFile,
        accuracy: Accuracy = "cifar100_test",
        epochs: Epochs = None,
        trainings: Trainings = None,
        scores: ScoreFiles = None,
        data: Images = None,
        run: _Run = 1,
        seed: _Seed = 1,
        recipe: PublishedRecipe = "paper",
        *,
        workers: "Workers",
        store: StoreFile = None,
        out: Out = Path("figures"),
        quiet: Quiet = False,
    ) -> None:
        from anglenas import _study as study
        from anglenas._paper.figures import position_sheet, positions_figure
        from anglenas._paper.runs import positions
        from anglenas._report import prepare_folder, save_figure

        folder = prepare_folder(out or Path("figures"))
        known = study.read_benchmark(benchmark, accuracy, epochs=epochs, seeds=trainings)
        [measured, *_], notices = _gather(
            known, ["angle", "loss", "params"], scores, data, f"seed{run}", [seed], out=out,
            quiet=quiet, recipe=recipe, workers=workers, store=store,
        )  # fmt: skip
        found = positions(measured, known, seed=run)
        drawn = positions_figure(found, ranking, about=f"{known.dataset} {known.split}")
        for suffix in ("svg", "png", "pdf"):
            save_figure(drawn, folder / f"figure{number}.{suffix}")
        _show(known, [position_sheet(found)], notices, folder, f"figure{number}")

    figure.__name__, figure.__doc__ = f"figure{number}", about
    return takes_workers(figure)


figure1 = _figure(
    1,
    "angle",
    """Draw the supplement's figure 1 again: accuracy by rank index, ranked by angle.

    The hundred networks of a random search, without any guard; the one that angle ranks highest is
    marked and its cell drawn, and so are trivial structures: those with nothing but none, skip and
    pooling on the ways through the cell.

    Example:

        anglenas paper figure1 --benchmark nasbench201.csv --data cifar100
    """,
)
figure2 = _figure(
    2,
    "angle+params",
    """Draw the supplement's figure 2 again: the networks of figure 1, ranked by angle + #Param.

    Example:

        anglenas paper figure2 --benchmark nasbench201.csv --scores scores.csv
    """,
)


@takes_workers
def picks(
    benchmark: BenchmarkFile,
    accuracy: Accuracy = _TEST,
    epochs: Epochs = None,
    trainings: Trainings = None,
    scores: ScoreFiles = None,
    data: Images = None,
    runs: Annotated[
        str, typer.Option(help="Seeds of the runs that drew the networks, with commas between.")
    ] = "1,2,3",
    metrics: Annotated[
        str, typer.Option(help="What to rank by, with commas between.")
    ] = "params,angle,loss,angle_loss,angle_loss+params",
    guard: Guards = "off,score",
    seed: _Seed = 1,
    recipe: PublishedRecipe = "paper",
    *,
    workers: "Workers",
    store: StoreFile = None,
    out: Out = None,
    quiet: Quiet = False,
) -> None:
    """Search at random among the hundreds that the released code draws, and tell what is picked.

    Each run ranks a hundred networks of NAS-Bench-201; the table shows the accuracy of what each
    ranking puts first, beside that of #Param alone, the mean and the best of the hundred. All runs
    are measured with the same images and weights; in the released code these change with the run.

    Example:

        anglenas paper picks --benchmark nasbench201.csv --data cifar10
    """  # noqa: D412
    from anglenas import _study as study
    from anglenas._paper.runs import pick_sheet
    from anglenas._paper.runs import picks as picks_of
    from anglenas._report import prepare_folder

    if out is not None:
        prepare_folder(out)
    known = study.read_benchmark(benchmark, accuracy, epochs=epochs, seeds=trainings)
    rankings, runs_asked = split_names(metrics), read_seeds(runs)
    if not rankings:
        raise SettingError("Name at least one ranking, such as --metrics params,angle.")
    [measured, *_], notices = _gather(
        known, [*rankings, "angle", "loss"], scores, data,
        ",".join(f"seed{run}" for run in runs_asked), [seed], out=out, quiet=quiet,
        recipe=recipe, workers=workers, store=store,
    )  # fmt: skip
    found = picks_of(measured, known, rankings, seeds=runs_asked, guards=split_names(guard))
    _show(known, [pick_sheet(found)], notices, out, "picks")


def _show(
    benchmark: "Benchmark",
    sheets: Sequence["Sheet"],
    notes: Sequence[str],
    out: Path | None,
    name: str,
) -> None:
    """Print tables, and write them as Markdown and LaTeX."""
    from anglenas._sheet import latex, markdown

    print(f"{benchmark.about}\n")
    print_sheets(sheets, [*benchmark.notices, *notes])
    if out is not None:
        text = [f"Accuracies: {benchmark.about}.", "", *map(markdown, sheets)]
        text += [f"* {note}" for note in dict.fromkeys([*benchmark.notices, *notes])]
        (out / f"{name}.md").write_text("\n".join([*text, ""]))
        (out / f"{name}.tex").write_text("\n".join(map(latex, sheets)))
        print(out)


for command in (table1, figure1, figure2, picks, cells):
    paper.command(help=flowing(command.__doc__ or ""))(command)
