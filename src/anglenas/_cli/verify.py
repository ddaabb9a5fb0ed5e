"""``anglenas verify``."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anglenas._cli.options import Quiet, Seed, Space, trains_with_workers
from anglenas._cli.train import TrainingData, Validation

if TYPE_CHECKING:
    from anglenas._evaluation import Verification
    from anglenas._measuring.workers import Workers

__all__ = ["verify"]


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
    with _progress(quiet=quiet or as_json) as on_progress:
        from anglenas._evaluation import verify as check
        from anglenas._report import write_verification

        folder = out or run / "verify"
        verification = check(
            run, each=each, data=data, recipe=recipe, space=space, seed=seed,
            validation=validation, workers=workers, folder=folder, on_progress=on_progress,
        )  # fmt: skip
        figure = write_verification(verification, folder, shlex.join(["anglenas", *sys.argv[1:]]))
    if as_json:
        print((folder / "summary.json").read_text(), end="")
    elif quiet:
        print(folder)
    else:
        _print(verification, figure)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A line on stderr after each training; Ctrl-C ends with a word on how to go on."""
    import time

    started = time.perf_counter()

    def tell(done: int, total: int) -> None:
        seconds = time.perf_counter() - started
        left = f", about {seconds / done * (total - done) / 60:.0f} min left" * (done < total)
        if not quiet:
            print(f"{done} of {total} trained{left}", file=sys.stderr, flush=True)

    try:
        yield tell
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from there.", file=sys.stderr)
        raise typer.Exit(130) from None


def _print(verification: "Verification", figure: Path) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(emoji=False)
    table = Table(title=f"After {verification.recipe.epochs} epochs", title_justify="left")
    for name in ("part", "rank", "accuracy", "parameters"):
        table.add_column(name, justify="left" if name == "part" else "right")
    for one in verification.checked:
        accuracy = escape(one.status) if one.accuracy is None else f"{one.accuracy:.2%}"
        params = f"{one.params:,.0f}"
        table.add_row(one.part, str(one.ranked.rank), accuracy, params)
    console.print(table)
    for name, agreement in verification.agreements.items():
        label = "gain over params" if name == "gain" else f"tau of {name}"
        bounds = f"95 % interval {agreement.low:.2f} to {agreement.high:.2f}"
        console.print(f"{escape(label)}: {agreement.value:.2f} ({bounds})", highlight=False)
    console.print(f"Figure: {escape(str(figure))}", highlight=False, soft_wrap=True)
