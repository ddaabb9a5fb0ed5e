"""What is still to be done, who is suspected of killing workers, how much goes out at once."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence

from anglenas._measuring.task import Context, Outcome, Task

_DEATHS = 3  # a worker may die for a reason of its own, hardly three times with the same task
_SECONDS = 0.1  # of computation in one chunk, so that handing it out costs little beside it
_TASKS = 64


class Backlog:
    """The tasks of one run, handed out in chunks.

    A task of a kind that was seen to be cheap goes out together with its followers. When a worker
    dies or takes too long, the tasks of its chunk become suspects, which go out alone: what then
    happens to a worker is the task's doing. Chunks change when something is computed, never what.

    Args:
        tasks: The tasks, read no further than needed.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = iter(tasks)
        self._ahead: deque[Task] = deque()
        self._suspects: deque[Task] = deque()
        self._deaths: Counter[Task] = Counter()
        self._cost: dict[Context, float] = {}
        self._size = 1

    def __bool__(self) -> bool:
        return bool(self._suspects or self._peek())

    def take(self) -> tuple[Task, ...]:
        """The next chunk; empty if nothing is left."""
        if self._suspects:
            return (self._suspects.popleft(),)
        chunk: list[Task] = []
        seconds = 0.0
        while (task := self._peek()) and len(chunk) < self._size:
            seconds += self._cost.get(task.context, _SECONDS)
            if chunk and seconds > _SECONDS:
                break
            chunk.append(self._ahead.popleft())
        return tuple(chunk)

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        """Note how long tasks of a kind took; chunks grow while they are cheap."""
        self._size = min(_TASKS, max(self._size, 2 * len(outcomes)))
        for outcome in outcomes:
            before = self._cost.get(outcome.task.context, 0.0)
            self._cost[outcome.task.context] = max(outcome.seconds, 0.9 * before)

    def died(self, chunk: Sequence[Task]) -> list[Outcome]:
        """What follows from a worker that died with a chunk: suspects, or a task that failed."""
        if len(chunk) == 1:
            self._deaths[chunk[0]] += 1
            if self._deaths[chunk[0]] >= _DEATHS:
                return [Outcome(chunk[0], f"failed: worker died {_DEATHS} times")]
        self._suspects.extend(chunk)
        return []

    def too_slow(self, chunk: Sequence[Task], limit: float) -> list[Outcome]:
        """What follows from a chunk that took longer than the limit for one task, in seconds."""
        if len(chunk) == 1:
            return [Outcome(chunk[0], f"failed: took longer than {limit:g} s", seconds=limit)]
        self._suspects.extend(chunk)
        return []

    def _peek(self) -> Task | None:
        if not self._ahead:
            self._ahead.extend(task for task in [next(self._tasks, None)] if task)
        return self._ahead[0] if self._ahead else None
