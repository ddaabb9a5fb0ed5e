"""What a network costs: parameters, operations, layers; counted without computing anything."""

import copy
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from anglenas.data import FewShot
from anglenas.probes._base import Metric, Record
from anglenas.recipe import Recipe

__all__ = ["COUNTING", "Counting", "count_parameters"]


def count_parameters(network: nn.Module) -> int:
    """Trainable numbers of a network; dead parts count.

    >>> count_parameters(nn.Linear(64, 10))
    650
    """
    return sum(parameter.numel() for parameter in network.parameters())


_METRICS = (
    Metric(
        "params", "counting", True, lambda record: record["params"],
        "Yang et al., WACV 2023, arXiv 2211.08666: #Param as a metric",
    ),
    Metric(
        "flops", "counting", True, lambda record: record["flops"],
        "torch.utils.flop_counter: convolutions and matrix products of one forward pass",
        unit="FLOP of one image; a multiply-add is two",
    ),
    Metric(
        "layers", "counting", True, lambda record: record["layers"],
        "Ning et al., NeurIPS 2021, arXiv 2008.03064: baselines by size",
        unit="convolutions and linear layers",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Counting:
    """The probe; counts the network as written, on the shape of the images alone."""

    name: str = "counting"
    version: int = 1
    subject: Literal["function", "network"] = "network"
    uses_images: bool = False
    metrics: dict[str, Metric] = field(
        default_factory=lambda: {metric.name: metric for metric in _METRICS}
    )

    def measure(self, network: nn.Module, batch: FewShot, recipe: Recipe, seed: int) -> Record:
        """``params``, ``flops`` (of one image) and ``layers`` of a network."""
        shapes = copy.deepcopy(network).to("meta").eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            shapes(torch.empty(1, *batch.images.shape[1:], device="meta"))
        layers = (nn.modules.conv._ConvNd, nn.Linear)
        return {
            "params": count_parameters(network),
            "flops": counter.get_total_flops(),
            "layers": sum(isinstance(module, layers) for module in network.modules()),
        }


COUNTING = Counting()
"""The probe, as ``anglenas.probes`` entry point ``counting``."""
