"""From an architecture of any space to its network."""

import importlib
from typing import Any

from torch import nn

from anglenas.networks._config import NetworkConfig
from anglenas.spaces import SearchSpace

__all__ = ["build_network"]


def build_network(space: SearchSpace, text: str, config: NetworkConfig) -> nn.Module:
    """The network that a text names, built by the space's own builder.

    Args:
        space: Any search space.
        text: The text of an architecture, or of a canonical form.
        config: Size of the network.

    >>> from anglenas.spaces.nasbench201 import NASBENCH201
    >>> network = build_network(NASBENCH201, "a=conv3x3(x); out=x + a", NetworkConfig(cells=1))
    >>> network.classifier
    Linear(in_features=64, out_features=10, bias=True)
    """
    module, _, function = space.builder.partition(":")
    builder: Any = getattr(importlib.import_module(module), function)
    network: nn.Module = builder(space.subject(text), config)
    return network
