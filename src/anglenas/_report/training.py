"""What a person gets to see of a training: its curves, and which classes are taken for which."""

import math
from pathlib import Path

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from anglenas._evaluation.result import Confusion, Epoch, Trained
from anglenas._report.canvas import (
    INK,
    KINDS,
    MUTED,
    PAPER,
    add_axes,
    add_legend,
    dress,
    font,
    mark_axis,
    new_figure,
    printable,
)
from anglenas._report.files import write_files

_COLOURS = {"trained on": KINDS[2].light, "held out": KINDS[3].light}
_SHADES = LinearSegmentedColormap.from_list("shades", [PAPER, KINDS[2].light])
_NAMED = 40  # more classes have no room for their names
_COUNTED = 14  # more classes have no room for numbers


def curves_figure(history: tuple[Epoch, ...], title: str) -> Figure:
    """Accuracy and loss by epoch, on the images trained on and on those held out.

    Args:
        history: The epochs, one or more.
        title: What stands above it.
    """
    best = max(history, key=lambda epoch: (epoch.valid_accuracy, -epoch.number))
    losses = [loss for epoch in history for loss in (epoch.train_loss, epoch.valid_loss)]
    epochs = range(1, len(history) + 1)
    with new_figure(440, 360) as figure:
        upper = figure.add_axes((0.13, 0.55, 0.84, 0.37))
        lower = figure.add_axes((0.13, 0.13, 0.84, 0.35))
        dress(upper, title=title, y="accuracy, %")
        dress(lower, x="epoch", y="loss")
        for axes, part, values in (
            (upper, "trained on", [100 * epoch.train_accuracy for epoch in history]),
            (upper, "held out", [100 * epoch.valid_accuracy for epoch in history]),
            (lower, "trained on", losses[::2]),
            (lower, "held out", losses[1::2]),
        ):
            # A line of one or two points is not seen.
            marker = "o" if len(epochs) < 3 else None
            axes.plot(epochs, values, color=_COLOURS[part], lw=1.6, marker=marker, markersize=4,
                      label=part)  # fmt: skip
        for axes in (upper, lower):
            axes.set_xlim(0.5, len(epochs) + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        # Before BatchNorm knows the images, a loss can be in the hundreds: with a logarithmic axis
        # the later ones are told apart too.
        if all(0 < loss < math.inf for loss in losses):
            lower.set_yscale("log")
            mark_axis(lower.yaxis, losses, log=True)
        upper.set_xticklabels([])
        upper.axvline(best.number + 1, color=_COLOURS["held out"], lw=0.8, ls=":")
        add_legend(
            upper, loc="lower right", frameon=True, facecolor="white", edgecolor="none",
            title=f"best: {best.valid_accuracy:.2%} in epoch {best.number + 1}",
            title_fontproperties=font(8.5, bold=True),
        )  # fmt: skip
    return figure


def confusion_figure(confusion: Confusion) -> Figure:
    """The confusion matrix: a row for each class, shaded by the share that is taken for another."""
    count = len(confusion.class_names)
    longest = max(len(name) for name in confusion.class_names) if count <= _NAMED else 0
    margin = 46 + 5.2 * min(longest, 16)
    side = min(max(26 * count, 170), 460)
    with new_figure(margin + side + 16, margin + side + 34) as figure:
        axes = add_axes(figure, margin, margin, side, side)
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
    matrix, shares = trained.confusion.matrix, trained.confusion.per_class
    write_files(trained.folder, {
        "curves": curves_figure(trained.history, f"{trained.data['name']}: {trained.recipe.name}"),
        "confusion": confusion_figure(trained.confusion),
        "confusion.csv": [
            ["class", *shares],
            *([name, *row] for name, row in zip(shares, matrix.tolist(), strict=True)),
        ],
        "classes.csv": [
            {"class": name, "images": images, "accuracy": share}
            for (name, share), images in zip(shares.items(), matrix.sum(1).tolist(), strict=True)
        ],
        "result.json": {
            "architecture": trained.subject.architecture,
            "space": trained.subject.space,
            "network": trained.subject.config,
            "data": trained.data,
            "recipe": {"name": trained.recipe.name, **trained.recipe.values()},
            "seed": trained.seed,
            "best": trained.best,
            "last": trained.last,
            "notices": trained.notices,
            "command": command,
        },
    })  # fmt: skip
    return trained.folder / "result.json"
