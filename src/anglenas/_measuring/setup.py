"""From what a user passes to what a search needs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anglenas._measuring.devices import device_count
from anglenas._measuring.executors import Executor, HereFirst, InProcess
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.store import Store
from anglenas._measuring.workers import DaskWorkers
from anglenas._plugins import load, names, reference
from anglenas._recipe import Recipe, read_recipe
from anglenas.data import ImageSource, open_source, with_flip
from anglenas.errors import SettingError

__all__ = [
    "check_members",
    "choose_recipe",
    "choose_space",
    "open_data",
    "open_scorer",
    "worker_count",
]

_SPACE = "name size builder parse sample enumerate mutate canonical subject graphs is_trivial"
_MEMBERS = {"space": _SPACE.split(), "strategy": ["name", "concurrency", "propose"]}


def open_data(data: str | Path | ImageSource, flip: bool | None) -> ImageSource:
    """The images; ``flip`` overrides what the data set says of mirrored images."""
    source = open_source(data)
    return source if flip is None else with_flip(source, flip)


def choose_recipe(recipe: str | Recipe | None, default: str = "fast") -> Recipe:
    """The recipe asked for; a text without a preset's name changes the default."""
    if isinstance(recipe, Recipe):
        return recipe
    return read_recipe(recipe or default, default)


def choose_space(space: Any) -> str:
    """The name under which :func:`anglenas._plugins.load` finds the space, in any process."""
    if not isinstance(space, str):
        check_members("space", repr(space), space)
    elif space not in names("space") and Path(space).exists():
        raise SettingError(f"{space!r} is no space, but a path; give images as data={space!r}.")
    name = reference("space", space)
    check_members("space", name, load("space", name))
    return name


def check_members(kind: str, name: str, thing: object) -> None:
    missing = [member for member in _MEMBERS[kind] if not hasattr(thing, member)]
    if isinstance(thing, type) or missing:
        lacking = f"it lacks {', '.join(missing)}" if missing else "make an object of the class"
        raise SettingError(f"What {name!r} names is no {kind}; {lacking}.")


@contextmanager
def _open_store(store: str | Path | Store | None) -> Iterator[Store]:
    """The store in a file (the user's own by default), in memory, or one that is open already."""
    if isinstance(store, Store):
        yield store  # the caller's own: stays open
        return
    with Store.memory() if store == ":memory:" else Store(store) as opened:
        yield opened


@contextmanager
def _open_executor(
    workers: int | None,
    scheduler: str | None,
    time_limit: float | None = None,
    device: str = "cpu",
) -> Iterator[Executor]:
    """Who computes: this process (0 workers), local processes, or those behind a scheduler.

    Local processes are by default one a core, or one a device.
    """
    if workers is not None and workers < 0:
        raise SettingError(f"There cannot be {workers} workers; give 0 to measure in this process.")
    if scheduler is None and workers == 0:
        if time_limit is not None:
            raise SettingError("A time limit needs a worker that can be ended; give 1 at least.")
        yield InProcess(device)
        return
    with _workers(workers, scheduler, time_limit, device) as executor:
        yield HereFirst(executor, device)


@contextmanager
def open_scorer(
    store: str | Path | Store | None,
    workers: int | None,
    scheduler: str | None,
    time_limit: float | None,
    device: str,
) -> Iterator[Scorer]:
    """Who measures what is not in the store; see :func:`_open_store` and :func:`_open_executor`."""
    with (
        _open_store(store) as opened,
        _open_executor(workers, scheduler, time_limit, device) as executor,
    ):
        yield Scorer(opened, executor)


def _workers(
    workers: int | None, scheduler: str | None, time_limit: float | None, device: str
) -> DaskWorkers:
    if scheduler:
        return DaskWorkers.connect(scheduler, time_limit=time_limit, device=device)
    count = worker_count(workers, device)
    return DaskWorkers.local(count, time_limit=time_limit, device=device)


def worker_count(workers: int | None, device: str) -> int:
    """Measurements that run at once on this machine: as many as asked for, or one a core or GPU."""
    default = len(os.sched_getaffinity(0)) if device == "cpu" else device_count(device)
    return max(default if workers is None else workers, 1)
