"""Who measures, and where: one value that every function and command takes; needs no torch."""

import os
import re
from dataclasses import dataclass
from typing import Annotated, Self

from anglenas._settings import Settings, at_least
from anglenas.errors import SettingError

_DEVICE = re.compile(r"(cpu|cuda|xpu|mps)(?::(\d+))?")


@dataclass(frozen=True)
class Workers(Settings):
    """Who measures or trains, and where; what it gives does not depend on how many do it.

    Functions that measure take it as ``workers``; there, a number alone stands for so many
    processes on this machine.

    Attributes:
        count: Processes on this machine with one thread each; ``None`` stands for one a core, or
            one a device. 0 measures in the process that asks.
        scheduler: Address of a Dask scheduler whose workers measure instead, such as
            ``"tls://10.0.0.1:8786"``.
        time_limit: Seconds that one measurement may take; its worker is ended then, and the
            candidate has failed with that reason. ``None`` for no limit.
        device: ``"cpu"``; ``"cuda"`` for all GPUs, which are dealt out to the workers; or one of
            them, such as ``"cuda:1"``. Two kinds of device have two sets of scores.

    Raises:
        SettingError: A value is of a wrong kind, or they do not fit together.

    >>> Workers(2, time_limit=60)
    Workers(count=2, scheduler=None, time_limit=60.0, device='cpu')
    """

    count: Annotated[int, at_least(0)] | None = None
    scheduler: str | None = None
    time_limit: float | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_device(self.device)
        if self.scheduler is not None and self.count is not None:
            raise SettingError(
                f"A scheduler has workers of its own; leave out either it or their number, "
                f"{self.count}."
            )
        if self.time_limit is not None and not self.time_limit > 0:
            raise SettingError(f"A time limit is above 0 seconds, not {self.time_limit:g}.")
        if self.time_limit is not None and self.count == 0:
            raise SettingError("A time limit needs a worker that can be ended; give 1 at least.")

    @classmethod
    def of(cls, workers: "Self | int | None") -> Self:
        """What a function was given as ``workers``, as a value of this class.

        >>> Workers.of(2).count
        2
        """
        return workers if isinstance(workers, cls) else cls(workers)  # type: ignore[arg-type]

    def check_training(self) -> None:
        """Refuse what trainings cannot do.

        Raises:
            SettingError: There is a scheduler or a time limit.
        """
        if self.scheduler or self.time_limit:
            raise SettingError(
                "A training runs here, as long as it takes; leave out the scheduler and the time "
                "limit."
            )

    @property
    def processes(self) -> int:
        """How many processes measure on this machine: as many as asked for, or one a core or GPU.

        0 stands for the process that asks.
        """
        if self.count is not None:
            return self.count
        if self.device == "cpu":
            return len(os.sched_getaffinity(0))  # of a container, fewer than the machine's
        from anglenas._measuring.devices import device_count

        return max(device_count(self.device), 1)


def check_device(device: str) -> tuple[str, int | None]:
    """The kind of a device and its number, if it has one.

    Raises:
        SettingError: There is no such kind of device.

    >>> check_device("cuda:1")
    ('cuda', 1)
    """
    match = _DEVICE.fullmatch(device)
    if match is None:
        raise SettingError(
            f"There is no device {device!r}; write cpu, or cuda (also cuda:1, xpu, mps)."
        )
    return match[1], None if match[2] is None else int(match[2])
