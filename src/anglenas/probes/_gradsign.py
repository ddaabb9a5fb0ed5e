"""How far the gradients of single images agree in sign.

"GradSign: Model Performance Inference with Theoretical Insights" (Zhang & Jia, ICLR 2022, arXiv
2110.08616, algorithm 1):

    gradsign = sum over weights k of |sum over images i of sign(dL_i / dw_k)|,     higher is better,

with the cross entropy ``L_i`` of image ``i`` alone. As in the released code
(cmu-catalyst/GradSign), each image passes by itself through the network in training mode:
BatchNorm normalises it by its own statistics.
"""

from dataclasses import dataclass, field
from operator import itemgetter
from typing import Literal

import torch
from torch import nn

from anglenas._recipe import Recipe
from anglenas.data import FewShot
from anglenas.probes._base import Metric, Record
from anglenas.probes._isolation import isolated
from anglenas.probes._jacobian import loss_gradients, weights_of

__all__ = ["GRADSIGN", "GradSignProbe", "gradsign"]


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
    votes = [torch.zeros_like(weight) for weight in weights]
    for image, label in zip(torch.split(images, 1), torch.split(labels, 1), strict=True):
        gradients = loss_gradients(network, image, label, weights)
        for vote, gradient in zip(votes, gradients, strict=True):
            vote += gradient.sign()
    return sum(int(vote.abs().sum(dtype=torch.float64)) for vote in votes)


_METRIC = Metric(
    "gradsign", "gradsign", True, itemgetter("gradsign"),
    "Zhang & Jia, ICLR 2022, arXiv 2110.08616, algorithm 1",
    unit="agreeing signs",
    needs=frozenset({"batch", "labels", "gradients"}),
    formula="sum over the weights of |sum over images of the gradient's sign|",
)  # fmt: skip


@dataclass(frozen=True)
class GradSignProbe:
    """The probe; its record holds ``gradsign``."""

    name: str = "gradsign"
    version: int = 1
    subject: Literal["function", "network"] = "function"
    uses_images: bool = True
    metrics: dict[str, Metric] = field(default_factory=lambda: {_METRIC.name: _METRIC})

    def measure(self, network: nn.Module, batch: FewShot, recipe: Recipe, seed: int) -> Record:
        """The value of a freshly initialised copy, from every image.

        Raises:
            NetworkError: The network cannot be measured.
            Undefined: As for :func:`gradsign`, or one image alone gives BatchNorm a single value
                a channel.
        """
        with isolated(network, batch, seed, self.name) as specimen:
            return {"gradsign": gradsign(specimen.network, specimen.images, specimen.labels)}


GRADSIGN = GradSignProbe()
"""The probe, as ``anglenas.probes`` entry point ``gradsign``."""
