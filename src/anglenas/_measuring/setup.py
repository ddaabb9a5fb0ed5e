"""From what a user passes to what a search needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anglenas._measuring.executors import Executor, InProcess
from anglenas._measuring.local import LocalWorkers
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.store import Store
from anglenas._measuring.workers import Workers
from anglenas._plugins import load, names, reference
from anglenas._recipe import Recipe, read_recipe
from anglenas.data import ImageSource, open_source, with_flip
from anglenas.errors import SettingError
from anglenas.spaces import Space


def open_data(data: str | Path | ImageSource, flip: bool | None) -> ImageSource:
    """The images; ``flip`` overrides what the data set says of mirrored images."""
    source = open_source(data)
    return source if flip is None else with_flip(source, flip)


def choose_recipe(recipe: str | Recipe | None, default: str = "fast") -> Recipe:
    """The recipe asked for; a text without a preset's name changes the default."""
    if isinstance(recipe, Recipe):
        return recipe
    return read_recipe(recipe or default, default)


def choose_space(space: str | Space[Any]) -> str:
    """The name under which :func:`anglenas._plugins.load` finds the space, in any process."""
    if isinstance(space, str) and space not in names("space") and Path(space).exists():
        raise SettingError(f"{space!r} is no space, but a path; give images as data={space!r}.")
    found = load("space", space) if isinstance(space, str) else space
    if not isinstance(found, Space):
        told = space if isinstance(space, str) else repr(space)
        raise SettingError(f"What {told!r} names is no space; make an anglenas.spaces.Space.")
    return space if isinstance(space, str) else reference("space", space, space.home)


@contextmanager
def _open_store(store: str | Path | Store | None) -> Iterator[Store]:
    """The store in a file (the user's own by default), in memory, or one that is open already."""
    if isinstance(store, Store):
        yield store  # the caller's own: stays open
        return
    with Store.memory() if store == ":memory:" else Store(store) as opened:
        yield opened


def open_executor(workers: Workers) -> Executor:
    """Who computes: this process, processes of this machine, or those behind a scheduler."""
    if workers.count == 0:
        return InProcess(workers.device)
    limit, device = workers.time_limit, workers.device
    if workers.scheduler is None:
        return LocalWorkers(workers.processes, time_limit=limit, device=device)
    from anglenas._measuring.cluster import ClusterWorkers  # needs Dask, which few have

    return ClusterWorkers(workers.scheduler, time_limit=limit, device=device)


@contextmanager
def open_scorer(store: str | Path | Store | None, workers: Workers) -> Iterator[Scorer]:
    """Who measures what is not in the store; see :func:`_open_store` and :func:`open_executor`."""
    with _open_store(store) as opened, open_executor(workers) as executor:
        yield Scorer(opened, executor, workers.device)
