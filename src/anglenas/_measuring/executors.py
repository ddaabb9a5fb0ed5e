"""Who computes: one protocol, and the executor that needs nothing but this process."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from anglenas._measuring.computing import compute
from anglenas._measuring.devices import choose_device, device_count
from anglenas._measuring.task import Outcome, Task, machine_bound
from anglenas.data import FewShot

__all__ = ["Executor", "HereFirst", "InProcess"]


class Executor(Protocol):
    """Something that turns tasks into outcomes."""

    def run(self, tasks: Iterable[Task], batches: Mapping[str, FewShot]) -> Iterator[Outcome]:
        """The outcome of every task, as they come, in an order of the executor's own.

        Args:
            tasks: Distinct tasks; read no further than they can be worked on.
            batches: The images, by fingerprint.

        Raises:
            UsageError: What was asked cannot be done as asked (see :func:`compute`).
            WorkersError: The processes that compute cannot be used.
        """


class InProcess:
    """Computes here, one task after the other, without a time limit.

    A candidate that kills its process kills this one: the outcomes before it are kept, and
    :class:`DaskWorkers` gets past it.

    Args:
        device: Where it computes: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ...

    Raises:
        SettingError: There is no such device.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._device = choose_device(device, 0, device_count(device))

    def run(self, tasks: Iterable[Task], batches: Mapping[str, FewShot]) -> Iterator[Outcome]:
        """The outcome of every task, in their order."""
        return (compute(task, batches.get(task.context.images), self._device) for task in tasks)


class HereFirst:
    """Computes what depends on the machine in this process, before another executor does the rest.

    Times would be those of whichever machine a worker is on, and of one on which all cores work.

    Args:
        others: Who computes all else.
        device: As for :class:`InProcess`.
    """

    def __init__(self, others: Executor, device: str = "cpu") -> None:
        self._others, self._device = others, device

    def run(self, tasks: Iterable[Task], batches: Mapping[str, FewShot]) -> Iterator[Outcome]:
        """The outcome of every task, those that are computed here first."""
        parted: dict[bool, list[Task]] = {True: [], False: []}
        for task in tasks:
            parted[machine_bound(task.context.probe)].append(task)
        if parted[True]:
            yield from InProcess(self._device).run(parted[True], batches)
        if parted[False]:
            yield from self._others.run(parted[False], batches)
