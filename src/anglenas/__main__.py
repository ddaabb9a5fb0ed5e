"""The command ``anglenas``, also as ``python -m anglenas``: the paper's commands too."""

from anglenas._cli import app, main
from anglenas._paper import paper

__all__ = ["main"]

app.add_typer(paper, name="paper")  # here, since the paper's room is on top of the command line

if __name__ == "__main__":
    main()
