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
from operator import itemgetter

import torch

from anglenas.probes._base import Metric, Probe, Record, Undefined
from anglenas.probes._isolation import Specimen, on_copy
from anglenas.probes._jacobian import loss_gradients, weights_of

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
    flows = []
    for gradients in (layer.double() for layer in layers):
        deviation = gradients.std(0, correction=0)
        varies = deviation != 0
        flows.append((gradients.abs().mean(0)[varies] / deviation[varies]).sum().item())
    if not any(flow > 0 for flow in flows):
        raise Undefined("the gradients do not vary between mini-batches, or are all zero")
    return sum(torch.tensor(flow).double().log().item() for flow in flows if flow > 0)


def _compute(specimen: Specimen) -> Record:
    if len(specimen.images) < _MINI_BATCHES:
        raise Undefined("one image alone does not make two mini-batches")
    weights = list(weights_of(specimen.network).values())
    parts = [slice(start, None, _MINI_BATCHES) for start in range(_MINI_BATCHES)]
    gradients = [
        loss_gradients(specimen.network, specimen.images[part], specimen.labels[part], weights)
        for part in parts
    ]
    return {"zico": zico([torch.stack(rows).flatten(1) for rows in zip(*gradients, strict=True)])}


ZICO = Probe(
    "zico",
    (
        Metric(
            "zico",
            higher_is_better=True,
            read=itemgetter("zico"),
            source="Li et al., ICLR 2023, arXiv 2301.11300",
            needs=frozenset({"batch", "labels", "gradients"}),
            formula="sum over layers of the logarithm of the sum over weights of mean |gradient| "
            "over its standard deviation, between mini-batches",
        ),
    ),
    on_copy("zico", _compute),
)
"""The record holds ``zico``, from the images in two halves."""
