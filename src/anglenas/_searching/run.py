"""The search: proposals, measurements, ranking."""

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from anglenas._measuring.judge import (
    Judge,
    columns_of,
    metrics_to_rank,
    rank_candidates,
    scores_of,
)
from anglenas._measuring.plan import (
    Measured,
    Plan,
    draw_repeats,
    make_plan,
    notices_of,
    refuse_if_none_fits,
    target_config,
)
from anglenas._measuring.progress import Progress
from anglenas._measuring.result import Candidate
from anglenas._measuring.setup import (
    choose_recipe,
    choose_space,
    open_data,
    open_scorer,
)
from anglenas._measuring.steps import measure
from anglenas._measuring.store import Store
from anglenas._measuring.task import Outcome, Task
from anglenas._measuring.workers import Workers
from anglenas._numerics import derive
from anglenas._plugins import load
from anglenas._recipe import Recipe
from anglenas._searching.limits import Costs, costs_of, fits, refusal
from anglenas._searching.result import Found
from anglenas._searching.setup import choose_strategy
from anglenas._settings import above, at_least, checked
from anglenas.data import ImageSource, locate
from anglenas.errors import ArchitectureError, SettingError, UsageError
from anglenas.ranking import Ties
from anglenas.spaces import NetworkConfig, Space
from anglenas.strategies import Request, Strategy, Trial

_BUDGET = 60  # candidates, if neither their number nor a time is given
_AT_ONCE = 16  # proposals at once if time is the budget, so that few are made in vain


