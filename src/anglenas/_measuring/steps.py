"""Some architectures measured, and how far that is: what searches and prunings share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from anglenas._measuring.plan import Plan
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.task import Outcome, Task


@dataclass(frozen=True)
class Step:
    """One measurement of several architectures.

    Attributes:
        outcome: What came of it.
        computed: Whether it was made now, not read from the store.
        finished: Positions of the architectures that it was the last measurement of.
    """

    outcome: Outcome
    computed: bool
    finished: tuple[int, ...]


def measure(plan: Plan, architectures: Sequence[object], scorer: Scorer) -> Iterator[Step]:
    """Every measurement of some architectures, as they come.

    Those that compute the same function share their measurements.
    """
    waiting: dict[Task, list[int]] = {}
    still: dict[int, int] = {}
    for position, architecture in enumerate(architectures):
        tasks = plan.tasks(architecture)
        still[position] = len(tasks)
        for task in tasks:
            waiting.setdefault(task, []).append(position)
    # Looked up here too, since an outcome does not tell whether it was made now.
    stored = {one.task for one in scorer.store.get_many(waiting).values() if one.final}
    for outcome in scorer.outcomes(waiting, plan.batches):
        for position in waiting[outcome.task]:
            still[position] -= 1
        finished = tuple(one for one in waiting[outcome.task] if not still[one])
        yield Step(outcome, outcome.task not in stored, finished)
