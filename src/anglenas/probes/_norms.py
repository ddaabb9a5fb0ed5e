"""Length of a network's weights.

``l2_norm`` is the sum over the weight tensors of ``||w||_2``, higher is better: a baseline of
NAS-Bench-Suite-Zero (Krishnakumar et al., NeurIPS 2022, arXiv 2210.03230) and NASLib. It grows with
the number and the size of the layers alone, dead ones included.
"""

import math
from operator import itemgetter

from torch import nn

from anglenas.probes._base import Metric, Probe
from anglenas.probes._isolation import on_copy
from anglenas.probes._jacobian import weights_of


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


NORMS = Probe(
    "norms",
    (
        Metric(
            "l2_norm",
            higher_is_better=True,
            read=itemgetter("l2_norm"),
            source="Krishnakumar et al., NeurIPS 2022, arXiv 2210.03230",
            formula="sum over the weight tensors of their length",
        ),
    ),
    on_copy("norms", lambda specimen: {"l2_norm": l2_norm(specimen.network)}),
    subject="network",
)
"""The record holds ``l2_norm``. It depends on the seed, not on the images."""
