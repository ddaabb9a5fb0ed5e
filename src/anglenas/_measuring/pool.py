"""Hands tasks to Dask workers, one chunk a worker at a time, and finds out who dies of what."""

import asyncio
import gc
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, wait
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NoReturn

import dask
from distributed import KilledWorker, get_worker

from anglenas._measuring.backlog import Backlog
from anglenas._measuring.computing import compute
from anglenas._measuring.devices import device_of_worker, platform_of
from anglenas._measuring.task import Outcome, Task
from anglenas._torch import import_compiler
from anglenas.data import FewShot
from anglenas.errors import WorkersError

__all__ = ["Pool"]

_POLL = 0.2  # seconds between looks at who is there
_PATIENCE = 60.0  # seconds without any worker
_STILLBORN = 10  # workers that may die, one after the other, before they have said who they are


@dataclass(frozen=True)
class _Greeting:
    """What a worker says of itself."""

    pid: int
    nanny: bool
    platform: str


def _keep(batches: Mapping[str, FewShot]) -> Mapping[str, FewShot]:
    """Runs on a worker, where its result stays: the images travel once."""
    return batches


def _greet(batches: Mapping[str, FewShot]) -> _Greeting:
    import_compiler()  # here, so that it does not count against the first task's time limit
    worker = get_worker()
    wanted, _ = device_of_worker(worker.name)
    return _Greeting(os.getpid(), bool(worker.nanny), platform_of(wanted))


def _compute_all(chunk: Sequence[Task], batches: Mapping[str, FewShot]) -> list[Outcome]:
    _, device = device_of_worker(get_worker().name)
    outcomes = [compute(task, batches.get(task.context.images), device) for task in chunk]
    _settle()
    return outcomes


@cache
def _settle() -> None:
    """Once, when probes have imported all that they need: let the garbage collector pass it by.

    It stays anyway, and looking through it takes longer than a cheap measurement.
    """
    gc.collect()
    gc.freeze()


@dataclass
class _Worker:
    """One worker: first it is asked who it is, then it has at most one chunk."""

    address: str
    images: Any
    remote: Any
    answer: "Future[Any]"
    greeting: _Greeting | None = None
    chunk: tuple[Task, ...] = ()
    deadline: float = float("inf")
    usable: bool = True

    @property
    def idle(self) -> bool:
        return self.usable and self.greeting is not None and not self.chunk

    @property
    def answered(self) -> bool:
        """Whether an answer is here and was not taken yet, because the caller took its time."""
        return self.usable and not self.idle and self.answer.done()


