"""``anglenas search``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anglenas._cli.options import (
    OUTPUT,
    Data,
    Flip,
    Guard,
    Metrics,
    Out,
    Quiet,
    Rank,
    RecipeName,
    Seed,
    Space,
    StoreFile,
    Strict,
    Ties,
    read_count,
    split_names,
    takes_workers,
)
from anglenas.errors import AnglenasError

if TYPE_CHECKING:
    from anglenas._measuring.workers import Workers
    from anglenas._searching.result import Found

_LIMITS = "What is allowed"


@takes_workers
def search(
    data: Data = "digits",
    space: Space = "nasbench201",
    strategy: Annotated[
        str,
        typer.Option(
            metavar="NAME[,...]",
            help="'random', 'exhaustive', 'evolution', or module:name. Settings can be changed: "
            "'evolution,population=50'.",
        ),
    ] = "random",
    rank: Rank = "z(angle)+z(tse)+z(log(params))",
    budget: Annotated[
        int | None, typer.Option(help="Candidates to measure. (default: 60, if no --minutes)")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Time after which no new candidate is started.")
    ] = None,
    max_params: Annotated[
        int | None,
        typer.Option(
            parser=read_count,
            metavar="N[k|M|G]",
            help="Most parameters, such as 1M.",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    max_flops: Annotated[
        int | None,
        typer.Option(
            parser=read_count,
            metavar="N[k|M|G]",
            help="Most operations an image, such as 100M (a multiply-add is two).",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    max_latency_ms: Annotated[
        float | None,
        typer.Option(
            help="Most milliseconds an image, measured on this machine with one thread.",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    recipe: RecipeName = None,
    metrics: Metrics = "",
    guard: Guard = True,
    ties: Ties = "average",
    seed: Seed = 1,
    flip: Flip = None,
    strict: Strict = False,
    *,
    workers: "Workers",
    store: StoreFile = None,
    out: Out = None,
    top: Annotated[
        int, typer.Option(min=1, help="Candidates to print.", rich_help_panel=OUTPUT)
    ] = 10,
    front: Annotated[
        str,
        typer.Option(
            help="Costs separated by commas, 'params', 'flops' or 'latency': print what is worth "
            "its cost, that is, what nothing else beats in score at no higher cost.",
            rich_help_panel=OUTPUT,
        ),
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON.", rich_help_panel=OUTPUT)
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Find the architecture that suits some images best.

    Measures candidates by training each for a moment on 10 x 10 of the images, ranks them, and
    writes a folder with the ranked table, drawings of the best cells and report.html. What was
    measured is kept: after Ctrl-C or a crash, the same command goes on where it stopped.

    Examples:

        anglenas search

        anglenas search --data photos/ --budget 100 --max-params 1M

        anglenas search --data images.npz --rank 'z(tse)+z(angle)+z(log(params))'

        anglenas search --data photos/ --space darts --strategy evolution --budget 200
    """  # noqa: D412
    from anglenas._cli.output import command_line, run_folder
    from anglenas._cli.progress import show_progress

    settings = {
        "space": space, "data": data, "rank": rank, "strategy": strategy, "budget": budget,
        "minutes": minutes, "seed": seed, "recipe": recipe,
        "metrics": split_names(f"{metrics},{front}"),
        "max_params": max_params, "max_flops": max_flops, "max_latency_ms": max_latency_ms,
        "guard": guard, "ties": ties,
        "flip": flip,
    }  # fmt: skip
    with show_progress("candidates", quiet=quiet or as_json) as on_progress:
        # Importing takes a moment, in which Ctrl-C may come already.
        from anglenas._report import prepare_folder, write_run
        from anglenas._searching import run as searching

        folder = prepare_folder(out or run_folder("", settings))
        found = searching.search(
            **settings,  # type: ignore[arg-type]
            strict=strict,
            workers=workers,
            store=store,
            on_progress=on_progress,
        )
        page = write_run(found, folder, command_line())
    _print(found, page, top, split_names(front), as_json=as_json, quiet=quiet)
    if not found.best.scored:
        raise AnglenasError(
            f"None of the {len(found.candidates)} candidates could be scored "
            f"({found.best.status}); {page} lists why."
        )


def _print(
    found: "Found", page: Path, top: int, costs: Sequence[str], *, as_json: bool, quiet: bool
) -> None:
    if as_json:
        import json

        content = {
            "best": str(found.best.architecture) if found.best.scored else None,
            "report": str(page),
            "notices": found.remarks,
            "computed": found.computed,
            "fronts": {
                cost: [str(candidate.architecture) for candidate in found.front(cost)]
                for cost in costs
            },
            "table": found.table,
        }
        print(json.dumps(content, indent=2, allow_nan=False))
    elif quiet:
        if found.best.scored:
            print(found.best.architecture)
    else:
        from anglenas._cli.tables import print_found

        print_found(found, page, top, costs)
