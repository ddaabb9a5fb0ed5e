"""The search: proposals, measurements, ranking."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

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
from anglenas._measuring.scorer import Scorer
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
from anglenas._searching.constraints import Constraints
from anglenas._searching.result import Found
from anglenas._searching.setup import choose_strategy
from anglenas._settings import checked
from anglenas.data import ImageSource, locate
from anglenas.errors import SettingError, UsageError
from anglenas.ranking import Ties
from anglenas.spaces import NetworkConfig
from anglenas.strategies import Request, Strategy, Trial

__all__ = ["search"]

DEFAULT_BUDGET = 60
_ROUND = 16  # proposals at once if time is the budget, so that few are made in vain


@checked
def search(
    space: Any = "nasbench201",
    data: str | Path | ImageSource = "digits",
    *,
    rank: str = "z(angle)+z(tse)+z(log(params))",
    strategy: str | Strategy = "random",
    budget: int | None = None,
    minutes: float | None = None,
    seed: int = 1,
    recipe: str | Recipe | None = None,
    metrics: Iterable[str] = (),
    max_params: int | None = None,
    max_flops: int | None = None,
    max_latency_ms: float | None = None,
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
    _check_budget(budget, minutes)
    limits = _given(
        budget=budget,
        minutes=minutes,
        max_params=max_params,
        max_flops=max_flops,
        max_latency_ms=max_latency_ms,
    )
    source = open_data(data, flip)
    space_name, chosen = choose_space(space), choose_strategy(strategy)
    recipe = choose_recipe(recipe)
    judge = Judge(rank, guard, ties, seed, recipe.iterations)
    batches = draw_repeats(source, recipe, seed, strict=strict)
    target = target_config(space_name, source, batches[0], channels=channels, cells=cells)
    timed = [] if max_latency_ms is None else ["latency"]
    columns = [*metrics_to_rank(rank), *metrics, *timed, "params"]
    plan = make_plan(space_name, columns, batches, target, recipe, seed, workers.device)
    with open_scorer(store, workers) as scorer:
        latency = partial(_latency, plan, scorer)
        limited = Constraints(space_name, target, max_params, max_flops, max_latency_ms, latency)
        run = _Run(plan, judge, chosen, limited, target, scorer, started, minutes, on_progress)
        run.until(budget)
    refuse_if_none_fits(run.measured.values())
    return Found(
        candidates=run.candidates(),
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
        computed=run.computed,
        strategy=chosen.name,
        limits=limits,
    )


def _latency(plan: Plan, scorer: Scorer, architecture: Any) -> float | None:
    """Milliseconds of an architecture's network; ``None`` if it fails."""
    [task] = [one for one in plan.tasks(architecture) if one.context.probe == "latency"]
    [outcome] = scorer.outcomes([task], {})
    return None if outcome.record is None else float(outcome.record["milliseconds"])


def _given(**settings: Any) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def _check_budget(budget: int | None, minutes: float | None) -> None:
    if budget is not None and budget < 1:
        raise SettingError(f"A budget of {budget} candidates finds nothing; give 1 at least.")
    if minutes is not None and not minutes > 0:
        raise SettingError(f"A budget of {minutes:g} minutes finds nothing; give more than 0.")


@dataclass
class _Run:
    """One search under way: the trials so far and what was measured of them."""

    plan: Plan
    judge: Judge
    strategy: Strategy
    constraints: Constraints
    target: NetworkConfig
    scorer: Scorer
    started: float
    minutes: float | None
    report: Callable[[Progress], None]
    architectures: list[Any] = field(default_factory=list)
    forms: set[str] = field(default_factory=set)
    outcomes: dict[Task, Outcome] = field(default_factory=dict)
    measured: dict[int, Measured] = field(default_factory=dict)
    computed: int = 0

    @cached_property
    def space(self) -> Any:
        return load("space", self.plan.space)

    @property
    def late(self) -> bool:
        """Whether the time is up; never before there is a result."""
        if self.minutes is None or not self.measured:
            return False
        return time.perf_counter() - self.started > 60 * self.minutes

    def until(self, budget: int | None) -> None:
        """Propose and measure until the budget is spent or nothing is left to propose."""
        timed = self.minutes is not None
        budget = budget or (self.space.size if timed else DEFAULT_BUDGET)
        while not self.late and (budget is None or len(self.architectures) < budget):
            proposals = self._propose(None if budget is None else budget - len(self.architectures))
            if not proposals:
                break
            self._measure(proposals, total=None if timed else budget)
        if not self.architectures:
            raise UsageError(self._nothing())

    def _nothing(self) -> str:
        return self.constraints.refusal() or (
            f"The strategy {self.strategy.name!r} proposes nothing of the space; use another."
        )

    def _propose(self, left: int | None) -> Sequence[Any]:
        wide = left if self.minutes is None else _ROUND
        count = min(n for n in (wide, left, self.strategy.concurrency) if n is not None)
        request = Request(
            space=self.space,
            history=self._history() if self.strategy.concurrency else self._unscored(),
            count=count,
            stream=lambda number: np.random.default_rng(
                derive(self.judge.seed, "strategy", number)
            ),
            admits=self._admits,
        )
        return self.strategy.propose(request)

    def _admits(self, architecture: Any) -> bool:
        new = self.space.canonical(architecture) not in self.forms
        return new and self.constraints.admit(architecture)

    def _unscored(self) -> list[Trial]:
        return [Trial(n, one, float("nan")) for n, one in enumerate(self.architectures)]

    def _history(self) -> list[Trial]:
        measured = [self.measured[number] for number in range(len(self.architectures))]
        scores = (
            scores_of(self.judge, self.space, self.architectures, measured, self.plan.metrics)[0]
            if measured
            else ()
        )
        return [
            Trial(n, one, float(score))
            for n, (one, score) in enumerate(zip(self.architectures, scores, strict=True))
        ]

    def _measure(self, proposals: Sequence[Any], total: int | None) -> None:
        first = len(self.architectures)
        self.architectures += proposals
        self.forms |= {self.space.canonical(one) for one in proposals}
        for step in measure(self.plan, proposals, self.scorer):
            self.outcomes[step.outcome.task] = step.outcome
            self.computed += step.computed
            for position in step.finished:
                measured = self.plan.read(proposals[position], self.outcomes)
                self.measured[first + position] = measured
            seconds = time.perf_counter() - self.started
            self.report(
                Progress(len(self.measured), total, seconds, self.computed, find_best=self._best)
            )
            if self.late:
                break

    def _best(self) -> Candidate | None:
        candidates = self.candidates()
        return candidates[0] if candidates else None

    def candidates(self) -> tuple[Candidate, ...]:
        """What is measured so far, best first."""
        numbers = sorted(self.measured)
        if not numbers:
            return ()
        ranked = rank_candidates(
            self.judge,
            self.plan.space,
            [self.architectures[number] for number in numbers],
            [self.measured[number] for number in numbers],
            self.plan.metrics,
            self.target,
        )
        return tuple(replace(one, number=numbers[one.number]) for one in ranked)
