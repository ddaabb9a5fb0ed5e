"""Tables of known accuracies: what networks reached when they were trained to the end."""

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anglenas._plugins import load
from anglenas._study.columns import Columns, architectures_of, read_columns, read_text
from anglenas.errors import DataError, UnknownNameError
from anglenas.spaces import Space

Floats = NDArray[np.float64]

_SPLITS = {"valid": "validation", "val": "validation", "validation": "validation", "test": "test"}
_EPOCHS = re.compile(r"(?:^|_)ep(\d+)_")
_FAILED = -1e8  # what NASLib writes where a proxy has no value


@dataclass(frozen=True, eq=False)
class Benchmark:
    """Known accuracies of architectures of a space.

    Attributes:
        source: Name of the file.
        space: Name of the space.
        architectures: ``(N,)`` texts, each once.
        accuracy: ``(N,)`` percent.
        dataset: Name of the data set.
        split: ``"test"`` or ``"validation"``: the images that the accuracies are of.
        epochs: How long the networks were trained; empty if the file does not tell.
        seeds: Which trainings the accuracies are of; empty if the file does not tell.
        columns: Other numbers, ``(N,)`` by name: parameters, published scores.
        notices: What a reader should know, a sentence each.

    Raises:
        DataError: An architecture stands twice, or an accuracy is no percentage.
    """

    source: str
    space: str
    architectures: tuple[str, ...]
    accuracy: Floats
    dataset: str
    split: str
    epochs: str = ""
    seeds: str = ""
    columns: Mapping[str, Floats] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        first: dict[str, int] = {}
        for row, text in enumerate(self.architectures, start=1):
            if first.setdefault(text, row) != row:
                raise DataError(
                    f"Rows {first[text]} and {row} of {self.source!r} are the same network, "
                    f"{text}; leave one out."
                )
        wrong = np.flatnonzero(~((self.accuracy >= 0) & (self.accuracy <= 100)))
        if len(wrong):
            raise DataError(
                f"Row {wrong[0] + 1} of {self.source!r} has the {self.dataset} {self.split} "
                f"accuracy {self.accuracy[wrong[0]]:g}, which is no percentage; correct it or "
                "leave the row out."
            )

    def __len__(self) -> int:
        return len(self.architectures)

    @property
    def about(self) -> str:
        """Data set, split, epochs and seeds, in words."""
        epochs = f"{self.epochs} epochs" if self.epochs else "epochs not told"
        return (
            f"{self.dataset} {self.split} accuracy, {epochs}, {self.seeds or 'seeds not told'} "
            f"({self.source}, {len(self):,} networks)"
        )

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each architecture's text."""
        return {text: row for row, text in enumerate(self.architectures)}

    def best(self, count: int) -> NDArray[np.bool_]:
        """``(N,)`` who is among the ``count`` most accurate; of equal ones, those that come first.

        Raises:
            DataError: The table has fewer networks.
        """
        if not 1 <= count <= len(self):
            raise DataError(
                f"The table {self.source!r} has {len(self):,} networks, so there is no top "
                f"{count:,} of it; name other subsets, of 1 to {len(self):,}."
            )
        chosen = np.zeros(len(self), dtype=bool)
        chosen[np.argsort(-self.accuracy, kind="stable")[:count]] = True
        return chosen


def read_benchmark(
    path: Path | str,
    accuracy: str | None = None,
    *,
    space: str = "nasbench201",
    architecture: str | None = None,
    split: str | None = None,
    epochs: str | None = None,
    seeds: str | None = None,
) -> Benchmark:
    """A table of known accuracies.

    A CSV file (``.csv``, ``.csv.gz``) has a line of column names and one line a network. The
    architecture stands in ``architecture``, ``arch_str`` or ``arch``, or its number in ``index``;
    accuracies in columns that are named after data set and split, like ``cifar10_test`` or
    ``cifar100_valid``; after fewer epochs than the others, ``ep12_cifar10_valid``. Lines like
    ``# epochs: 200`` and ``# seeds: mean of 777, 888 and 999`` before the names say the rest. The
    number of parameters is read from ``params``, or ``params_M`` in millions, if there.

    A JSON file is one of NAS-Bench-Suite-Zero (Krishnakumar et al., NeurIPS 2022), such as
    ``zc_nasbench201.json``: validation accuracies by data set, and published scores.

    Args:
        path: The file.
        accuracy: The column, or the data set of a JSON file; needed where there are several.
        space: Name of the space.
        architecture: The column that holds the architectures, if it has another name.
        split: ``"test"`` or ``"validation"``, if the column's name does not tell.
        epochs: How long the networks were trained, if the file does not tell.
        seeds: Which trainings the accuracies are of, if the file does not tell.

    Raises:
        DataError: The file cannot be read, or is no such table; the message says where.
        UnknownNameError: It has no such column or data set.
    """
    path = Path(path)
    if split is not None and split not in _SPLITS:
        raise DataError(f"split is 'test' or 'validation', not {split!r}.")
    if path.name.endswith((".json", ".json.gz")):
        if _SPLITS.get(split or "", "validation") != "validation":
            raise DataError(
                f"{path.name!r} has accuracies of validation images alone; for those of test "
                "images give a CSV."
            )
        dataset, texts, values, others = _read_json(path, accuracy, space)
        name, told, facts = "val_accuracy", "validation", {"epochs": epochs, "seeds": seeds}
    else:
        columns = read_columns(path)
        likely = [name for name in columns.texts if name.rpartition("_")[2] in _SPLITS]
        name = _choose(accuracy, likely, columns.texts, path.name)
        values, told = columns.numbers(name), _split_of(name, split, path.name)
        short = _EPOCHS.search(name)
        # What the name of the column tells is of that column; the lines before are of the file.
        facts = {"epochs": short[1] if short else epochs or columns.facts.get("epochs"),
                 "seeds": seeds or columns.facts.get("seeds")}  # fmt: skip
        dataset, _, ending = _EPOCHS.sub("", name).rpartition("_")
        dataset = dataset if ending in _SPLITS else name
        texts, others = architectures_of(columns, space, architecture), _params(columns)
    values, notices = _percent(values, name)
    size = load("space", space).size
    if size not in (None, len(texts)):
        notices = (
            *notices,
            f"The table has {len(texts):,} of the {size:,} networks of {space}; 'all' and 'top' "
            "are of those in the table.",
        )
    return Benchmark(
        path.name, space, tuple(texts), values, dataset, told, facts["epochs"] or "",
        facts["seeds"] or "", others, notices,
    )  # fmt: skip


