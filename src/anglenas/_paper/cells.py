"""``anglenas paper cells``: the searched cells of figures 3 to 6, searched and drawn again."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from anglenas._cli.options import (
    Quiet,
    Seed,
    StoreFile,
    takes_workers,
)
from anglenas._cli.output import command_line
from anglenas._cli.progress import show_progress
from anglenas.errors import AnglenasError, SettingError

if TYPE_CHECKING:
    from anglenas._measuring.workers import Workers
    from anglenas._pruning.result import Pruned
    from anglenas._searching.result import Found


class _Figure(NamedTuple):
    """A figure of searched cells in the supplement of Yang et al. (WACV 2023)."""

    number: int
    images: str
    rank: str
    lost: int


# As TE-NAS does, whose search the supplement follows, pruning takes 3 operations a round from an
# edge for CIFAR-10, and 2 for ImageNet (VITA-Group/TENAS).
_CELLS = (
    _Figure(3, "cifar10", "angle_loss", 3),
    _Figure(4, "cifar10", "angle_loss+params", 3),
    _Figure(5, "imagenet", "angle_loss", 2),
    _Figure(6, "imagenet", "angle_loss+params", 2),
)


@takes_workers
def cells(
    cifar10: Annotated[
        str | None, typer.Option(metavar="DATA", help="Images for figures 3 and 4.")
    ] = None,
    imagenet: Annotated[
        str | None, typer.Option(metavar="DATA", help="Images for figures 5 and 6.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the drawings.")] = Path("cells"),
    strategy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[,...]",
            help="A strategy to search with instead of pruning.",
        ),
    ] = None,
    budget: Annotated[
        int | None, typer.Option(help="Candidates a search, where a strategy is given.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[,...]",
            help="How candidates are measured. (default: that of the supernets, or 'fast')",
        ),
    ] = None,
    seed: Seed = 1,
    *,
    workers: "Workers",
    store: StoreFile = None,
    quiet: Quiet = False,
) -> None:
    """Search DARTS cells as for figures 3 to 6 of the supplement, and draw them.

    For each set of images that is given, cells are pruned by angle_loss and by
    angle_loss+params. Each is drawn as SVG, PNG and PDF, and has a folder as any run has;
    cells.json holds the genotypes, the seconds that were spent on measuring (of all processes
    together; of a search that does not prune, those that it took), and the sizes of the networks
    that the cells make. A search of the DARTS space takes hours; what was measured is kept, and the
    same command goes on where it stopped.

    Example:

        anglenas paper cells --cifar10 cifar10 --imagenet imagenet/train
    """  # noqa: D412
    sources = {"cifar10": cifar10, "imagenet": imagenet}
    figures = [(figure, data) for figure in _CELLS if (data := sources[figure.images])]
    if not figures:
        raise SettingError("There are no images to search on; give --cifar10, --imagenet or both.")
    if budget is not None and strategy is None:
        raise SettingError("Pruning takes no budget; leave it out, or give a --strategy.")
    results = _earlier(out / "cells.json")
    for figure, data in figures:
        with show_progress("networks", quiet=quiet) as on_progress:
            # Importing takes a moment, in which Ctrl-C may come already.
            from anglenas._pruning.run import prune
            from anglenas._report import prepare_folder
            from anglenas._searching.run import search

            prepare_folder(out)
            settings: dict[str, Any] = {
                "rank": figure.rank, "recipe": recipe, "seed": seed, "workers": workers,
                "store": store, "on_progress": on_progress,
            }  # fmt: skip
            found: Found | Pruned
            if strategy is None:
                found = prune("darts", data, number=figure.lost, **settings)
            else:
                found = search("darts", data, strategy=strategy, budget=budget, **settings)
        if not found.best.scored:
            raise AnglenasError(f"No candidate for figure {figure.number} could be scored "
                                f"({found.best.status}); mend what the reason names.")  # fmt: skip
        results[figure.number] = _result(figure, found)
        _write(out, figure, found, results)
        print(f"Figure {figure.number}, {found.rank}, {found.data}: {found.best.architecture}")
    print(out)


def _earlier(file: Path) -> dict[int, dict[str, object]]:
    """What a file tells of figures that were made before, which may not be made again now."""
    import json

    try:
        return {int(one["figure"]): dict(one) for one in json.loads(file.read_text())}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise SettingError(
            f"{str(file)!r} tells of no figures ({error}); choose another folder with --out."
        ) from error


def _write(
    folder: Path, figure: _Figure, found: "Found | Pruned", results: Mapping[int, dict[str, object]]
) -> None:
    import json

    from anglenas._report import draw_cells, save_figure, write_run
    from anglenas.spaces import DARTS

    best, strategy = found.best.architecture, results[figure.number]["strategy"]
    caption = f"Found by {found.rank} with {strategy} on {found.data}. {best}"
    write_run(found, folder / f"figure{figure.number}", command_line())
    drawing = draw_cells(DARTS.drawings(best), caption=caption)
    for suffix in ("svg", "png", "pdf"):
        save_figure(drawing, folder / f"figure{figure.number}.{suffix}")
    told = [results[number] for number in sorted(results)]
    (folder / "cells.json").write_text(f"{json.dumps(told, indent=2)}\n")


def _result(figure: _Figure, found: "Found | Pruned") -> dict[str, object]:
    """What cells.json tells of a figure."""
    from anglenas._pruning.result import Pruned
    from anglenas.probes._parameters import count_parameters
    from anglenas.spaces import DARTS, DARTS_IMAGENET

    text = str(found.best.architecture)
    if isinstance(found, Pruned):
        tried, seconds = len(found.removals), found.measuring_seconds
        strategy = f"prune,number={found.number},reading={found.reading},supernet={found.supernets}"
    else:
        tried, seconds, strategy = len(found.candidates), found.seconds, found.strategy
    return {
        "figure": figure.number,
        "genotype": text,
        "rank": found.rank,
        "data": found.data,
        "strategy": strategy,
        "recipe": {"name": found.recipe.name, **found.recipe.settings()},
        "repeats": found.recipe.repeats,
        "seed": found.seed,
        "candidates": tried,
        "seconds": round(seconds),
        # Of the networks that DARTS was evaluated with, without their auxiliary heads, as
        # published sizes are.
        "parameters": {
            images: count_parameters(space.build(text, space.config(num_classes=classes)))
            for images, space, classes in (
                ("cifar10", DARTS, 10), ("imagenet", DARTS_IMAGENET, 1000),
            )
        },
    }  # fmt: skip
