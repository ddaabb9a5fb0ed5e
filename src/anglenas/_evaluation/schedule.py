"""What changes from epoch to epoch, as functions of the epoch's number."""

import math

from anglenas._evaluation.recipe import TrainingRecipe

__all__ = ["drop_path_rate", "learning_rate"]

_TAIL = 5  # the last epochs of a linear schedule, in which it is flatter


def learning_rate(recipe: TrainingRecipe, epoch: int) -> float:
    """The learning rate of an epoch, with ``E`` epochs in all and the rate ``lr`` to begin with.

    ``"cosine"`` is ``lr (1 + cos(pi e / E)) / 2`` and ``"exponential"`` is ``lr decay^e``.
    ``"linear"`` falls as if to 0 at the epoch ``E - 5``, and from a fifth of its last step on to 0
    in the last five (the option of chenwydj/DARTS_evaluation). In the first ``warmup`` epochs it is
    ``lr (e + 1) / warmup`` instead.

    Args:
        recipe: The recipe.
        epoch: The epoch's number ``e``, from 0.

    >>> recipe = TrainingRecipe(epochs=200, lr=0.1)
    >>> learning_rate(recipe, 0), round(learning_rate(recipe, 100), 6)
    (0.1, 0.05)
    """
    if epoch < recipe.warmup:
        return recipe.lr * (epoch + 1) / recipe.warmup
    match recipe.schedule:
        case "cosine":
            return 0.5 * recipe.lr * (1 + math.cos(math.pi * epoch / recipe.epochs))
        case "exponential":
            return recipe.lr * recipe.decay**epoch
        case "linear":
            return recipe.lr * _linear(epoch, recipe.epochs)
        case "constant":
            return recipe.lr


def _linear(epoch: int, epochs: int) -> float:
    left, long = epochs - epoch, max(epochs - _TAIL, 1)
    return (left - _TAIL) / long if left > _TAIL else left / (long * _TAIL)


def drop_path_rate(recipe: TrainingRecipe, epoch: int) -> float:
    """The probability that a path is dropped in an epoch, which grows linearly from 0.

    >>> drop_path_rate(TrainingRecipe(epochs=600, drop_path=0.2), 300)
    0.1
    """
    return recipe.drop_path * epoch / recipe.epochs
