"""Measuring networks of a table, drawn as a study needs them."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anglenas._measuring.scores import score_many
from anglenas._measuring.setup import choose_recipe
from anglenas._measuring.store import Store
from anglenas._measuring.workers import Workers
from anglenas._numerics import derive
from anglenas._recipe import Recipe
from anglenas._study.benchmark import Benchmark, run_of
from anglenas._study.scores import (
    Scores,
    is_metric,
    is_of_training,
    laid_out,
    read_scores,
    with_benchmark,
)
from anglenas._study.subsets import read_subset
from anglenas.data import ImageSource
from anglenas.errors import SettingError
from anglenas.ranking import parse

Samples = Mapping[str, NDArray[np.bool_]]

_PART = re.compile(r"(?:(?P<subset>[a-z].*):)?(?P<count>\d+)|(?P<whole>all)|seed(?P<seed>\d+)")


def draw_samples(text: str, benchmark: Benchmark, seed: int = 1) -> Samples:
    """The networks that a text asks for.

    Args:
        text: Parts with commas between: ``300``, so many of the whole table; ``top-1000:250``, so
            many of a subset; ``all``; or ``seed1``, the hundred of the released code's run with
            that seed, see :func:`run_of`.
        benchmark: The accuracies.
        seed: Where chance comes from.

    Returns:
        By name of the sample, ``(N,)`` booleans; a network can be in several.

    Raises:
        SettingError: The text asks for none of these, or for more networks than there are.
        DataError: The table has fewer networks than a subset.
    """
    return dict(_draw(part.strip(), benchmark, seed) for part in text.split(","))


def _draw(part: str, benchmark: Benchmark, seed: int) -> tuple[str, NDArray[np.bool_]]:
    match = _PART.fullmatch(part)
    if match is None:
        raise SettingError(
            f"{part!r} is no sample; write 300, top-1000:250, all or seed1, with commas between."
        )
    chosen = np.zeros(len(benchmark), dtype=bool)
    if match["seed"]:
        chosen[run_of(int(match["seed"]), benchmark)] = True
        return part, chosen
    if match["whole"]:
        return "all", ~chosen
    name, count = match["subset"] or "all", int(match["count"])
    members = np.flatnonzero(read_subset(name, benchmark).members)
    if not 1 <= count <= len(members):
        raise SettingError(
            f"{count:,} of the {len(members):,} networks of {name!r} were asked for."
        )
    rng = np.random.default_rng(derive(seed, "sample", name))
    # A larger sample adds networks and drops none, so that what was measured stays of use.
    chosen[rng.permutation(members)[:count]] = True
    return name, chosen


@dataclass(frozen=True, eq=False)
class Measuring:
    """How networks of a table are measured; what is not told here is as in :func:`anglenas.search`.

    Attributes:
        data: The images to measure on.
        sample: Which networks to measure, see :func:`draw_samples`.
        seeds: Seeds of the measurements; each network is measured with every one.
        recipe: How to measure.
        flip: Whether a mirrored image is still one of its class.
        workers: Who measures.
        store: Where scores are kept; what it has is not measured again.
    """

    data: str | Path | ImageSource
    sample: str = "300"
    seeds: Sequence[int] = (1,)
    recipe: str | Recipe | None = None
    flip: bool | None = None
    workers: Workers | int | None = None
    store: str | Path | Store | None = None


def gather(
    benchmark: Benchmark,
    rankings: Iterable[str],
    files: Sequence[Path | str] = (),
    measuring: Measuring | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[tuple[Scores, ...], tuple[str, ...]]:
    """What some rankings need: read from files, or measured now on a sample of the benchmark.

    Args:
        benchmark: The benchmark.
        rankings: Metrics and rank expressions.
        files: Files of scores, see :func:`read_scores`.
        measuring: How to measure, if there are no files.
        on_progress: Called with how many measurements are done, and how many there are.

    Returns:
        Scores, one for each seed, and what a reader should know of the images and the recipe.

    Raises:
        SettingError: There are files and images, or neither and the benchmark does not tell all.
    """
    names = list(dict.fromkeys(name for one in rankings for name in parse(one).metrics))
    if files and measuring is not None:
        raise SettingError("Give either scores that were measured, or images to measure on.")
    if files or (measuring is None and set(names) <= benchmark.columns.keys()):
        return read_scores(files, benchmark, names), ()
    if measuring is None:
        raise SettingError(
            "There is nothing to judge: give images to measure on, or a file of what was measured."
        )
    # One draw for all seeds: their taus are averaged, so they have to be of the same networks.
    samples = draw_samples(measuring.sample, benchmark, measuring.seeds[0])
    return measure(benchmark, names, samples, measuring, on_progress)


def measure(
    benchmark: Benchmark,
    metrics: Iterable[str],
    samples: Samples,
    measuring: Measuring,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[tuple[Scores, ...], tuple[str, ...]]:
    """Metrics of the networks of some samples.

    Args:
        benchmark: The benchmark that the networks are of.
        metrics: Names of the metrics; ``params`` is always measured too. What the table has, and
            cannot be measured, is taken from there.
        samples: What :func:`draw_samples` drew, whatever the sample of ``measuring`` says.
        measuring: How to measure.
        on_progress: Called with how many measurements are done, and how many there are.

    Returns:
        One for each seed, and what a reader should know of the images and the recipe.

    Raises:
        UsageError: Something asked for does not fit; its subclasses say what.
        StoreError: The store cannot be used.
        WorkersError: The workers cannot be used.
    """
    rows = np.flatnonzero(np.any(list(samples.values()), axis=0))
    wanted = [name for name in metrics if name not in benchmark.columns or is_metric(name)]
    names = tuple(dict.fromkeys([*wanted, "params"]))
    found: list[Scores] = []
    notices: dict[str, None] = {}
    for number, seed in enumerate(measuring.seeds):
        measured = score_many(
            [benchmark.architectures[row] for row in rows], measuring.data, metrics=names,
            space=benchmark.space, seed=seed, recipe=measuring.recipe, flip=measuring.flip,
            workers=measuring.workers, store=measuring.store,
            on_progress=lambda done, total, number=number: on_progress(  # type: ignore[misc]
                number * total + done, len(measuring.seeds) * total
            ),
        )  # fmt: skip
        values = {
            name: np.array([one.values[name] for one in measured], dtype=np.float64)
            for name in names
        }
        laid = Scores(
            columns={name: laid_out(column, rows, len(benchmark), np.nan)
                     for name, column in values.items()},
            measured=dict.fromkeys(names, laid_out(True, rows, len(benchmark), False)),
            seconds={name: float(np.mean([one.seconds[name] for one in measured]))
                     for name in names},
            samples=samples,
            seed=seed,
            iterations=choose_recipe(measuring.recipe).iterations,
        )  # fmt: skip
        found.append(with_benchmark(laid, benchmark))
        notices |= dict.fromkeys(measured[0].notices)
    return tuple(found), tuple(notices)


def scores_text(scores: Sequence[Scores], benchmark: Benchmark) -> str:
    """Scores as the CSV that :func:`read_scores` reads: a line for each network and seed.

    What is known of networks that were not drawn is left to the table.

    Args:
        scores: What :func:`measure` returned.
        benchmark: The benchmark they are of.
    """
    names = list(scores[0].columns)
    text = io.StringIO()
    for name in scores[0].seconds:
        mean = np.mean([one.seconds[name] for one in scores])
        text.write(f"# seconds {name}: {mean:.6g}\n")
    # The guard's threshold holds for 50 iterations, so a reader has to know how many there were.
    if any(is_of_training(name) for name in names):
        text.write(f"# iterations: {scores[0].iterations}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["architecture", "samples", "seed", *names])
    for one in scores:
        for row in np.flatnonzero(np.any(list(one.samples.values()), axis=0)):
            drawn = " ".join(name for name, chosen in one.samples.items() if chosen[row])
            cells = (_cell(one, name, int(row)) for name in names)
            writer.writerow([benchmark.architectures[row], drawn, one.seed, *cells])
    return text.getvalue()


def _cell(scores: Scores, name: str, row: int) -> str:
    value = float(scores.columns[name][row])
    if not scores.measured[name][row]:
        return ""
    return str(int(value)) if value.is_integer() else repr(value)
