"""An iteration of training with our blocks against the same network with torch's own.

    python benchmarks/speed_blocks.py [--networks 5]

Supernets with random operations on each edge, as TE-NAS builds them, and networks of random DARTS
cells. The plain way is a copy of the network with ``nn.BatchNorm2d`` and dilated ``nn.Conv2d``;
layout, weights and images are the same.
"""

import argparse
import copy

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from anglenas.networks import NetworkConfig, build_network
from anglenas.networks._blocks import BatchNorm, DilatedDepthwise
from anglenas.networks._layout import layout_of
from anglenas.spaces import SearchSpace
from anglenas.spaces.darts import DARTS
from anglenas.spaces.supernets import DARTS_SUPERNET, NASBENCH201_SUPERNET
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


def times(space: SearchSpace, config: NetworkConfig, seed: int) -> tuple[float, float]:
    """Seconds of torch's blocks and of ours, for a random architecture."""
    ours = build_network(space, str(space.sample(np.random.default_rng(seed))), config)
    layout = layout_of(ours)
    ours = ours.to(memory_format=layout)
    plain = plainly(ours)
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
    for space, channels, side in (
        (NASBENCH201_SUPERNET, 3, 32),
        (DARTS_SUPERNET, 4, 16),
        (DARTS, 16, 32),
    ):
        config = NetworkConfig(10, channels, 1, side=side)
        pairs = Pairs(*zip(*(times(space, config, n) for n in range(given.networks)), strict=True))
        print(row(f"`{space.name}`, C={channels}, {side} x {side}", pairs), flush=True)


if __name__ == "__main__":
    main()
