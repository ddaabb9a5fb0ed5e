"""Fresh weights for a network, each from a random stream of its own."""

import math

import torch
from torch import nn

from anglenas.numerics import derive

__all__ = ["initialise"]

_WEIGHTED = (nn.modules.conv._ConvNd, nn.Linear)
_NORMALISING = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


@torch.no_grad()
def initialise(network: nn.Module, seed: int) -> None:
    """Give a network fresh weights, in place.

    Convolutions and linear layers are drawn from ``N(0, 2 / fan_in)`` (Kaiming normal; He et al.,
    ICCV 2015) with biases 0; normalisation layers become the identity, running statistics
    included. Other parameters stay as they are. The stream of a weight depends on the seed and on
    its module's name alone, so that equal parts of two networks get equal weights.

    Args:
        network: Any module.
        seed: Where the streams come from.
    """
    for name, module in network.named_modules():
        if isinstance(module, _WEIGHTED):
            _draw(module.weight, derive(seed, "weights", name))
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, _NORMALISING):
            module.reset_parameters()


def _draw(weight: torch.Tensor, seed: int) -> None:
    # Drawn on the CPU in the plain layout: the same numbers on every device and memory format.
    generator = torch.Generator().manual_seed(seed)
    fan_in = weight[0].numel()
    values = torch.empty(weight.shape, dtype=weight.dtype).normal_(generator=generator)
    weight.copy_(values * math.sqrt(2.0 / fan_in))
