"""Scores as a table in a text file, without loss."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from functools import lru_cache
from pathlib import Path

from anglenas._json import json_safe
from anglenas._measuring.task import Context, Outcome, Task
from anglenas.errors import StoreError
from anglenas.spaces import NetworkConfig

_NETWORK = tuple(field.name for field in fields(NetworkConfig))
_CONTEXT = ("space", "probe", "version", *_NETWORK, "platform", "recipe", "settings", "images",
            "seed", "space_version")  # fmt: skip
_COLUMNS = (*_CONTEXT, "subject", "status", "record", "seconds", "host")


def write_csv(outcomes: Iterable[Outcome], path: Path) -> None:
    """Write outcomes, a row each; settings and records are JSON.

    Raises:
        StoreError: The file cannot be written.
    """
    part = path.with_name(f"{path.name}.part")  # so that nobody reads half a table
    try:
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, _COLUMNS)
            writer.writeheader()
            writer.writerows(map(_to_row, outcomes))
        part.replace(path)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written ({error.strerror}); give another path."
        ) from error


def read_csv(path: Path) -> Iterator[Outcome]:
    """The outcomes of a table that :func:`write_csv` wrote.

    Raises:
        StoreError: The file cannot be read, or is no such table; names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != _COLUMNS:
                raise StoreError(f"{path} is no table of scores; its first line is another one.")
            for row in reader:
                yield _read_row(row, f"{path}, line {reader.line_num}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StoreError(f"{path} cannot be read as a table of scores ({error}).") from error


def _read_row(row: dict[str, str], place: str) -> Outcome:
    try:
        return _from_row(row)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StoreError(
            f"{place}: this is no score ({error}); export the table again, or leave the line out."
        ) from error


def _to_row(outcome: Outcome) -> dict[str, object]:
    context = asdict(outcome.task.context)
    return {
        **context.pop("network"),
        **context,
        "settings": json.dumps(dict(outcome.task.context.settings)),
        "subject": outcome.task.subject,
        "status": outcome.status,
        "record": "" if outcome.record is None else json.dumps(outcome.record, allow_nan=False),
        "seconds": outcome.seconds,
        "host": outcome.host,
    }


def _from_row(row: dict[str, str]) -> Outcome:
    return Outcome(
        Task(_context(tuple(row[name] for name in _CONTEXT)), row["subject"]),
        row["status"],
        json_safe(json.loads(row["record"])) if row["record"] else None,
        float(row["seconds"]),
        row["host"],
    )


@lru_cache(maxsize=256)  # many rows have the same one
def _context(cells: tuple[str, ...]) -> Context:
    row = dict(zip(_CONTEXT, cells, strict=True))
    return Context(
        space=row["space"],
        probe=row["probe"],
        version=int(row["version"]),
        network=NetworkConfig(**{name: int(row[name]) for name in _NETWORK}),
        platform=row["platform"],
        recipe=row["recipe"],
        settings=tuple(sorted(json.loads(row["settings"]).items())),
        images=row["images"],
        seed=int(row["seed"]) if row["seed"] else None,
        space_version=int(row["space_version"]),
    )
