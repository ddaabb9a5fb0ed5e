"""What came of a training."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from anglenas.evaluation._history import Confusion, Epoch, best_epoch
from anglenas.evaluation._recipe import TrainingRecipe
from anglenas.evaluation._subject import Subject
from anglenas.evaluation._weights import BEST, read_weights

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

    def network(self, weights: str = BEST) -> nn.Module:
        """The trained network, in evaluation mode.

        Args:
            weights: File in the folder: ``"best.safetensors"`` or ``"last.safetensors"``.
        """
        return read_weights(self.folder / weights, self.subject.space).network()
