"""Workers of a Dask scheduler, on any number of machines. Needs the extra ``cluster``."""

import asyncio
import json
import logging
import os
import signal
import time
import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

from anglenas._measuring.computing import compute_all
from anglenas._measuring.devices import device_of_worker, platform_of
from anglenas._measuring.pool import Died, Pool, PoolWorker
from anglenas._measuring.task import Outcome, Task
from anglenas.data import FewShot
from anglenas.errors import SettingError, WorkersError, needs_extra

with needs_extra("cluster"):
    import dask
    import distributed

_SECONDS = 0.2  # between looks at who is there
_PATIENCE = 60.0  # seconds without any worker


def write_keys(path: Path) -> None:
    """Write the keys of a cluster: Dask's settings with a certificate that all its machines share.

    It holds for a year. Nobody but its owner may read the file, since whoever has it can run code
    on all machines of the cluster.

    Raises:
        SettingError: The file exists already, or cannot be written.
    """
    with needs_extra("cluster"):
        import cryptography  # noqa: F401 - Dask needs it, and says so in words of its own
    keys = distributed.Security.temporary()  # type: ignore[no-untyped-call]
    own = {"cert": keys.tls_client_cert, "key": keys.tls_client_key}
    tls = {"ca-file": keys.tls_ca_file, "scheduler": own, "worker": own, "client": own}
    comm = {"default-scheme": "tls", "require-encryption": True, "tls": tls}
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"distributed": {"comm": comm}}, file, indent=2)  # which is YAML, too
    except OSError as error:
        raise SettingError(
            f"The keys cannot be written to {str(path)!r} ({error.strerror}); give a new file."
        ) from error


def _check_encrypted(address: str) -> None:
    """Refuse what others could use or read, and say how it is done right."""
    how = (
        "make keys with `anglenas cluster keys cluster.yaml`, copy them to each machine, set the "
        "environment variable DASK_CONFIG to their path, and give an address that begins with tls://"
    )
    if not address.startswith("tls://"):
        raise SettingError(
            f"{address} is not encrypted, and whoever reaches it can run code as you; {how}."
        )
    for part in ("ca-file", "client.cert", "client.key"):
        setting = dask.config.get(f"distributed.comm.tls.{part}", None)
        if setting is None or ("\n" not in setting and not Path(setting).is_file()):
            raise SettingError(
                f"{address} takes keys, and Dask's setting distributed.comm.tls.{part} is "
                f"{setting!r}; {how}."
            )


@dataclass(frozen=True)
class _Greeting:
    """What a worker says of itself when it is ready."""

    pid: int
    nanny: bool
    platform: str


def _keep(batches: Mapping[str, FewShot]) -> Mapping[str, FewShot]:
    """Runs on a worker, where its result stays: the images travel once."""
    return batches


def _greet(batches: Mapping[str, FewShot]) -> _Greeting:
    """Runs on a worker, once the images are there."""
    worker = distributed.get_worker()
    wanted, _ = device_of_worker(worker.name)
    return _Greeting(os.getpid(), bool(worker.nanny), platform_of(wanted))


def _compute(chunk: Sequence[Task], batches: Mapping[str, FewShot]) -> list[Outcome]:
    _, device = device_of_worker(distributed.get_worker().name)
    return compute_all(chunk, batches, device)


class _Worker(PoolWorker):
    """A worker of the scheduler, and the one future that it has of us at a time."""

    def __init__(self, client: Any, address: str, batches: Mapping[str, FewShot]) -> None:
        super().__init__()
        self._client, self._address = client, address
        self.greeting: _Greeting | None = None
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
            self._images = self._submit(_keep, batches)
        self._ask(_greet, self._images)

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._remote = self._submit(function, *arguments)
        self.future = self._call(self._remote.result)

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self._client.submit(
            function,
            *arguments,
            key=f"{function.__name__}-{uuid.uuid4()}",
            workers=[self._address],
            allow_other_workers=False,
            pure=False,
        )

    def _call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> "Future[Any]":
        """What the client gives, as a future of this process that is waited for like any other."""

        async def result() -> Any:
            return await function(*arguments, **options)

        return asyncio.run_coroutine_threadsafe(result(), self._client.loop.asyncio_loop)

    def give(self, chunk: Sequence[Task], batches: Mapping[str, FewShot]) -> None:
        self._ask(_compute, chunk, self._images)

    def has_answered(self) -> bool:
        return self.future.done()

    def answer(self) -> Sequence[Outcome]:
        try:
            answer: _Greeting | list[Outcome] = self.future.result()
        except (CancelledError, distributed.KilledWorker):
            raise Died from None
        self._remote.release()
        if isinstance(answer, _Greeting):
            self.greeting = answer
            return ()
        return answer

    def kill(self) -> None:
        """Have its nanny kill it and start a new one; without a nanny, it ends itself."""
        assert self.greeting is not None
        order = self._call(
            self._client.run,
            os.kill,
            self.greeting.pid,
            int(signal.SIGKILL),
            workers=[self._address],
            nanny=self.greeting.nanny,
            on_error="ignore",
        )
        wait([order], _SECONDS)  # no longer: one that holds its interpreter's lock never answers
        self.dismiss()

    def dismiss(self) -> None:
        self.future.cancel()
        self._remote.release()
        self._images.release()


