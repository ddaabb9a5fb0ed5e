"""What a training shows: a bar on a terminal or a line for each epoch, and what came of it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from anglenas._evaluation import Epoch, Trained, TrainingProgress

__all__ = ["print_trained", "show_training"]

_HARDEST = 3


@contextmanager
def show_training(*, quiet: bool) -> Iterator[Callable[["TrainingProgress"], None]]:
    """What to hand to a training as ``on_progress``; Ctrl-C ends with a word on how to go on."""
    last: list[TrainingProgress] = []
    try:
        if quiet:
            yield lambda progress: None
        elif sys.stderr.isatty():
            with _bar() as bar:
                yield _BarShower(bar, last)
        else:
            yield _LineShower(last)
    except KeyboardInterrupt:
        done = f" {len(last[-1].history)} of {last[-1].epochs} epochs are kept;" if last else ""
        print(f"\nStopped.{done} the same command goes on from there.", file=sys.stderr)
        raise typer.Exit(130) from None


def _bar() -> "Bar":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("Training"),
        BarColumn(bar_width=20),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
        console=Console(stderr=True),
        transient=True,
    )


class _BarShower:
    """Moves a bar, and leaves a line for each epoch above it."""

    def __init__(self, bar: "Bar", last: list["TrainingProgress"]) -> None:
        self._bar, self._last, self._shown = bar, last, _Shown()
        self._task = bar.add_task("starting", total=None)

    def __call__(self, progress: "TrainingProgress") -> None:
        self._last[:] = [progress]
        for line in self._shown(progress):
            self._bar.console.print(line, highlight=False, markup=False)
        self._bar.update(
            self._task,
            completed=progress.epoch * progress.steps + progress.step,
            total=progress.epochs * progress.steps,
            description=f"epoch {progress.epoch + 1}/{progress.epochs}, loss {progress.loss:.3f}",
        )


class _LineShower:
    """Prints a line for each epoch."""

    def __init__(self, last: list["TrainingProgress"]) -> None:
        self._last, self._shown = last, _Shown()

    def __call__(self, progress: "TrainingProgress") -> None:
        self._last[:] = [progress]
        for line in self._shown(progress):
            print(line, file=sys.stderr, flush=True)


class _Shown:
    """Notices, and the lines of epochs that were not shown yet, nor before an earlier stop."""

    def __init__(self) -> None:
        self._count: int | None = None

    def __call__(self, progress: "TrainingProgress") -> list[str]:
        notices = [f"Note: {n}" for n in progress.notices] if self._count is None else []
        known = len(progress.history) if self._count is None else self._count
        self._count = len(progress.history)
        return notices + [_line(epoch, progress.epochs) for epoch in progress.history[known:]]


def _line(epoch: "Epoch", epochs: int) -> str:
    return (
        f"epoch {epoch.number + 1:>{len(str(epochs))}}/{epochs}: "
        f"loss {epoch.train_loss:.3f}, accuracy {epoch.train_accuracy:.1%}; "
        f"held out: loss {epoch.valid_loss:.3f}, accuracy {epoch.valid_accuracy:.2%} "
        f"({epoch.seconds:.0f} s)"
    )


def print_trained(trained: "Trained") -> None:
    """How well a trained network does, and where its files are."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(emoji=False)
    table = Table(title=escape(f"{trained.data['name']}, held out"), title_justify="left")
    for name in ("weights", "epoch", "accuracy", "among the first 5", "loss"):
        table.add_column(name, justify="left" if name == "weights" else "right")
    for weights, epoch in (("best", trained.best), ("last", trained.last)):
        table.add_row(weights, *_results(epoch))
    console.print(table)
    hardest = sorted(trained.confusion.per_class.items(), key=lambda item: item[1])[:_HARDEST]
    shares = ", ".join(f"{name} {share:.1%}" for name, share in hardest)
    console.print(f"Hardest classes: {escape(shares)}", highlight=False)
    for notice in trained.notices:
        console.print(f"[yellow]Note:[/] {escape(notice)}", highlight=False)
    console.print(f"Files: {escape(str(trained.folder))}", highlight=False, soft_wrap=True)


def _results(epoch: "Epoch") -> tuple[str, ...]:
    return (
        str(epoch.number + 1),
        f"{epoch.valid_accuracy:.2%}",
        f"{epoch.valid_top5:.2%}",
        f"{epoch.valid_loss:.4g}",
    )