@checked
def search(
    space: Any = "nasbench201",
    data: str | Path | ImageSource = "digits",
    *,
    rank: str = "z(angle)+z(tse)+z(log(params))",
    strategy: str | Strategy = "random",
    budget: Annotated[int, at_least(1)] | None = None,
    minutes: Annotated[float, above(0)] | None = None,
    seed: int = 1,
    recipe: str | Recipe | None = None,
    metrics: Iterable[str] = (),
    max_params: Annotated[int, at_least(1)] | None = None,
    max_flops: Annotated[int, at_least(1)] | None = None,
    max_latency_ms: Annotated[float, above(0)] | None = None,
    guard: bool = True,
    ties: Ties = "average",
    channels: int | None = None,
    cells: int | None = None,
    flip: bool | None = None,
    strict: bool = False,
    workers: Workers | int | None = None,
    store: str | Path | Store | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Found:
    """Search a space for the architecture that suits some images best.

    The same arguments give the same result, bit for bit, with any number of workers, and after any
    number of interruptions: what was measured is in the store and is not measured again. A budget
    in minutes is the exception, because how many candidates fit depends on the machine.

    Args:
        space: Name of a registered space, ``"module:name"``, or the space itself.
        data: ``"digits"``, another registered name, a folder of class folders, an ``.npz`` file,
            or an image source.
        rank: Rank expression; see :func:`anglenas.ranking.parse`.
        strategy: ``"random"``, ``"exhaustive"``, ``"evolution"``, ``"module:name"``, or the
            strategy itself. Settings may follow a name: ``"evolution,population=50"``.
        budget: Candidates to measure, each a function of its own; 60 if no minutes are given.
        minutes: Time after which the search ends with what is measured, one candidate at least.
        seed: Where all randomness comes from.
        recipe: A recipe, or a text such as ``"fast,repeats=3"`` (see
            :func:`anglenas._recipe.read_recipe`); by default ``"fast"``.
        metrics: Further metrics to measure and list.
        max_params: Most parameters of the network that is looked for.
        max_flops: Most operations of one image's forward pass (a multiply-add is two).
        max_latency_ms: Most milliseconds of it, measured on this machine with one thread. Measured
            times are kept, so that the same search gives the same result again on this machine.
        guard: Whether networks whose classifier hardly turns, or that have nothing to train, get an
            angle and losses behind those of all others, as in the released code.
        ties: What equal values get: their ``"average"`` rank, or ranks in a random order that
            comes from the seed, as in the released code (``"broken"``).
        channels: Width of the first stage of the network that is looked for; by default that of the
            space's published networks, or 16.
        cells: Its cells per stage; by default likewise, or 5.
        flip: Whether a mirrored image is still one of its class; by default the data set says.
        strict: Whether an unreadable image is an error rather than skipped with a notice.
        workers: Who measures, where, and how long it may take: see :class:`anglenas.Workers`. A
            number stands for so many processes on this machine, 0 for this one; by default it is
            one a core.
        store: File of the store of scores, or the store; by default the user's own.
        on_progress: Called after every measurement; see :class:`Progress`.

    Raises:
        UsageError: Something asked for does not fit; its subclasses say what. A network that cannot
            be measured is one of them only if none can; a single one is ranked last.
        StoreError: The store cannot be used.

    >>> tiny = Recipe(resolution=8, cells=1, iterations=2)
    >>> found = search(budget=2, recipe=tiny, workers=0, store=":memory:")
    >>> [candidate.rank for candidate in found.candidates]
    [1, 2]
    """
    started, seed, workers = time.perf_counter(), int(seed), Workers.of(workers)
    source = open_data(data, flip)
    space_name, chosen = choose_space(space), choose_strategy(strategy)
    recipe = choose_recipe(recipe)
    judge = Judge(rank, guard, ties, seed, recipe.iterations)
    batches = draw_repeats(source, recipe, seed, strict=strict)
    target = target_config(space_name, source, batches[0], channels=channels, cells=cells)
    timed = [] if max_latency_ms is None else ["latency"]
    # The number of parameters costs nothing, and is what each metric has to beat.
    columns = [*metrics_to_rank(rank), *metrics, *timed, "params"]
    plan = make_plan(space_name, columns, batches, target, recipe, seed, workers.device)
    searched: Space[Any] = load("space", space_name)
    limits = _given(parameters=max_params, operations=max_flops, milliseconds=max_latency_ms)
    tried: dict[str, Costs] = {}
    forms: set[str] = set()
    architectures: list[object] = []
    outcomes: dict[Task, Outcome] = {}
    measured: dict[int, Measured] = {}
    computed = 0
    ranking = _Ranking(judge, plan, searched, target)

    # What follows is called while the scorer below is open.

    def latency(architecture: object) -> float | None:
        [task] = [task for task in plan.tasks(architecture) if task.context.probe == "latency"]
        [outcome] = scorer.outcomes([task], {})
        return None if outcome.record is None else float(outcome.record["milliseconds"])

    def admits(architecture: object) -> bool:
        if searched.canonical(architecture) in forms:
            return False
        text = str(architecture)
        if limits and text not in tried:
            tried[text] = costs_of(architecture, searched, target, limits, latency)
        return not limits or fits(tried[text], limits)

    def request(count: int) -> Request:
        history = ranking.history(architectures, measured, scored=chosen.concurrency is not None)
        # A stream for each proposal, so that none depends on how many were asked for at once.
        return Request(searched, history, count, lambda number: np.random.default_rng(
            derive(seed, "strategy", number)), admits)  # fmt: skip

    def late() -> bool:
        # Never before there is a result: a search that ends without one was in vain.
        spent = time.perf_counter() - started
        return minutes is not None and bool(measured) and spent > 60 * minutes

    most = budget or (_BUDGET if minutes is None else searched.size)
    total = most if minutes is None else None
    with open_scorer(store, workers) as scorer:
        for proposals in _proposals(chosen, request, most, timed=minutes is not None):
            first = len(architectures)
            architectures.extend(proposals)
            forms |= {searched.canonical(architecture) for architecture in proposals}
            for step in measure(plan, proposals, scorer):
                outcomes[step.outcome.task] = step.outcome
                computed += step.computed
                for position in step.finished:
                    measured[first + position] = plan.read(proposals[position], outcomes)
                seconds = time.perf_counter() - started
                on_progress(Progress(len(measured), total, seconds, computed, find_best=lambda: (
                    ranking.candidates(architectures, measured)[0] if measured else None
                )))  # fmt: skip
                if late():
                    break
            if late():
                break
    if not architectures:
        raise UsageError(
            refusal(tried.values(), limits)
            or f"The strategy {chosen.name!r} proposes nothing of the space; use another."
        )
    refuse_if_none_fits(measured.values())
    return Found(
        candidates=ranking.candidates(architectures, measured),
        columns=columns_of(plan.metrics),
        rank=rank,
        space=space_name,
        data=source.name,
        origin=locate(data),
        class_names=tuple(source.class_names),
        flip=source.flip,
        recipe=recipe,
        seed=seed,
        guard=guard,
        ties=ties,
        notices=notices_of(batches),
        seconds=time.perf_counter() - started,
        computed=computed,
        strategy=chosen.name,
        limits=_given(
            budget=budget,
            minutes=minutes,
            max_params=max_params,
            max_flops=max_flops,
            max_latency_ms=max_latency_ms,
        ),
    )


def _given(**settings: Any) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


@dataclass(frozen=True)
class _Ranking:
    """What makes trials and candidates of what was proposed and measured so far."""

    judge: Judge
    plan: Plan
    space: Space[Any]
    target: NetworkConfig

    def history(
        self, architectures: Sequence[Any], measured: Mapping[int, Measured], *, scored: bool
    ) -> list[Trial]:
        """All trials; without scores for strategies that do not look, since ranking takes time."""
        scores: Iterable[float] = [math.nan] * len(architectures)
        if scored and architectures:
            values = [measured[number] for number in range(len(architectures))]
            scores = scores_of(self.judge, self.space, architectures, values, self.plan.metrics)[0]
        numbered = enumerate(zip(architectures, scores, strict=True))
        return [Trial(number, tried, float(score)) for number, (tried, score) in numbered]

    def candidates(
        self, architectures: Sequence[Any], measured: Mapping[int, Measured]
    ) -> tuple[Candidate, ...]:
        """What is measured, best first; a search that ran out of time leaves gaps."""
        numbers = sorted(measured)
        ranked = rank_candidates(
            self.judge,
            self.plan.space,
            [architectures[number] for number in numbers],
            [measured[number] for number in numbers],
            self.plan.metrics,
            self.target,
        )
        return tuple(replace(found, number=numbers[found.number]) for found in ranked)


def _proposals(
    strategy: Strategy, request: Callable[[int], Request], most: int | None, *, timed: bool
) -> Iterator[Sequence[Any]]:
    """Proposals to be measured together, until there are enough or nothing is left to propose.

    Args:
        strategy: Who proposes.
        request: What it is given for a number of proposals.
        most: How many there are at most.
        timed: Whether the search ends with its time, so that few should be proposed in vain.
    """
    done = 0
    while most is None or done < most:
        left = sys.maxsize if most is None else most - done
        # As many again as there are, so that a strategy that begins at the beginning each time, as
        # exhaustive search does, goes no more than a few times as far as it gets.
        wide = max(_AT_ONCE, done) if timed else left
        asked = request(min(left, strategy.concurrency or wide))
        proposed = (
            _taken(strategy, asked.space, proposal)
            for proposal in islice(strategy.propose(asked), asked.count)
        )
        before = done
        while proposals := list(islice(proposed, _AT_ONCE if timed else asked.count)):
            done += len(proposals)
            yield proposals
        if done == before:
            return


def _taken(strategy: Strategy, space: Space[Any], proposal: Any) -> Any:
    """The architecture that a strategy proposes, as such or by its text."""
    try:
        return space.parse(str(proposal))
    except ArchitectureError as error:
        raise SettingError(
            f"The strategy {strategy.name!r} proposes {proposal!r}, which is no architecture of "
            f"the space {space.name!r}: {error}"
        ) from error
