"""``anglenas score``."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anglenas._cli.options import (
    Data,
    Flip,
    Quiet,
    RecipeName,
    Seed,
    Space,
    StoreFile,
    Strict,
    split_names,
    takes_workers,
)
from anglenas.errors import AnglenasError, NetworkError, SettingError

if TYPE_CHECKING:
    from anglenas._measuring.plan import Measured
    from anglenas._measuring.workers import Workers

_IN_A_TABLE = 6  # networks; more of them get a line each
_OF_ARCHITECTURES = ("space", "workers", "scheduler", "time_limit", "device", "store")


@takes_workers
def score(
    context: typer.Context,
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
    *,
    workers: "Workers",
    store: StoreFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Measure architectures, or a network of your own, without a search.

    Several networks are numbered and shown side by side, more than six a line each with tabs
    between. Ends with code 1 if no metric of any network has a value.

    Examples:

        anglenas score --arch '|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|'

        anglenas score --arch-file thousands.txt --metrics params,flops --quiet

        anglenas score --model mypackage.models:make_net --data photos/
    """  # noqa: D412
    from anglenas._cli.progress import show_counts
    from anglenas._measuring import scores
    from anglenas.probes import metric_names

    texts = _texts(arch or [], arch_file, model)
    _refuse_idle(context, of_model=model is not None)
    names = metric_names() if metrics == "all" else split_names(metrics)
    if not names:
        raise SettingError("Name at least one metric, such as --metrics angle,loss.")
    settings: dict[str, Any] = {
        "data": data, "metrics": names, "recipe": recipe, "seed": seed, "flip": flip,
        "strict": strict,
    }  # fmt: skip
    if model is not None:
        one = scores.score(_make(model), classifier=classifier, **settings)
        _print({model: one}, names, as_json=as_json, quiet=quiet)
        return
    alone = len(texts) == 1 and workers.scheduler is None and workers.time_limit is None
    if alone and workers.count is None:
        workers = replace(workers, count=0)  # starting a process takes longer than measuring
    with show_counts("measurements", quiet=quiet or as_json or len(texts) == 1) as on_progress:
        measured = scores.score_many(
            texts, space=space, workers=workers, store=store, on_progress=on_progress, **settings,
        )  # fmt: skip
    _print(dict(zip(texts, measured, strict=True)), names, as_json=as_json, quiet=quiet)


def _refuse_idle(context: typer.Context, *, of_model: bool) -> None:
    """Options that would change nothing are a misunderstanding."""
    for name in _OF_ARCHITECTURES if of_model else ("classifier",):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            why = (
                "does nothing for --model, which is measured in this process, on the device that "
                "its factory puts it on, and is not kept"
                if of_model
                else "is about --model, not about architectures"
            )
            raise SettingError(f"--{name.replace('_', '-')} {why}; leave it out.")


def _texts(arch: list[str], arch_file: Path | None, model: str | None) -> list[str]:
    """The architectures, each once."""
    texts = [*arch, *(_lines(arch_file) if arch_file else [])]
    if bool(texts) == bool(model):
        raise SettingError("Say what to score: --arch or --arch-file, or else --model.")
    return list(dict.fromkeys(texts))


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

    from anglenas._plugins import resolve

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
        from anglenas._json import json_text

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
        print(json_text(rows))
    elif quiet:
        for one in measured.values():
            print(*_cells(one, metrics), sep="\t")
    elif len(measured) > _IN_A_TABLE:
        print("architecture", *metrics, "status", sep="\t")
        for name, one in measured.items():
            print(name, *_cells(one, metrics), one.status, sep="\t")
    else:
        from anglenas._cli.tables import print_measured

        print_measured(list(measured), list(measured.values()), metrics)
    if all(value is None for one in measured.values() for value in one.values.values()):
        reason = next(iter(measured.values())).status
        raise AnglenasError(f"No metric of any network has a value ({reason}).")


def _cells(measured: "Measured", metrics: tuple[str, ...]) -> list[str]:
    values = (measured.values[metric] for metric in metrics)
    return ["-" if value is None else repr(value) for value in values]
