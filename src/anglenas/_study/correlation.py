"""Metrics against known accuracies: the whole study."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anglenas._plugins import load
from anglenas._study.choices import Choice, choose
from anglenas._study.estimates import Drawn, Estimate, Ranking, estimate
from anglenas._study.scores import Scores, directions_of
from anglenas._study.structure import has_no_module
from anglenas._study.subsets import Subset, names_part, read_subset, strata_of
from anglenas._study.table import Table
from anglenas.errors import DataError, SettingError
from anglenas.ranking import GUARDED, check_metrics, guard_columns, parse
from anglenas.spaces import is_untrained

__all__ = ["GUARDS", "Study", "apply_guard", "check_guards", "correlate", "drawn_of"]

GUARDS = ("off", "score", "structure")
"""How trivial networks are treated: as any other; ranked last where their angle is 0.95 or more
after at least 50 iterations, or their cell has no module (the released code of Yang et al., WACV
2023); or ranked last where nothing that learns is on the ways through their cell."""

_TOP = re.compile(r"^top[-:]?(\d+(?:\.\d+)?%?)$")


@dataclass(frozen=True)
class Study:
    """What metrics are worth on a table.

    Attributes:
        about: What the accuracies are: data set, split, epochs, seeds.
        estimates: How well each ranking orders each subset.
        choices: What random searches find by each ranking.
        seconds: By ranking, what measuring a network took, where that is known.
        strata: Subsets that more, or fewer, networks were drawn from than from the rest.
        replicates: How many replicates intervals come from.
        seeds: The seeds of the measurements.
        detectors: How many measured networks each combination of the two detectors of trivial
            networks catches: ``(by score, by structure)``; empty where angles were not measured.
        notices: What a reader should know, a sentence each.
    """

    about: str
    estimates: tuple[Estimate, ...]
    choices: tuple[Choice, ...]
    seconds: Mapping[str, float]
    strata: tuple[str, ...]
    replicates: int
    seeds: tuple[int, ...]
    detectors: Mapping[tuple[bool, bool], int]
    notices: tuple[str, ...]


def correlate(
    scores: Sequence[Scores],
    table: Table,
    metrics: Iterable[str],
    *,
    subsets: Iterable[str] = ("all", "top-1000", "top-500"),
    guards: Iterable[str] = ("off",),
    strata: Sequence[str] | None = None,
    replicates: int = 500,
    search_among: int = 100,
    searches: int = 1000,
    seed: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Study:
    """How well metrics and combinations of them order networks whose accuracies are known.

    Each ranking is judged on all networks of which everything it needs was measured; estimates
    stand for the subset of the table, however the networks were drawn. What it gains over
    ``params`` is taken on the same networks.

    Args:
        scores: What was measured, one for each seed; networks are judged that all of them have.
        table: The accuracies.
        metrics: Metrics and rank expressions, see :func:`anglenas.ranking.parse`.
        subsets: Names of subsets, see :func:`read_subset`.
        guards: Of :data:`GUARDS`; only rankings by what a short training says differ.
        strata: Subsets that more, or fewer, networks were drawn from than from the rest. By default
            the names of samples like ``top-1000`` tell.
        replicates: How many replicates intervals come from.
        search_among: How many networks a random search ranks.
        searches: How many random searches there are, where at least twice as many networks were
            measured as one ranks.
        seed: Where chance comes from: replicates, the order of ties, searches.
        on_progress: Called with how many rankings are judged, and how many there are.

    Raises:
        SettingError: Something asked for does not fit.
        UnknownNameError: A metric was not measured.
        DataError: The table has fewer networks than a subset.
    """
    told = tuple(_strata_told(scores, table) if strata is None else strata)
    asked = [read_subset(name, table) for name in dict.fromkeys(subsets)]
    cells = strata_of(table, told)
    guards = list(guards)
    check_guards(guards)
    rankings = [(metric, guard) for metric in dict.fromkeys(metrics)
                for guard in _guards_of(metric, guards)]  # fmt: skip
    guarded = {guard: [apply_guard(one, table, guard) for one in scores]
               for guard in {guard for _, guard in rankings}}  # fmt: skip
    estimates: list[Estimate] = []
    choices: list[Choice] = []
    notices = dict.fromkeys(table.notices)
    for done, (metric, guard) in enumerate(rankings, start=1):
        drawn = drawn_of(guarded[guard], table, metric, cells, replicates=replicates, seed=seed)
        notices |= dict.fromkeys(_assumed(drawn, told))
        estimates += _estimates(Ranking(drawn, metric, seed), asked, guard)
        if _can_search(drawn, search_among):
            choices.append(choose(drawn, metric, guard=guard, size=search_among,
                                  searches=searches, seed=seed))  # fmt: skip
        on_progress(done, len(rankings))
    return Study(
        about=table.about,
        estimates=tuple(estimates),
        choices=tuple(choices),
        seconds={metric: _seconds(scores[0], metric) for metric, _ in rankings},
        strata=told,
        replicates=replicates,
        seeds=tuple(one.seed for one in scores),
        detectors=count_detectors(scores[0], table),
        notices=tuple(notices),
    )


def _assumed(drawn: Drawn, strata: Sequence[str]) -> tuple[str, ...]:
    if drawn.sample.is_census:
        return ()
    parts = f"each part of the table ({', '.join(strata)}, and the rest)" if strata else "the table"
    return (f"The networks that were measured are taken for random ones of {parts}.",)


def _strata_told(scores: Sequence[Scores], table: Table) -> list[str]:
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
        _check_inside(name, chosen, table)
    return sorted(drawn)


def _check_inside(name: str, chosen: NDArray[np.bool_], table: Table) -> None:
    outside = np.flatnonzero(chosen & ~read_subset(name, table).members)
    if len(outside):
        raise DataError(
            f"{len(outside)} of the networks that were drawn from {name} are not in it by "
            f"{table.dataset} {table.split} accuracy, such as "
            f"{table.architectures[outside[0]]}, so they are no random sample there; judge by the "
            "accuracies that they were drawn by."
        )


def _guards_of(metric: str, guards: Sequence[str]) -> list[str]:
    """The guards that could change a ranking; ``"off"`` alone where no short training speaks."""
    bases = {name.partition("@")[0] for name in parse(metric).metrics}
    return list(dict.fromkeys(guards)) if bases & set(GUARDED) else ["off"]


def check_guards(guards: Sequence[str]) -> None:
    """Make sure that there are guards, and that all are of :data:`GUARDS`.

    Raises:
        SettingError: There is none, or one has another name.
    """
    wrong = next((guard for guard in guards if guard not in GUARDS), None)
    if wrong is not None or not guards:
        told = "none" if wrong is None else repr(wrong)
        raise SettingError(f"A guard is one of {', '.join(GUARDS)}, not {told}.")


def apply_guard(scores: Scores, table: Table, guard: str) -> Scores:
    """The scores in which trivial networks are put behind by one of :data:`GUARDS`.

    Raises:
        SettingError: There is no such guard.
    """
    check_guards([guard])
    if guard == "off":
        return scores
    columns, _ = _guarded(scores, table, guard)
    return replace(scores, columns=columns)


def _guarded(
    scores: Scores, table: Table, guard: str
) -> tuple[Mapping[str, NDArray[np.float64]], NDArray[np.bool_]]:
    space = load("space", table.space)
    architectures = [space.parse(text) for text in table.architectures]
    if guard == "score":
        structural = [has_no_module(space.graphs(one)) for one in architectures]
        return guard_columns(scores.columns, structural, iterations=scores.iterations)
    untrained = [is_untrained(space.graphs(one)) for one in architectures]
    return guard_columns(scores.columns, untrained, threshold=np.inf)


def count_detectors(scores: Scores, table: Table) -> dict[tuple[bool, bool], int]:
    """How many measured networks are trivial by score, and by structure; see :class:`Study`."""
    if not {"angle", "loss"} <= scores.columns.keys():
        return {}
    measured = scores.measured["angle"] & scores.measured["loss"]
    by_score, by_structure = (
        _guarded(scores, table, guard)[1][measured] for guard in ("score", "structure")
    )
    return {
        (first, second): int(((by_score == first) & (by_structure == second)).sum())
        for first in (True, False)
        for second in (True, False)
    }


def drawn_of(
    scores: Sequence[Scores],
    table: Table,
    metric: str,
    cells: tuple[NDArray[np.int64], NDArray[np.int64]],
    *,
    replicates: int,
    seed: int,
) -> Drawn:
    """The networks that everything a ranking needs was measured of, with every seed.

    Args:
        scores: What was measured, one for each seed.
        table: The accuracies.
        metric: The rank expression.
        cells: Strata of the table and their sizes, see :func:`strata_of`.
        replicates: How many replicates of weights.
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
        raise DataError(_nothing_has_all(metric, names, scores))
    columns = [{name: one.columns[name][rows] for name in names} for one in scores]
    return Drawn.of(
        rows,
        *cells,
        table.accuracy[rows],
        [{"params": np.full(len(rows), np.nan)} | one for one in columns],
        directions_of([*names, "params"]),
        replicates=replicates,
        seed=seed,
    )


