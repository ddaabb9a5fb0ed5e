"""Metrics against known accuracies: the whole study."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anglenas._measuring.store import Store
from anglenas._measuring.workers import Workers
from anglenas._numerics import derive
from anglenas._recipe import Recipe
from anglenas._study.benchmark import Benchmark, read_benchmark
from anglenas._study.estimates import Estimate, Ranking, Sampled, estimate
from anglenas._study.guards import apply_guard, check_guards, put_behind
from anglenas._study.measure import Measuring, gather
from anglenas._study.picks import Picks, pick_by
from anglenas._study.scores import Scores, directions_of
from anglenas._study.study import Study
from anglenas._study.subsets import names_part, read_subset, strata_of
from anglenas.data import ImageSource
from anglenas.errors import DataError, SettingError
from anglenas.ranking import GUARDED, Sample, check_metrics, parse

METRICS = ("params", "angle", "loss", "angle_loss", "angle_loss+params")
"""What is judged if nothing else is asked for."""

_TOP = re.compile(r"^top[-:]?(\d+(?:\.\d+)?%?)$")


def correlate(
    benchmark: Benchmark | Path | str,
    scores: Scores | Path | str | Sequence[Scores | Path | str] = (),
    metrics: str | Iterable[str] = METRICS,
    *,
    accuracy: str | None = None,
    space: str = "nasbench201",
    data: str | Path | ImageSource | None = None,
    sample: str = "300",
    seeds: Sequence[int] = (1,),
    recipe: str | Recipe | None = None,
    workers: Workers | int | None = None,
    store: str | Path | Store | None = None,
    subsets: Iterable[str] = ("all", "top-1000", "top-500"),
    guards: Iterable[str] = ("off",),
    strata: Sequence[str] | None = None,
    replicates: int = 500,
    search_among: int = 100,
    searches: int = 1000,
    seed: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Study:
    r"""How well metrics and combinations of them order networks whose accuracies are known.

    Each ranking is judged on all networks of which everything it needs was measured; estimates
    stand for the subset of the benchmark, however the networks were drawn. What it gains over
    ``params`` is taken on the same networks.

    Args:
        benchmark: The accuracies, or their file; see :func:`anglenas._study.read_benchmark`.
        scores: What was measured: files, as :func:`anglenas._study.read_scores` reads them, or
            values, one for each seed, of which those networks are judged that all of them have.
            What the benchmark itself tells, such as parameters, needs none.
        metrics: Metrics and rank expressions, see :func:`anglenas.ranking.parse`.
        accuracy: Which accuracies of a file, if it has several: ``"cifar10_test"``, ...
        space: The space that the networks of a file are of.
        data: Images to measure on, if there are no scores; as in :func:`anglenas.search`.
        sample: The networks to measure then: ``300`` of the benchmark, ``top-1000:250`` of a part
            of it, ``all``, or ``seed1``, a hundred as the released code of Yang et al. draws them;
            with commas between.
        seeds: Seeds of the measurements; taus are averaged.
        recipe: How to measure, as in :func:`anglenas.search`.
        workers: Who measures; as there.
        store: Where scores are kept; as there.
        subsets: Networks to be ordered: ``all``, ``top-1000`` or ``top-5%`` (by accuracy),
            ``group-0`` to ``group-7`` (cells of equally many parameters) or ``groups`` (pairs
            inside any of them).
        guards: Of ``off``, ``score`` and ``structure``: how trivial networks are treated; only
            rankings by what a short training says differ.
        strata: Subsets that more, or fewer, networks were drawn from than from the rest. By default
            the names of samples like ``top-1000`` tell.
        replicates: How many replicates intervals come from.
        search_among: How many networks a random search ranks.
        searches: How many random searches there are, where at least twice as many networks were
            measured as one ranks.
        seed: Where chance comes from: replicates, the order of ties, searches.
        on_progress: Called with how many rankings are judged, and how many there are.

    Returns:
        Estimates with intervals; ``print`` shows them as tables, ``to_dict`` gives all numbers.

    Raises:
        SettingError: Something asked for does not fit.
        UnknownNameError: A metric was not measured.
        DataError: A file cannot be read, or the benchmark has fewer networks than a subset.
        StoreError: The store cannot be used.
        WorkersError: The workers cannot be used.

    Example:
        >>> import tempfile
        >>> table = Path(tempfile.mkdtemp()) / "known.csv"
        >>> rows = "index,cifar10_test,params", "0,85.9,129306", "1,93.7,802426", "2,90.1,400346"
        >>> _ = table.write_text("\n".join(rows))
        >>> study = correlate(table, metrics="params", subsets=["all"])
        >>> study.estimates[0].tau.value
        1.0
    """
    if not isinstance(benchmark, Benchmark):
        benchmark = read_benchmark(benchmark, accuracy, space=space)
    asked = list(dict.fromkeys([metrics] if isinstance(metrics, str) else metrics))
    given = [scores] if isinstance(scores, Scores | Path | str) else list(scores)
    measured = [one for one in given if isinstance(one, Scores)]
    notices = dict.fromkeys(benchmark.notices)
    files = [one for one in given if not isinstance(one, Scores)]
    measuring = None
    if data is not None:
        if measured:
            raise SettingError("Give either scores that were measured, or images to measure on.")
        measuring = Measuring(data, sample, seeds, recipe, workers=workers, store=store)
    if files or not measured:
        found, told_of_images = gather(benchmark, asked, files, measuring)
        measured, notices = [*measured, *found], notices | dict.fromkeys(told_of_images)
    told = tuple(_strata_told(measured, benchmark) if strata is None else strata)
    parts = [read_subset(name, benchmark) for name in dict.fromkeys(subsets)]
    cells = strata_of(benchmark, told)
    guards = list(dict.fromkeys(guards))
    check_guards(guards)
    # Guards change what a short training says, and nothing else.
    rankings = [
        (metric, guard)
        for metric in asked
        for guard in (guards if _bases(metric) & set(GUARDED) else ["off"])
    ]
    guarded = {guard: [apply_guard(one, benchmark, guard) for one in measured]
               for guard in {guard for _, guard in rankings}}  # fmt: skip
    estimates: list[Estimate] = []
    picks: list[Picks] = []
    for done, (metric, guard) in enumerate(rankings, start=1):
        sampled = sampled_of(guarded[guard], benchmark, metric, cells, replicates=replicates,
                             seed=seed)  # fmt: skip
        if not sampled.sample.is_census:
            where = (
                f"each part of the table ({', '.join(told)}, and the rest)" if told else "the table"
            )
            notices[f"The networks that were measured are taken for random ones of {where}."] = None
        ranking = Ranking(sampled, metric, seed)
        for subset in parts:
            estimates.append(estimate(ranking, subset, guard=guard))
            # Sums depend on who was ranked: among all, or among those that are compared.
            if len(parse(metric).metrics) > 1 and subset.name != "all":
                inside = replace(ranking, within=subset.members[sampled.rows])
                estimates.append(estimate(inside, subset, guard=guard))
        sizes = sampled.sample.sizes
        # Below twice as many, searches would draw nearly the same networks again and again.
        if (sampled.sample.drawn >= 2 * search_among * sizes / sizes.sum()).all():
            picks.append(pick_by(sampled, metric, guard=guard, size=search_among,
                                 searches=searches, seed=seed))  # fmt: skip
        on_progress(done, len(rankings))
    return Study(
        about=benchmark.about,
        estimates=tuple(estimates),
        picks=tuple(picks),
        seconds={metric: _seconds(measured[0], metric) for metric in asked},
        strata=told,
        replicates=replicates,
        seeds=tuple(one.seed for one in measured),
        detectors=_count_detectors(measured[0], benchmark),
        notices=tuple(notices),
    )


def _bases(metric: str) -> set[str]:
    """The metrics of an expression without the iterations that they are read at."""
    return {name.partition("@")[0] for name in parse(metric).metrics}


def _strata_told(scores: Sequence[Scores], benchmark: Benchmark) -> list[str]:
    """The subsets that samples were drawn from, by the samples' names."""
    drawn: dict[str, NDArray[np.bool_]] = {}
    for one in scores:
        for name, chosen in one.samples.items():
            if name == "top":
                raise SettingError(
                    "A sample of the scores is called 'top', which does not tell of how many "
                    "networks; say by strata which parts of the table more were drawn from, such "
                    "as --strata top-1000."
                )
            subset = _TOP.sub(r"top-\1", name)
            if names_part(subset):
                drawn[subset] = drawn.get(subset, False) | chosen
    for name, chosen in drawn.items():
        outside = np.flatnonzero(chosen & ~read_subset(name, benchmark).members)
        if len(outside):
            raise DataError(
                f"{len(outside)} of the networks that were drawn from {name} are not in it by "
                f"{benchmark.dataset} {benchmark.split} accuracy, such as "
                f"{benchmark.architectures[outside[0]]}, so they are no random sample there; judge "
                "by the accuracies that they were drawn by."
            )
    return sorted(drawn)


