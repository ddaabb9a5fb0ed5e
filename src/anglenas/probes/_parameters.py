"""How large a network is: its parameters and layers, without running it."""

from torch import nn

from anglenas._recipe import Recipe
from anglenas._torch import CONVOLUTIONS
from anglenas.data import FewShot
from anglenas.probes._base import Metric, Probe, Record


def count_parameters(network: nn.Module) -> int:
    """Trainable numbers of a network; dead parts count.

    >>> count_parameters(nn.Linear(64, 10))
    650
    """
    return sum(parameter.numel() for parameter in network.parameters())


def _measure(network: nn.Module, batch: FewShot, recipe: Recipe, seed: int) -> Record:
    return {
        "params": count_parameters(network),
        "layers": sum(isinstance(m, (*CONVOLUTIONS, nn.Linear)) for m in network.modules()),
    }


# Apart from the operations: rankings with #Param in them, the default among them, pay for no pass.
PARAMETERS = Probe(
    "parameters",
    (
        Metric(
            "params",
            higher_is_better=True,
            read=lambda record: record["params"],
            source="Yang et al., WACV 2023, arXiv 2211.08666: #Param as a metric",
            formula="number of trainable numbers, dead parts included",
        ),
        Metric(
            "layers",
            higher_is_better=True,
            read=lambda record: record["layers"],
            source="Ning et al., NeurIPS 2021, arXiv 2008.03064: baselines by size",
            unit="convolutions and linear layers",
            formula="number of convolutions and linear layers, dead ones included",
        ),
    ),
    _measure,
    subject="network",
    uses_images=False,
)
"""It counts what the network as written holds; the record has ``params`` and ``layers``."""
