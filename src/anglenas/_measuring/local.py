"""Workers in processes of this machine."""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Self

from anglenas._measuring.devices import choose_device, device_count
from anglenas._measuring.pool import Died, Pool, PoolWorker
from anglenas._measuring.task import Outcome, Task
from anglenas.data import FewShot
from anglenas.errors import WorkersError

_SCRIPT = Path(__file__).with_name("child.py")
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Freed memory is kept for the next tensor: given back, each tensor is paged in anew, and a
    # short training was measured to take twice the time.
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
}
_SECONDS = 1.0  # between looks at workers that have died, while something holds their pipe open


class _Worker(PoolWorker):
    """A process at the other end of a pipe.

    Args:
        device: What it computes on.

    Raises:
        WorkersError: The system refuses to start it.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self._has: set[str] = set()  # images travel once
        try:
            ours, theirs = Pipe()
            self.connection: Connection[bytes, bytes] = ours
            self.process = subprocess.Popen(
                [sys.executable, "-P", str(_SCRIPT), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, **_ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # what candidates print is not the command's result
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in a terminal is for the main process alone
            )
        except OSError as error:
            raise WorkersError(
                f"A worker cannot be started ({error}); use fewer, or 0 to measure right here."
            ) from error
        theirs.close()
        self._send((sys.path, device))

    def give(self, chunk: Sequence[Task], batches: Mapping[str, FewShot]) -> None:
        new = {task.context.images for task in chunk} & batches.keys() - self._has
        self._has |= new
        self._send((chunk, {name: batches[name] for name in new}))

    def _send(self, message: object) -> None:
        with suppress(OSError):  # it has died, which is seen when its answer is waited for
            self.connection.send_bytes(pickle.dumps(message))

    def has_answered(self) -> bool:
        return self.connection.poll()

    def answer(self) -> Sequence[Outcome]:
        try:
            if not self.connection.poll():
                raise Died  # while a process that it has started holds the pipe open
            answer: Sequence[Outcome] | Exception = pickle.loads(self.connection.recv_bytes())
        except (EOFError, OSError):
            raise Died from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # with all that it has started
        self.process.wait()
        self.connection.close()

    dismiss = kill  # it holds nothing that would be lost


class LocalWorkers(Pool[_Worker]):
    """Computes in processes of one thread each, which end with the context, or with this process.

    They are started when there is something to compute, and speak over pipes that nobody else can
    open.

    Args:
        count: How many.
        time_limit: Seconds that one task may take; ``None`` for no limit.
        device: ``"cpu"``; ``"cuda"`` for all GPUs, among which they are dealt out in turn, so that
            four workers share two GPUs by halves; or ``"cuda:1"``.

    Raises:
        SettingError: There is no such device.

    Example::

        with LocalWorkers(8) as workers:
            for outcome in workers.run(tasks, batches):
                ...
    """

    # Not ``concurrent.futures``: one death breaks its pool, and it has no time limit. Not pebble,
    # which has one: like ``concurrent.futures``, it starts processes by ``multiprocessing``, which
    # imports the user's script in each of them (and searches there, if that has no ``__main__``
    # guard), and needs semaphores, which a container without /dev/shm lacks. Not loky, which needs
    # semaphores and breaks by one death. Not Dask, whose workers listen at a port: whoever reaches
    # it can run code as the user.

    def __init__(self, count: int, *, time_limit: float | None = None, device: str = "cpu") -> None:
        super().__init__(time_limit)
        devices = device_count(device)
        self._devices = [str(choose_device(device, turn, devices)) for turn in range(count)]

    def __enter__(self) -> Self:
        return self

    def _look(self, most: int | None) -> list[Hashable]:
        for turn, device in enumerate(self._devices[:most]):
            if turn not in self._workers:
                self._workers[turn] = _Worker(device)
        return []

    def _wait(self, workers: Mapping[Hashable, _Worker], seconds: float) -> list[Hashable]:
        connections = [worker.connection for worker in workers.values()]
        answered = wait(connections, min(seconds, _SECONDS))
        return [name for name, worker in workers.items()
                if worker.connection in answered or worker.process.poll() is not None]  # fmt: skip

    def __exit__(self, *raised: object) -> None:
        while self._workers:
            self._workers.popitem()[1].kill()
