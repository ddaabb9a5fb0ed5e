"""Measuring networks of a table, drawn as a study needs them."""

import csv
import io
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anglenas._measuring.plan import Measured
from anglenas._measuring.scores import score_many
from anglenas._measuring.setup import choose_recipe
from anglenas._numerics import derive
from anglenas._plugins import load
from anglenas._study.scores import Scores, is_metric, is_of_training, with_table
from anglenas._study.subsets import read_subset
from anglenas._study.table import Table
from anglenas.errors import DataError, SettingError

__all__ = ["draw_samples", "measure", "run_of", "scores_text"]

Samples = Mapping[str, NDArray[np.bool_]]

_PART = re.compile(r"(?:(?P<subset>[a-z].*):)?(?P<count>\d+)|(?P<whole>all)|seed(?P<seed>\d+)")
_RUN = 100


def draw_samples(text: str, table: Table, seed: int = 1) -> Samples:
    """The networks that a text asks for.

    Args:
        text: Parts with commas between: ``300``, so many of the whole table; ``top-1000:250``, so
            many of a subset; ``all``; or ``seed1``, the hundred of the released code's run with
            that seed, see :func:`run_of`.
        table: The table.
        seed: Where chance comes from.

    Returns:
        By name of the sample, ``(N,)`` booleans; a network can be in several.

    Raises:
        SettingError: The text asks for none of these, or for more networks than there are.
        DataError: The table has fewer networks than a subset.
    """
    return dict(_draw(part.strip(), table, seed) for part in text.split(","))


def _draw(part: str, table: Table, seed: int) -> tuple[str, NDArray[np.bool_]]:
    match = _PART.fullmatch(part)
    if match is None:
        raise SettingError(
            f"{part!r} is no sample; write 300, top-1000:250, all or seed1, with commas between."
        )
    chosen = np.zeros(len(table), dtype=bool)
    if match["seed"]:
        chosen[run_of(int(match["seed"]), table)] = True
        return part, chosen
    if match["whole"]:
        return "all", ~chosen
    name, count = match["subset"] or "all", int(match["count"])
    members = np.flatnonzero(read_subset(name, table).members)
    if not 1 <= count <= len(members):
        raise SettingError(
            f"{count:,} of the {len(members):,} networks of {name!r} were asked for."
        )
    rng = np.random.default_rng(derive(seed, "sample", name))
    # A larger sample adds networks and drops none, so that what was measured stays of use.
    chosen[rng.permutation(members)[:count]] = True
    return name, chosen


def run_of(seed: int, table: Table) -> NDArray[np.intp]:
    """``(100,)`` rows of the networks of one run of the released code of Yang et al. (WACV 2023).

    These are ``random.seed(seed); random.sample(range(15625), 100)``, by NAS-Bench-201's indices
    and in this order (``evaluate_anglefc.py`` of taoyang1122/Revisit_TrainingFree_NAS).

    Raises:
        DataError: The table is of another space, or lacks one of them.
    """
    if table.space != "nasbench201":
        raise DataError(f"The released runs are of nasbench201, not of {table.space}.")
    space: Any = load("space", table.space)
    drawn = random.Random(seed).sample(range(space.size), _RUN)
    texts = [str(space.at(index)) for index in drawn]
    missing = [text for text in texts if text not in table.rows]
    if missing:
        raise DataError(f"The table {table.source!r} lacks {missing[0]} of the run of seed {seed}.")
    return np.array([table.rows[text] for text in texts])


def measure(
    table: Table,
    metrics: Iterable[str],
    samples: Samples,
    data: Any,
    *,
    seeds: Sequence[int] = (1,),
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    **settings: Any,
) -> tuple[tuple[Scores, ...], tuple[str, ...]]:
    """Metrics of the networks of some samples; what the store has is not measured again.

    Args:
        table: The table that the networks are of.
        metrics: Names of the metrics; ``params`` is always measured too. What the table has, and
            cannot be measured, is taken from there.
        samples: What :func:`draw_samples` drew.
        data: The images, as in :func:`anglenas.search`.
        seeds: Seeds of the measurements; each network is measured with every one.
        on_progress: Called with how many measurements are done, and how many there are.
        settings: As in :func:`anglenas._searching.score_many`: recipe, workers, store, ...

    Returns:
        One for each seed, and what a reader should know of the images and the recipe.

    Raises:
        UsageError: Something asked for does not fit; its subclasses say what.
        StoreError: The store cannot be used.
        WorkersError: The workers cannot be used.
    """
    rows = np.flatnonzero(np.any(list(samples.values()), axis=0))
    wanted = [name for name in metrics if name not in table.columns or is_metric(name)]
    names = tuple(dict.fromkeys([*wanted, "params"]))
    found: list[Scores] = []
    notices: dict[str, None] = {}
    for number, seed in enumerate(seeds):
        measured = score_many(
            [table.architectures[row] for row in rows],
            data,
            metrics=names,
            space=table.space,
            seed=seed,
            on_progress=lambda done, total, number=number: on_progress(  # type: ignore[misc]
                number * total + done, len(seeds) * total
            ),
            **settings,
        )
        laid = _laid_out(measured, rows, names, len(table), samples, seed)
        laid = replace(laid, iterations=choose_recipe(settings.get("recipe")).iterations)
        found.append(with_table(laid, table))
        notices |= dict.fromkeys(measured[0].notices)
    return tuple(found), tuple(notices)


def _laid_out(
    measured: Sequence[Measured],
    rows: NDArray[np.intp],
    names: Sequence[str],
    size: int,
    samples: Samples,
    seed: int,
) -> Scores:
    there = np.zeros(size, dtype=bool)
    there[rows] = True
    columns = {}
    for name in names:
        values = [one.values[name] for one in measured]
        columns[name] = np.full(size, np.nan)
        columns[name][rows] = [np.nan if value is None else value for value in values]
    seconds = {name: float(np.mean([one.seconds[name] for one in measured])) for name in names}
    return Scores(columns, dict.fromkeys(names, there), seconds, samples, seed)


def scores_text(scores: Sequence[Scores], table: Table) -> str:
    """Scores as the CSV that :func:`read_scores` reads: a line for each network and seed.

    What is known of networks that were not drawn is left to the table.

    Args:
        scores: What :func:`measure` returned.
        table: The table they are of.
    """
    names = list(scores[0].columns)
    text = io.StringIO()
    for name in scores[0].seconds:
        mean = np.mean([one.seconds[name] for one in scores])
        text.write(f"# seconds {name}: {mean:.6g}\n")
    if any(is_of_training(name) for name in names):
        text.write(f"# iterations: {scores[0].iterations}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["architecture", "samples", "seed", *names])
    for one in scores:
        for row in np.flatnonzero(np.any(list(one.samples.values()), axis=0)):
            drawn = " ".join(name for name, chosen in one.samples.items() if chosen[row])
            cells = (_cell(one, name, int(row)) for name in names)
            writer.writerow([table.architectures[row], drawn, one.seed, *cells])
    return text.getvalue()


def _cell(scores: Scores, name: str, row: int) -> str:
    value = float(scores.columns[name][row])
    if not scores.measured[name][row]:
        return ""
    return str(int(value)) if value.is_integer() else repr(value)
