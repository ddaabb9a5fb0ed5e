"""An iteration of training with our blocks against the same network with torch's own.

    python benchmarks/speed_blocks.py [--networks 5]

Supernets with all operations on each edge and with random ones, as TE-NAS builds them, and networks
of random DARTS cells. The plain way is a copy of the network with ``nn.BatchNorm2d`` and dilated
``nn.Conv2d``, whose operations are computed one after another; layout, weights and images are the
same.
"""

import argparse
import copy
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from anglenas._blocks.layers import BatchNorm, DilatedDepthwise, compute_together
from anglenas._blocks.memory_format import memory_format_of
from anglenas.spaces import (
    DARTS,
    DARTS_SUPERNET,
    NASBENCH201_SUPERNET,
    NetworkConfig,
    Space,
    Supernets,
)
from timing import Pairs, headline, in_turns, row

TORCHS = {BatchNorm: nn.BatchNorm2d, DilatedDepthwise: nn.Conv2d}
IMAGES = 100


def plainly(network: nn.Module) -> nn.Module:
    """A copy whose blocks are torch's own; those of ours are theirs in all but ``forward``."""
    network = copy.deepcopy(network)
    for module in network.modules():
        module.__class__ = TORCHS.get(type(module), type(module))
    return network


def iteration(network: nn.Module, images: torch.Tensor) -> None:
    """Forward and backward."""
    network.zero_grad()
    F.cross_entropy(network(images), torch.arange(len(images)) % 10).backward()


def drawn(space: Space[Any], seed: int) -> str:
    """A random architecture."""
    return str(space.sample(np.random.default_rng(seed)))


def whole(space: Supernets, seed: int) -> str:
    """The supernet with all operations."""
    return str(space.full())


def times(space: Space[Any], text: str, config: NetworkConfig) -> tuple[float, float]:
    """Seconds of torch's blocks and of ours."""
    ours = space.build(text, config)
    layout = memory_format_of(ours)
    ours = ours.to(memory_format=layout)
    plain = plainly(ours)
    compute_together(ours)
    images = torch.randn(IMAGES, config.in_channels, config.side, config.side)
    images = images.contiguous(memory_format=layout)
    for network in (plain, ours):
        iteration(network, images)
    return in_turns(lambda: iteration(plain, images), lambda: iteration(ours, images))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--networks", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(headline("speed_blocks.py"), flush=True)
    for work, space, choose, channels, side in (
        ("all operations", NASBENCH201_SUPERNET, whole, 4, 16),
        ("random operations", NASBENCH201_SUPERNET, drawn, 4, 16),
        ("all operations", DARTS_SUPERNET, whole, 4, 16),
        ("random operations", DARTS_SUPERNET, drawn, 4, 16),
        ("random cells", DARTS, drawn, 16, 32),
    ):
        config = NetworkConfig(10, channels, 1, side=side)
        found = [times(space, choose(space, n), config) for n in range(given.networks)]
        title = f"`{space.name}`, {work}, C={channels}, {side} x {side}"
        print(row(title, Pairs(*zip(*found, strict=True))), flush=True)


if __name__ == "__main__":
    main()
