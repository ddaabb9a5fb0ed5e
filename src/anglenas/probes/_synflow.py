"""Synaptic flow: how strongly a network's paths connect its input to its output.

"Pruning neural networks without any data by iteratively conserving synaptic flow" (Tanaka et al.,
NeurIPS 2020, arXiv 2006.05467), summed over the weights ``w`` as by Abdelfattah et al. (ICLR
2021, arXiv 2101.08134, section 3.2):

    synflow = sum of w dR/dw,        higher is better,

where ``R`` is the sum of the outputs for one image of ones, in the network with the absolute value
of every parameter. As in the released code of the latter (SamsungLabs/zero-cost-nas), BatchNorm is
left out, and so is every other normalisation layer; Dropout is off. The natural logarithm is
returned: the sum grows by orders of magnitude with each layer.
"""

import math
from operator import itemgetter

import torch
from torch import nn

from anglenas._torch import STATISTICAL_NORMS
from anglenas.probes._base import Metric, Probe, Record, Undefined
from anglenas.probes._isolation import Specimen, on_copy
from anglenas.probes._jacobian import finite, weights_of

_NORMALISING = (
    *STATISTICAL_NORMS,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.LocalResponseNorm,
    nn.RMSNorm,
)
_FAINT = 2.0**-1000
"""An image so faint that what overflows for one of ones does not: float64 ends at 2^1024."""


# In float64, since the sum grows by orders of magnitude with each layer.
@torch.no_grad()
def linearise(network: nn.Module) -> None:
    """In place: float64, absolute values of all parameters, no normalisation, no Dropout."""
    network.double().eval()
    for parameter in network.parameters():
        parameter.abs_()
    for module in network.modules():
        if isinstance(module, _NORMALISING):
            module.register_forward_hook(lambda module, inputs, output: inputs[0])


def log_synflow(network: nn.Module, image: torch.Tensor) -> float:
    """``ln sum w dR/dw`` of a linearised network for an image.

    It is calculated as ``ln R + ln sum w (d ln R / dw)``, whose second term is the sum over the
    weight tensors of the share of ``R`` that flows through each. Where ``R`` overflows float64, a
    fainter image is used, of which ``R`` is the same multiple in a network of piecewise linear
    layers.

    Args:
        network: In float64, as :func:`linearise` leaves it.
        image: ``(1, C, H, W)``, float64.

    Raises:
        Undefined: No path leads from the input to the output, ``R`` overflows in a network that is
            not piecewise linear, or the network has no weights.

    >>> network = nn.Linear(2, 1, bias=False).double()
    >>> _ = nn.init.constant_(network.weight, 3.0)
    >>> round(math.exp(log_synflow(network, torch.ones(1, 2).double())), 9)  # 3 + 3
    6.0
    """
    weights = list(weights_of(network).values())
    flow, scale = network(image).sum(), 1.0
    if not torch.isfinite(flow):
        flow, scale = _faint_flow(network, image), _FAINT
    if flow.item() <= 0 or not flow.requires_grad:
        raise Undefined("no path of weights leads from the input to the output")
    gradients = torch.autograd.grad(flow.log(), weights, allow_unused=True, materialize_grads=True)
    pairs = zip(weights, gradients, strict=True)
    shares = sum((w.detach() * g).sum().item() for w, g in pairs)
    if shares <= 0:
        raise Undefined("no path of weights leads from the input to the output")
    return finite(math.log(flow.item()) - math.log(scale) + math.log(shares), "synaptic flow")


def _faint_flow(network: nn.Module, image: torch.Tensor) -> torch.Tensor:
    flow: torch.Tensor = network(image * _FAINT).sum()
    fainter: torch.Tensor = network(image * (_FAINT / 2)).sum()
    if not 0 < flow < torch.inf or not torch.isclose(flow, 2 * fainter, rtol=1e-9, atol=0.0):
        raise Undefined("synaptic flow overflows float64")
    return flow


def _compute(specimen: Specimen) -> Record:
    linearise(specimen.network)
    image = torch.ones_like(specimen.images[:1], dtype=torch.float64)
    try:
        return {"log_synflow": log_synflow(specimen.network, image)}
    except RuntimeError as error:  # it has run in float32 before
        raise Undefined(f"the network does not compute in float64 ({error})") from error


SYNFLOW = Probe(
    "synflow",
    (
        Metric(
            "synflow",
            higher_is_better=True,
            read=itemgetter("log_synflow"),
            source="Tanaka et al., NeurIPS 2020, arXiv 2006.05467; Abdelfattah et al., ICLR 2021",
            unit="natural logarithm",
            needs=frozenset({"gradients"}),
            formula="logarithm of the sum over the weights of weight x gradient of the outputs' "
            "sum, for absolute weights and an image of ones, without normalisation",
        ),
    ),
    on_copy("synflow", _compute),
)
"""The record holds ``log_synflow``. Of the images it takes the shape alone."""
