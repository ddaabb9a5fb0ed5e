"""What was measured of the networks of a table."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anglenas._study.benchmark import Benchmark
from anglenas._study.columns import Columns, architectures_of, read_columns
from anglenas.errors import DataError, UnknownNameError
from anglenas.probes import Undefined, find_metric

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
    told: dict[int, str] = {}
    parts: list[tuple[str, Scores]] = []
    for path in paths:
        columns = read_columns(Path(path))
        found, iterations = _read(columns, benchmark, tuple(metrics))
        parts += [(columns.name, one) for one in found]
        if iterations is not None:
            told[iterations] = columns.name
    if len(told) > 1:
        (one, first), (other, second), *_ = told.items()
        raise DataError(
            f"{first!r} holds trainings of {one} iterations and {second!r} of {other}; give files "
            "of one recipe."
        )
    seconds = {name: value for _, part in parts for name, value in part.seconds.items()}
    # A seed that lacks a metric is told as one that was not measured, not as a name that is wrong.
    names = [name for _, part in parts for name in part.columns]
    columns_of_none = dict.fromkeys(names, np.full(len(benchmark), np.nan))
    measured_of_none = dict.fromkeys(names, np.zeros(len(benchmark), dtype=bool))
    nothing = Scores(columns_of_none, measured_of_none, seconds, {},
                     iterations=next(iter(told), PUBLISHED_ITERATIONS))  # fmt: skip
    by_seed: dict[int, Scores] = {} if parts else {1: nothing}
    for file, part in parts:
        before = by_seed.get(part.seed, replace(nothing, seed=part.seed))
        by_seed[part.seed] = _joined(before, part, file, benchmark)
    return tuple(with_benchmark(by_seed[seed], benchmark) for seed in sorted(by_seed))


def _read(
    columns: Columns, benchmark: Benchmark, metrics: Sequence[str]
) -> tuple[list[Scores], int | None]:
    """The scores of a file, one for each seed, and how long its short trainings were."""
    texts, file = columns.texts, columns.name
    architectures = architectures_of(columns, benchmark.space)
    missing = [text for text in architectures if text not in benchmark.rows]
    if missing:
        raise DataError(
            f"{len(missing)} networks of {file!r} are not in the table {benchmark.source!r}, "
            f"such as {missing[0]}; leave them out, or give the table that has them."
        )
    rows = np.array([benchmark.rows[text] for text in architectures])
    seeds = columns.numbers("seed") if "seed" in texts else np.ones(len(rows))
    if np.isnan(seeds).any():
        raise DataError(
            f"Row {np.flatnonzero(np.isnan(seeds))[0] + 1} of {file!r} has no seed; fill it "
            "in, or leave the column out."
        )
    values = _from_trajectories(columns, metrics)
    values |= {name: columns.numbers(name) for name in texts if name not in _NOT_METRICS}
    if not values:
        raise DataError(f"{file!r} has no column with a metric; name one, like angle.")
    status = texts.get("status", [""] * len(columns))
    undefined = np.array([text.startswith("undefined") for text in status])
    failed = np.array([text.startswith("failed") for text in status])  # can be measured again
    given = {
        name: ~failed & (undefined | (np.array(texts[name]) != "")) if name in texts else ~failed
        for name in values
    }
    drawn = [set(text.split()) for text in texts.get("samples", [])]
    samples = {name: np.array([name in some for some in drawn])
               for name in sorted(set().union(*drawn))}  # fmt: skip
    found, seconds = [], _seconds(columns, values)
    for seed in np.unique(seeds.astype(np.int64)):
        here = seeds.astype(np.int64) == seed
        unique, counts = np.unique(rows[here], return_counts=True)
        if (counts > 1).any():
            twice = benchmark.architectures[unique[counts > 1][0]]
            raise DataError(f"{file!r} has two rows for the network {twice}; leave one out.")
        masks = {name: here & known for name, known in given.items()}
        found.append(Scores(
            {name: laid_out(column[masks[name]], rows[masks[name]], len(benchmark), np.nan)
             for name, column in values.items()},
            {name: laid_out(True, rows[mask], len(benchmark), False)
             for name, mask in masks.items()},
            seconds,
            {name: laid_out(True, rows[here & chosen], len(benchmark), False)
             for name, chosen in samples.items()},
            int(seed),
        ))  # fmt: skip
    return found, _iterations(columns, values)


def laid_out(
    values: NDArray[Any] | bool, rows: NDArray[np.intp], size: int, fill: float | bool
) -> NDArray[Any]:
    """``(size,)`` values in their rows of a table, and ``fill`` in all others."""
    column = np.full(size, fill)
    column[rows] = values
    return column


def _joined(first: Scores, second: Scores, file: str, benchmark: Benchmark) -> Scores:
    """What two files tell, of which the second is named; what both have must agree."""
    columns, measured = dict(first.columns), dict(first.measured)
    for name, values in second.columns.items():
        known, there = first.measured[name], second.measured[name]
        differ = np.flatnonzero(known & there & ~_alike(columns[name], values))
        if len(differ):
            raise DataError(
                f"{file!r} and another file give two values of {name} for the network "
                f"{benchmark.architectures[differ[0]]}; give files of one measurement, "
                "or of several with a column 'seed'."
            )
        columns[name], measured[name] = np.where(there, values, columns[name]), known | there
    samples = {name: chosen | first.samples.get(name, False)
               for name, chosen in second.samples.items()}  # fmt: skip
    return replace(first, columns=columns, measured=measured, samples={**first.samples, **samples})


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


def _iterations(columns: Columns, metrics: Iterable[str]) -> int | None:
    """How long the short trainings were; ``None`` for a file that holds none."""
    if "iterations" in columns.facts:
        return int(_number(columns.facts["iterations"], columns.name))
    if columns.texts.keys() >= _TRAJECTORIES.keys():
        longest = max(len(text.split()) for text in columns.texts["losses"])
        return longest or PUBLISHED_ITERATIONS
    return PUBLISHED_ITERATIONS if any(map(is_of_training, metrics)) else None


def _number(text: str, file: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise DataError(
            f"{file!r} tells {text!r} where a number is expected; correct the lines before its "
            "names."
        ) from error


def _from_trajectories(columns: Columns, metrics: Sequence[str]) -> dict[str, Floats]:
    """Metrics of short trainings, read from the records that the trajectories are."""
    if not columns.texts.keys() >= _TRAJECTORIES.keys():
        return {}
    records = [
        {name: [float(value) for value in text.split()]
         for name, text in zip(_TRAJECTORIES.values(), texts, strict=True)}
        for texts in zip(*(columns.texts[name] for name in _TRAJECTORIES), strict=True)
    ]  # fmt: skip
    # Of a training that broke off before the end, what is read at the end is undefined.
    iterations = max(len(record["loss"]) for record in records)
    found: dict[str, Floats] = {}
    for name in dict.fromkeys([*_OF_TRAJECTORIES, *filter(is_of_training, metrics)]):
        metric = find_metric(name)
        found[name] = np.full(len(records), np.nan)
        for row, record in enumerate(records):
            with suppress(Undefined):
                found[name][row] = metric.read(record | {"iterations": iterations})
    return found


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


def _alike(first: Floats, second: Floats) -> NDArray[np.bool_]:
    return np.isclose(first, second, rtol=1e-6, equal_nan=True)
