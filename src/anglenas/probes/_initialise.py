"""Fresh weights for a network, each from a random stream of its own."""

import math
from collections.abc import Callable

import torch
from torch import nn

from anglenas._numerics import derive
from anglenas._torch import CONVOLUTIONS, STATISTICAL_NORMS

Initialiser = Callable[[torch.Tensor, torch.Generator], torch.Tensor]
"""From a weight, whose values do not matter, and a generator to fresh values of its shape."""


def fan_in_normal(weight: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """From ``N(0, 2 / fan_in)`` (Kaiming normal; He et al., ICCV 2015)."""
    return _normal(weight, generator) * math.sqrt(2.0 / weight[0].numel())


def fan_out_normal(weight: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """From ``N(0, 2 / fan_out)``, with PyTorch's fan of a grouped convolution."""
    return _normal(weight, generator) * math.sqrt(2.0 / weight[:, 0].numel())


def torch_uniform(weight: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """From ``U(-1 / sqrt(fan_in), 1 / sqrt(fan_in))``, as PyTorch draws those of new modules."""
    values = torch.empty(weight.shape, dtype=weight.dtype).uniform_(-1, 1, generator=generator)
    return values / math.sqrt(weight[0].numel())


def _normal(weight: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.empty(weight.shape, dtype=weight.dtype).normal_(generator=generator)


@torch.no_grad()
def initialise(network: nn.Module, seed: int, initialiser: Initialiser = fan_in_normal) -> None:
    """Give a network fresh weights, in place.

    Convolutions and linear layers are drawn, with biases 0; normalisation layers become the
    identity, running statistics included. Other parameters stay as they are. The stream of a weight
    depends on the seed and on its module's name alone, so that equal parts of two networks get
    equal weights.

    Args:
        network: Any module.
        seed: Where the streams come from.
        initialiser: How weights are drawn.
    """
    for name, module in network.named_modules():
        if isinstance(module, (*CONVOLUTIONS, nn.Linear)):
            # On the CPU in the plain layout: the same numbers on every device and memory format.
            generator = torch.Generator().manual_seed(derive(seed, "weights", name))
            module.weight.copy_(initialiser(module.weight, generator))
            if module.bias is not None:
                module.bias.zero_()
        # Running statistics too: those of a trained network would tell what it was trained on.
        elif isinstance(module, (*STATISTICAL_NORMS, nn.GroupNorm, nn.LayerNorm)):
            module.reset_parameters()