def _nothing_has_all(metric: str, names: Iterable[str], scores: Sequence[Scores]) -> str:
    lacking = [f"{name} with seed {one.seed}" for one in scores for name in names
               if not one.measured[name].any()]  # fmt: skip
    if lacking:
        return (
            f"{metric} cannot be judged, since {lacking[0]} was not measured; measure it, or give "
            "files of the same seeds."
        )
    return f"No network of the table has all that {metric} needs; measure more."


def _estimates(ranking: Ranking, subsets: Sequence[Subset], guard: str) -> list[Estimate]:
    """On every subset; for sums also with ranks formed inside the subset."""
    found = []
    for subset in subsets:
        found.append(estimate(ranking, subset, guard=guard))
        if len(parse(ranking.metric).metrics) > 1 and subset.name != "all":
            inside = replace(ranking, within=subset.members[ranking.drawn.rows])
            found.append(estimate(inside, subset, guard=guard))
    return found


def _can_search(drawn: Drawn, size: int) -> bool:
    """Whether twice what a search takes on average was measured of each part of the table."""
    sizes = drawn.sample.sizes
    return bool((drawn.sample.drawn >= 2 * size * sizes / sizes.sum()).all())


def _seconds(scores: Scores, metric: str) -> float:
    """What measuring a network took; metrics of one file were measured together."""
    known = {scores.seconds[name] for name in parse(metric).metrics if name in scores.seconds}
    return sum(known) if known else np.nan
