"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from anglenas.searching import Progress

__all__ = ["show_progress"]

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_RANKINGS = 0.5


@contextmanager
def show_progress(*, quiet: bool) -> Iterator[Callable[["Progress"], None]]:
    """What to hand to a search as ``on_progress``; Ctrl-C ends with a word on how to go on."""
    last: list[Progress] = []
    try:
        if quiet:
            yield last.append
        elif sys.stderr.isatty():
            with _bar() as bar:
                yield _BarShower(bar, last)
        else:
            yield _LineShower(last)
    except KeyboardInterrupt:
        done = f"{last[-1].done} candidates are measured and kept" if last else "Nothing is lost"
        print(f"\nStopped. {done}; the same command goes on from there.", file=sys.stderr)
        raise typer.Exit(130) from None


def _bar() -> "Bar":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("Measuring"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[best]}"),
        console=Console(stderr=True),
        transient=True,
    )


class _BarShower:
    """Moves a bar; ranks for the best so far twice a second at most."""

    def __init__(self, bar: "Bar", last: list["Progress"]) -> None:
        self._bar, self._last, self._ranked = bar, last, 0.0
        self._task = bar.add_task("", total=None, rate="starting workers", best="")

    def __call__(self, progress: "Progress") -> None:
        self._last[:] = [progress]
        fields: dict[str, Any] = {"rate": _rate(progress)}
        if time.monotonic() - self._ranked > _SECONDS_BETWEEN_RANKINGS:
            fields["best"] = _best(progress)
            self._ranked = time.monotonic()
        self._bar.update(self._task, completed=progress.done, total=progress.total, **fields)


class _LineShower:
    """Prints a line when something was measured and ten seconds have passed."""

    def __init__(self, last: list["Progress"]) -> None:
        self._last, self._printed = last, 0.0

    def __call__(self, progress: "Progress") -> None:
        self._last[:] = [progress]
        due = time.monotonic() - self._printed > _SECONDS_BETWEEN_LINES
        if progress.done and (due or progress.done == progress.total):
            total = f" of {progress.total}" if progress.total else ""
            line = f"{progress.done}{total} measured, {_rate(progress)}{_left(progress)}"
            print("; ".join(filter(None, [line, _best(progress)])), file=sys.stderr, flush=True)
            self._printed = time.monotonic()


def _rate(progress: "Progress") -> str:
    return f"{_few_digits(progress.seconds / progress.done)} s each" if progress.done else ""


def _few_digits(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds >= 1 else f"{seconds:.2g}"


def _left(progress: "Progress") -> str:
    if not progress.total or not progress.done:
        return ""
    seconds = progress.seconds / progress.done * (progress.total - progress.done)
    return f", {seconds / 60:.0f} min left" if seconds > 90 else f", {seconds:.0f} s left"


def _best(progress: "Progress") -> str:
    return f"best so far {progress.best.architecture}" if progress.best else ""
