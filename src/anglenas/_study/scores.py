"""What was measured of the networks of a table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anglenas._study.benchmark import Benchmark
from anglenas._study.columns import Columns, architectures_of, read_columns
from anglenas.errors import DataError, UnknownNameError
from anglenas.probes import Metric, Undefined, find_metric

__all__ = [
    "Scores",
    "directions_of",
    "is_metric",
    "is_of_training",
    "read_scores",
    "with_benchmark",
]

Floats = NDArray[np.float64]
Masks = Mapping[str, NDArray[np.bool_]]

_TRAJECTORIES = {"losses": "loss", "cosines": "cosine"}
_OF_TRAJECTORIES = ("angle", "loss", "tse", "tse_e")
PUBLISHED_ITERATIONS = 50
"""Of the short training of Yang et al. (WACV 2023), where a file does not tell."""

_NOT_METRICS = {"index", "architecture", "arch_str", "arch", "samples", "seed", "seconds", "status",
                *_TRAJECTORIES}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Scores:
    """Metrics of the networks of a table, all measured with one seed.

    Attributes:
        columns: By metric, ``(N,)`` values; NaN where it is undefined, or was not measured.
        measured: By metric, ``(N,)`` whether it was measured, also where it came out undefined.
        seconds: By metric, how long its probe took for a network on average, where that is known.
        samples: By name, ``(N,)`` who was drawn for it.
        seed: The seed.
        iterations: How many the short trainings had, which the guard asks for.
    """

    columns: Mapping[str, Floats]
    measured: Masks
    seconds: Mapping[str, float]
    samples: Masks
    seed: int = 1
    iterations: int = PUBLISHED_ITERATIONS

    def among(self, chosen: NDArray[np.bool_]) -> "Scores":
        """The scores of some networks alone, ``(N,)`` booleans; the others were not measured.

        A guard puts trivial networks behind the worst of those it sees, so it has to be applied to
        those that are ranked together.
        """
        columns = {name: np.where(chosen, one, np.nan) for name, one in self.columns.items()}
        measured = {name: known & chosen for name, known in self.measured.items()}
        return replace(self, columns=columns, measured=measured)


def directions_of(names: Iterable[str]) -> dict[str, bool]:
    """Whether higher is better, by name; it is for what is no metric of ours."""
    return {name: not is_metric(name) or find_metric(name).higher_is_better for name in names}


def is_metric(name: str) -> bool:
    """Whether a name is that of a metric that can be measured."""
    try:
        find_metric(name)
    except UnknownNameError:
        return False
    return True


def is_of_training(name: str) -> bool:
    """Whether a metric is read from a short training, at its end or at an iteration of it."""
    return name.partition("@")[0] in _OF_TRAJECTORIES


def read_scores(
    paths: Sequence[Path | str], benchmark: Benchmark, metrics: Iterable[str] = ()
) -> tuple[Scores, ...]:
    """Scores from CSV files, laid beside a table.

    A file has a line a network, which an ``architecture`` or an ``index`` names, and a column for
    each metric. It may have ``seed``, ``samples`` (names of what the network was drawn for, with
    spaces between), ``seconds`` of a short training, and ``status``. ``nan`` is a value that is
    undefined; an empty cell is one that was not measured or, where the status says so, undefined
    too. Where ``losses`` and ``cosines`` hold the trajectories of a short training, all
    its metrics are read from them, also those of earlier iterations such as ``angle@20``. Lines
    like ``# seconds angle: 19.2`` before the names tell what a metric costs, and ``# iterations:
    10`` how long the short trainings were, if not as long as their trajectories or as the
    published 50. Files may be compressed by gzip.

    What the table itself holds beside accuracies (parameters, published scores) counts as measured.

    Args:
        paths: The files; a metric of a network stands in one of them.
        benchmark: The accuracies.
        metrics: Names of metrics to be read from trajectories, besides ``angle``, ``loss``,
            ``tse`` and ``tse_e``.

    Returns:
        One for each seed, in their order.

    Raises:
        DataError: A file does not fit the table, or two give one metric of one network.
    """
    files = [_File.read(Path(path), benchmark, tuple(metrics)) for path in paths]
    seeds = sorted({int(seed) for file in files for seed in np.unique(file.seeds)}) or [1]
    return tuple(_joined(files, benchmark, seed) for seed in seeds)


@dataclass(frozen=True, eq=False)
class _File:
    """One file: its rows in the benchmark, and what stands there."""

    name: str
    rows: NDArray[np.int64]
    seeds: NDArray[np.int64]
    columns: Mapping[str, Floats]
    given: Masks
    seconds: Mapping[str, float]
    samples: Masks
    iterations: int | None

    @classmethod
    def read(cls, path: Path, benchmark: Benchmark, metrics: Sequence[str]) -> "_File":
        columns = read_columns(path)
        rows = _rows_of(architectures_of(columns, benchmark.space), benchmark, columns.name)
        seeds = columns.numbers("seed") if "seed" in columns.texts else np.ones(len(rows))
        if np.isnan(seeds).any():
            raise DataError(
                f"Row {np.flatnonzero(np.isnan(seeds))[0] + 1} of {columns.name!r} has no seed; "
                "fill it in, or leave the column out."
            )
        values = _values(columns, metrics)
        if not values:
            raise DataError(f"{columns.name!r} has no column with a metric; name one, like angle.")
        return cls(
            columns.name, rows, seeds.astype(np.int64), values,
            _given(columns, values), _seconds(columns, values), _samples(columns),
            _iterations(columns, values),
        )  # fmt: skip


def _rows_of(architectures: Sequence[str], benchmark: Benchmark, file: str) -> NDArray[np.int64]:
    missing = [text for text in architectures if text not in benchmark.rows]
    if missing:
        raise DataError(
            f"{len(missing)} networks of {file!r} are not in the table {benchmark.source!r}, such "
            f"as {missing[0]}; leave them out, or give the table that has them."
        )
    return np.array([benchmark.rows[text] for text in architectures])


def _given(columns: Columns, metrics: Iterable[str]) -> dict[str, NDArray[np.bool_]]:
    """Which cells are measurements, be they undefined; what failed can be measured again."""
    status = columns.texts.get("status", ["ok"] * len(columns))
    undefined = np.array([one.startswith("undefined") for one in status])
    failed = np.array([one.startswith("failed") for one in status])
    given = {
        name: undefined | np.array([text != "" for text in columns.texts[name]])
        if name in columns.texts
        else ~failed
        for name in metrics
    }
    return {name: known & ~failed for name, known in given.items()}


def _seconds(columns: Columns, metrics: Iterable[str]) -> dict[str, float]:
    """From lines ``# seconds angle: 19.2``, or the mean of a column, which is of the trainings."""
    told = {
        name.removeprefix("seconds "): _number(value, columns.name)
        for name, value in columns.facts.items()
        if name.startswith("seconds ")
    }
    if not any(columns.texts.get("seconds", ())):
        return told
    mean = float(np.nanmean(columns.numbers("seconds")))
    return {name: mean for name in metrics if is_of_training(name)} | told


