"""``anglenas paper``: what was published, made again."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from anglenas._cli import benchmark as shared
from anglenas._cli.options import flowing, split_names, takes
from anglenas._paper.cells import cells
from anglenas.errors import DataError, SettingError

if TYPE_CHECKING:
    from anglenas._sheet import Sheet
    from anglenas._study import Benchmark

paper = typer.Typer(help="Make figures and tables of the paper again.", no_args_is_help=True)

_CIFAR10 = partial(shared.known_table, accuracy="cifar10_test")
_CIFAR100 = partial(shared.known_table, accuracy="cifar100_test")
_Seed = Annotated[
    int, typer.Option("--seed", help="Where images, weights and augmentation come from.")
]


@takes(
    known=_CIFAR10, measured=shared.measurements, judged=partial(shared.judging, guard="off,score")
)
def table1(
    known: "Callable[[], Benchmark]",
    measured: shared.Measurements,
    judged: dict[str, Any],
    sample: shared.Sample = "seed1,seed2,seed3,top-1000:250",
    seeds: shared.Seeds = "1",
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
    from anglenas._paper.table import TABLE_1, table_1, table_1_sheets
    from anglenas._report import write_study
    from anglenas._study import correlate
    from anglenas.ranking import parse

    benchmark = known()
    if benchmark.split != "test":
        raise DataError(
            f"Table 1 is about test accuracies, not about {benchmark.split} ones; name a column of "
            "test images with --accuracy."
        )
    metrics = [row.metric for row in TABLE_1]
    scores, notices = measured.gather(benchmark, metrics, sample, shared.read_seeds(seeds))
    columns = set.intersection(*(set(one.columns) for one in scores))
    possible = [metric for metric in metrics if columns.issuperset(parse(metric).metrics)]
    with shared.show_judging(quiet=measured.quiet) as on_progress:
        found = correlate(benchmark, scores, possible, on_progress=on_progress, **judged)
    sheets = table_1_sheets(table_1(found))
    missing = [row.name for row in TABLE_1 if row.metric not in possible]
    notes = [*notices, *found.remarks()]
    if missing:
        notes.append(f"Not measured: {', '.join(missing)}.")
    if measured.out is not None:
        write_study(found, measured.out)
    _show(benchmark, sheets, notes, measured.out, "table1")


def _figure(
    number: int, ranking: Literal["angle", "angle+params"], about: str
) -> Callable[..., None]:
    """The command that draws a figure of a ranking's rank index against accuracy."""

    @takes(known=_CIFAR100, measured=partial(shared.measurements, out=Path("figures")))
    def figure(
        known: "Callable[[], Benchmark]",
        measured: shared.Measurements,
        run: Annotated[int, typer.Option(help="Seed of the run that drew the networks.")] = 1,
        seed: _Seed = 1,
    ) -> None:
        from anglenas._paper.figures import position_sheet, positions_figure
        from anglenas._paper.runs import positions
        from anglenas._report import save_figure

        benchmark = known()
        assert measured.out is not None
        [scores, *_], notices = measured.gather(
            benchmark, ["angle", "loss", "params"], f"seed{run}", [seed]
        )
        found = positions(scores, benchmark, seed=run)
        about = f"{benchmark.dataset} {benchmark.split}"
        drawn = positions_figure(found, ranking, about=about)
        for suffix in ("svg", "png", "pdf"):
            save_figure(drawn, measured.out / f"figure{number}.{suffix}")
        _show(benchmark, [position_sheet(found)], notices, measured.out, f"figure{number}")

    figure.__name__, figure.__doc__ = f"figure{number}", about
    return figure


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


@takes(known=_CIFAR10, measured=shared.measurements)
def picks(
    known: "Callable[[], Benchmark]",
    measured: shared.Measurements,
    runs: Annotated[
        str, typer.Option(help="Seeds of the runs that drew the networks, with commas between.")
    ] = "1,2,3",
    metrics: Annotated[
        str, typer.Option(help="What to rank by, with commas between.")
    ] = "params,angle,loss,angle_loss,angle_loss+params",
    guard: shared.Guards = "off,score",
    seed: _Seed = 1,
) -> None:
    """Search at random among the hundreds that the released code draws, and tell what is picked.

    Each run ranks a hundred networks of NAS-Bench-201; the table shows the accuracy of what each
    ranking puts first, beside that of #Param alone, the mean and the best of the hundred. All runs
    are measured with the same images and weights; in the released code these change with the run.

    Example:

        anglenas paper picks --benchmark nasbench201.csv --data cifar10
    """  # noqa: D412
    from anglenas._paper.runs import pick_sheet
    from anglenas._paper.runs import picks as picks_of

    benchmark = known()
    rankings, runs_asked = split_names(metrics), shared.read_seeds(runs)
    if not rankings:
        raise SettingError("Name at least one ranking, such as --metrics params,angle.")
    sample = ",".join(f"seed{run}" for run in runs_asked)
    [scores, *_], notices = measured.gather(benchmark, [*rankings, "angle", "loss"], sample, [seed])
    found = picks_of(scores, benchmark, rankings, seeds=runs_asked, guards=split_names(guard))
    _show(benchmark, [pick_sheet(found)], notices, measured.out, "picks")


def _show(
    benchmark: "Benchmark",
    sheets: Sequence["Sheet"],
    notes: Sequence[str],
    out: Path | None,
    name: str,
) -> None:
    """Print tables, and write them as Markdown and LaTeX."""
    from anglenas._cli.tables import print_sheets
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
