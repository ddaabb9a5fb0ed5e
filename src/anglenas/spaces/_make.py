"""From an architecture's text to its network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anglenas._plugins import load
from anglenas.spaces._base import Architecture, Space

if TYPE_CHECKING:
    from torch import nn


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
    searched: Space[Architecture] = load("space", space)
    return searched.build(architecture, searched.config(**sizes))
