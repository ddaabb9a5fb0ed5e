"""Networks: ``torch.nn.Module`` from an architecture and a configuration."""

from anglenas.networks._blocks import compute_together
from anglenas.networks._build import build_network, make_network, standard_sizes
from anglenas.networks._config import NetworkConfig
from anglenas.networks._layout import layout_of

__all__ = [
    "NetworkConfig",
    "build_network",
    "compute_together",
    "layout_of",
    "make_network",
    "standard_sizes",
]
