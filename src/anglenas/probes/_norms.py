"""Length of a network's weights.

``l2_norm`` is the sum over the weight tensors of ``||w||_2``, higher is better: a baseline of
NAS-Bench-Suite-Zero (Krishnakumar et al., NeurIPS 2022, arXiv 2210.03230) and NASLib. It grows with
the number and the size of the layers alone, dead ones included.
"""

import math
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Literal

from torch import nn

from anglenas._recipe import Recipe
from anglenas.data import FewShot
from anglenas.probes._base import Metric, Record
from anglenas.probes._isolation import isolated
from anglenas.probes._jacobian import finite, weights_of

__all__ = ["NORMS", "NormsProbe", "l2_norm"]


def l2_norm(network: nn.Module) -> float:
    """The sum over the weight tensors of ``||w||_2``, in float64.

    Raises:
        Undefined: There is no weight tensor.

    >>> layer = nn.Linear(4, 1)
    >>> _ = nn.init.ones_(layer.weight)
    >>> l2_norm(layer)
    2.0
    """
    return math.fsum(float(w.detach().double().norm()) for w in weights_of(network).values())


_METRIC = Metric(
    "l2_norm", "norms", True, itemgetter("l2_norm"),
    "Krishnakumar et al., NeurIPS 2022, arXiv 2210.03230",
    formula="sum over the weight tensors of their length",
)  # fmt: skip


@dataclass(frozen=True)
class NormsProbe:
    """The probe; its record holds ``l2_norm``. It depends on the seed, not on the images."""

    name: str = "norms"
    version: int = 1
    subject: Literal["function", "network"] = "network"
    uses_images: bool = True
    metrics: dict[str, Metric] = field(default_factory=lambda: {_METRIC.name: _METRIC})

    def measure(self, network: nn.Module, batch: FewShot, recipe: Recipe, seed: int) -> Record:
        """The value of a freshly initialised copy.

        Raises:
            NetworkError: The network cannot be measured.
            Undefined: It has no weights.
        """
        with isolated(network, batch, seed, self.name) as specimen:
            return {"l2_norm": finite(l2_norm(specimen.network), "l2_norm")}


NORMS = NormsProbe()
"""The probe, as ``anglenas.probes`` entry point ``norms``."""
