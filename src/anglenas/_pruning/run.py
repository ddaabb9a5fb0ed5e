"""Pruning a supernet: rounds of measurements, until an architecture is left."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from anglenas._measuring.judge import Judge, columns_of, metrics_to_rank, rank_candidates
from anglenas._measuring.plan import (
    Plan,
    draw_repeats,
    make_plan,
    notices_of,
    proxy_config,
    target_config,
)
from anglenas._measuring.progress import Progress
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
from anglenas._pruning.readings import ranks_by_change, ranks_of_pruned
from anglenas._pruning.result import Pruned, Removal, Round
from anglenas._pruning.rounds import Contest, contests, planned
from anglenas._pruning.settings import (
    Pruner,
    Reading,
    check_supernet_memory,
    default_recipe,
    settle,
)
from anglenas._recipe import Recipe
from anglenas._settings import at_least, checked
from anglenas.data import ImageSource, locate
from anglenas.errors import AnglenasError, SettingError
from anglenas.ranking import Ties
from anglenas.spaces import Supernet


@checked
def prune(
    space: Any = "nasbench201",
    data: str | Path | ImageSource = "digits",
    *,
    rank: str = "z(angle)+z(tse)+z(log(params))",
    number: Annotated[int, at_least(0)] = 0,
    reading: Reading = "auto",
    supernets: Any = "",
    seed: int = 1,
    recipe: str | Recipe | None = None,
    metrics: Iterable[str] = (),
    guard: bool = True,
    ties: Ties = "average",
    channels: int | None = None,
    cells: int | None = None,
    flip: bool | None = None,
    strict: bool = False,
    workers: Workers | int | None = None,
    store: str | Path | Store | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Pruned:
    """Take operations away from a supernet until one architecture is left.

    In each round every operation of every edge is taken away once, on trial, each supernet that is
    left is measured, and every edge loses the operations whose removal ranks first (TE-NAS; Chen,
    Gong & Wang, ICLR 2021, arXiv 2102.11535). For metrics of a short training (Yang et al., WACV
    2023) it is not published how they are read; here, the supernet that is left is trained for a
    moment and ranked like any other network, so that an operation goes if the network does well
    without it.

    How many measurements that takes, and how large the result is, follows from the space. The same
    arguments give the same result, as in :func:`anglenas.search`.

    Args:
        space: As in :func:`anglenas.search`; it needs supernets.
        data: As there.
        rank: As there; what ranks the supernets of a round.
        number: Operations that an edge loses in a round; 0 for what TE-NAS has in the space: 1 in
            NAS-Bench-201, 3 in DARTS (there, 2 for ImageNet).
        reading: How the metrics of a supernet that lacks an operation are read. ``"pruned"``: as
            they are. ``"change"``: by how much they differ from those of the supernet that has it,
            in relation to it, as in TE-NAS. ``"auto"``: ``"pruned"`` if a metric of a short
            training is among them, else ``"change"``.
        supernets: Other supernets than the space's own: a name, ``"module:name"``, or the object.
        seed: Where all randomness comes from.
        recipe: As there; by default that of the supernets.
        metrics: Metrics to measure of the network that is left.
        guard: As there; changes have none.
        ties: As there; changes that are equal share a dense rank.
        channels: As there.
        cells: As there.
        flip: As there.
        strict: As there.
        workers: As there; a removal that could not be measured in time is made last.
        store: As there.
        on_progress: Called as a round begins, after every measurement and at the end.

    Raises:
        UsageError: Something asked for does not fit; its subclasses say what.
        AnglenasError: No removal of a round could be measured or has a score, or the supernet that
            changes are related to could not be measured.
        StoreError: The store cannot be used.

    >>> pruned = prune(rank="params", number=3, workers=0, store=":memory:")
    >>> [len(step.removals) for step in pruned.rounds]
    [24]
    >>> str(pruned.best.architecture).count("nor_conv_3x3")
    6
    """
    started, seed, workers = time.perf_counter(), int(seed), Workers.of(workers)
    source, space_name = open_data(data, flip), choose_space(space)
    needed = metrics_to_rank(rank)
    pruner = settle(space_name, supernets, number, reading, rank)
    by_change = pruner.reading == "change"
    if by_change and ties == "broken":
        raise SettingError(
            "Pruning by changes gives equal ones a dense rank, as TE-NAS does; leave out "
            "ties='broken', or use reading='pruned'."
        )
    recipe = choose_recipe(recipe, default_recipe(pruner.space, rank))
    judge = Judge(
        rank, guard and not by_change, "dense" if by_change else ties, seed, recipe.iterations
    )
    batches = draw_repeats(source, recipe, seed, strict=strict)
    config = proxy_config(batches[0], recipe)
    plan = make_plan(pruner.supernets, needed, batches, config, recipe, seed, workers.device)
    # What pruning leaves is not judged by what pruned it.
    target = target_config(space_name, source, batches[0], channels=channels, cells=cells)
    last_plan = make_plan(
        space_name, [*metrics, "params"], batches, target, recipe, seed, workers.device
    )
    if workers.scheduler is None and workers.device == "cpu":  # elsewhere it is not known before
        images = len(batches[0].images)
        check_supernet_memory(pruner.space, plan, config, images, recipe, workers.processes)
    ahead, _ = planned(pruner.space, pruner.number)
    # Changes are relative to the supernet that a round begins with, which is measured too.
    total = sum(len(contest.removals) + by_change for contest in ahead)
    done = computed = 0
    rounds: list[Round] = []
    known: set[Supernet] = set()
    outcomes: dict[Task, Outcome] = {}
    process = contests(pruner.space, pruner.number)
    contest: Contest | None = next(process)

    def tell(stage: str, left: Supernet) -> None:
        seconds = time.perf_counter() - started
        on_progress(Progress(done, total, seconds, computed, stage, left))

    with open_scorer(store, workers) as scorer:
        while contest:
            stage = f"round {len(rounds) + 1} of {len(ahead)}: {contest.title}"
            tell(stage, contest.base)
            for step in measure(plan, [contest.base] * by_change + contest.supernets, scorer):
                outcomes[step.outcome.task] = step.outcome
                computed += step.computed
                done += len(step.finished)
                tell(stage, contest.base)
            ranks = _ranks(pruner, judge, plan, contest, outcomes)
            try:
                following = process.send([-position for position in ranks])
                left = following.base
            except StopIteration as end:
                following, left = None, end.value
            # Where edges of a node compete, the supernet to begin with was a removal before.
            counts = by_change and contest.base not in known
            rounds.append(_told(pruner, plan, contest, outcomes, ranks, left, counts))
            known.update(contest.supernets)
            contest = following
        tell("what is left at the end", left)
        architecture = pruner.space.read(left)
        for step in measure(last_plan, [architecture], scorer):
            outcomes[step.outcome.task] = step.outcome
            computed += step.computed
    return Pruned(
        candidates=rank_candidates(
            replace(judge, rank="params"), space_name, [architecture],
            [last_plan.read(architecture, outcomes)], last_plan.metrics, target,
        ),
        columns=columns_of(last_plan.metrics),
        rank=rank,
        space=space_name,
        data=source.name,
        origin=locate(data),
        class_names=tuple(source.class_names),
        flip=source.flip,
        recipe=recipe,
        seed=seed,
        guard=judge.guard,
        ties=judge.ties,
        notices=notices_of(batches),
        seconds=time.perf_counter() - started,
        computed=computed,
        rounds=tuple(rounds),
        supernets=pruner.supernets,
        number=pruner.number,
        reading=pruner.reading,
    )  # fmt: skip


def _ranks(
    pruner: Pruner, judge: Judge, plan: Plan, contest: Contest, outcomes: Mapping[Task, Outcome]
) -> list[int]:
    """The rank of each removal of a round; 1 goes first."""

    def failure(supernet: Supernet) -> str:
        """Why a supernet could not be measured; empty if it could."""
        measured = (outcomes[task] for task in plan.tasks(supernet))
        return next((outcome.status for outcome in measured if not outcome.final), "")

    # One supernet that fails is ranked last; without the base, or without any other, nothing is.
    base = failure(contest.base) if pruner.reading == "change" else ""
    failures = list(map(failure, contest.supernets))
    if base or all(failures):
        what = "The supernet that the others are compared with" if base else "Not one supernet"
        raise AnglenasError(
            f"{what} of a round could {'not ' * bool(base)}be measured ({base or failures[0]});"
            " give a longer time limit if it took too long, or else mend what the reason names,"
            " and the same command goes on from there, with what was measured kept."
        )
    if pruner.reading == "change":
        return ranks_by_change(
            judge,
            plan.read_repeats(contest.base, outcomes),
            [plan.read_repeats(supernet, outcomes) for supernet in contest.supernets],
            plan.metrics,
        )
    measured = [plan.read(supernet, outcomes) for supernet in contest.supernets]
    return ranks_of_pruned(judge, pruner.space, contest.supernets, measured, plan.metrics)


def _told(
    pruner: Pruner,
    plan: Plan,
    contest: Contest,
    outcomes: Mapping[Task, Outcome],
    ranks: Sequence[int],
    left: Supernet,
    base_counts: bool,
) -> Round:
    """A round as a value of the result."""

    def seconds(supernet: Supernet) -> float:
        return sum(outcomes[task].seconds for task in plan.tasks(supernet))

    def removal(edge: int, operation: str, supernet: Supernet, rank: int) -> Removal:
        measured = plan.read(supernet, outcomes)
        return Removal(
            edge=pruner.space.topology.edges[edge],
            operation=operation,
            values=measured.values,
            seconds=seconds(supernet),
            status=measured.status,
            rank=rank,
            made=not left.holds(edge, operation),
        )

    tried = zip(contest.removals, contest.supernets, ranks, strict=True)
    removals = tuple(removal(*which, supernet, rank) for which, supernet, rank in tried)
    base_seconds = seconds(contest.base) if base_counts else 0.0
    return Round(contest.title, str(contest.base), removals, base_seconds)
