"""A copy of a network that may be changed at will, and what to run it on."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from anglenas.errors import NetworkError
from anglenas.numerics import derive
from anglenas.probes._outputs import find_classifier

__all__ = ["device_of", "fresh_copy", "run", "spread", "width_of_logits"]


@contextmanager
def fresh_copy(network: nn.Module, seed: int) -> Iterator[nn.Module]:
    """A copy in train mode with all parameters frozen, and a random state of its own.

    The copy may be changed at will, and layers such as Dropout draw from a stream of the seed:
    the network and the global random state stay as they are. The caller's gradient and inference
    modes do not matter.

    Raises:
        NetworkError: The network cannot be copied.
    """
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices), torch.inference_mode(False), torch.enable_grad():
        try:
            twin = copy.deepcopy(network)
        except (RuntimeError, TypeError) as error:
            raise NetworkError(
                f"The network cannot be copied ({error}); keep tensors that were computed, and "
                "open files, out of its attributes."
            ) from error
        torch.manual_seed(derive(seed, "network"))
        yield twin.to(torch.float32).train().requires_grad_(False)


def run(network: nn.Module, inputs: torch.Tensor) -> Any:
    """What a network returns.

    Raises:
        NetworkError: It does not take such inputs.
    """
    try:
        return network(inputs)
    except (RuntimeError, ValueError) as error:
        if isinstance(error, NetworkError):
            raise
        raise NetworkError(
            f"The network does not take images of shape {tuple(inputs.shape[1:])}: {error}"
        ) from error


def width_of_logits(network: nn.Module, images: torch.Tensor, output: Any) -> int | None:
    """Outputs of the classifier, where a network returns more than its logits; else ``None``."""
    if isinstance(output, torch.Tensor):
        return None
    classifier: Any = network.get_submodule(find_classifier(network, images))
    return int(classifier.out_features)


def device_of(network: nn.Module) -> torch.device:
    """Where a network computes; the CPU if it has no parameters."""
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))


def spread(count: int, total: int) -> torch.Tensor:
    """Up to ``count`` of the indices 0 to ``total - 1``, spread evenly.

    >>> spread(3, 10), spread(3, 2)
    (tensor([0, 3, 6]), tensor([0, 1]))
    """
    count = min(count, total)
    return torch.arange(count) * total // count