def _split_of(column: str, said: str | None, file: str) -> str:
    """What the column's name tells, or what was said."""
    named, wanted = _SPLITS.get(column.rpartition("_")[2], ""), _SPLITS.get(said or "", "")
    if named and wanted not in ("", named):
        raise DataError(
            f"{column!r} of {file!r} is of {named} images by its name, but {wanted} was asked for; "
            "name the column that is meant."
        )
    if not (named or wanted):
        raise DataError(
            f"Nothing tells whether {column!r} of {file!r} is of test or validation images; "
            "say split='test' or split='validation'."
        )
    return named or wanted


def _choose(
    wanted: str | None, likely: Sequence[str], known: Mapping[str, object], file: str
) -> str:
    if wanted is not None:
        if wanted not in known:
            raise UnknownNameError(f"column of {file}", wanted, likely or known)
        return wanted
    if len(likely) != 1:
        found = ", ".join(likely) or "none that is named like cifar10_test"
        raise DataError(f"Name one column of {file!r} for the accuracies; it has: {found}.")
    return likely[0]


def _percent(values: Floats, column: str) -> tuple[Floats, tuple[str, ...]]:
    if np.isnan(values).any() or not len(values):
        return values, ()
    if values.max() > 1:
        low = int(((values > 0) & (values < 1)).sum())
        told = f"{low:,} values of {column} are below 1 beside others of up to {values.max():.4g}"
        return values, (f"{told}; all are taken for percent.",) if low else ()
    return values * 100, (f"The values of {column} are fractions; they are shown in percent.",)


def _params(columns: Columns) -> dict[str, Floats]:
    for name, unit in (("params", 1), ("params_M", 1e6)):
        if name in columns.texts:
            return {"params": np.round(columns.numbers(name) * unit)}
    return {}


def _read_json(
    path: Path, dataset: str | None, space: str
) -> tuple[str, list[str], Floats, dict[str, Floats]]:
    """The data set's name, the networks, their accuracies and the published scores."""
    from_naslib = load("space", space).from_naslib
    if from_naslib is None:
        raise DataError(f"JSON files are not read for {space}; give a CSV.")
    try:
        content = json.loads(read_text(path))
        name = _choose(dataset, list(content), content, path.name)
        cells, networks = content[name], list(content[name].values())
        accuracy = np.array([float(one["val_accuracy"]) for one in networks])
        texts = [str(from_naslib(key)) for key in cells]
        proxies = [name for name, told in networks[0].items() if isinstance(told, dict)]
        scores = {proxy: np.array([float(one[proxy]["score"]) for one in networks])
                  for proxy in proxies}  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        if isinstance(error, DataError | UnknownNameError):
            raise
        raise DataError(
            f"{path.name!r} is no file of NAS-Bench-Suite-Zero for {space} "
            f"({type(error).__name__}: {error}); give one such as zc_nasbench201.json."
        ) from error
    found = {proxy: np.where(told <= _FAILED, np.nan, told) for proxy, told in scores.items()}
    return name, texts, accuracy, found


def run_of(seed: int, benchmark: Benchmark) -> NDArray[np.intp]:
    """``(100,)`` rows of a hundred networks, drawn as ``random.sample(range(size), 100)`` draws.

    ``random.seed(seed)`` before it, by the numbers of the space's architectures, and in this order:
    on NAS-Bench-201 these are the networks of one run of the released code of Yang et al. (WACV
    2023, ``evaluate_anglefc.py`` of taoyang1122/Revisit_TrainingFree_NAS).

    Raises:
        DataError: The architectures of the space have no numbers, or the benchmark lacks one.
    """
    space: Space[Any] = load("space", benchmark.space)
    at = space.at
    if at is None or space.size is None:
        raise DataError(f"Runs are drawn by number, and {benchmark.space} has no numbers.")
    drawn = random.Random(seed).sample(range(space.size), 100)
    texts = [str(at(index)) for index in drawn]
    missing = [text for text in texts if text not in benchmark.rows]
    if missing:
        raise DataError(
            f"The table {benchmark.source!r} lacks {missing[0]} of the run of seed {seed}."
        )
    return np.array([benchmark.rows[text] for text in texts])