def _number(text: str, file: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise DataError(
            f"{file!r} tells {text!r} where a number is expected; correct the lines before its "
            "names."
        ) from error


def _iterations(columns: Columns, metrics: Iterable[str]) -> int | None:
    """How long the short trainings were; ``None`` for a file that holds none."""
    if "iterations" in columns.facts:
        return int(_number(columns.facts["iterations"], columns.name))
    if columns.texts.keys() >= _TRAJECTORIES.keys():
        longest = max(len(text.split()) for text in columns.texts["losses"])
        return longest or PUBLISHED_ITERATIONS
    return PUBLISHED_ITERATIONS if any(map(is_of_training, metrics)) else None


def _samples(columns: Columns) -> dict[str, NDArray[np.bool_]]:
    texts = [set(text.split()) for text in columns.texts.get("samples", [])]
    names = sorted({name for some in texts for name in some})
    return {name: np.array([name in some for some in texts]) for name in names}


def _values(columns: Columns, metrics: Sequence[str]) -> dict[str, Floats]:
    names = [name for name in columns.texts if name not in _NOT_METRICS]
    found = {name: columns.numbers(name) for name in names}
    if not _TRAJECTORIES.keys() <= columns.texts.keys():
        return found
    return {**_from_trajectories(columns, metrics), **found}


def _from_trajectories(columns: Columns, metrics: Sequence[str]) -> dict[str, Floats]:
    """Metrics of short trainings, read from the records that the trajectories are."""
    records = [
        {name: [float(value) for value in text.split()] for name, text in zip(
            _TRAJECTORIES.values(), texts, strict=True)}
        for texts in zip(*(columns.texts[name] for name in _TRAJECTORIES), strict=True)
    ]  # fmt: skip
    iterations = max(len(record["loss"]) for record in records)
    wanted = [name for name in metrics if is_of_training(name)]
    found = {}
    for name in dict.fromkeys([*_OF_TRAJECTORIES, *wanted]):
        metric = find_metric(name)
        read = [_read(metric, record | {"iterations": iterations}) for record in records]
        found[name] = np.array(read)
    return found


def _read(metric: Metric, record: Mapping[str, object]) -> float:
    try:
        return metric.read(record)
    except Undefined:
        return np.nan


@dataclass(frozen=True, eq=False)
class _Piece:
    """Values of one metric in one file."""

    file: str
    rows: NDArray[np.int64]
    values: Floats


def _joined(files: Sequence[_File], benchmark: Benchmark, seed: int) -> Scores:
    """What all files hold of one seed."""
    pieces: dict[str, list[_Piece]] = {}
    samples: dict[str, NDArray[np.bool_]] = {}
    for file in files:
        here = file.seeds == seed
        rows = file.rows[here]
        _check_once(rows, benchmark, file.name)
        for name, values in file.columns.items():
            known = file.given[name][here]
            piece = _Piece(file.name, rows[known], values[here][known])
            pieces.setdefault(name, []).append(piece)
        for name, chosen in file.samples.items():
            mask = samples.setdefault(name, np.zeros(len(benchmark), dtype=bool))
            mask[rows[chosen[here]]] = True
    laid = {name: _laid(name, some, benchmark) for name, some in pieces.items()}
    seconds = {name: value for file in files for name, value in file.seconds.items()}
    columns = {name: values for name, (values, _) in laid.items()}
    measured = {name: known for name, (_, known) in laid.items()}
    iterations = _common(files)
    return with_benchmark(Scores(columns, measured, seconds, samples, seed, iterations), benchmark)


def _common(files: Sequence[_File]) -> int:
    told = {file.iterations: file.name for file in files if file.iterations is not None}
    if len(told) > 1:
        (one, first), (other, second), *_ = told.items()
        raise DataError(
            f"{first!r} holds trainings of {one} iterations and {second!r} of {other}; give files "
            "of one recipe."
        )
    return next(iter(told), PUBLISHED_ITERATIONS)


def with_benchmark(scores: Scores, benchmark: Benchmark) -> Scores:
    """Scores to which the columns of the table are added, whole ones in place of parts of them.

    Where other values of the same name were measured, these stay.
    """
    added = {
        name: values
        for name, values in benchmark.columns.items()
        if name not in scores.columns
        or _alike(scores.columns[name], values)[scores.measured[name]].all()
    }
    everywhere = np.ones(len(benchmark), dtype=bool)
    return replace(
        scores,
        columns={**scores.columns, **added},
        measured={**scores.measured, **dict.fromkeys(added, everywhere)},
    )


def _check_once(rows: NDArray[np.int64], benchmark: Benchmark, file: str) -> None:
    unique, counts = np.unique(rows, return_counts=True)
    if len(unique) < len(rows):
        twice = benchmark.architectures[unique[counts > 1][0]]
        raise DataError(f"{file!r} has two rows for the network {twice}; leave one out.")


_Column = tuple[Floats, NDArray[np.bool_]]
"""Values in the benchmark's rows, and where there are any."""


def _laid(name: str, pieces: Sequence[_Piece], benchmark: Benchmark) -> _Column:
    """The values of all files in the benchmark's rows; where two have one, they must agree."""
    column, known = np.full(len(benchmark), np.nan), np.zeros(len(benchmark), dtype=bool)
    for piece in pieces:
        rows, values = piece.rows, piece.values
        differ = known[rows] & ~_alike(column[rows], values)
        if differ.any():
            network = benchmark.architectures[rows[differ][0]]
            raise DataError(
                f"{piece.file!r} and another file give two values of {name} for the network "
                f"{network}; give files of one measurement, or of several with a column 'seed'."
            )
        column[rows], known[rows] = values, True
    return column, known


def _alike(first: Floats, second: Floats) -> NDArray[np.bool_]:
    return np.isclose(first, second, rtol=1e-6, equal_nan=True)
