"""``anglenas cluster``."""

from pathlib import Path
from typing import Annotated

import typer

cluster = typer.Typer(
    help="Prepare workers on other machines; docs/cluster.md shows how.", no_args_is_help=True
)


@cluster.command()
def keys(
    file: Annotated[Path, typer.Argument(help="New file, such as cluster.yaml.")],
) -> None:
    """Write the keys that let the machines of a cluster trust each other, and nobody else.

    Whoever has the file can run code on all of them, as the users who started the workers: copy it
    over a safe way, and let nobody else read it. The keys hold for a year.
    """
    import shlex

    from anglenas._measuring.cluster import write_keys

    write_keys(file)
    path = shlex.quote(str(file.resolve()))
    print("On each machine, set the path of its copy before Dask or anglenas is started:")
    print(f"export DASK_CONFIG={path}")
