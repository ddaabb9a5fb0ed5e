"""What the package uses of torch that torch does not promise to keep; no other module does.

Names that begin with an underscore, words of torch's messages, and modules that torch calls
private. ``tests/test_torch.py`` says of each what is expected, so that a release of torch that
changes it fails there, and tells what to mend here.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

CONVOLUTIONS = (nn.modules.conv._ConvNd,)
"""What all convolutions are, those of users' own classes too."""

BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)
"""What all BatchNorms are, SyncBatchNorm included."""

STATISTICAL_NORMS = (nn.modules.batchnorm._NormBase,)
"""What all normalisation is that can keep running statistics: BatchNorm and InstanceNorm."""


class DispatchMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """What sees every operator that runs inside, in ``__torch_dispatch__``.

    Not torch's class itself, which keeps its compiler away from that method, and imports it to do
    so: a thousand modules in 1.5 s, many times as long as it takes to count a network.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


def owner_of(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor that a view looks at, or the tensor itself.

    An in-place operation on a view stands in the autograd graph at what it is a view of.
    """
    base: torch.Tensor | None = tensor._base
    return tensor if base is None else base


def storage_id(tensor: torch.Tensor) -> int:
    """A number that two tensors share exactly if they share their memory, on any device.

    Addresses of memory do not tell: that of every tensor on ``meta`` is 0.
    """
    return int(tensor.untyped_storage()._cdata)


def version_of(tensor: torch.Tensor) -> int:
    """How often a tensor was written to in place."""
    return tensor._version


def hooks_of(module: nn.Module) -> tuple[int, int, int]:
    """How many hooks a module has: before and after its forward pass, after its backward pass."""
    return len(module._forward_pre_hooks), len(module._forward_hooks), len(module._backward_hooks)


def lacks_variance(error: ValueError) -> bool:
    """Whether BatchNorm raised an error because a channel has a single value, without variance."""
    return "more than 1 value per channel" in str(error)


def lerp_each(tensors: Sequence[torch.Tensor], towards: Sequence[torch.Tensor], by: float) -> None:
    """Move many tensors a share of the way to others, in place, in one call.

    Supernets have hundreds of small buffers, and a call each would take longer than the arithmetic.
    """
    torch._foreach_lerp_(list(tensors), list(towards), by)


def add_to_each(tensors: Sequence[torch.Tensor], number: int) -> None:
    """Add a number to many tensors, in place, in one call."""
    torch._foreach_add_(list(tensors), number)
