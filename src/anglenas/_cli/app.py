"""The commands put together, and how each ends."""

import sys
from typing import Annotated

import typer

from anglenas._cli.cluster import cluster
from anglenas._cli.correlate import correlate
from anglenas._cli.data import data
from anglenas._cli.draw import draw
from anglenas._cli.export import export
from anglenas._cli.options import flowing
from anglenas._cli.prune import prune
from anglenas._cli.score import score
from anglenas._cli.search import search
from anglenas._cli.store import store
from anglenas._cli.train import train
from anglenas._cli.verify import verify
from anglenas.errors import AnglenasError, StoreError, UsageError

app = typer.Typer(
    name="anglenas",
    help="Find a good neural network for your images, on a CPU, by a few steps of training.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (search, prune, score, correlate, draw, train, export, verify):
    app.command(help=flowing(command.__doc__ or ""))(command)
app.add_typer(data, name="data")
app.add_typer(store, name="store")
app.add_typer(cluster, name="cluster")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version("anglenas"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Find a good neural network for your images, on a CPU, by a few steps of training."""


def main() -> None:
    """Run a command.

    Exit codes: 0; 2 for a mistake in what was asked, or a store that cannot be used; 1 for other
    failures; 130 after Ctrl-C.
    """
    # ``module:name`` may lie in the folder the command is run in. That comes last: a file there
    # must not pass for a module of Python or of another package.
    sys.path.append("")
    try:
        app()
    except AnglenasError as error:
        print(f"anglenas: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError | StoreError) else 1)
