"""A network that may be changed at will: a copy, measured where no trace is left."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from anglenas.data import FewShot, normalised
from anglenas.errors import NetworkError
from anglenas.numerics import derive
from anglenas.probes._initialise import initialise
from anglenas.probes._outputs import find_classifier, logits_of

__all__ = ["Specimen", "isolated"]


@dataclass(frozen=True)
class Specimen:
    """What a probe works on.

    Attributes:
        network: Module from images to logits ``(N, K)``, in training mode, every parameter
            requiring gradients; nobody else holds its tensors.
        images: ``(N, C, H, W)`` float32, normalised.
        labels: ``(N,)`` int64.
    """

    network: nn.Module
    images: torch.Tensor
    labels: torch.Tensor


class Logits(nn.Module):
    """A network of which nothing but the logits is returned.

    Args:
        network: The network.
        classes: How many logits there are at least.
        width: How many there are, for a network that returns other tensors too.
    """

    def __init__(self, network: nn.Module, classes: int, width: int | None) -> None:
        super().__init__()
        self.network = network
        self.classes = classes
        self.width = width

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """``(N, C, H, W) -> (N, K)``."""
        return logits_of(self.network(images), self.classes, self.width)


@contextmanager
def isolated(network: nn.Module, batch: FewShot, seed: int) -> Iterator[Specimen]:
    """A freshly initialised copy of a network; when the block ends nothing has changed.

    The network's parameters, buffers, gradients, modes and hooks are never written to. Random
    numbers drawn inside (by Dropout, say) come from a stream of their own, and the caller's
    gradient and inference modes do not matter.

    The copy computes in the ``channels_last`` layout where it can: on CPUs a backward pass of a
    convolutional network is about 1.7 times as fast. A network that flattens feature maps by
    ``view`` cannot, and keeps the plain layout.

    Args:
        network: Any module that maps images to logits, alone or among other tensors.
        batch: The images.
        seed: Where the weights and all other random numbers come from.

    Raises:
        NetworkError: It cannot be copied, does not take such images, or has too few outputs.
    """
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices), torch.inference_mode(False), torch.enable_grad():
        specimen = _prepare(_copy(network), batch)
        initialise(specimen.network.get_submodule("network"), seed)
        torch.manual_seed(derive(seed, "network"))
        yield specimen


def _copy(network: nn.Module) -> nn.Module:
    try:
        twin = copy.deepcopy(network)
    except (RuntimeError, TypeError) as error:
        raise NetworkError(
            f"The network cannot be copied ({error}); keep tensors that were computed, and open "
            "files, out of its attributes."
        ) from error
    return twin.to(torch.float32).train().requires_grad_(True)


def _prepare(network: nn.Module, batch: FewShot) -> Specimen:
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    images = normalised(batch).to(device)
    layout = torch.channels_last if _runs_in_channels_last(network, images[:2]) else None
    layout = layout or torch.contiguous_format
    network.to(memory_format=layout)  # type: ignore[call-overload]
    images = images.contiguous(memory_format=layout)
    width = _width(network, images[:2])
    classes = len(batch.class_names)
    return Specimen(Logits(network, classes, width), images, batch.labels.clone().to(device))


@torch.no_grad()
def _runs_in_channels_last(network: nn.Module, images: torch.Tensor) -> bool:
    try:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        network(images.contiguous(memory_format=torch.channels_last))
    except RuntimeError:
        return False
    return True


@torch.no_grad()
def _width(network: nn.Module, images: torch.Tensor) -> int | None:
    """Outputs of the classifier, looked up only where more than the logits is returned."""
    try:
        output = network(images)
    except RuntimeError as error:
        raise NetworkError(
            f"The network does not take images of shape {tuple(images.shape[1:])}: {error}"
        ) from error
    if isinstance(output, torch.Tensor):
        return None
    classifier = network.get_submodule(find_classifier(network, images))
    return int(classifier.out_features)  # type: ignore[arg-type]
