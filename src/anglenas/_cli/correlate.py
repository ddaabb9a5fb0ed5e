"""``anglenas correlate``."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anglenas._cli import benchmark as shared
from anglenas._cli.options import Space, split_names, takes
from anglenas.errors import SettingError

if TYPE_CHECKING:
    from anglenas._study import Benchmark


@takes(
    known=shared.known_table,
    measured=partial(shared.measurements, recipe="fast"),
    judged=shared.judging,
)
def correlate(
    known: "Callable[..., Benchmark]",
    measured: shared.Measurements,
    judged: dict[str, Any],
    sample: shared.Sample = "300",
    metrics: Annotated[
        str,
        typer.Option(
            help="Metrics and rank expressions with commas between; 'all' for every metric there "
            "is, or every column of the scores."
        ),
    ] = "params,angle,loss,angle_loss,angle_loss+params",
    subsets: Annotated[
        str,
        typer.Option(
            help="Networks to be ordered: all, top-1000, top-5% (by accuracy), group-0 to group-7 "
            "(cells of equally many parameters) or groups (pairs inside any of them)."
        ),
    ] = "all,top-1000,top-500",
    seeds: shared.Seeds = "1",
    searches: Annotated[
        int, typer.Option(min=1, help="Random searches among 100 networks, of what each picks.")
    ] = 1000,
    space: Space = "nasbench201",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell how well metrics order networks whose accuracies are known.

    Judges metrics and combinations of them by Kendall's tau, on all networks and among the best,
    with 95 % intervals, beside the number of parameters. Networks are measured as a sample of the
    table says, or scores that were measured are read from files; what was measured is kept, and the
    same command goes on where it stopped.

    Examples:

        anglenas correlate --benchmark nasbench201.csv --accuracy cifar10_test --data cifar10

        anglenas correlate --benchmark nasbench201.csv --accuracy cifar10_test --scores scores.csv
        --metrics 'params,angle_loss+params,z(tse)+z(angle)' --guard off,structure --out study
    """  # noqa: D412
    from anglenas._report import write_study
    from anglenas._study import correlate as judge

    benchmark = known(space=space)
    if as_json:
        measured = replace(measured, quiet=True)
    asked = _metrics(metrics, benchmark, bool(measured.files))
    scores, notices = measured.gather(
        benchmark, asked or ["angle"], sample, shared.read_seeds(seeds)
    )
    with shared.show_judging(quiet=measured.quiet) as on_progress:
        found = judge(
            benchmark, scores, asked or sorted(scores[0].columns), subsets=split_names(subsets),
            searches=searches, on_progress=on_progress, **judged,
        )  # fmt: skip
    if measured.out is not None:
        write_study(found, measured.out)
    if as_json:
        from anglenas._json import json_text

        print(json_text(found.to_dict()))
    else:
        from anglenas._cli.tables import print_sheets

        print(f"{found.about}\n")
        print_sheets(found.sheets(), (*notices, *found.remarks()))
        if measured.out is not None:
            print(measured.out)


def _metrics(text: str, benchmark: "Benchmark", from_files: bool) -> list[str]:
    """The rankings asked for; none stands for every column of the files."""
    from anglenas.probes import metric_names

    if text.strip() == "all":
        return [] if from_files else [*metric_names(), *benchmark.columns]
    if not (names := split_names(text)):
        raise SettingError("Name at least one metric, such as --metrics angle,params.")
    return list(names)
