"""Change of the gradient's flow when weights are removed.

"Picking Winning Tickets Before Training by Preserving Gradient Flow" (GraSP; Wang, Zhang & Grosse,
ICLR 2020, arXiv 2002.07376), summed over the weights ``w`` of a network as by Abdelfattah et
al. (ICLR 2021, arXiv 2101.08134, section 3.2):

    grasp = -w^T H g,        higher is better,

with the gradient ``g`` and Hessian ``H`` of the mean cross entropy of one batch in training mode,
logits not divided by a temperature. Where BatchNorm follows a convolution, the loss does not depend
on the length of its weight, hence ``H w = -g`` and its part is ``|g|^2``.
"""

from operator import itemgetter

import torch
from torch import nn

from anglenas.probes._base import Metric, Probe
from anglenas.probes._isolation import on_copy
from anglenas.probes._jacobian import loss_gradients, weights_of


def grasp(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """``-w^T H g``, with the network in the mode that it is in; summed in float64.

    Args:
        network: From images to logits ``(N, K)``; in training mode its running statistics change.
        images: ``(N, C, H, W)``.
        labels: ``(N,)``.

    Raises:
        Undefined: The network has no weights, or its loss is not finite.
    """
    weights = list(weights_of(network).values())
    gradients = loss_gradients(network, images, labels, weights, create_graph=True)
    # One factor is taken as constant: the derivative of the product is then H g, not 2 H g.
    flow = torch.stack([(g.detach() * g).sum() for g in gradients]).sum()
    if not flow.requires_grad:
        return 0.0  # the loss is linear in the weights
    products = torch.autograd.grad(flow, weights, allow_unused=True, materialize_grads=True)
    pairs = zip(weights, products, strict=True)
    return -sum((w.detach().double() * hg.double()).sum().item() for w, hg in pairs)


GRASP = Probe(
    "grasp",
    (
        Metric(
            "grasp",
            higher_is_better=True,
            read=itemgetter("grasp"),
            source="Wang et al., ICLR 2020, arXiv 2002.07376; Abdelfattah et al., ICLR 2021",
            needs=frozenset({"labels", "gradients"}),
            formula="minus weights x Hessian x gradient of the cross entropy",
        ),
    ),
    on_copy("grasp", lambda it: {"grasp": grasp(it.network, it.images, it.labels)}),
)
"""The record holds ``grasp``, from all images at once."""
