"""The memory format in which a network computes quickest."""

import torch
from torch import nn


def memory_format_of(network: nn.Module) -> torch.memory_format:
    """``channels_last``, unless a backward pass in that format would corrupt memory.

    On CPUs a backward pass of a convolutional network is about 1.7 times as fast in it.

    >>> memory_format_of(nn.Conv2d(3, 4, 3)), memory_format_of(nn.Conv2d(3, 4, 1, stride=2))
    (torch.channels_last, torch.contiguous_format)
    """
    unsafe = any(map(_corrupts_memory, network.modules()))
    return torch.contiguous_format if unsafe else torch.channels_last


def _corrupts_memory(module: nn.Module) -> bool:
    """A 1x1 convolution with a stride and few channels, in whose backward pass oneDNN fails.

    In ``channels_last`` it then writes past its buffer, as of torch 2.13: wrong gradients, or the
    end of the process. Few are less than a register holds: 8 numbers with AVX2, 16 with AVX-512.
    """
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.stride != (1, 1)
        and module.in_channels // module.groups < 16
    )
