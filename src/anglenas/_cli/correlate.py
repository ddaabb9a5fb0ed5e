"""``anglenas correlate``."""

from typing import TYPE_CHECKING, Annotated

import typer

from anglenas._cli.benchmark import (
    Accuracy,
    Architecture,
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
    Split,
    Strata,
    Trainings,
    print_sheets,
    read_seeds,
    show_judging,
    show_steps,
)
from anglenas._cli.options import (
    Flip,
    Quiet,
    RecipeName,
    Space,
    StoreFile,
    split_names,
    takes_workers,
)
from anglenas.errors import SettingError

if TYPE_CHECKING:
    from anglenas._measuring.workers import Workers
    from anglenas._study import Benchmark

__all__ = ["correlate"]


@takes_workers
def correlate(
    benchmark: BenchmarkFile,
    accuracy: Accuracy = None,
    architecture: Architecture = None,
    split: Split = None,
    epochs: Epochs = None,
    trainings: Trainings = None,
    scores: ScoreFiles = None,
    data: Images = None,
    sample: Sample = "300",
    strata: Strata = None,
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
    guard: Guards = "off",
    seeds: Seeds = "1",
    replicates: Replicates = 500,
    searches: Annotated[
        int, typer.Option(min=1, help="Random searches among 100 networks, of what each picks.")
    ] = 1000,
    seed: JudgingSeed = 1,
    space: Space = "nasbench201",
    recipe: RecipeName = None,
    flip: Flip = None,
    *,
    workers: "Workers",
    store: StoreFile = None,
    out: Out = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Quiet = False,
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
    from anglenas import _study as study
    from anglenas._report import prepare_folder, write_study

    if out is not None:
        prepare_folder(out)
    known = study.read_benchmark(
        benchmark, accuracy, space=space, architecture=architecture, split=split, epochs=epochs,
        seeds=trainings,
    )  # fmt: skip
    asked = _metrics(metrics, known, scores is not None)
    with show_steps(quiet=quiet or as_json) as on_progress:
        measured, notices = study.gather(
            known, asked or ["angle"], scores or (), data, sample, seeds=read_seeds(seeds),
            on_progress=on_progress, recipe=recipe, flip=flip, workers=workers, store=store,
        )  # fmt: skip
    if out is not None and data is not None:
        (out / "scores.csv").write_text(study.scores_text(measured, known))
    with show_judging(quiet=quiet or as_json) as on_progress:
        found = study.correlate(
            known, measured, asked or sorted(measured[0].columns),
            subsets=split_names(subsets), guards=split_names(guard),
            strata=None if strata is None else split_names(strata),
            replicates=replicates, searches=searches, seed=seed, on_progress=on_progress,
        )  # fmt: skip
    if out is not None:
        write_study(found, out)
    if as_json:
        from anglenas._json import json_text

        print(json_text(found.to_dict()))
    else:
        print(f"{found.about}\n")
        print_sheets(found.sheets(), (*notices, *found.remarks()))
        if out is not None:
            print(out)


def _metrics(text: str, benchmark: "Benchmark", from_files: bool) -> list[str]:
    """The rankings asked for; none stands for every column of the files."""
    from anglenas.probes import metric_names

    if text.strip() == "all":
        return [] if from_files else [*metric_names(), *benchmark.columns]
    if not (names := split_names(text)):
        raise SettingError("Name at least one metric, such as --metrics angle,params.")
    return list(names)
