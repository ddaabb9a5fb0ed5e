"""Search spaces: what can be searched, as frozen values without torch."""

from anglenas.spaces._base import Architecture, Space, Supernets
from anglenas.spaces._choices import Choices, ChoiceSpace
from anglenas.spaces._config import NetworkConfig
from anglenas.spaces._darts import (
    DARTS,
    DARTS_IMAGENET,
    DARTS_SUPERNET,
    DARTS_SUPERNET_DEEP,
    DARTS_SUPERNET_IMAGENET,
    DARTS_TENAS,
    DARTS_TENAS_IMAGENET,
    Genotype,
    build_darts_supernet,
)
from anglenas.spaces._graph import (
    CellGraph,
    Drawing,
    Operation,
    OptionTable,
    learns,
    live_operations,
)
from anglenas.spaces._make import make_network
from anglenas.spaces._nasbench201 import (
    NASBENCH201,
    NASBENCH201_SUPERNET,
    Atom,
    Form,
    NasBench201Architecture,
    Term,
    form_of,
    index_of,
)
from anglenas.spaces._supernet import Edge, Supernet, Topology

__all__ = [
    "DARTS",
    "DARTS_IMAGENET",
    "DARTS_SUPERNET",
    "DARTS_SUPERNET_DEEP",
    "DARTS_SUPERNET_IMAGENET",
    "DARTS_TENAS",
    "DARTS_TENAS_IMAGENET",
    "NASBENCH201",
    "NASBENCH201_SUPERNET",
    "Architecture",
    "Atom",
    "CellGraph",
    "ChoiceSpace",
    "Choices",
    "Drawing",
    "Edge",
    "Form",
    "Genotype",
    "NasBench201Architecture",
    "NetworkConfig",
    "Operation",
    "OptionTable",
    "Space",
    "Supernet",
    "Supernets",
    "Term",
    "Topology",
    "build_darts_supernet",
    "form_of",
    "index_of",
    "learns",
    "live_operations",
    "make_network",
]
