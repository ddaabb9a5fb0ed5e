"""``anglenas prune``."""

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
    PruningRecipe,
    Quiet,
    Rank,
    Seed,
    Space,
    StoreFile,
    Strict,
    Ties,
    split_names,
    takes_workers,
)

if TYPE_CHECKING:
    from anglenas._measuring.workers import Workers
    from anglenas._pruning.result import Pruned


@takes_workers
def prune(
    data: Data = "digits",
    space: Space = "nasbench201",
    rank: Rank = "z(angle)+z(tse)+z(log(params))",
    number: Annotated[
        int,
        typer.Option(
            help="Operations that an edge loses in a round; 0: as many as TE-NAS has in the space.",
        ),
    ] = 0,
    reading: Annotated[
        str,
        typer.Option(
            help="'pruned': rank what is left after each removal; 'change': rank by how much it "
            "changes the metrics, as TE-NAS does; 'auto': 'pruned' if a short training ranks."
        ),
    ] = "auto",
    supernets: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Other supernets than the space's own: a registered name, or module:name.",
        ),
    ] = "",
    recipe: PruningRecipe = None,
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
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON.", rich_help_panel=OUTPUT)
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Take operations away from a supernet until one architecture is left.

    In each round every operation of every edge is taken away once, on trial; what is left is
    measured on some of the images, and ranked. How many measurements that takes, and how large the
    result is, follows from the space: 54 for nasbench201, 332 for darts. Writes a folder as a
    search does, with pruning.csv. After Ctrl-C or a crash, the same command goes on.

    Examples:

        anglenas prune --data photos/ --rank angle_loss+params

        anglenas prune --data photos/ --space darts --rank tenas

        anglenas prune --number 2 --reading change --rank angle_loss+params
    """  # noqa: D412
    from anglenas._cli.output import command_line, run_folder
    from anglenas._cli.progress import show_progress

    settings = {
        "space": space, "data": data, "rank": rank, "number": number, "reading": reading,
        "supernets": supernets, "seed": seed, "recipe": recipe, "metrics": split_names(metrics),
        "guard": guard, "ties": ties, "flip": flip,
    }  # fmt: skip
    with show_progress("supernets", quiet=quiet or as_json) as on_progress:
        # Importing takes a moment, in which Ctrl-C may come already.
        from anglenas._pruning import run as pruning
        from anglenas._report import prepare_folder, write_run

        folder = prepare_folder(out or run_folder("pruned", settings))
        pruned = pruning.prune(
            **settings,  # type: ignore[arg-type]
            strict=strict,
            workers=workers,
            store=store,
            on_progress=on_progress,
        )
        page = write_run(pruned, folder, command_line())
    _print(pruned, page, as_json=as_json, quiet=quiet)


def _print(pruned: "Pruned", page: Path, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        import json

        content = {
            "best": str(pruned.best.architecture),
            "report": str(page),
            "notices": pruned.remarks,
            "computed": pruned.computed,
            "rounds": pruned.table,
        }
        print(json.dumps(content, indent=2, allow_nan=False))
    elif quiet:
        print(pruned.best.architecture)
    else:
        from anglenas._cli.tables import print_pruned

        print_pruned(pruned, page)
