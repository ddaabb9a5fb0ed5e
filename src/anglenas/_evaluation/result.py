"""What a training went through, epoch by epoch, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from anglenas._evaluation.network import BEST, LAST, Subject, Weights, read_weights
from anglenas._evaluation.recipe import TrainingRecipe


@dataclass(frozen=True)
class Epoch:
    """One epoch of a training.

    Attributes:
        number: From 0.
        lr: Learning rate.
        drop_path: Probability that a path was dropped.
        train_loss: Mean loss of the training images, as each step saw them.
        train_accuracy: Share of them that was classified rightly, 0 to 1.
        valid_loss: Mean cross entropy of the images held out, without label smoothing.
        valid_accuracy: Share of them that was classified rightly.
        valid_top5: Share of them whose class was among the five likeliest.
        seconds: How long it took; outside of every comparison.
    """

    number: int
    lr: float
    drop_path: float
    train_loss: float
    train_accuracy: float
    valid_loss: float
    valid_accuracy: float
    valid_top5: float
    seconds: float


def best_epoch(history: Sequence[Epoch]) -> Epoch:
    """The epoch with the highest accuracy on the images held out, the first one of equals."""
    return max(history, key=lambda epoch: (epoch.valid_accuracy, -epoch.number))


def history_csv(history: Sequence[Epoch]) -> str:
    """One line an epoch, numbers in as many digits as tell them apart.

    >>> print(history_csv([Epoch(0, 0.1, 0.0, 2.3, 0.1, 2.2, 0.2, 0.6, 1.5)]), end="")
    epoch,lr,drop_path,train_loss,train_accuracy,valid_loss,valid_accuracy,valid_top5,seconds
    0,0.1,0.0,2.3,0.1,2.2,0.2,0.6,1.5
    """
    # repr, and not a fixed number of digits: a training that went on equals one that never stopped.
    names = ["epoch", *(field.name for field in fields(Epoch)[1:])]
    rows = [[repr(value) for value in asdict(epoch).values()] for epoch in history]
    return "".join(",".join(row) + "\n" for row in (names, *rows))


@dataclass(frozen=True)
class TrainingProgress:
    """How far a training is; handed to the caller after every step and every epoch.

    Attributes:
        epoch: Number of the epoch, from 0.
        epochs: How many there are.
        step: Steps of it that are done.
        steps: How many it has.
        loss: Loss of the last step.
        seconds: Since training began or went on.
        history: The epochs that are done.
        notices: What a user should know, a sentence each.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    seconds: float
    history: tuple[Epoch, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Confusion:
    """Which classes are taken for which.

    Attributes:
        matrix: ``(K, K)`` int64, how many images of a class (row) were taken for one (column).
        class_names: Names of the classes.
    """

    matrix: NDArray[np.int64]
    class_names: tuple[str, ...]

    @property
    def accuracy(self) -> float:
        """Share of all images that was classified rightly, 0 to 1."""
        return float(np.trace(self.matrix) / self.matrix.sum())

    @cached_property
    def per_class(self) -> dict[str, float]:
        """By class: share of its images that was classified rightly; NaN if there are none.

        >>> Confusion(np.array([[3, 1], [0, 2]]), ("cat", "dog")).per_class
        {'cat': 0.75, 'dog': 1.0}
        """
        with np.errstate(invalid="ignore"):
            shares = np.diagonal(self.matrix) / self.matrix.sum(1)
        return dict(zip(self.class_names, shares.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class Trained:
    """A training that is finished.

    Attributes:
        folder: Where its weights are.
        subject: The network.
        recipe: How it was trained.
        seed: Where all randomness came from.
        data: What is known of the images, by name.
        history: All epochs.
        confusion: Which classes the best weights take for which, on the images held out.
        notices: What a user should know, a sentence each.
    """

    folder: Path
    subject: Subject
    recipe: TrainingRecipe
    seed: int
    data: Mapping[str, Any]
    history: tuple[Epoch, ...]
    confusion: Confusion
    notices: tuple[str, ...]

    @property
    def best(self) -> Epoch:
        """The epoch with the highest accuracy on the images held out, whose weights are kept."""
        return best_epoch(self.history)

    @property
    def last(self) -> Epoch:
        """The last epoch, whose weights are kept too; published accuracies are its."""
        return self.history[-1]

    def weights(self, epoch: Literal["best", "last"] = "best") -> Weights:
        """The weights of an epoch, with what is needed to use them.

        Args:
            epoch: Which epoch.
        """
        return read_weights(self.folder / {"best": BEST, "last": LAST}[epoch], self.subject.space)

    def network(self, epoch: Literal["best", "last"] = "best") -> nn.Module:
        """The trained network as an ordinary module, in evaluation mode.

        Args:
            epoch: Which epoch's weights it has.
        """
        return self.weights(epoch).network()
