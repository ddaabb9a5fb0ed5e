"""``anglenas paper cells``: the searched cells of figures 3 to 6, searched and drawn again."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from anglenas._cli.options import (
    Quiet,
    Seed,
    StoreFile,
    takes_workers,
)
from anglenas._cli.progress import show_progress
from anglenas.errors import AnglenasError, SettingError

if TYPE_CHECKING:
    from anglenas._measuring.workers import Workers
    from anglenas._searching import Found

__all__ = ["cells"]


class _Figure(NamedTuple):
    """A figure of searched cells in the supplement of Yang et al. (WACV 2023)."""

    number: int
    images: str
    rank: str
    strategy: str


# As TE-NAS does, whose search the supplement follows, pruning takes 3 operations a round from an
# edge for CIFAR-10, and 2 for ImageNet (VITA-Group/TENAS).
_CELLS = (
    _Figure(3, "cifar10", "angle_loss", "prune,number=3"),
    _Figure(4, "cifar10", "angle_loss+params", "prune,number=3"),
    _Figure(5, "imagenet", "angle_loss", "prune,number=2"),
    _Figure(6, "imagenet", "angle_loss+params", "prune,number=2"),
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
            help="How to search. (default: 'prune,number=3' for CIFAR-10, 'prune,number=2' for "
            "ImageNet)",
        ),
    ] = None,
    budget: Annotated[
        int | None, typer.Option(help="Candidates a search, for strategies that take a budget.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[,...]",
            help="How candidates are measured. (default: the strategy's own)",
        ),
    ] = None,
    seed: Seed = 1,
    *,
    workers: "Workers",
    store: StoreFile = None,
    quiet: Quiet = False,
) -> None:
    """Search DARTS cells as for figures 3 to 6 of the supplement, and draw them.

    For each set of images that is given, cells are searched by angle_loss and by
    angle_loss+params. Each search is drawn as SVG, PNG and PDF, and has a folder as any run has;
    cells.json holds the genotypes, the seconds that were spent on measuring (of all processes
    together; of a search that does not prune, those that it took), and the sizes of the networks
    that the cells make. A search of the DARTS space takes hours; what was measured is kept, and the
    same command goes on where it stopped.

    Example:

        anglenas paper cells --cifar10 cifar10 --imagenet imagenet/train
    """  # noqa: D412
    given = {"cifar10": cifar10, "imagenet": imagenet}
    figures = [(figure, data) for figure in _CELLS if (data := given[figure.images])]
    if not figures:
        raise SettingError("There are no images to search on; give --cifar10, --imagenet or both.")
    settings = {
        "budget": budget, "recipe": recipe, "seed": seed, "workers": workers,
        "store": store,
    }  # fmt: skip
    results = _earlier(out / "cells.json")
    for figure, data in figures:
        with show_progress(quiet=quiet) as on_progress:
            # Importing takes a moment, in which Ctrl-C may come already.
            from anglenas._report import prepare_folder
            from anglenas._searching import search

            folder = prepare_folder(out)
            found = search("darts", data, rank=figure.rank, strategy=strategy or figure.strategy,
                           on_progress=on_progress, **settings)  # type: ignore[arg-type]  # fmt: skip
        if not found.best.scored:
            raise AnglenasError(f"No candidate for figure {figure.number} could be scored "
                                f"({found.best.status}); mend what the reason names.")  # fmt: skip
        results[figure.number] = _result(figure, found)
        _write(folder, figure, found, [results[number] for number in sorted(results)])
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
    folder: Path, figure: _Figure, found: "Found", results: Sequence[dict[str, object]]
) -> None:
    import json

    from anglenas._plugins import load
    from anglenas._report import draw_cells, save_figure, write_run

    best = found.best.architecture
    caption = f"Found by {found.rank} with {found.strategy} on {found.data}. {best}"
    write_run(found, folder / f"figure{figure.number}", shlex.join(["anglenas", *sys.argv[1:]]))
    drawing = draw_cells(load("space", found.space).graphs(best), caption=caption)
    for suffix in ("svg", "png", "pdf"):
        save_figure(drawing, folder / f"figure{figure.number}.{suffix}")
    (folder / "cells.json").write_text(f"{json.dumps(results, indent=2)}\n")


def _result(figure: _Figure, found: "Found") -> dict[str, object]:
    return {
        "figure": figure.number,
        "genotype": str(found.best.architecture),
        "rank": found.rank,
        "data": found.data,
        "strategy": found.strategy,
        "recipe": {"name": found.recipe.name, **found.recipe.settings()},
        "repeats": found.recipe.repeats,
        "seed": found.seed,
        "candidates": len(found.pruning or found.candidates),
        "seconds": round(found.pruning_seconds or found.seconds),
        "parameters": {
            "cifar10": _size("darts", str(found.best.architecture), 10),
            "imagenet": _size("darts_imagenet", str(found.best.architecture), 1000),
        },
    }


def _size(space: str, genotype: str, classes: int) -> int:
    """Parameters of the network that DARTS was evaluated with, without its auxiliary head."""
    from anglenas._plugins import load
    from anglenas.probes._counting import count_parameters
    from anglenas.spaces import NetworkConfig
    from anglenas.spaces._build import build_network

    searched = load("space", space)
    config = NetworkConfig(classes, searched.channels, searched.cells)
    return count_parameters(build_network(searched, genotype, config))
