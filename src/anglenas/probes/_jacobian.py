"""Gradients of a network: which weights count, of the loss, of each image's logits."""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from anglenas.probes._base import Undefined

NUMBERS_AT_ONCE = 2**27
"""Most numbers of a Jacobian that are kept at a time: 512 MiB of float32."""


def weights_of(network: nn.Module) -> dict[str, nn.Parameter]:
    """The kernels and matrices of a network: its parameters of two dimensions or more.

    In a network of convolutions, BatchNorm and linear layers these are the weights of its
    convolutions and linear layers, which is what Abdelfattah et al. (ICLR 2021) sum over.

    Raises:
        Undefined: There is none.

    >>> list(weights_of(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))))
    ['0.weight', '2.weight']
    """
    weights = {name: p for name, p in network.named_parameters() if p.ndim >= 2}
    if not weights:
        raise Undefined("the network has no weights: no parameter of two dimensions or more")
    return weights


def finite(value: float, what: str) -> float:
    """The value, if it is a number.

    Raises:
        Undefined: It is infinite or NaN.
    """
    if not math.isfinite(value):
        raise Undefined(f"{what} is not finite")
    return value


def loss_gradients(
    network: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    parameters: Sequence[torch.Tensor],
    create_graph: bool = False,
) -> tuple[torch.Tensor, ...]:
    """Gradients of the mean cross entropy, zero for a parameter that it does not depend on.

    Args:
        network: From images to logits ``(N, K)``.
        images: ``(N, C, H, W)``.
        labels: ``(N,)``.
        parameters: What to differentiate by.
        create_graph: Whether the gradients can be differentiated again.

    Raises:
        Undefined: The cross entropy is not finite, or depends on no parameter.
    """
    loss = F.cross_entropy(network(images), labels)
    finite(loss.item(), "the cross entropy of the untrained network")
    _depends(loss)
    return torch.autograd.grad(
        loss, parameters, create_graph=create_graph, allow_unused=True, materialize_grads=True
    )


def summed_logits(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Sum of the logits of each image, ``(N,)``.

    Raises:
        Undefined: It is not finite, or depends on no parameter.
    """
    sums: torch.Tensor = network(images).sum(1)
    finite(sums.detach().sum().item(), "the sum of the untrained network's logits")
    _depends(sums)
    return sums


def _depends(output: torch.Tensor) -> None:
    if not output.requires_grad:
        raise Undefined("the logits depend on no parameter")


def gram(
    output: Callable[[int], torch.Tensor],
    count: int,
    parameters: Sequence[nn.Parameter],
    numbers_at_once: int = NUMBERS_AT_ONCE,
) -> torch.Tensor:
    """``J J^T`` of the Jacobian ``J`` of some scalars by some parameters, ``(count, count)``.

    Row ``i`` of ``J`` is the gradient of ``output(i)``. Rows are kept for as many parameters at
    once as fit, and multiplied and added in float64. A backward pass a row it is: on a CPU,
    batching them (``is_grads_batched``) was measured to be no faster, since the arithmetic units
    are busy already.

    Args:
        output: Gives scalar ``i``; called once for every ``i`` and group of parameters.
        count: How many scalars there are.
        parameters: What to differentiate by; those that no scalar depends on add nothing.
        numbers_at_once: Most numbers of ``J`` that are kept at a time.
    """
    total = torch.zeros(count, count, dtype=torch.float64)
    for group in _groups(parameters, numbers_at_once // count):
        rows = torch.empty(count, sum(parameter.numel() for parameter in group))
        for index, row in enumerate(rows):
            gradients = torch.autograd.grad(
                output(index), group, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            torch.cat([gradient.flatten() for gradient in gradients], out=row)
        # In float64, since the smallest eigenvalues, by which condition numbers divide, would be
        # rounding otherwise; and in parts, so that the copy stays small.
        for block in torch.split(rows, 2**16, dim=1):
            exact = block.double()
            total += exact @ exact.T
    return total


def _groups(parameters: Sequence[nn.Parameter], most: int) -> Iterator[list[nn.Parameter]]:
    """The parameters in groups of at most so many numbers, but at least one parameter."""
    group: list[nn.Parameter] = []
    for parameter in parameters:
        if group and sum(p.numel() for p in group) + parameter.numel() > most:
            yield group
            group = []
        group.append(parameter)
    if group:
        yield group
