"""Mean over standard deviation of the gradients of several batches.

"ZiCo: Zero-shot NAS via Inverse Coefficient of Variation on Gradients" (Li et al., ICLR 2023, arXiv
2301.11300):

    zico = sum over layers of log(sum over weights of E|g| / sqrt(Var g)),        higher is better,

with the gradient ``g`` of each mini-batch's mean cross entropy in training mode, and the population
variance over the mini-batches. As in the released code (SLDGroup/ZiCo), weights whose gradient does
not vary are left out, and so are layers without any other. (That code adds each mini-batch's
gradients to the one's before, which the formula does not; here they are separate.)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Literal

import torch
from torch import nn

from anglenas._recipe import Recipe
from anglenas.data import FewShot
from anglenas.probes._base import Metric, Record, Undefined
from anglenas.probes._isolation import isolated
from anglenas.probes._jacobian import finite, loss_gradients, weights_of

__all__ = ["ZICO", "ZicoProbe", "zico"]

_MINI_BATCHES = 2
"""The fewest that the paper allows; each gets every second image, which mixes sorted classes."""


def zico(layers: Sequence[torch.Tensor]) -> float:
    """The sum over layers of ``log(sum(E|g| / sqrt(Var g)))``.

    Args:
        layers: Gradients of each, ``(mini-batches, weights)``.

    Raises:
        Undefined: No gradient of any layer varies.

    >>> round(zico([torch.tensor([[1.0, 5.0], [3.0, 5.0]])]), 3)  # log(2 / 1)
    0.693
    """
    flows = [_flow(gradients.double()) for gradients in layers]
    if not any(flow > 0 for flow in flows):
        raise Undefined("the gradients do not vary between mini-batches, or are all zero")
    return sum(torch.tensor(flow).double().log().item() for flow in flows if flow > 0)


def _flow(gradients: torch.Tensor) -> float:
    deviation = gradients.std(0, correction=0)
    varies = deviation != 0
    return (gradients.abs().mean(0)[varies] / deviation[varies]).sum().item()


_METRIC = Metric(
    "zico", "zico", True, itemgetter("zico"),
    "Li et al., ICLR 2023, arXiv 2301.11300",
    needs=frozenset({"batch", "labels", "gradients"}),
    formula="sum over layers of the logarithm of the sum over weights of mean |gradient| over its "
    "standard deviation, between mini-batches",
)  # fmt: skip


@dataclass(frozen=True)
class ZicoProbe:
    """The probe; its record holds ``zico``."""

    name: str = "zico"
    version: int = 1
    subject: Literal["function", "network"] = "function"
    uses_images: bool = True
    metrics: dict[str, Metric] = field(default_factory=lambda: {_METRIC.name: _METRIC})

    def measure(self, network: nn.Module, batch: FewShot, recipe: Recipe, seed: int) -> Record:
        """The value of a freshly initialised copy, from the images in two halves.

        Raises:
            NetworkError: The network cannot be measured.
            Undefined: It has no weights, its loss or a gradient is not finite or does not vary, or
                there is a single image.
        """
        if len(batch.images) < _MINI_BATCHES:
            raise Undefined("one image alone does not make two mini-batches")
        with isolated(network, batch, seed, self.name) as specimen:
            weights = list(weights_of(specimen.network).values())
            halves = [
                loss_gradients(
                    specimen.network,
                    specimen.images[start::_MINI_BATCHES],
                    specimen.labels[start::_MINI_BATCHES],
                    weights,
                )
                for start in range(_MINI_BATCHES)
            ]
        layers = [torch.stack(rows).flatten(1) for rows in zip(*halves, strict=True)]
        return {"zico": finite(zico(layers), "zico")}


ZICO = ZicoProbe()
"""The probe, as ``anglenas.probes`` entry point ``zico``."""
