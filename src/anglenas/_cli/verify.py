"""``anglenas verify``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anglenas._cli.options import Quiet, Seed, Space, trains_with_workers
from anglenas._cli.output import command_line
from anglenas._cli.progress import show_counts
from anglenas._cli.train import TrainingData, Validation

if TYPE_CHECKING:
    from anglenas._measuring.workers import Workers


@trains_with_workers
def verify(
    run: Annotated[Path, typer.Argument(help="Folder of a finished search.")],
    each: Annotated[
        int, typer.Option(help="Networks from each: top, middle and bottom of the ranking.")
    ] = 5,
    data: TrainingData = None,
    recipe: Annotated[
        str,
        typer.Option(
            metavar="NAME[,FIELD=VALUE...]", help="The budget of each, as for 'anglenas train'."
        ),
    ] = "quick,epochs=5",
    space: Space = "nasbench201",
    seed: Seed = 1,
    validation: Validation = 0.1,
    *,
    workers: "Workers",
    out: Annotated[
        Path | None, typer.Option(help="Folder. (default: 'verify' in that of the search)")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Find out whether a ranking holds, by training some of its networks.

    Trains networks from the top, the middle and the bottom for a short, equal budget, trivial ones
    left out, and tells how well the ranking orders their accuracies, beside how well their numbers
    of parameters do. What is trained is not trained again.

    Examples:

        anglenas verify runs/photos-nasbench201-1a2b3c

        anglenas verify runs/photos-nasbench201-1a2b3c --each 8 --recipe quick,epochs=20
    """  # noqa: D412
    with show_counts("networks", quiet=quiet or as_json, did="trained") as on_progress:
        from anglenas._evaluation.verification import verify as check
        from anglenas._report import write_verification

        folder = out or run / "verify"
        verification = check(
            run, each=each, data=data, recipe=recipe, space=space, seed=seed,
            validation=validation, workers=workers, folder=folder, on_progress=on_progress,
        )  # fmt: skip
        figure = write_verification(verification, folder, command_line())
    if as_json:
        print((folder / "summary.json").read_text(), end="")
    elif quiet:
        print(folder)
    else:
        from anglenas._cli.tables import print_line, print_sheets
        from anglenas._report import verification_sheets

        networks, agreements = verification_sheets(verification)
        print_sheets([networks.without("architecture"), agreements])
        print_line(f"Figure: {figure}")
