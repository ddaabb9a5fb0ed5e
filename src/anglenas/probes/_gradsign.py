"""How far the gradients of single images agree in sign.

"GradSign: Model Performance Inference with Theoretical Insights" (Zhang & Jia, ICLR 2022, arXiv
2110.08616, algorithm 1):

    gradsign = sum over weights k of |sum over images i of sign(dL_i / dw_k)|,     higher is better,

with the cross entropy ``L_i`` of image ``i`` alone. As in the released code
(cmu-catalyst/GradSign), each image passes by itself through the network in training mode:
BatchNorm normalises it by its own statistics.
"""

from operator import itemgetter

import torch
from torch import nn

from anglenas.probes._base import Metric, Probe
from anglenas.probes._isolation import on_copy
from anglenas.probes._jacobian import loss_gradients, weights_of


def gradsign(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> int:
    """``sum_k |sum_i sign(dL_i / dw_k)|``: 0 to images times weights.

    Args:
        network: From images to logits ``(N, K)``; in training mode its running statistics change.
        images: ``(N, C, H, W)``.
        labels: ``(N,)``.

    Raises:
        Undefined: The network has no weights, or the loss of an image is not finite.
    """
    weights = list(weights_of(network).values())
    # Added up image by image: all gradients at once would be as large as so many networks.
    votes = [torch.zeros_like(weight) for weight in weights]
    for image, label in zip(torch.split(images, 1), torch.split(labels, 1), strict=True):
        gradients = loss_gradients(network, image, label, weights)
        for vote, gradient in zip(votes, gradients, strict=True):
            vote += gradient.sign()
    return sum(int(vote.abs().sum(dtype=torch.float64)) for vote in votes)


GRADSIGN = Probe(
    "gradsign",
    (
        Metric(
            "gradsign",
            higher_is_better=True,
            read=itemgetter("gradsign"),
            source="Zhang & Jia, ICLR 2022, arXiv 2110.08616, algorithm 1",
            unit="agreeing signs",
            needs=frozenset({"batch", "labels", "gradients"}),
            formula="sum over the weights of |sum over images of the gradient's sign|",
        ),
    ),
    on_copy("gradsign", lambda it: {"gradsign": gradsign(it.network, it.images, it.labels)}),
)
"""The record holds ``gradsign``, from every image by itself."""
