"""Supernets of DARTS: every edge is the mean of the operations that are left on it.

The network that TE-NAS prunes (Chen, Gong & Wang, ICLR 2021; VITA-Group/TENAS) is much smaller than
the ones that are searched for: a stem as wide as a cell, some normal cells, and one reduction cell.
Its poolings have no BatchNorm, and BatchNorm and a ReLU stand before the global average pooling.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from anglenas._blocks import Thinnable
from anglenas._blocks.layers import BatchNorm, MixtureCell, ReluConvBn
from anglenas.spaces._config import NetworkConfig
from anglenas.spaces._darts.network import OPERATIONS, FactorizedReduce
from anglenas.spaces._darts.values import INPUTS, NODES
from anglenas.spaces._supernet import Supernet


class SupernetCell(nn.Module):
    """A cell with the mean of some operations on each edge; the output holds all nodes.

    Args:
        supernet: The operations of both kinds of cells.
        before: Channels of its two inputs.
        channels: Its width ``C``.
        halves: Whether it is a reduction cell.
        halved: Whether its first input has twice the side of the second.
    """

    def __init__(
        self, supernet: Supernet, before: tuple[int, int], channels: int, halves: bool, halved: bool
    ) -> None:
        super().__init__()
        self.first = (
            FactorizedReduce(before[0], channels) if halved else ReluConvBn(before[0], channels, 1)
        )
        self.second = ReluConvBn(before[1], channels, 1)
        kind = "reduce" if halves else "normal"
        self.nodes = MixtureCell(
            [
                ((source, target), {
                    name: OPERATIONS[name](channels, 2 if halves and source < INPUTS else 1)
                    for name in held
                })
                for (cell, source, target), held
                in zip(supernet.topology.edges, supernet.operations, strict=True)
                if cell == kind
            ],
            halves,
        )  # fmt: skip

    def forward(self, before: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        """Outputs of the two cells before to ``(B, 4 C, S', S')``."""
        return torch.cat(self.nodes(self.first(before), self.second(last))[INPUTS:], dim=1)


class DartsSupernet(Thinnable):
    """The whole network: ``(B, I, S, S)`` images to ``(B, K)`` logits.

    Args:
        supernet: The operations on the edges.
        config: Classes, channels of the images, and width ``C`` of the first cell.
        halves: For each cell whether it is a reduction cell, which doubles the width.
        stem: Width of the stem in units of ``C``; 0 for no stem: images enter the first cell.
    """

    def __init__(
        self, supernet: Supernet, config: NetworkConfig, halves: Sequence[bool], stem: int
    ) -> None:
        super().__init__()
        self.supernet, self.halves = supernet, tuple(halves)
        width = stem * config.channels or config.in_channels
        self.stem = (
            nn.Sequential(
                nn.Conv2d(config.in_channels, width, 3, padding=1, bias=False),
                BatchNorm(width),
            )
            if stem
            else nn.Identity()
        )
        self.cells = nn.ModuleList()
        before, halved, channels = (width, width), False, config.channels
        for half in self.halves:
            channels *= 2 if half else 1
            self.cells.append(SupernetCell(supernet, before, channels, half, halved))
            before, halved = (before[1], NODES * channels), half
        self.norm = nn.BatchNorm2d(before[1])
        self.classifier = nn.Linear(before[1], config.num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """``(B, I, S, S) -> (B, K)``."""
        before = last = self.stem(images)
        for cell in self.cells:
            before, last = last, cell(before, last)
        return self.classifier(F.relu(self.norm(last)).mean(dim=(2, 3)))  # type: ignore[no-any-return]

    def thin(self) -> nn.Module:
        """The network that TE-NAS counts linear regions on: the same of width 1, and no stem.

        For images of one channel: ``(B, 1, S, S) -> (B, K)``.
        """
        config = NetworkConfig(self.classifier.out_features, channels=1, in_channels=1)
        return DartsSupernet(self.supernet, config, self.halves, stem=0)
