"""``anglenas data``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from anglenas._cli.options import Quiet
from anglenas._cli.progress import stoppable

data = typer.Typer(
    help="Give images a name, so that --data NAME finds them; fetch CIFAR-10 and CIFAR-100.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Name of the data set.")]


@data.command()
def add(
    name: Name,
    path: Annotated[
        Path, typer.Argument(help="Folder of class folders, .npz file, or official archive.")
    ],
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the images, so that the original may go.")
    ] = False,
) -> None:
    """Give images a name; they stay where they are.

    Examples:

        anglenas data add flowers photos/

        anglenas data add cifar10 cifar-10-python.tar.gz --copy
    """  # noqa: D412
    from anglenas.data import Library, open_source

    library = Library.default()
    library.vacant(name)  # before images are read for minutes
    source = open_source(path)  # before the name points at what no search could read
    entry = library.add(name, path, copy=copy)
    print(f"{name}: {len(source.class_names)} classes, {_whereabouts(entry)}")


@data.command("list")
def list_() -> None:
    """List the names, and what each stands for."""
    from anglenas._plugins import names
    from anglenas.data import Library

    for name in names("dataset"):
        print(f"{name}: built in or installed")
    library = Library.default()
    for name in library.names():
        entry = library.entry(name)
        missing = "" if entry.exists() else " (nothing is there any more)"
        print(f"{name}: {_whereabouts(entry)}{missing}")


@data.command()
def remove(name: Name) -> None:
    """Forget a name. A copy or a download is deleted, images elsewhere stay."""
    from anglenas.data import Library

    library = Library.default()
    linked = library.entry(name).is_symlink()
    entry = library.remove(name)
    print(f"{name} is forgotten; {'its images stay' if linked else f'{entry} is deleted'}.")


@data.command()
def download(
    name: Annotated[str, typer.Argument(help="'cifar10' or 'cifar100'.")], quiet: Quiet = False
) -> None:
    """Fetch a published data set, and check it; once it is interrupted, it goes on from there."""
    from anglenas.data import Library, find_download
    from anglenas.data import download as fetch

    wanted, target = find_download(name), Library.default().vacant(name)
    with _shown(name, quiet=quiet) as on_progress:
        fetch(wanted, target, on_progress)
    print(f"{name}: {target}")


def _whereabouts(entry: Path) -> str:
    return str(entry.readlink() if entry.is_symlink() else entry)


@contextmanager
def _shown(name: str, *, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on stderr; Ctrl-C ends with a word on how to go on."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, console=Console(stderr=True), disable=quiet)
    with stoppable(lambda: "What came is kept"), bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
