"""Options that several commands share, and how their texts are read."""

import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from anglenas._measuring.workers import Workers

_COUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([kMG]?)")
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}


def read_count(text: str) -> int:
    """A number such as ``1200000``, ``800k`` or ``1.2M``.

    Raises:
        typer.BadParameter: The text is none.

    >>> read_count("1.2M")
    1200000
    """
    match = _COUNT.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no number; write 1200000, 800k, 1.2M or 3G.")
    return round(float(match[1]) * _UNITS[match[2]])


def split_names(text: str) -> tuple[str, ...]:
    """The names in a list with commas, each once.

    >>> split_names("angle, loss,")
    ('angle', 'loss')
    """
    return tuple(dict.fromkeys(filter(None, (name.strip() for name in text.split(",")))))


def flowing(text: str) -> str:
    r"""A docstring whose paragraphs are one line each, for a terminal to break; examples stay.

    >>> flowing('''Do it.
    ...
    ...     Now,
    ...     or never.
    ...
    ...         anglenas search
    ...     ''')
    'Do it.\n\nNow, or never.\n\n    anglenas search'
    """
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(p if p.startswith(" ") else p.replace("\n", " ") for p in paragraphs)


Data = Annotated[
    str,
    typer.Option(
        help="Images: 'digits' (built in), a folder of class folders, or an .npz file with "
        "x_train and y_train.",
        rich_help_panel="What to search on",
    ),
]
Space = Annotated[
    str,
    typer.Option(
        help="Search space: 'nasbench201', 'darts', 'darts_imagenet', another registered name, or "
        "module:name."
    ),
]
_RECIPE = (
    "How candidates are trained for a moment: 'paper' (32 x 32 images, the published settings), "
    "'fast' (16 x 16, 10 iterations, an 18th of the time) or 'draft' ('fast' with 1 cell per "
    "stage; not calibrated). Fields can be changed: 'fast,repeats=3,sampling=first'."
)
RecipeName = Annotated[
    str | None,
    typer.Option("--recipe", metavar="NAME[,...]", help=f"{_RECIPE} (default: fast)"),
]
PruningRecipe = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        metavar="NAME[,...]",
        help="How supernets are measured: by default 'paper-pruning' or 'paper-darts' if a short "
        "training ranks, else 'tenas', 'tenas-darts' or 'tenas-darts-imagenet'. Fields can be "
        "changed: 'repeats=3,resolution=32'.",
    ),
]
Rank = Annotated[
    str,
    typer.Option(
        help="What ranks candidates: a sum of metrics' ranks such as angle+loss; angle_loss is "
        "the paper's re-ranked pair, angle_loss+params its ranking, tenas that of TE-NAS; "
        "z(...) standardises, logrank(...) takes logarithms."
    ),
]
Metrics = Annotated[str, typer.Option(help="Further metrics to list, separated by commas.")]
Guard = Annotated[
    bool,
    typer.Option(
        help="Give what learns nothing an angle and losses behind those of all others: cells "
        "without a convolution on a way through them and, after 50 iterations, networks whose "
        "classifier hardly turned."
    ),
]
Ties = Annotated[
    str,
    typer.Option(help="Equal values: 'average' (of their ranks), 'broken' (by chance), 'dense'."),
]
TriedRecipe = Annotated[str, typer.Option("--recipe", metavar="NAME[,...]", help=_RECIPE)]
Seed = Annotated[int, typer.Option(help="Where all randomness comes from.")]
Flip = Annotated[
    bool | None,
    typer.Option(help="Whether a mirrored image is still one of its class. Default: the data's."),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Stop at an unreadable image instead of skipping it.")
]
OUTPUT = "What comes out"
Out = Annotated[
    Path | None,
    typer.Option(help="Folder of the run. (default: runs/NAME)", rich_help_panel=OUTPUT),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the result.")]

StoreFile = Annotated[
    Path | None,
    typer.Option("--store", help="File that keeps every score. (default: the user's own)"),
]


_asks_who = functools.partial(typer.Option, rich_help_panel="Who measures")
_Count = Annotated[
    int | None,
    _asks_who(
        help="Processes with one thread each; 0 stands for this one. (default: one a core, or one "
        "a GPU)"
    ),
]
_Device = Annotated[
    str,
    _asks_who(
        help="'cpu', 'cuda' (its GPUs are dealt out to the workers) or one of them: 'cuda:1'."
    ),
]


def takes(**bundles: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a command options that travel together: one argument holds what they make.

    Args:
        bundles: By name of the argument, the function that makes it; the command has the function's
            parameters as options in its place. Defaults change by :func:`functools.partial`.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(command)
        options = {name: inspect.signature(bundle).parameters for name, bundle in bundles.items()}
        # Typer reads the signature in order, and lets options without a default follow others only
        # where all are named.
        parameters = [
            one.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in signature.parameters.values()
            for one in options.get(parameter.name, {parameter.name: parameter}).values()
        ]

        @functools.wraps(command)
        def run(**given: Any) -> Any:
            made = {
                name: bundle(**{option: given.pop(option) for option in options[name]})
                for name, bundle in bundles.items()
            }
            return command(**made, **given)

        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate


def _workers(
    workers: _Count = None,
    scheduler: Annotated[
        str | None,
        _asks_who(
            metavar="ADDRESS",
            help="Dask scheduler whose workers to use instead, such as tls://10.0.0.1:8786; see "
            "docs/cluster.md for its certificates.",
        ),
    ] = None,
    time_limit: Annotated[
        float | None,
        _asks_who(
            metavar="SECONDS", help="Time that one measurement may take before its worker is ended."
        ),
    ] = None,
    device: _Device = "cpu",
) -> "Workers":
    # Not at the top: --help would wait for what measuring imports.
    from anglenas._measuring.workers import Workers

    return Workers(workers, scheduler, time_limit, device)


def _trainers(workers: _Count = None, device: _Device = "cpu") -> "Workers":
    return _workers(workers, device=device)


takes_workers = takes(workers=_workers)
"""Gives a command the options that make its ``workers``, a :class:`anglenas.Workers`."""

trains_with_workers = takes(workers=_trainers)
"""The same for a command that trains: on this machine, and as long as it takes."""
