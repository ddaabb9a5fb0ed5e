"""``anglenas store``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anglenas._cli.options import StoreFile
from anglenas.errors import SettingError

if TYPE_CHECKING:
    from anglenas._measuring.store import StoreInfo
    from anglenas._measuring.task import Context

store = typer.Typer(
    help="Look into the file that keeps every score, and bring scores from one to another.",
    no_args_is_help=True,
)

_COUNTS = ("ok", "undefined", "failed")
_SUFFIXES = {".csv": "csv", ".sqlite": "sqlite", ".sqlite3": "sqlite", ".db": "sqlite"}


@store.command()
def info(
    store: StoreFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell what was measured, how, and how often."""
    from anglenas._measuring.store import Store

    with Store.existing(store) as opened:
        held = opened.info()
    if as_json:
        from anglenas._json import json_text

        contexts = [
            {
                **vars(kept.context),
                "settings": dict(kept.context.settings),
                "recipe_name": _recipe(kept.context),
                **{name: getattr(kept, name) for name in _COUNTS},
            }
            for kept in held.contexts
        ]
        facts = {"path": str(held.path), "schema": held.version, "bytes": held.size}
        print(json_text({**facts, "scores": held.scores, "contexts": contexts}))
    else:
        _print(held)


@store.command()
def export(
    out: Annotated[Path, typer.Argument(help="New file: .csv for a table, .sqlite for a copy.")],
    store: StoreFile = None,
) -> None:
    """Write all scores to a new file."""
    from anglenas._measuring.store import Store

    kind = _kind(out)
    if out.exists():
        raise SettingError(f"{str(out)!r} exists; give the path of a new file.")
    with Store.existing(store) as opened:
        (opened.export_csv if kind == "csv" else opened.export_sqlite)(out)
    print(out)


@store.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="What export wrote: .csv or .sqlite.")],
    store: StoreFile = None,
) -> None:
    """Add the scores of a file.

    What was measured already stays as it is; a failure gives way.
    """
    _add([file], store)


@store.command()
def merge(
    files: Annotated[list[Path], typer.Argument(help="Stores, or tables that export wrote.")],
    store: StoreFile = None,
) -> None:
    """Add the scores of several files, such as those of several machines."""
    _add(files, store)


def _add(files: list[Path], into: Path | None) -> None:
    from anglenas._measuring.store import Store

    # All are looked at before the first is added: half of a merge would be hard to tell.
    kinds = [_kind(file) for file in files]
    for file in files:
        if not file.is_file():
            raise SettingError(f"There is no file {str(file)!r}; give one that export wrote.")
    with Store(into) as opened:
        for file, kind in zip(files, kinds, strict=True):
            if kind == "csv":
                added = opened.import_csv(file)
            else:
                with Store.existing(file) as other:
                    added = opened.merge(other)
            print(f"{file}: {added} scores added to {opened.path}")


def _kind(file: Path) -> str:
    if file.suffix.lower() not in _SUFFIXES:
        raise SettingError(
            f"The name {str(file)!r} does not tell what is in it; it ends in .csv for a table, "
            "or in .sqlite, .sqlite3 or .db for a store."
        )
    return _SUFFIXES[file.suffix.lower()]


def _print(held: "StoreInfo") -> None:
    from anglenas._cli.tables import print_line, print_sheets
    from anglenas._sheet import Sheet

    rows = tuple(
        # An empty line tells apart what is measured in which way.
        ("\n".join([*_lines(kept.context), ""]), *(f"{getattr(kept, name):,}" for name in _COUNTS))
        for kept in held.contexts
    )  # fmt: skip
    if rows:
        print_sheets([Sheet("What is kept", ("measured", *_COUNTS), rows)])
    print_line(f"{held.path}: {held.scores:,} scores, {held.size / 1e6:.1f} MB, "
               f"schema {held.version}")  # fmt: skip


def _lines(context: "Context") -> list[str]:
    """What a context says, for people."""
    net = context.network
    lines = [
        f"{context.probe} (version {context.version}) of {context.space}",
        f"{net.channels} channels, {net.cells} cells a stage, {net.side} x {net.side} x "
        f"{net.in_channels} images, {net.num_classes} classes",
    ]
    if context.recipe:
        lines.append(f"recipe {_recipe(context)}, images {context.images}, seed {context.seed}")
    return [*lines, context.platform]


def _recipe(context: "Context") -> str | None:
    """The text of a recipe as ``--recipe`` takes it: the nearest preset and what is changed."""
    from anglenas._recipe import Recipe

    return Recipe().changed(**dict(context.settings)).text if context.recipe else None
