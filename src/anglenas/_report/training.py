"""What a person gets to see of a training: its curves, and which classes are taken for which."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from anglenas._evaluation.result import Confusion, Epoch, Trained
from anglenas._report.canvas import (
    INK,
    KINDS,
    MUTED,
    blank,
    dress,
    font,
    mark_axis,
    printable,
    settings,
    write_pictures,
)
from anglenas._report.figures import log_ticks
from anglenas._report.files import csv_bytes, json_bytes, write_bytes

__all__ = ["confusion_figure", "curves_figure", "write_training"]

_TRAIN, _VALID = KINDS[2].light, KINDS[3].light
_SHADES = LinearSegmentedColormap.from_list("shades", ["#ffffff", _TRAIN])
_NAMED = 40  # more classes have no room for their names
_COUNTED = 14  # more classes have no room for numbers


def curves_figure(history: tuple[Epoch, ...], title: str) -> Figure:
    """Accuracy and loss by epoch, on the images trained on and on those held out.

    Args:
        history: The epochs, one or more.
        title: What stands above it.
    """
    with settings():
        figure = blank(440, 360)
        upper = figure.add_axes((0.13, 0.55, 0.84, 0.37))
        lower = figure.add_axes((0.13, 0.13, 0.84, 0.35))
        best = max(history, key=lambda epoch: (epoch.valid_accuracy, -epoch.number))
        dress(upper, title=title, y="accuracy, %")
        dress(lower, x="epoch", y="loss")
        train_losses = [epoch.train_loss for epoch in history]
        valid_losses = [epoch.valid_loss for epoch in history]
        train_accuracies = [100 * epoch.train_accuracy for epoch in history]
        valid_accuracies = [100 * epoch.valid_accuracy for epoch in history]
        _draw_pair(upper, train_accuracies, valid_accuracies)
        _draw_pair(lower, train_losses, valid_losses)
        # Before BatchNorm knows the images, a loss can be in the hundreds: with a logarithmic axis
        # the later ones are told apart too.
        if all(0 < loss < math.inf for loss in train_losses + valid_losses):
            lower.set_yscale("log")
            mark_axis(lower.yaxis, log_ticks(train_losses + valid_losses))
        upper.set_xticklabels([])
        upper.axvline(best.number + 1, color=_VALID, lw=0.8, ls=":")
        upper.legend(
            loc="lower right", prop=font(8.5), labelcolor=INK, facecolor="white", edgecolor="none",
            title=f"best: {best.valid_accuracy:.2%} in epoch {best.number + 1}",
            title_fontproperties=font(8.5, bold=True),
        )  # fmt: skip
    return figure


def _draw_pair(axes: Axes, trained_on: list[float], held_out: list[float]) -> None:
    epochs = range(1, len(trained_on) + 1)
    marker = "o" if len(epochs) < 3 else None
    for values, colour, label in (
        (trained_on, _TRAIN, "trained on"),
        (held_out, _VALID, "held out"),
    ):
        axes.plot(epochs, values, color=colour, lw=1.6, marker=marker, markersize=4, label=label)
    axes.set_xlim(0.5, len(epochs) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))


def confusion_figure(confusion: Confusion) -> Figure:
    """The confusion matrix: a row for each class, shaded by the share that is taken for another."""
    count = len(confusion.class_names)
    longest = max(len(name) for name in confusion.class_names) if count <= _NAMED else 0
    margin = 46 + 5.2 * min(longest, 16)
    side = min(max(26 * count, 170), 460)
    width, height = margin + side + 16, margin + side + 34
    with settings():
        figure = blank(width, height)
        axes = figure.add_axes((margin / width, margin / height, side / width, side / height))
        shares = confusion.matrix / np.maximum(confusion.matrix.sum(1, keepdims=True), 1)
        right = f"{confusion.accuracy:.2%} of {confusion.matrix.sum():,} right"
        dress(axes, title=right, x="taken for", y="class")
        axes.grid(False)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(True)
        axes.imshow(shares, cmap=_SHADES, vmin=0, vmax=1, interpolation="nearest")
        names = [printable(name, 16) for name in confusion.class_names if count <= _NAMED]
        for axis, turn in ((axes.xaxis, 90), (axes.yaxis, 0)):
            axis.set_ticks(
                range(len(names)), names, rotation=turn, fontproperties=font(8), color=MUTED,
                parse_math=False,
            )  # fmt: skip
        if count <= _COUNTED:
            for (row, column), images in np.ndenumerate(confusion.matrix):
                if images:
                    colour = "white" if shares[row, column] > 0.5 else INK
                    axes.text(column, row, f"{images:,}", ha="center", va="center", color=colour,
                              fontproperties=font(7.5))  # fmt: skip
    return figure


def write_training(trained: Trained, command: str = "") -> Path:
    """Write what a training came to: curves, confusion matrix, accuracy by class, a summary.

    The training's folder gets ``curves`` and ``confusion``, as ``.svg`` and ``.png``,
    ``confusion.csv``, ``classes.csv`` and ``result.json``.

    Args:
        trained: The training.
        command: What repeats it.

    Returns:
        The summary, ``result.json``.

    Raises:
        SettingError: The folder cannot be written.
    """
    title = f"{trained.data['name']}: {trained.recipe.name}"
    figures = {
        "curves": curves_figure(trained.history, title),
        "confusion": confusion_figure(trained.confusion),
    }
    write_pictures(trained.folder, figures)
    matrix, shares = trained.confusion.matrix, trained.confusion.per_class
    counts = zip(shares, matrix.tolist(), strict=True)
    tables: dict[str, Sequence[Sequence[object]]] = {
        "confusion.csv": [["class", *shares], *([name, *row] for name, row in counts)],
        "classes.csv": [
            ["class", "images", "accuracy"],
            *(
                [name, count, "" if math.isnan(share) else repr(share)]
                for (name, share), count in zip(shares.items(), matrix.sum(1).tolist(), strict=True)
            ),
        ],
    }
    for name, rows in tables.items():
        write_bytes(trained.folder / name, csv_bytes(rows))
    summary = {
        "architecture": trained.subject.architecture,
        "space": trained.subject.space,
        "network": asdict(trained.subject.config),
        "data": dict(trained.data),
        "recipe": {"name": trained.recipe.name, **trained.recipe.values()},
        "seed": trained.seed,
        "best": asdict(trained.best),
        "last": asdict(trained.last),
        "notices": trained.notices,
        "command": command,
    }
    path = trained.folder / "result.json"
    write_bytes(path, json_bytes(summary))
    return path
