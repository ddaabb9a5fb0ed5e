"""From an architecture of any space to its network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anglenas._plugins import load, resolve
from anglenas.spaces._base import SearchSpace
from anglenas.spaces._config import NetworkConfig

if TYPE_CHECKING:
    from torch import nn

__all__ = ["build_network", "make_network", "standard_sizes"]


def standard_sizes(space: SearchSpace) -> dict[str, int]:
    """Width and cells per stage of a space's published networks, where the space tells them.

    >>> standard_sizes(load("space", "darts"))
    {'channels': 36, 'cells': 6}
    """
    return {name: getattr(space, name) for name in ("channels", "cells") if hasattr(space, name)}


def build_network(space: SearchSpace, text: str, config: NetworkConfig) -> nn.Module:
    """The network that a text names, built by the space's own builder.

    Args:
        space: Any search space.
        text: The text of an architecture, or of a canonical form.
        config: Size of the network.

    Raises:
        UsageError: The space names a builder that does not exist.

    >>> from anglenas.spaces._nasbench201.values import NASBENCH201
    >>> network = build_network(NASBENCH201, "a=conv3x3(x); out=x + a", NetworkConfig(cells=1))
    >>> network.classifier
    Linear(in_features=64, out_features=10, bias=True)
    """
    network: nn.Module = resolve("builder", space.builder)(space.subject(text), config)
    return network


def make_network(architecture: str, space: str = "nasbench201", **sizes: int) -> nn.Module:
    """The network of an architecture, ready to be trained, with PyTorch's own initial weights.

    Args:
        architecture: Its text.
        space: Name of its space.
        **sizes: Fields of :class:`NetworkConfig`, such as ``num_classes``; by default those of the
            space's published networks.

    Returns:
        A module from images ``(B, in_channels, S, S)`` to logits ``(B, num_classes)``.

    Raises:
        ArchitectureError: The text is no architecture of the space.
        SettingError: A size is below 1.

    >>> cell = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    >>> make_network(cell, num_classes=3).classifier
    Linear(in_features=64, out_features=3, bias=True)
    """
    searched = load("space", space)
    return build_network(searched, architecture, NetworkConfig(**standard_sizes(searched) | sizes))