def _count_detectors(scores: Scores, benchmark: Benchmark) -> dict[tuple[bool, bool], int]:
    """How many measured networks are trivial by score, and by structure; see :class:`Study`."""
    if not scores.columns.keys() >= {"angle", "loss"}:
        return {}
    there = scores.measured["angle"] & scores.measured["loss"]
    by_score, by_structure = (
        put_behind(scores, benchmark, guard)[1][there] for guard in ("score", "structure")
    )
    return {
        (first, second): int(((by_score == first) & (by_structure == second)).sum())
        for first in (True, False)
        for second in (True, False)
    }


def sampled_of(
    scores: Sequence[Scores],
    benchmark: Benchmark,
    metric: str,
    cells: tuple[NDArray[np.int64], NDArray[np.int64]],
    *,
    replicates: int,
    seed: int,
) -> Sampled:
    """The networks that everything a ranking needs was measured of, with every seed.

    Args:
        scores: What was measured, one for each seed.
        benchmark: The accuracies.
        metric: The rank expression.
        cells: Strata of the benchmark and their sizes, see :func:`strata_of`.
        replicates: How many replicates of weights; they are the same for all rankings of the same
            networks, so that differences between rankings vary less than each of them.
        seed: Where chance comes from.

    Raises:
        UnknownNameError: A metric was not measured.
        DataError: No network has all of them.
    """
    needed = parse(metric).metrics
    for one in scores:
        check_metrics(parse(metric), one.columns)
    has_params = all("params" in one.columns for one in scores)
    names = dict.fromkeys([*needed, "params"] if has_params else needed)
    rows = np.flatnonzero(np.all([one.measured[name] for one in scores for name in names], axis=0))
    if not len(rows):
        lacking = [f"{name} with seed {one.seed}" for one in scores for name in names
                   if not one.measured[name].any()]  # fmt: skip
        raise DataError(
            f"{metric} cannot be judged, since {lacking[0]} was not measured; measure it, or give "
            "files of the same seeds."
            if lacking
            else f"No network of the table has all that {metric} needs; measure more."
        )
    strata, sizes = cells
    sample = Sample.of(strata[rows], sizes)
    weights = sample.weights[None]
    if not sample.is_census:
        weights = sample.replicates(replicates, np.random.default_rng(derive(seed, "replicates")))
    # Where parameters were not measured, what is gained over them is NaN, and all else stands.
    nothing = {"params": np.full(len(rows), np.nan)}
    return Sampled(
        rows, strata, sample, benchmark.accuracy[rows],
        [nothing | {name: one.columns[name][rows] for name in names} for one in scores],
        directions_of([*names, "params"]), weights,
    )  # fmt: skip


def _seconds(scores: Scores, metric: str) -> float:
    """What measuring a network took; metrics of one file were measured together."""
    known = {scores.seconds[name] for name in parse(metric).metrics if name in scores.seconds}
    return sum(known) if known else np.nan
