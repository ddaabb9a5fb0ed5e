"""Who computes: one protocol, and the executor that needs nothing but this process."""

from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Protocol, Self

from anglenas._measuring.computing import compute
from anglenas._measuring.devices import choose_device, device_count
from anglenas._measuring.task import Outcome, Task
from anglenas.data import FewShot


class Executor(Protocol):
    """Something that turns tasks into outcomes, and holds what it needs to until it is left.

    :class:`anglenas.testing.ExecutorConformance` tests what else is expected of one.
    """

    def __enter__(self) -> Self:
        """Make ready; what takes long can wait for the first task."""

    def run(self, tasks: Iterable[Task], batches: Mapping[str, FewShot]) -> Iterator[Outcome]:
        """The outcome of every task, as they come, in an order of the executor's own.

        Args:
            tasks: Distinct tasks; read no further than they can be worked on.
            batches: The images, by fingerprint.

        Raises:
            UsageError: What was asked cannot be done as asked (see :func:`compute`).
            WorkersError: The processes that compute cannot be used.
        """

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End what was started."""


class InProcess:
    """Computes here, one task after the other, without a time limit.

    A candidate that kills its process kills this one: the outcomes before it are kept, and
    :class:`LocalWorkers` gets past it.

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        return None
