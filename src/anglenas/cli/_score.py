"""``anglenas score``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anglenas.cli._options import (
    Data,
    Flip,
    Quiet,
    RecipeName,
    Seed,
    Space,
    Strict,
    split_names,
)
from anglenas.errors import NetworkError, SettingError

if TYPE_CHECKING:
    from anglenas.searching import Measured

__all__ = ["score"]


def score(
    arch: Annotated[
        list[str] | None,
        typer.Option("--arch", help="Text of an architecture; may be given several times."),
    ] = None,
    arch_file: Annotated[
        Path | None, typer.Option(help="File with one architecture a line.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="module:factory of your own network instead of an architecture."),
    ] = None,
    classifier: Annotated[
        str | None,
        typer.Option(help="Name of the model's prediction layer. (default: its last linear one)"),
    ] = None,
    metrics: Annotated[
        str, typer.Option(help="Names separated by commas, or 'all'.")
    ] = "angle,loss,params",
    data: Data = "digits",
    space: Space = "nasbench201",
    recipe: RecipeName = None,
    seed: Seed = 1,
    flip: Flip = None,
    strict: Strict = False,
    store: Annotated[
        Path | None, typer.Option(help="File that keeps every score. (default: the user's own)")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Measure architectures, or a network of your own, without a search.

    Examples:

        anglenas score --arch '|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|'

        anglenas score --model mypackage.models:make_net --data photos/
    """  # noqa: D412
    from anglenas import searching
    from anglenas.probes import metric_names

    subjects = _subjects(arch or [], arch_file, model)
    names = metric_names() if metrics == "all" else split_names(metrics)
    if not names:
        raise SettingError("Name at least one metric, such as --metrics angle,loss.")
    measured = [
        searching.score(
            subject, data, metrics=names, space=space, recipe=recipe, seed=seed, flip=flip,
            strict=strict, store=store, classifier=classifier,
        )
        for subject in subjects.values()
    ]  # fmt: skip
    _print(dict(zip(subjects, measured, strict=True)), names, as_json=as_json, quiet=quiet)


def _subjects(arch: list[str], arch_file: Path | None, model: str | None) -> dict[str, Any]:
    texts = [*arch, *(_lines(arch_file) if arch_file else [])]
    if bool(texts) == bool(model):
        raise SettingError("Say what to score: --arch or --arch-file, or else --model.")
    return {model: _make(model)} if model else {text: text for text in texts}


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(
            f"The file {str(path)!r} cannot be read ({error}); give a text file with one "
            "architecture a line."
        ) from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _make(name: str) -> Any:
    """The module that ``module:factory`` makes; anything else is explained."""
    from torch import nn

    from anglenas.plugins import resolve

    factory = resolve("model", name)
    try:
        network = factory if isinstance(factory, nn.Module) else factory()
    except Exception as error:  # the factory is the user's: it can raise anything
        raise NetworkError(
            f"{name} makes no network ({type(error).__name__}: {error}); "
            "it must work without arguments."
        ) from error
    if not isinstance(network, nn.Module):
        raise NetworkError(
            f"{name} makes a {type(network).__name__}; it must make a torch.nn.Module."
        )
    return network


def _print(
    measured: "dict[str, Measured]", metrics: tuple[str, ...], *, as_json: bool, quiet: bool
) -> None:
    if as_json:
        import json

        rows = {
            name: {
                "values": one.values,
                "spreads": one.spreads,
                "status": one.status,
                "reasons": one.reasons,
                "notices": one.notices,
            }
            for name, one in measured.items()
        }
        print(json.dumps(rows, indent=2, allow_nan=False))
    elif quiet:
        for one in measured.values():
            print(*("-" if (v := one.values[m]) is None else repr(v) for m in metrics), sep="\t")
    else:
        from anglenas.cli._tables import print_measured

        print_measured(list(measured), list(measured.values()), metrics)
