"""Scores that are there already, and those that are not yet."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from anglenas._measuring.executors import Executor
from anglenas._measuring.store import Store
from anglenas._measuring.task import Outcome, Task
from anglenas.data import FewShot

__all__ = ["Scorer"]


@dataclass(frozen=True)
class Scorer:
    """A store, and who computes what it lacks; only the process that has the scorer writes.

    Attributes:
        store: Where outcomes are kept.
        executor: Who computes.
    """

    store: Store
    executor: Executor

    def outcomes(self, tasks: Iterable[Task], batches: Mapping[str, FewShot]) -> Iterator[Outcome]:
        """The outcome of every distinct task: first those in the store, then the missing ones.

        Each outcome is in the store before it is handed over, so that a process may be killed at
        any moment and run again: it computes what is missing, and what had failed.

        Args:
            tasks: The tasks; repeated ones are measured and handed over once.
            batches: The images, by fingerprint.

        Raises:
            StoreError: The store cannot be read or written.
            UsageError: What was asked cannot be done as asked.
            WorkersError: The processes that compute cannot be used.
        """
        wanted = list(dict.fromkeys(tasks))
        known = {
            task: outcome for task, outcome in self.store.get_many(wanted).items() if outcome.final
        }
        yield from (known[task] for task in wanted if task in known)
        missing = [task for task in wanted if task not in known]
        for outcome in self.executor.run(missing, batches) if missing else ():
            self.store.put_many([outcome])
            yield outcome
