"""What a training shows: a bar on a terminal or a line for each epoch, and what came of it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from anglenas._cli.progress import Pace, stoppable, time_left

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from anglenas._evaluation.result import Epoch, Trained, TrainingProgress

_HARDEST = 3


@contextmanager
def show_training(*, quiet: bool) -> Iterator[Callable[["TrainingProgress"], None]]:
    """What to hand to a training as ``on_progress``; Ctrl-C ends with a word on how to go on."""
    last: list[TrainingProgress] = []

    def kept() -> str:
        if not last:
            return "Nothing is lost"
        return f"{len(last[-1].history)} of {last[-1].epochs} epochs are kept"

    with stoppable(kept):
        bar = _bar() if sys.stderr.isatty() and not quiet else None
        with bar or nullcontext():
            yield _Shower(bar, last, quiet=quiet)


def _bar() -> "Bar":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    return Progress(
        TextColumn("Training"),
        BarColumn(bar_width=20),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        console=Console(stderr=True),
        transient=True,
    )


class _Shower:
    """Moves a bar if there is one; prints notices, and a line for each epoch that ends."""

    def __init__(self, bar: "Bar | None", last: list["TrainingProgress"], *, quiet: bool) -> None:
        self._bar, self._last, self._quiet, self._pace = bar, last, quiet, Pace()
        self._task = bar.add_task("starting", total=None, left="") if bar else None

    def __call__(self, progress: "TrainingProgress") -> None:
        from anglenas._measuring.progress import Progress

        # Epochs that ended before an earlier stop were shown then.
        told = len(self._last[-1].history) if self._last else len(progress.history)
        lines = [] if self._last else [f"Note: {notice}" for notice in progress.notices]
        lines += [_line(epoch, progress.epochs) for epoch in progress.history[told:]]
        self._last[:] = [progress]
        for line in lines if not self._quiet else ():
            if self._bar:
                self._bar.console.print(line, highlight=False, markup=False)
            else:
                print(line, file=sys.stderr, flush=True)
        if self._bar and self._task is not None:
            steps = progress.epoch * progress.steps + progress.step
            counts = Progress(steps, progress.epochs * progress.steps, progress.seconds, steps)
            self._bar.update(
                self._task,
                completed=counts.done,
                total=counts.total,
                left=time_left(counts, self._pace(counts)),
                description=f"epoch {progress.epoch + 1}/{progress.epochs}, "
                f"loss {progress.loss:.3f}",
            )


def _line(epoch: "Epoch", epochs: int) -> str:
    return (
        f"epoch {epoch.number + 1:>{len(str(epochs))}}/{epochs}: "
        f"loss {epoch.train_loss:.3f}, accuracy {epoch.train_accuracy:.1%}; "
        f"held out: loss {epoch.valid_loss:.3f}, accuracy {epoch.valid_accuracy:.2%} "
        f"({epoch.seconds:.0f} s)"
    )


def print_trained(trained: "Trained") -> None:
    """How well a trained network does, and where its files are."""
    from anglenas._cli.tables import print_line, print_notes, print_sheets
    from anglenas._sheet import Sheet

    rows = tuple(
        (weights, str(epoch.number + 1), f"{epoch.valid_accuracy:.2%}", f"{epoch.valid_top5:.2%}",
         f"{epoch.valid_loss:.4g}")
        for weights, epoch in (("best", trained.best), ("last", trained.last))
    )  # fmt: skip
    head = ("weights", "epoch", "accuracy", "among the first 5", "loss")
    print_sheets([Sheet(f"{trained.data['name']}, held out", head, rows)])
    hardest = sorted(trained.confusion.per_class.items(), key=lambda item: item[1])[:_HARDEST]
    shares = ", ".join(f"{name} {share:.1%}" for name, share in hardest)
    print_line(f"Hardest classes: {shares}")
    print_notes(trained.notices)
    print_line(f"Files: {trained.folder}")
