"""``anglenas train``."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anglenas._cli.options import Flip, Quiet, Seed, Space, trains_with_workers
from anglenas._cli.output import command_line, run_folder
from anglenas.errors import SettingError

if TYPE_CHECKING:
    from anglenas._evaluation.result import Trained
    from anglenas._measuring.result import Candidate
    from anglenas._measuring.workers import Workers

_WHERE = "Where it trains"

TrainingData = Annotated[
    str | None,
    typer.Option(
        help="Images, as for a search; those of val/ or test/ are held out. (default: those that "
        "were searched on)"
    ),
]
Validation = Annotated[
    float, typer.Option(help="Share of the images to hold out, if the data hold out none.")
]
Devices = Annotated[int, typer.Option(min=1, help="Devices of each node.", rich_help_panel=_WHERE)]
Nodes = Annotated[int, typer.Option(min=1, help="Nodes.", rich_help_panel=_WHERE)]
Strategy = Annotated[
    str,
    typer.Option(help="How several devices share: 'ddp', ...", rich_help_panel=_WHERE),
]
Precision = Annotated[
    str, typer.Option(help="'32', 'bf16-mixed', '16-mixed', ...", rich_help_panel=_WHERE)
]


@trains_with_workers
def train(
    subject: Annotated[str, typer.Argument(help="Folder of a search, or text of an architecture.")],
    data: TrainingData = None,
    recipe: Annotated[
        str,
        typer.Option(
            metavar="NAME[,FIELD=VALUE...]",
            help="How to train: 'quick', 'nasbench201', 'darts-cifar10', 'tenas-cifar10', "
            "'darts-imagenet' or 'tenas-imagenet'; fields can be changed: 'quick,epochs=10,lr=0.05'"
            ".",
        ),
    ] = "quick",
    rank: Annotated[int, typer.Option(min=1, help="Which candidate of the search.")] = 1,
    space: Space = "nasbench201",
    seed: Seed = 1,
    flip: Flip = None,
    validation: Validation = 0.1,
    devices: Devices = 1,
    nodes: Nodes = 1,
    strategy: Strategy = "auto",
    precision: Precision = "32",
    *,
    workers: "Workers",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder. (default: 'trained' in that of the search, else runs/NAME)"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train a network from scratch: the proof of a search.

    Writes weights, history, curves and a confusion matrix. After Ctrl-C or a crash, the same
    command goes on with the epoch in which it stopped, and ends with the same weights.

    Examples:

        anglenas train runs/photos-nasbench201-1a2b3c

        anglenas train runs/photos-nasbench201-1a2b3c --rank 2 --recipe quick,epochs=60 --out second

        anglenas train '|nor_conv_3x3~0|+|...' --data cifar10 --recipe nasbench201
    """  # noqa: D412
    from anglenas._cli.training import show_training

    # Lightning runs this command once for each device; the first process writes and prints.
    follows = any(int(os.environ.get(name, 0)) for name in ("LOCAL_RANK", "NODE_RANK"))
    with show_training(quiet=quiet or as_json or follows) as on_progress:
        from anglenas._evaluation.recipe import Machine
        from anglenas._evaluation.training import train as run
        from anglenas._report import write_training

        chosen, images, mirrored = _subject(subject, space, rank, data, flip)
        # An architecture has no folder yet that a training could lie in.
        settings = {"subject": subject, "data": images, "recipe": recipe, "seed": seed}
        is_run = os.path.isdir(subject)  # noqa: PTH112
        folder = out or (Path(subject, "trained") if is_run else run_folder("trained", settings))
        trained = run(
            chosen,
            images,
            folder,
            recipe=recipe,
            space=space,
            seed=seed,
            flip=mirrored,
            validation=validation,
            workers=workers,
            machine=Machine(devices, nodes, strategy, precision),
            on_progress=on_progress,
        )
        if follows:
            return
        write_training(trained, command_line())
    _print(trained, as_json=as_json, quiet=quiet)


def _subject(
    text: str, space: str, rank: int, data: str | None, flip: bool | None
) -> "tuple[Candidate | str, str | Path, bool | None]":
    """What to train, on which images, and whether they may be mirrored."""
    from anglenas._runs import load_run
    from anglenas.data import relocate

    if not os.path.isdir(text):  # noqa: PTH112 - Path raises for a text that is too long
        if data is None:
            raise SettingError("Say which images to train on: --data photos/.")
        return text, data, flip
    run = load_run(text, space)
    mirrored = run.flip if flip is None and data is None else flip
    images = relocate(run.origin, text) if data is None else data
    return run.at(rank), images, mirrored


def _print(trained: "Trained", *, as_json: bool, quiet: bool) -> None:
    if as_json:
        from anglenas._json import json_text

        content = {
            "folder": str(trained.folder),
            "best": trained.best,
            "last": trained.last,
            "classes": trained.confusion.per_class,
            "notices": trained.notices,
        }
        print(json_text(content))
    elif quiet:
        print(trained.folder)
    else:
        from anglenas._cli.training import print_trained

        print_trained(trained)