@dataclass
class Pool:
    """One run on the workers of a scheduler.

    Args:
        client: A client of the scheduler.
        batches: The images, by fingerprint.
        time_limit: Seconds that one task may take.
        platform: What the workers must be, for the scores' bits to be those asked for.
        check: Raises :class:`WorkersError` when no worker will ever come (again).
    """

    client: Any
    batches: Mapping[str, FewShot]
    time_limit: float
    platform: str
    check: Callable[[], None]
    _workers: dict[str, _Worker] = field(default_factory=dict)
    _stillborn: int = 0
    _looked: float = -float("inf")
    _seen: float = field(default_factory=time.monotonic)

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """The outcomes, as they come.

        Raises:
            WorkersError: The scheduler or all workers are gone, or none of them fits.
        """
        backlog = Backlog(tasks)
        try:
            while backlog or any(worker.chunk for worker in self._workers.values()):
                yield from self._look(backlog)
                yield from self._late(backlog)
                self._hand_out(backlog)
                yield from self._collect(backlog)
        finally:
            for worker in self._workers.values():
                self._release(worker)

    def _look(self, backlog: Backlog) -> Iterator[Outcome]:
        """Bury the workers that are gone, and greet the new ones."""
        if time.monotonic() - self._looked < _POLL:
            return
        self.check()
        present = self._present()
        self._looked = time.monotonic()
        for address in self._workers.keys() - present:
            if not self._workers[address].answered:
                yield from self._bury(self._workers.pop(address), backlog)
        for address in present - self._workers.keys():
            self._workers[address] = self._welcome(address)
        self._despair()
        self._compare()

    def _present(self) -> set[str]:
        try:
            return set(self.client.nthreads()) if self.client.status == "running" else self._gone()
        except OSError:
            self._gone()

    def _gone(self) -> NoReturn:
        raise WorkersError(
            "The scheduler of the workers is gone; start it again and run the same again: what was "
            "finished is kept."
        )

    def _despair(self) -> None:
        """Give up where waiting does not help."""
        if any(worker.usable for worker in self._workers.values()):
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > _PATIENCE:
            raise WorkersError(
                f"For {_PATIENCE:g} s there has been no worker to compute; start some and run the "
                "same again: what was finished is kept."
            )
        if self._stillborn >= _STILLBORN:
            raise WorkersError(
                "The workers die as they start; see whether their machine has enough free memory."
            )

    def _compare(self) -> None:
        """Give up if every worker would give other bits than those asked for."""
        greetings = [worker.greeting for worker in self._workers.values() if worker.greeting]
        others = {greeting.platform for greeting in greetings}
        if len(greetings) == len(self._workers) and others and self.platform not in others:
            raise WorkersError(
                f"The workers compute with {' and '.join(sorted(others))}, but the scores are for "
                f"{self.platform}; use workers of this kind, so that scores can be compared."
            )

    def _bury(self, worker: _Worker, backlog: Backlog) -> list[Outcome]:
        self._release(worker)
        if worker.greeting is None:
            self._stillborn += 1
        return backlog.died(worker.chunk) if worker.chunk else []

    def _welcome(self, address: str) -> _Worker:
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
            images = self._submit(address, _keep, self.batches)
        remote = self._submit(address, _greet, images)
        return _Worker(address, images, remote, self._soon(remote.result))

    def _late(self, backlog: Backlog) -> Iterator[Outcome]:
        """Kill the workers whose chunk takes too long; others will take their place."""
        for worker in self._workers.values():
            if worker.chunk and not worker.answered and time.monotonic() > worker.deadline:
                chunk, worker.chunk, worker.usable = worker.chunk, (), False
                self._release(worker)
                self._kill(worker)
                yield from backlog.too_slow(chunk, self.time_limit)

    def _kill(self, worker: _Worker) -> None:
        """Have its nanny kill the worker and start a new one; without a nanny, it ends itself."""
        assert worker.greeting is not None
        order = self._soon(
            self.client.run,
            os.kill,
            worker.greeting.pid,
            int(signal.SIGKILL),
            workers=[worker.address],
            nanny=worker.greeting.nanny,
            on_error="ignore",
        )
        wait([order], _POLL)  # no longer: a worker that holds its interpreter's lock never answers

    def _hand_out(self, backlog: Backlog) -> None:
        for worker in self._workers.values():
            if worker.idle and (chunk := backlog.take()):
                worker.remote = self._submit(worker.address, _compute_all, chunk, worker.images)
                worker.answer = self._soon(worker.remote.result)
                worker.chunk = chunk
                worker.deadline = time.monotonic() + self.time_limit

    def _collect(self, backlog: Backlog) -> Iterator[Outcome]:
        """Wait a moment for answers, and take those that came."""
        waiting = {worker.answer: worker for worker in self._workers.values()
                   if worker.usable and not worker.idle}  # fmt: skip
        if not waiting:
            time.sleep(_POLL)
        for answer in wait(waiting, _POLL, "FIRST_COMPLETED").done:
            yield from self._take(waiting[answer], backlog)

    def _take(self, worker: _Worker, backlog: Backlog) -> list[Outcome]:
        """The outcomes that a worker answers with; none if it tells who it is.

        What the worker raises instead is the caller's mistake.
        """
        try:
            answer = worker.answer.result()
        except (CancelledError, KilledWorker):
            if self.client.status != "running":
                self._gone()
            return self._bury(self._workers.pop(worker.address), backlog)
        worker.remote.release()
        if isinstance(answer, _Greeting):
            self._stillborn = 0
            worker.greeting = answer
            worker.usable = answer.platform == self.platform
            return []
        worker.chunk = ()
        backlog.learn(answer)
        outcomes: list[Outcome] = answer
        return outcomes

    def _submit(self, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.client.submit(
            function,
            *arguments,
            key=f"{function.__name__}-{uuid.uuid4()}",
            workers=[address],
            allow_other_workers=False,
            pure=False,
        )

    def _soon(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> "Future[Any]":
        """What the client gives, as a future of this process that is waited for like any other."""

        async def result() -> Any:
            return await function(*arguments, **options)

        return asyncio.run_coroutine_threadsafe(result(), self.client.loop.asyncio_loop)

    def _release(self, worker: _Worker) -> None:
        worker.answer.cancel()
        worker.remote.release()
        worker.images.release()