class ClusterWorkers(Pool[_Worker]):
    """Computes on the workers of a scheduler that runs already, which stay; a context manager.

    The scheduler and its workers need the same packages as this process.

    Args:
        address: Such as ``"tls://10.0.0.1:8786"``; Dask's settings say where the keys are.
        time_limit: Seconds that one task may take; ``None`` for no limit.
        device: Kind of device that the workers compute on; each of them is told by its own
            environment, ``ANGLENAS_DEVICE``, and those of another kind are left alone.

    Raises:
        SettingError: The address is not encrypted, keys are missing, or there is no such device.
    """

    def __init__(
        self, address: str, *, time_limit: float | None = None, device: str = "cpu"
    ) -> None:
        _check_encrypted(address)
        super().__init__(time_limit)
        self._address, self._platform = address, platform_of(device)
        self._stack = ExitStack()
        self._client: Any = None
        self._batches: Mapping[str, FewShot] = {}  # that the workers have
        # By address, workers that are left alone: the other platform that they compute with, or
        # None for one that was killed and is not gone yet.
        self._left_alone: dict[Hashable, str | None] = {}
        self._looked = self._seen = -float("inf")

    def __enter__(self) -> Self:
        """Speak with the scheduler.

        Raises:
            WorkersError: It does not answer.
        """
        with ExitStack() as stack:
            stack.enter_context(_quiet())
            try:
                client: Any = distributed.Client(self._address, timeout=10, set_as_default=False)  # type: ignore[no-untyped-call]
            except (OSError, ValueError) as error:
                raise WorkersError(
                    f"No scheduler answers at {self._address} ({error}); start one with `dask "
                    "scheduler`, and give the address that it prints."
                ) from error
            self._client = stack.enter_context(client)
            self._stack = stack.pop_all()
        return self

    def run(self, tasks: Iterable[Task], batches: Mapping[str, FewShot]) -> Iterator[Outcome]:
        """The outcome of every task, in the order in which they are finished.

        Raises:
            WorkersError: The scheduler or all workers are gone, or compute with another torch.
            UsageError: What was asked cannot be done as asked (see :func:`compute`).
        """
        self._seen = time.monotonic()
        if batches is not self._batches:
            self._dismiss_all()
            self._batches = batches
        return super().run(tasks, batches)

    def _look(self, most: int | None) -> list[Hashable]:
        for address, worker in list(self._workers.items()):
            if worker.greeting and worker.greeting.platform != self._platform:
                self._workers.pop(address).dismiss()
                self._left_alone[address] = worker.greeting.platform
        if time.monotonic() - self._looked < _SECONDS:
            return []
        try:
            present = set(self._client.nthreads()) if self._client.status == "running" else None
        except OSError:
            present = None
        if present is None:
            self._is_gone()
        self._looked = time.monotonic()
        self._left_alone = {name: why for name, why in self._left_alone.items() if name in present}
        for name in present - self._workers.keys() - self._left_alone.keys():
            self._workers[name] = _Worker(self._client, name, self._batches)
        if self._workers:
            self._seen = time.monotonic()
        elif others := {platform for platform in self._left_alone.values() if platform}:
            raise WorkersError(
                f"The workers compute with {' and '.join(sorted(others))}, but the scores are for "
                f"{self._platform}; use workers of this kind, so that scores can be compared."
            )
        elif time.monotonic() - self._seen > _PATIENCE:
            raise WorkersError(
                f"For {_PATIENCE:g} s there has been no worker to compute; start some and run the "
                "same again: what was finished is kept."
            )
        gone = self._workers.keys() - present
        return [name for name in gone if self._workers[name].is_idle
                or not self._workers[name].has_answered()]  # fmt: skip

    def _kill(self, name: Hashable) -> None:
        super()._kill(name)
        self._left_alone[name] = None

    def _is_gone(self) -> NoReturn:
        raise WorkersError(
            "The scheduler of the workers is gone; start it again and run the same again: what was "
            "finished is kept."
        )

    def _wait(self, workers: Mapping[Hashable, _Worker], seconds: float) -> list[Hashable]:
        if not workers:
            time.sleep(_SECONDS)
        futures = [worker.future for worker in workers.values()]
        done = wait(futures, min(seconds, _SECONDS), "FIRST_COMPLETED").done
        answered = [name for name, worker in workers.items() if worker.future in done]
        if answered and self._client.status != "running":
            self._is_gone()  # and all futures are cancelled, as if their workers had died
        return answered

    def _dismiss_all(self) -> None:
        while self._workers:
            self._workers.popitem()[1].dismiss()

    def __exit__(self, *raised: object) -> None:
        self._dismiss_all()
        self._stack.close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's messages off the screen; what matters in them comes as an outcome or an error."""
    handlers = logging.getLogger("distributed").handlers
    levels = [handler.level for handler in handlers]
    for handler in handlers:
        handler.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for handler, level in zip(handlers, levels, strict=True):
            handler.setLevel(level)
