"""From what a user passes to what a search needs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anglenas.data import ImageSource, open_source, with_flip
from anglenas.errors import SettingError
from anglenas.recipe import Recipe, preset
from anglenas.scoring import DaskWorkers, Executor, InProcess, Store

__all__ = ["choose_recipe", "open_data", "open_executor", "open_store"]


def open_data(data: str | Path | ImageSource, flip: bool | None) -> ImageSource:
    """The images; ``flip`` overrides what the data set says of mirrored images."""
    source = open_source(data)
    return source if flip is None else with_flip(source, flip)


def choose_recipe(recipe: str | Recipe | None, source: ImageSource) -> Recipe:
    """The recipe asked for; by default ``"draft"`` for the built-in digits, else ``"fast"``."""
    if isinstance(recipe, Recipe):
        return recipe
    return preset(recipe or ("draft" if source.name == "digits" else "fast"))


@contextmanager
def open_store(store: str | Path | Store | None) -> Iterator[Store]:
    """The store in a file (the user's own by default), in memory, or one that is open already."""
    if isinstance(store, Store):
        yield store  # the caller's own: stays open
        return
    with Store.memory() if store == ":memory:" else Store(store) as opened:
        yield opened


@contextmanager
def open_executor(workers: int | None, scheduler: str | None) -> Iterator[Executor]:
    """Who computes: this process (0 workers), local processes, or those behind a scheduler."""
    if workers is not None and workers < 0:
        raise SettingError(f"There cannot be {workers} workers; give 0 to measure in this process.")
    if scheduler is None and workers == 0:
        yield InProcess()
        return
    count = workers or len(os.sched_getaffinity(0))
    with DaskWorkers.connect(scheduler) if scheduler else DaskWorkers.local(count) as executor:
        yield executor
