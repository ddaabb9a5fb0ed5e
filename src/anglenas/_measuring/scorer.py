"""Scores that are there already, and those that are not yet."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from anglenas._measuring.executors import Executor, InProcess
from anglenas._measuring.store import Store
from anglenas._measuring.task import Outcome, Task
from anglenas.data import FewShot
from anglenas.probes import find_probe


@dataclass(frozen=True)
class Scorer:
    """A store, and who computes what it lacks; only the process that has the scorer writes.

    Attributes:
        store: Where outcomes are kept.
        executor: Who computes.
        device: Where this process computes what depends on the machine and the moment, before the
            executor does the rest: times would be those of whichever machine a worker is on, and of
            one all of whose cores work.
    """

    store: Store
    executor: Executor
    device: str = "cpu"

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
        here = [task for task in missing if find_probe(task.context.probe).machine_bound]
        elsewhere = [task for task in missing if not find_probe(task.context.probe).machine_bound]
        for executor, some in ((InProcess(self.device), here), (self.executor, elsewhere)):
            for outcome in executor.run(some, batches) if some else ():
                self.store.put_many([outcome])
                yield outcome
