"""What is trained: an architecture and the size of its network."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from anglenas._evaluation.recipe import TrainingRecipe
from anglenas._measuring.result import Candidate
from anglenas._numerics import derive
from anglenas._plugins import load, names
from anglenas.errors import ArchitectureError, SettingError
from anglenas.spaces import NetworkConfig
from anglenas.spaces._build import build_network

__all__ = ["Subject"]


@dataclass(frozen=True)
class Subject:
    """A network without weights.

    Attributes:
        space: Name of its space.
        architecture: Its text.
        config: Its size.
    """

    space: str
    architecture: str
    config: NetworkConfig

    @classmethod
    def of(cls, candidate: Candidate) -> "Subject":
        """What a candidate of a search stands for."""
        return cls(candidate.space, str(candidate.architecture), candidate.config)

    def network(self, seed: int | None = None) -> nn.Module:
        """The network, with PyTorch's own random initial weights.

        Args:
            seed: Where the weights come from; by default PyTorch's global generator.
        """
        if seed is None:
            return build_network(load("space", self.space), self.architecture, self.config)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "weights"))
            return self.network()

    def resized(self, recipe: TrainingRecipe, **shape: int) -> "Subject":
        """The same architecture at a recipe's size, for images of a shape.

        Args:
            recipe: The recipe.
            **shape: ``num_classes``, ``in_channels`` and ``side``.

        Raises:
            ArchitectureError: The text is no architecture of its space.
            SettingError: It is none of the space that the recipe is for.
        """
        sizes = {name: value for name in ("channels", "cells") if (value := getattr(recipe, name))}
        space = recipe.space or self.space
        text = _parsed(self.architecture, space, recipe)
        return Subject(space, text, replace(self.config, **sizes, **shape))


def _is_of(space: str, text: str) -> bool:
    """Whether a text names an architecture of a space."""
    try:
        load("space", space).parse(text)
    except Exception:  # the code of a space can be anybody's, and raise anything
        return False
    return True


def _parsed(architecture: str, space: str, recipe: TrainingRecipe) -> str:
    """The text of an architecture, as its space writes it."""
    searched: Any = load("space", space)
    try:
        return str(searched.parse(architecture))
    except ArchitectureError as error:
        if not recipe.space or not any(_is_of(other, architecture) for other in names("space")):
            raise
        raise SettingError(
            f"The recipe {recipe.name!r} trains networks of the space {space!r}, and this is none "
            f"of its architectures: {architecture}; choose another recipe, such as 'quick'."
        ) from error
