"""A copy of a network that may be changed at will, and what to run it on."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from anglenas.numerics import derive

__all__ = ["device_of", "fresh_copy", "spread"]


@contextmanager
def fresh_copy(network: nn.Module, seed: int) -> Iterator[nn.Module]:
    """A copy in train mode with all parameters frozen, and a random state of its own.

    The copy may be changed at will, and layers such as Dropout draw from a stream of the seed:
    the network and the global random state stay as they are.
    """
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(derive(seed, "network"))
        yield copy.deepcopy(network).train().requires_grad_(False)


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
