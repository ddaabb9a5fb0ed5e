"""What only training needs of a network: auxiliary head and drop path, where it has them."""

from typing import Protocol, runtime_checkable

import torch
from torch import nn

from anglenas._evaluation.recipe import TrainingRecipe
from anglenas._numerics import derive
from anglenas.errors import SettingError

# Protocols and not classes: networks are of any space, and own ones may have these parts too.


@runtime_checkable
class _WithAuxiliary(Protocol):
    auxiliary: nn.Module | None

    def attach_auxiliary(self) -> None: ...

    def with_auxiliary(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]: ...


@runtime_checkable
class _WithDropPath(Protocol):
    def set_drop_path(self, probability: float) -> None: ...


def equip(network: nn.Module, recipe: TrainingRecipe, seed: int) -> None:
    """Give a network what a recipe trains it with, in place.

    Args:
        network: The network.
        recipe: The recipe.
        seed: Where the weights of an auxiliary head come from.

    Raises:
        SettingError: It cannot have an auxiliary head, or drop paths, and the recipe asks for them.
    """
    if recipe.drop_path and not isinstance(network, _WithDropPath):
        raise SettingError(_lacking("drops paths", "drop_path=0", recipe))
    if recipe.auxiliary:
        if not isinstance(network, _WithAuxiliary):
            raise SettingError(_lacking("trains an auxiliary head", "auxiliary=0", recipe))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "auxiliary"))
            network.attach_auxiliary()


def _lacking(what: str, change: str, recipe: TrainingRecipe) -> str:
    return (
        f"The recipe {recipe.name!r} {what}, which this network cannot; add {change!r} to the "
        "recipe."
    )


def set_drop_path(network: nn.Module, probability: float) -> None:
    """From now on, drop paths with a probability; a network without any stays as it is."""
    if isinstance(network, _WithDropPath):
        network.set_drop_path(probability)


def logits_and_auxiliary(
    network: nn.Module, images: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Logits ``(n, K)``, and those of the auxiliary head if there is one."""
    if isinstance(network, _WithAuxiliary) and network.auxiliary is not None:
        return network.with_auxiliary(images)
    return network(images), None


def without_auxiliary(network: nn.Module) -> dict[str, torch.Tensor]:
    """The tensors of a network that are needed once it is trained."""
    state: dict[str, torch.Tensor] = network.state_dict()
    if not isinstance(network, _WithAuxiliary):
        return state
    return {name: t for name, t in state.items() if not name.startswith("auxiliary.")}
