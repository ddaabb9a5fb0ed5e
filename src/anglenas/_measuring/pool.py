"""Hands tasks to workers, one chunk a worker at a time, and finds out who dies of what."""

import time
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence, Sized
from typing import Generic, TypeVar

from anglenas._measuring.backlog import Backlog
from anglenas._measuring.task import Outcome, Task
from anglenas.data import FewShot
from anglenas.errors import WorkersError

_DEATHS = 10  # workers that may die, one after the other, before they are ready


class Died(Exception):  # noqa: N818 - nobody sees it
    """A worker is gone, and whatever it computed with it."""


class PoolWorker(ABC):
    """A worker that gets ready, and then has at most one chunk of tasks at a time."""

    def __init__(self) -> None:
        self.ready = False
        self.chunk: Sequence[Task] = ()
        self.deadline = float("inf")

    @property
    def is_idle(self) -> bool:
        """Whether it has nothing to do."""
        return self.ready and not self.chunk

    @abstractmethod
    def give(self, chunk: Sequence[Task], batches: Mapping[str, FewShot]) -> None:
        """Have a chunk computed; the images of its tasks are among the batches."""

    @abstractmethod
    def has_answered(self) -> bool:
        """Whether :meth:`answer` waits for nothing."""

    @abstractmethod
    def answer(self) -> Sequence[Outcome]:
        """The outcomes of its chunk; none if it says that it is ready.

        Raises:
            Died: It is gone.
            UsageError: What was asked cannot be done as asked.
        """

    @abstractmethod
    def kill(self) -> None:
        """End it, whatever it does."""

    @abstractmethod
    def dismiss(self) -> None:
        """Want no answer of it any more."""


W = TypeVar("W", bound=PoolWorker)


class Pool(ABC, Generic[W]):
    """Workers that come and go; a task whose worker dies goes out again, alone.

    After three deaths, or when it takes longer than the time limit, its outcome is ``"failed:
    ..."``, and the run goes on. What comes out does not depend on how many workers there are.

    Args:
        time_limit: Seconds that one task may take; ``None`` for no limit.
    """

    def __init__(self, time_limit: float | None = None) -> None:
        self._time_limit = float("inf") if time_limit is None else time_limit
        self._workers: dict[Hashable, W] = {}
        self._deaths = 0

    @abstractmethod
    def _look(self, most: int | None) -> list[Hashable]:
        """Add workers that are new, at most so many; the names of those that are gone."""

    @abstractmethod
    def _wait(self, workers: Mapping[Hashable, W], seconds: float) -> list[Hashable]:
        """The names of workers that have answered or died, as soon as there is one."""

    def run(self, tasks: Iterable[Task], batches: Mapping[str, FewShot]) -> Iterator[Outcome]:
        """The outcome of every task, in the order in which they are finished.

        Raises:
            WorkersError: There are no workers, or none that fits.
            UsageError: What was asked cannot be done as asked (see :func:`compute`).
        """
        backlog = Backlog(tasks)
        most = len(tasks) if isinstance(tasks, Sized) else None
        try:
            while backlog or any(worker.chunk for worker in self._workers.values()):
                for name in self._look(most if backlog else 0):
                    yield from self._outcomes_of_death(name, backlog)
                for worker in self._workers.values():
                    if worker.is_idle and (chunk := backlog.take()):
                        worker.give(chunk, batches)
                        worker.chunk = chunk
                        worker.deadline = time.monotonic() + self._time_limit
                yield from self._collect(backlog)
                yield from self._end_overdue(backlog)
        finally:  # who does not want all outcomes does not want what is computed now either
            for name in [name for name, worker in self._workers.items() if worker.chunk]:
                self._workers.pop(name).dismiss()

    def _collect(self, backlog: Backlog) -> Iterator[Outcome]:
        """Wait a moment for answers, and take those that came."""
        waiting = {name: one for name, one in self._workers.items() if not one.is_idle}
        soonest = min((one.deadline for one in waiting.values()), default=float("inf"))
        for name in self._wait(waiting, max(0.0, soonest - time.monotonic())):
            worker = self._workers[name]
            try:
                outcomes = worker.answer()
            except Died:
                yield from self._outcomes_of_death(name, backlog)
                continue
            if worker.ready:
                worker.chunk, worker.deadline = (), float("inf")
                backlog.learn(outcomes)
                yield from outcomes
            worker.ready, self._deaths = True, 0

    def _outcomes_of_death(self, name: Hashable, backlog: Backlog) -> list[Outcome]:
        """What follows from the death of a worker."""
        worker = self._workers.pop(name)
        worker.dismiss()
        self._deaths += not worker.ready
        if self._deaths >= _DEATHS:
            raise WorkersError(
                "The workers die as they start; see whether their machine has enough free memory."
            )
        return backlog.died(worker.chunk) if worker.chunk else []

    def _end_overdue(self, backlog: Backlog) -> Iterator[Outcome]:
        """Kill the workers whose chunk takes too long; others will take their place."""
        for name, worker in list(self._workers.items()):
            # The caller may have taken its time since, which is not the worker's.
            if time.monotonic() > worker.deadline and not worker.has_answered():
                self._kill(name)
                yield from backlog.too_slow(worker.chunk, self._time_limit)

    def _kill(self, name: Hashable) -> None:
        """End a worker; a pool whose workers come from elsewhere notes which it was."""
        self._workers.pop(name).kill()
