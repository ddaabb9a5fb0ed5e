"""Workers in processes of their own: on this machine, or behind a scheduler anywhere."""

import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, NamedTuple, Self

from anglenas._measuring.devices import (
    DEVICE_VARIABLE,
    choose_device,
    device_count,
    platform_of,
)
from anglenas._measuring.task import Outcome, Task
from anglenas.data import FewShot
from anglenas.errors import SettingError, WorkersError

if TYPE_CHECKING:
    from distributed import Client


__all__ = ["DaskWorkers"]


class _Connection(NamedTuple):
    """A client, and what raises :class:`WorkersError` when no worker will ever come (again)."""

    client: "Client"
    check: Callable[[], None]


_SETTINGS = {
    # A worker that is paused or that spills is slow without a reason that anybody sees; one that
    # takes all memory is still ended, before the machine is.
    "DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE": "False",
    "DASK_DISTRIBUTED__WORKER__MEMORY__SPILL": "False",
    "DASK_DISTRIBUTED__WORKER__MEMORY__TARGET": "False",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Dask gives freed memory back at once, so that each tensor is paged in anew: measured, a short
    # training takes twice the time. Here it is kept for the next tensor.
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
}


class DaskWorkers:
    """Computes in worker processes, each of them with one thread; a context manager.

    A task whose worker died goes out again, alone; after three deaths, or when it takes longer
    than the time limit, its outcome is ``"failed: ..."`` and the run goes on. Scores do not depend
    on how many workers there are.

    Example::

        with DaskWorkers.local(8) as workers:
            for outcome in workers.run(tasks, batches):
                ...
    """

    def __init__(
        self,
        connect: "Callable[[ExitStack], _Connection]",
        time_limit: float | None = None,
        device: str = "cpu",
    ) -> None:
        if time_limit is not None and not time_limit > 0:
            raise SettingError(f"A time limit is above 0 seconds, not {time_limit}.")
        self._connect = connect
        self._platform = platform_of(device)
        self._time_limit = float("inf") if time_limit is None else time_limit
        self._stack = ExitStack()
        self._connection: _Connection | None = None

    @classmethod
    def local(cls, workers: int, *, time_limit: float | None = None, device: str = "cpu") -> Self:
        """Workers on this machine, which end with the context.

        Args:
            workers: How many.
            time_limit: Seconds that one task may take; ``None`` for no limit.
            device: Where they compute: ``"cpu"``; ``"cuda"`` for all GPUs, among which they are
                dealt out evenly, so that four workers share two GPUs by halves; or ``"cuda:1"``.

        Raises:
            SettingError: There is no worker, no time or no such device.
        """
        if workers < 1:
            raise SettingError(f"There is at least 1 worker, not {workers}.")
        choose_device(device, 0, device_count(device))
        return cls(lambda stack: _start(stack, workers, device), time_limit, device)

    @classmethod
    def connect(cls, address: str, *, time_limit: float | None = None, device: str = "cpu") -> Self:
        """The workers of a scheduler that runs already, which stay when the context ends.

        Args:
            address: Such as ``"tcp://10.0.0.1:8786"``. The scheduler and its workers need the same
                packages as this process, and can run any code: trust the network they are in, or
                use ``"tls://..."`` and Dask's own settings (``distributed.comm.tls``).
            time_limit: Seconds that one task may take; ``None`` for no limit.
            device: Kind of device that the workers compute on; each of them is told by its own
                environment, ``ANGLENAS_DEVICE``, and those of another kind are left alone.

        Raises:
            SettingError: There is no time, no such device, or no certificate for TLS.
        """
        _check_certificates(address)
        return cls(
            lambda stack: _Connection(_client(stack, address), lambda: None), time_limit, device
        )

    def run(self, tasks: Iterable[Task], batches: Mapping[str, FewShot]) -> Iterator[Outcome]:
        """The outcome of every task, in the order in which they are finished.

        Raises:
            WorkersError: The scheduler or all workers are gone, or compute with another torch.
            UsageError: What was asked cannot be done as asked (see :func:`compute`).
        """
        from anglenas._measuring.pool import Pool

        if self._connection is None:
            raise WorkersError("These workers are not started; use them in a with statement.")
        client, check = self._connection
        return Pool(client, batches, self._time_limit, self._platform, check).run(tasks)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._connection = self._connect(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection = None
        self._stack.close()


def _start(stack: ExitStack, workers: int, device: str) -> _Connection:
    """A scheduler in this process, and one process that starts and minds the workers.

    ``LocalCluster`` would start its workers with ``multiprocessing``, which imports the user's
    script once more in each of them: without a ``__main__`` guard, it would search in each of them.
    """
    from distributed import LocalCluster

    stack.enter_context(_quiet())
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="anglenas-")))
    cluster = stack.enter_context(
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=0,
            threads_per_worker=1,
            host="127.0.0.1",
            silence_logs=False,
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        )
    )
    client = _client(stack, cluster.scheduler_address)
    log = stack.enter_context((folder / "log").open("w+b"))
    process = _spawn(cluster.scheduler_address, workers, device, folder, log)
    stack.callback(_end, process)
    return _Connection(client, lambda: _check(process, log))


def _client(stack: ExitStack, address: str) -> "Client":
    from distributed import Client

    stack.enter_context(_quiet())
    try:
        client = Client(address, timeout=10, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise WorkersError(
            f"No scheduler answers at {address} ({error}); start one with `dask scheduler`, and "
            "give the address that it prints."
        ) from error
    stack.enter_context(client)
    return client


def _check_certificates(address: str) -> None:
    """Say how TLS is set up, before it fails in a way that nobody understands."""
    if not address.startswith("tls://"):
        return
    import dask

    for part in ("ca-file", "client.cert", "client.key"):
        name = f"distributed.comm.tls.{part}"
        path = dask.config.get(name, None)
        if path is None or not Path(path).is_file():
            variable = "DASK_" + name.upper().replace(".", "__").replace("-", "_")
            raise SettingError(
                f"{address} takes a certificate, and {name} is {path!r}; set the environment "
                f"variable {variable} to the path of its file."
            )


def _spawn(
    address: str, workers: int, device: str, folder: Path, log: IO[bytes]
) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    options = {
        "--nworkers": workers,
        "--nthreads": 1,
        "--name": folder.name,  # which a number is appended to, if there are several
        "--host": "127.0.0.1",
        "--dashboard-address": "127.0.0.1:0",  # it answers even without a dashboard
        "--local-directory": folder,
        "--death-timeout": 60,
    }
    minder = Path(__file__).with_name("minder.py")
    command = [sys.executable, "-P", str(minder), address, "--no-dashboard"]
    return subprocess.Popen(
        command + [str(word) for pair in options.items() for word in pair],
        env={**os.environ, **_SETTINGS, DEVICE_VARIABLE: device, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        start_new_session=True,  # Ctrl-C in a terminal is for the main process alone
    )


def _check(process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    if process.poll() is not None:
        log.seek(0)
        last = (log.read().decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise WorkersError(
            f"The process that minds the workers has ended ({last}); run the same again: what was "
            "finished is kept."
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the workers at once: they hold nothing that would be lost."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's messages off the screen; what matters in them comes as an outcome or an error."""
    import distributed  # noqa: F401 - sets up the handlers

    handlers = logging.getLogger("distributed").handlers
    levels = [handler.level for handler in handlers]
    for handler in handlers:
        handler.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for handler, level in zip(handlers, levels, strict=True):
            handler.setLevel(level)
