"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

    from anglenas._measuring.progress import Progress
    from anglenas.spaces import Supernet

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_RANKINGS = 0.5


@contextmanager
def stoppable(kept: Callable[[], str]) -> Iterator[None]:
    """Ctrl-C ends what is done inside with a word on how to go on, and the shell's own code.

    Args:
        kept: What is not lost, in words.
    """
    try:
        yield
    except KeyboardInterrupt:
        print(f"\nStopped. {kept()}; the same command goes on from there.", file=sys.stderr)
        raise typer.Exit(130) from None


@contextmanager
def show_progress(
    what: str, *, quiet: bool, did: str = "measured"
) -> Iterator[Callable[["Progress"], None]]:
    """What to hand to a run as ``on_progress``; Ctrl-C ends with a word on how to go on.

    Args:
        what: What is measured, such as ``"candidates"``.
        quiet: Show nothing but that word.
        did: What is done with them.
    """
    last: list[Progress] = []

    def kept() -> str:
        count = last[-1].done if last else 0
        return f"{count} {what} are {did} and kept" if count else "Nothing is lost"

    with stoppable(kept):
        if quiet:
            yield last.append
        elif sys.stderr.isatty():
            with _bar() as bar:
                yield _BarShower(bar, last)
        else:
            yield _LineShower(last, did)


@contextmanager
def show_counts(
    what: str, *, quiet: bool, did: str = "measured"
) -> Iterator[Callable[[int, int], None]]:
    """The same for work that tells how much of how much is done, and nothing else."""
    from anglenas._measuring.progress import Progress

    started = time.monotonic()
    with show_progress(what, quiet=quiet, did=did) as show:
        yield lambda done, total: show(Progress(done, total, time.monotonic() - started, done))


def _bar() -> "Bar":
    from rich.console import Console, RenderableType
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.text import Text

    class TwoLines(Progress):
        """The bar, and below it the best so far, however narrow the terminal."""

        def get_renderables(self) -> Iterator[RenderableType]:
            yield self.make_tasks_table(self.tasks)
            for task in self.tasks:
                yield Text(task.fields["best"], style="dim", no_wrap=True, overflow="ellipsis")

    return TwoLines(
        TextColumn("Measuring"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        # rich's own column forgets what is 30 s old, so slow candidates would never have a time.
        TextColumn("{task.fields[left]}"),
        console=Console(stderr=True),
        transient=True,
    )


class Pace:
    """Seconds a candidate, counted from the first one that was measured now.

    What the store had costs nothing, and starting workers costs once; both would mislead.
    """

    def __init__(self) -> None:
        self._start: Progress | None = None

    def __call__(self, progress: "Progress") -> float | None:
        """Seconds a candidate; ``None`` as long as nobody can know."""
        if self._start is None and progress.computed:
            self._start = progress
        if self._start is None or progress.done == self._start.done:
            return None
        return (progress.seconds - self._start.seconds) / (progress.done - self._start.done)


class _Rounds:
    """Prints what is left of a supernet that is pruned: once as a round begins, and at the end."""

    def __init__(self, console: "Console | None" = None) -> None:
        self._console = console
        self._shown: Supernet | None = None

    def __call__(self, progress: "Progress") -> None:
        if progress.supernet is None or progress.supernet == self._shown:
            return
        from rich.console import Console

        from anglenas._cli.supernets import supernet_view

        console = self._console or Console(stderr=True)
        console.print(progress.stage, style="bold", highlight=False, soft_wrap=True)
        console.print(supernet_view(progress.supernet, console.width))
        self._shown = progress.supernet


class _BarShower:
    """Moves a bar; ranks for the best so far twice a second at most."""

    def __init__(self, bar: "Bar", last: list["Progress"]) -> None:
        self._bar, self._last, self._ranked, self._pace = bar, last, 0.0, Pace()
        self._task = bar.add_task("", total=None, rate="starting", left="", best="")
        self._rounds = _Rounds(bar.console)

    def __call__(self, progress: "Progress") -> None:
        self._last[:] = [progress]
        self._rounds(progress)
        pace = self._pace(progress)
        fields: dict[str, Any] = {"rate": _rate(pace), "left": time_left(progress, pace)}
        if time.monotonic() - self._ranked > _SECONDS_BETWEEN_RANKINGS:
            fields["best"] = _best(progress)
            self._ranked = time.monotonic()
        self._bar.update(self._task, completed=progress.done, total=progress.total, **fields)


class _LineShower:
    """Prints a line when something was measured and ten seconds have passed."""

    def __init__(self, last: list["Progress"], did: str = "measured") -> None:
        self._last, self._did, self._printed, self._pace = last, did, 0.0, Pace()
        self._told, self._rounds = 0, _Rounds()

    def __call__(self, progress: "Progress") -> None:
        self._last[:] = [progress]
        self._rounds(progress)
        pace = self._pace(progress)
        due = time.monotonic() - self._printed > _SECONDS_BETWEEN_LINES
        # That all is measured is told once, though the end of pruning comes after it.
        ended = progress.done == progress.total != self._told
        if progress.done and (due or ended):
            total = f" of {progress.total}" if progress.total else ""
            parts = [f"{progress.done}{total} {self._did}", _rate(pace), time_left(progress, pace)]
            line = ", ".join(filter(None, parts))
            print("; ".join(filter(None, [line, _best(progress)])), file=sys.stderr, flush=True)
            self._printed, self._told = time.monotonic(), progress.done


def _rate(pace: float | None) -> str:
    return f"{_few_digits(pace)} s each" if pace is not None else ""


def _few_digits(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds >= 1 else f"{seconds:.2g}"


def time_left(progress: "Progress", pace: float | None) -> str:
    """How long it takes at a pace, in seconds each; empty where nobody knows, and at the end."""
    if not progress.total or pace is None or progress.done == progress.total:
        return ""
    seconds = pace * (progress.total - progress.done)
    return f"{seconds / 60:.0f} min left" if seconds > 90 else f"{seconds:.0f} s left"


def _best(progress: "Progress") -> str:
    """The best so far, or the round that a search which goes on in rounds is at."""
    if progress.stage:
        return progress.stage
    return f"best so far {progress.best.architecture}" if progress.best else ""
