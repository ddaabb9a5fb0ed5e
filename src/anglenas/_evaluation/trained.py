"""What came of a training."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from anglenas._evaluation.history import Confusion, Epoch, best_epoch
from anglenas._evaluation.recipe import TrainingRecipe
from anglenas._evaluation.subject import Subject
from anglenas._evaluation.weights import BEST, LAST, Weights, read_weights

__all__ = ["Trained"]


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
