"""Pruning a supernet: rounds of measurements, until an architecture is left."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from anglenas._measuring.memory import check_memory, gradients_memory, training_memory
from anglenas._measuring.plan import Measured, Plan, make_plan, proxy_config
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.task import Outcome, Task
from anglenas._plugins import load
from anglenas._recipe import Recipe
from anglenas._searching.ranked import Judge
from anglenas._searching.readings import places_by_change, places_of_pruned
from anglenas.data import FewShot
from anglenas.errors import AnglenasError, SettingError
from anglenas.probes import find_metric, find_probe
from anglenas.ranking import Expression
from anglenas.spaces import NetworkConfig
from anglenas.spaces._supernets import Supernet, SupernetSpace
from anglenas.strategies import Request, Trial
from anglenas.strategies._prune import PruneSearch, Reading, Removal, Round

__all__ = [
    "Given",
    "Pruning",
    "choose_supernets",
    "default_recipe",
    "judge_supernets",
    "make_pruning",
    "reads_changes",
    "refuse_limits",
    "resolve",
]

Report = Callable[[int, int, int, str, Supernet], None]
"""Takes the number of supernets measured, how many there are in all, how many measurements were
made now, what the round is, and the supernet that it prunes."""


def choose_supernets(strategy: PruneSearch, space: str) -> str:
    """Name of the supernets that are pruned in order to search a space.

    Raises:
        UsageError: The space has none, or there is no such space of supernets.
    """
    own = getattr(load("space", space), "supernet", "")
    name = strategy.supernet or own
    if not name:
        raise SettingError(
            f"Pruning needs supernets, which the space {space!r} does not have; use the strategy "
            "random or evolution."
        )
    supernets = load("space", name)
    if not isinstance(supernets, SupernetSpace):
        raise SettingError(f"{name!r} is no space of supernets; leave out supernet={name}.")
    return str(name)


def _check_result(strategy: PruneSearch, space: str) -> None:
    """Make sure, before anything is measured, that pruning ends in the space that is searched.

    Raises:
        SettingError: What is left of the supernets is no architecture of the space.
    """
    name, searched = strategy.supernet, load("space", space)
    supernets: SupernetSpace = load("space", name)
    left = strategy.example(supernets)
    try:
        architecture = supernets.read(left)
        if searched.parse(str(architecture)) == architecture:
            return
        reason = f"{str(architecture)!r} is another one there"
    except Exception as error:  # both can be the user's: their code can raise anything
        reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    own = getattr(searched, "supernet", "")
    way_out = "use the strategy random or evolution"
    if own and own != name:
        way_out = f"leave out supernet={name}"
    raise SettingError(
        f"What is left of {name!r} is no architecture of {space!r} ({reason}); {way_out}."
    )


def refuse_limits(limits: Mapping[str, object]) -> None:
    """What a pruning search costs, and how large its result is, cannot be chosen.

    Raises:
        SettingError: A limit is given.
    """
    reasons = {
        "budget": "it takes as many measurements as there are removals to be tried",
        "minutes": "it has no result before its end",
        "max_params": "how large its result is turns out at its end",
        "max_flops": "how large its result is turns out at its end",
        "max_latency_ms": "how large its result is turns out at its end",
    }
    for name, limit in limits.items():
        if limit is not None:
            raise SettingError(
                f"Pruning takes no {name}: {reasons[name]}; leave it out, or use the strategy "
                "evolution."
            )


def reads_changes(strategy: PruneSearch, expression: Expression) -> bool:
    """Whether metrics are read by their change; see :data:`anglenas.strategies._prune.Reading`."""
    if strategy.reading == "auto":
        return not _trains(expression)
    return strategy.reading == "change"


def _trains(expression: Expression) -> bool:
    return any(find_metric(name).probe == "short_training" for name in expression.metrics)


def default_recipe(strategy: PruneSearch, space: str, expression: Expression) -> str:
    """The recipe of a pruning search for which none is given: that of its metrics."""
    supernets: SupernetSpace = load("space", choose_supernets(strategy, space))
    return supernets.recipe if _trains(expression) else supernets.tenas_recipe


def resolve(strategy: PruneSearch, space: str, expression: Expression) -> PruneSearch:
    """The strategy with every setting as it is used, so that its name tells how it was pruned.

    Raises:
        SettingError: Changes of metrics cannot be ranked by the expression, or what is left of the
            supernets is no architecture of the space.
    """
    supernets = choose_supernets(strategy, space)
    by_change = reads_changes(strategy, expression)
    if by_change and "z(log(" in str(expression):
        raise SettingError(
            f"{expression} takes logarithms, but pruning by changes has values below 0; write "
            "logrank(params) or params in place of z(log(params)), or use reading=pruned."
        )
    number = strategy.number or load("space", supernets).number
    reading: Reading = "change" if by_change else "pruned"
    name = f"prune,number={number},reading={reading},supernet={supernets}"
    resolved = replace(strategy, number=number, reading=reading, supernet=supernets, name=name)
    _check_result(resolved, space)
    return resolved


def judge_supernets(strategy: PruneSearch, judge: Judge) -> Judge:
    """How supernets are ranked: as asked for, or their changes as in TE-NAS.

    Raises:
        SettingError: Changes are ranked, and ties are to be broken.
    """
    if strategy.reading != "change":
        return judge
    if judge.ties == "broken":
        raise SettingError(
            "Pruning by changes gives equal ones a dense rank, as TE-NAS does; leave out "
            "ties='broken', or use reading=pruned."
        )
    return replace(judge, guard=False, ties="dense")


@dataclass(frozen=True)
class Given:
    """A strategy that proposes one architecture: the one that pruning ended with."""

    architecture: Any
    name: str
    concurrency: int | None = None

    def propose(self, request: Request) -> Sequence[Any]:
        """The architecture, once."""
        return (self.architecture,) if request.admits(self.architecture) else ()


@dataclass
class Pruning:
    """One pruning under way.

    Args:
        strategy: What is taken away when.
        plan: What is measured of each supernet.
        config: Size of their networks.
        images: Images in a batch.
        judge: How supernets are ranked, if not by changes.
        recipe: How they are measured.

    Attributes:
        computed: Measurements made now, not read from the store.
        history: The removals so far, each with its place in its round.
        rows: The same as values for a table.
        base_seconds: How long the supernets took that changes are related to and have no row.
    """

    strategy: PruneSearch
    plan: Plan
    config: NetworkConfig
    images: int
    judge: Judge
    recipe: Recipe
    computed: int = 0
    history: list[Trial] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    base_seconds: float = 0.0

    @property
    def by_change(self) -> bool:
        """Whether metrics are read by their change."""
        return self.strategy.reading == "change"

    @cached_property
    def space(self) -> SupernetSpace:
        """What is pruned."""
        found: SupernetSpace = load("space", self.plan.space)
        return found

    def fits_memory(self, workers: int) -> None:
        """Make sure that the largest supernet can be measured in each of some workers at once.

        What trains nothing makes the weights all the same.

        Args:
            workers: Processes that measure at once; 0 for this one.

        Raises:
            SettingError: It cannot; tells which settings to change.
        """
        images, side, full = self.images, self.config.side, str(self.space.full())
        what, estimate = "train", training_memory
        on = f" on {images} images of {side} x {side} pixels"
        needs = [metric.needs for metric in self.plan.metrics if metric.probe != "short_training"]
        if not any(find_probe(metric.probe).uses_images for metric in self.plan.metrics):
            what, on, images = "build", "", 0
        elif any("gradients" in one for one in needs):
            rows = images * any({"batch", "gradients"} <= one for one in needs)
            what, estimate = "differentiate", partial(gradients_memory, rows=rows)
        check_memory(
            lambda config: estimate(self.space, full, config, images),
            self.config,
            workers,
            f"{what} the supernet{on}",
            self.recipe,
        )

    def run(self, scorer: Scorer, report: Report) -> Any:
        """The architecture that is left.

        Args:
            scorer: Who measures.
            report: Called as a round begins, after every measurement, and at the end.

        Raises:
            AnglenasError: No removal of a round could be measured or has a score, or the supernet
                that changes are related to could not be measured.
        """
        planned = self.strategy.planned(self.space)
        total = sum(len(one.removals) + self.by_change for one in planned)
        number = 0
        current = self.strategy.next_round(self.space, self.history)
        while isinstance(current, Round):
            before, number = len(self.history) + number * self.by_change, number + 1
            stage = f"round {number} of {len(planned)}: {current.title}"
            tell = self._teller(report, before, total, stage, current.base)
            tell(0)
            outcomes = self._measure(current, scorer, tell)
            self.base_seconds += self._seconds_of_base(current, outcomes)
            rows = self._judge(current, outcomes)
            following = self.strategy.next_round(self.space, self.history)
            left = following.base if isinstance(following, Round) else following
            self.rows += [
                {"round": number, **row, "pruned": not left.holds(removal.edge, removal.operation)}
                for row, removal in zip(rows, current.removals, strict=True)
            ]
            current = following
        report(total, total, self.computed, "what is left at the end", current)
        return self.space.read(current)

    def _teller(
        self, report: Report, before: int, total: int, stage: str, base: Supernet
    ) -> Callable[[int], None]:
        return lambda done: report(before + done, total, self.computed, stage, base)

    def _judge(self, current: Round, outcomes: Mapping[Task, Outcome]) -> list[dict[str, Any]]:
        """Add the removals of a round to the history; tell what was measured of them."""
        self._refuse_failures(current, outcomes)
        supernets = [removal.supernet for removal in current.removals]
        measured = [self.plan.read(one, outcomes) for one in supernets]
        if self.by_change:
            placed = places_by_change(
                self.judge,
                self.plan.read_repeats(current.base, outcomes),
                [self.plan.read_repeats(one, outcomes) for one in supernets],
                self.plan.metrics,
            )
        else:
            placed = places_of_pruned(
                self.judge, self.space, supernets, measured, self.plan.metrics
            )
        first = len(self.history)
        self.history += [Trial(first + k, one, placed[k]) for k, one in enumerate(supernets)]
        best_first = len(supernets) - placed
        return [self._row(*one) for one in zip(current.removals, measured, best_first, strict=True)]

    def _seconds_of_base(self, current: Round, outcomes: Mapping[Task, Outcome]) -> float:
        """0 if it was tried itself before, as where edges of a node compete, and has a row."""
        if not self.by_change or current.base in {trial.architecture for trial in self.history}:
            return 0.0
        return sum(outcomes[task].seconds for task in self.plan.tasks(current.base))

    def _refuse_failures(self, current: Round, outcomes: Mapping[Task, Outcome]) -> None:
        """One supernet that fails is ranked last; without the base, or any other, nothing is."""
        base = self._failure(current.base, outcomes) if self.by_change else ""
        failures = [self._failure(one.supernet, outcomes) for one in current.removals]
        if base or all(failures):
            what = "The supernet that the others are compared with" if base else "Not one supernet"
            raise AnglenasError(
                f"{what} of a round could {'not ' * bool(base)}be measured ({base or failures[0]});"
                " give a longer time limit if it took too long, or else mend what the reason names,"
                " and the same search goes on from there, with what was measured kept."
            )

    def _failure(self, supernet: Supernet, outcomes: Mapping[Task, Outcome]) -> str:
        """Why a supernet could not be measured; empty if it could."""
        measured = (outcomes[task] for task in self.plan.tasks(supernet))
        return next((one.status for one in measured if not one.final), "")

    def _row(self, removal: Removal, measured: Measured, place: float) -> dict[str, Any]:
        edge = self.space.layout.edges[removal.edge]
        by_probe = {metric.probe: measured.seconds[metric.name] for metric in self.plan.metrics}
        return {
            **edge._asdict(),
            "operation": removal.operation,
            **measured.values,
            "seconds": sum(by_probe.values()),
            "status": measured.status,
            "place": int(place),
        }

    def _measure(
        self, current: Round, scorer: Scorer, report: Callable[[int], None]
    ) -> Mapping[Task, Outcome]:
        """What came of every supernet of a round."""
        supernets = [current.base] * self.by_change + [one.supernet for one in current.removals]
        groups = [self.plan.tasks(one) for one in supernets]
        wanted = [task for group in groups for task in group]
        stored = {one.task for one in scorer.store.get_many(wanted).values() if one.final}
        outcomes: dict[Task, Outcome] = {}
        for outcome in scorer.outcomes(wanted, self.plan.batches):
            outcomes[outcome.task] = outcome
            self.computed += outcome.task not in stored
            report(sum(all(task in outcomes for task in group) for group in groups))
        return outcomes


def make_pruning(
    strategy: PruneSearch,
    metrics: Iterable[str],
    batches: Sequence[FewShot],
    recipe: Recipe,
    judge: Judge,
    device: str,
) -> Pruning:
    """The pruning of a space's supernets, at the recipe's size.

    Args:
        strategy: The strategy, as :func:`resolve` returns it.
        metrics: What is measured for it.
        batches: The images of each repeat.
        recipe: How to measure.
        judge: How to rank.
        device: Kind of device that is measured on.
    """
    config = proxy_config(batches[0], recipe)
    return Pruning(
        strategy=strategy,
        plan=make_plan(strategy.supernet, metrics, batches, config, recipe, judge.seed, device),
        config=config,
        images=len(batches[0].images),
        judge=judge,
        recipe=recipe,
    )
