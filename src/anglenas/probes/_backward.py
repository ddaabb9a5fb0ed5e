"""What one backward pass of the cross entropy tells: four metrics from the same gradients.

"Zero-Cost Proxies for Lightweight NAS" (Abdelfattah et al., ICLR 2021, arXiv 2101.08134, section
3.2) scores a network by the sum of a saliency over its weights ``w`` (:func:`weights_of`), with
the gradient ``g`` of the mean cross entropy ``L`` of one batch, in training mode:

* ``grad_norm``: the sum over the weight tensors of ``||g||_2``;
* ``snip``: the sum of ``|g w|`` (Lee et al., ICLR 2019, arXiv 1810.02340, not normalised);
* ``plain``: the sum of ``g w``. A convolution that BatchNorm follows adds next to nothing, since
  ``L`` does not depend on the length of its weight;
* ``fisher``: the sum over the output channels ``c`` of every convolution and linear layer of
  ``mean_n (sum_p a g)^2 / 2``, with activations ``a`` (before BatchNorm), their gradients ``g``,
  images ``n`` and positions ``p`` (Theis et al., arXiv 1801.05787; summed over layers as by
  Turner et al., BlockSwap, ICLR 2020, arXiv 1906.04113);
* ``fisher_per_weight``: the same sum with each channel counted once for each weight that it has;
  so does the released code (SamsungLabs/zero-cost-nas), whose values published tables hold.

In all of them higher is better.
"""

from collections.abc import Sequence
from operator import itemgetter

import torch
from torch import nn

from anglenas._torch import CONVOLUTIONS
from anglenas.probes._base import Metric, Probe, Record
from anglenas.probes._isolation import Specimen, on_copy
from anglenas.probes._jacobian import loss_gradients, weights_of


def gradient_sums(
    weights: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]
) -> dict[str, float]:
    """``grad_norm``, ``snip`` and ``plain`` of some weight tensors, in float64.

    Args:
        weights: Any tensors.
        gradients: Their gradients, in the same order.

    >>> gradient_sums([torch.tensor([1.0, -2.0])], [torch.tensor([3.0, 4.0])])
    {'grad_norm': 5.0, 'snip': 11.0, 'plain': -5.0}
    """
    pairs = [(w.detach().double(), g.double()) for w, g in zip(weights, gradients, strict=True)]
    return {
        "grad_norm": sum(g.norm().item() for _, g in pairs),
        "snip": sum((g * w).abs().sum().item() for w, g in pairs),
        "plain": sum((g * w).sum().item() for w, g in pairs),
    }


def channel_saliency(activation: torch.Tensor, gradient: torch.Tensor, dim: int) -> torch.Tensor:
    """Fisher saliency of the channels of a layer's output, ``(C,)``, float64.

    ``mean_n (sum_p a g)^2 / 2`` over images ``n`` and positions ``p``.

    Args:
        activation: ``(N, ...)``, with ``C`` channels along one dimension.
        gradient: Of the same shape.
        dim: Which dimension that is.
    """
    product = (activation * gradient).double().movedim(dim, 1)
    return product.reshape(*product.shape[:2], -1).sum(2).square().mean(0) / 2


def _compute(specimen: Specimen) -> Record:
    fisher: list[float] = []
    per_weight: list[float] = []

    def observe(module: nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor:
        dim = -1 if isinstance(module, nn.Linear) else 1
        # Not the output itself: it would hold its hook, and its hook it.
        activation, kept = output.detach(), output.shape[dim]

        def collect(gradient: torch.Tensor) -> None:
            total = channel_saliency(activation, gradient, dim).sum().item()
            fisher.append(total)
            per_weight.append(total * module.weight.numel() / kept)  # type: ignore[operator]

        output.register_hook(collect)  # type: ignore[no-untyped-call]
        return output.clone()  # what follows may work in place, and would change the activation

    # The network is a copy of the probe's own, so that hooks need not be removed.
    for module in specimen.network.modules():
        if isinstance(module, (*CONVOLUTIONS, nn.Linear)):
            module.register_forward_hook(observe)
    weights = list(weights_of(specimen.network).values())
    gradients = loss_gradients(specimen.network, specimen.images, specimen.labels, weights)
    return {
        **gradient_sums(weights, gradients),
        "fisher": sum(fisher),
        "fisher_per_weight": sum(per_weight),
    }


_ZERO_COST = "Abdelfattah et al., ICLR 2021, arXiv 2101.08134, section 3.2"


def _metric(name: str, source: str, formula: str) -> Metric:
    needs = frozenset({"labels", "gradients"})
    return Metric(name, True, itemgetter(name), source, needs=needs, formula=formula)


BACKWARD = Probe(
    "backward",
    (
        _metric("grad_norm", _ZERO_COST, "sum over the weight tensors of the gradient's length"),
        _metric(
            "snip",
            f"Lee et al., ICLR 2019, arXiv 1810.02340; {_ZERO_COST}",
            "sum over the weights of |gradient x weight|",
        ),
        _metric("plain", _ZERO_COST, "sum over the weights of gradient x weight"),
        _metric(
            "fisher",
            "Turner et al., ICLR 2020, arXiv 1906.04113",
            "sum over channels of half the mean square of activation x gradient, summed over "
            "positions",
        ),
        _metric(
            "fisher_per_weight",
            f"{_ZERO_COST}, as in SamsungLabs/zero-cost-nas",
            "the same, each channel counted once for each of its weights",
        ),
    ),
    on_copy("backward", _compute),
)
"""The record holds the five values, from one pass of all images."""
