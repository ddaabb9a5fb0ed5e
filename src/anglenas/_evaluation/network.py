"""What is trained, without weights and with them: an architecture and the size of its network."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from anglenas._evaluation.recipe import TrainingRecipe
from anglenas._measuring.result import Candidate, Result
from anglenas._numerics import derive
from anglenas._plugins import load, names, refuse_code
from anglenas.errors import ArchitectureError, SettingError, TrainingError, needs_extra
from anglenas.spaces import NetworkConfig, Space

BEST, LAST = "best.safetensors", "last.safetensors"

_KEY = "anglenas"


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
            space: Space[Any] = load("space", self.space)
            return space.build(self.architecture, self.config)
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


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of a network, and what is needed to use it.

    Attributes:
        subject: The network.
        tensors: Its parameters and buffers by name.
        class_names: What its outputs stand for.
        mean: Mean of each channel of the images, in units of 0 to 1; subtracted first.
        std: Standard deviation of each channel, by which they are divided then.
        results: What is known of it, such as its accuracy.
    """

    subject: Subject
    tensors: Mapping[str, torch.Tensor]
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    results: Mapping[str, Any] = field(default_factory=dict)

    def network(self) -> nn.Module:
        """The network with these weights, in evaluation mode.

        Raises:
            SettingError: The weights are those of another network.
        """
        with torch.random.fork_rng(devices=[]):  # the caller's random stream is not ours to move
            network = self.subject.network()
        try:
            network.load_state_dict(dict(self.tensors))
        except RuntimeError as error:
            raise SettingError(
                f"The weights are not those of {self.subject.architecture} at its size "
                f"({_first_difference(network, self.tensors)}); give the file of this network."
            ) from error
        return network.eval()

    def save(self, path: Path) -> None:
        """Write a safetensors file, whole or not at all.

        Raises:
            MissingExtraError: safetensors is not installed.
        """
        with needs_extra("train"):
            from safetensors.torch import save
        facts = {
            "space": self.subject.space,
            "architecture": self.subject.architecture,
            "network": asdict(self.subject.config),
            "class_names": self.class_names,
            "mean": self.mean,
            "std": self.std,
            "results": self.results,
        }
        tensors = {name: t.detach().cpu().contiguous() for name, t in self.tensors.items()}
        content = save(tensors, {_KEY: json.dumps(facts, allow_nan=False)})
        # Under its name once it is whole: a training that is killed leaves the weights of before.
        temporary = path.with_name(f".{path.name}")
        temporary.write_bytes(content)
        temporary.replace(path)


def fresh_weights(result: Result, rank: int = 1, seed: int = 1) -> Weights:
    """A network of a search or a pruning with random weights, for images of 0 to 1 as they are."""
    subject = Subject.of(result.at(rank))
    channels = subject.config.in_channels
    tensors = subject.network(seed).state_dict()
    return Weights(subject, tensors, result.class_names, (0.0,) * channels, (1.0,) * channels)


def read_weights(path: Path, space: str = "") -> Weights:
    """The weights in a file that :meth:`Weights.save` wrote; nothing in it is run.

    Args:
        path: The file.
        space: The space, if it is named as ``"module:name"``: a file may be somebody else's, and
            no module is imported because a file names it.

    Raises:
        MissingExtraError: safetensors is not installed.
        TrainingError: The file is broken, or holds something else.
        SettingError: There is no such file, or its space is code that was not named.
    """
    with needs_extra("train"):
        from safetensors import SafetensorError, safe_open
    if not path.is_file():
        raise SettingError(f"There is no file {str(path)!r}; give weights that a training wrote.")
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        refuse_code("space", facts["space"], path, space)
        return Weights(
            Subject(facts["space"], facts["architecture"], NetworkConfig(**facts["network"])),
            tensors,
            tuple(facts["class_names"]),
            tuple(facts["mean"]),
            tuple(facts["std"]),
            facts["results"],
        )
    except SettingError:
        raise
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{str(path)!r} holds no weights that a training wrote ({error}); train again."
        ) from error


def _first_difference(network: nn.Module, tensors: Mapping[str, torch.Tensor]) -> str:
    wanted = network.state_dict()
    for name in sorted(wanted.keys() ^ tensors.keys()):
        return f"{name} is {'missing' if name in wanted else 'left over'}"
    name = next(n for n in wanted if wanted[n].shape != tensors[n].shape)
    return f"{name} is {tuple(tensors[name].shape)} and not {tuple(wanted[name].shape)}"
