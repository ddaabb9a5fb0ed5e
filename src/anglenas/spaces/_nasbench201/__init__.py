"""The cell space of NAS-Bench-201 (Dong & Yang, ICLR 2020, arXiv 2001.00326).

``values``: cells, their texts and drawings. ``forms``: what a cell computes, however it is written.
``published``: what the benchmark and other projects say of its cells. ``network``: their networks,
with torch. ``source``: the same as source. The spaces themselves stand here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anglenas._recipe import preset
from anglenas.errors import SettingError
from anglenas.spaces._base import Space, Supernets
from anglenas.spaces._config import NetworkConfig
from anglenas.spaces._nasbench201 import values
from anglenas.spaces._nasbench201.forms import Atom, Form, Term, canonical_form, parse_form
from anglenas.spaces._nasbench201.published import (
    all_cells,
    cell_at,
    from_naslib,
    index_of,
    size_group,
)
from anglenas.spaces._nasbench201.source import write_source
from anglenas.spaces._nasbench201.values import EDGES, OPERATIONS, NasBench201Architecture
from anglenas.spaces._supernet import Edge, Supernet, Topology

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "NASBENCH201",
    "NASBENCH201_SUPERNET",
    "Atom",
    "Form",
    "NasBench201Architecture",
    "Term",
    "form_of",
    "index_of",
]

_TOPOLOGY = Topology(
    operations=tuple(one for one in OPERATIONS.values() if one.kind != "none"),
    edges=tuple(Edge("", source, target) for source, target in EDGES),
)


def form_of(cell: NasBench201Architecture) -> Form:
    """What a cell computes.

    >>> cell = "|skip_connect~0|+|none~0|none~1|+|none~0|nor_conv_1x1~1|none~2|"
    >>> str(form_of(NASBENCH201.parse(cell)))
    'a=conv1x1(x); out=a'
    """
    edges = zip(EDGES, cell.operations, strict=True)
    return canonical_form(tuple((*edge, name) for edge, name in edges), EDGES[-1][1])


def _build(text: str, config: NetworkConfig) -> nn.Module:
    from anglenas.spaces._nasbench201.network import NasBench201Network

    # Every form assigns something to its output, and no cell as written does.
    return NasBench201Network(parse_form(text) if "=" in text else values.parse(text), config)


def _build_supernet(text: str, config: NetworkConfig) -> nn.Module:
    from anglenas.spaces._nasbench201.network import NasBench201Network

    return NasBench201Network(_TOPOLOGY.parse(text), config)


def _read(supernet: Supernet) -> NasBench201Architecture:
    if any(len(held) != 1 for held in supernet.operations):
        raise SettingError("A cell can be read off when one operation is left on each edge.")
    return NasBench201Architecture(tuple(name for (name,) in supernet.operations))


NASBENCH201_SUPERNET = Supernets(
    name="nasbench201_supernet",
    parse=_TOPOLOGY.parse,
    sample=_TOPOLOGY.sample,
    mutate=_TOPOLOGY.mutate,
    build=_build_supernet,
    drawings=_TOPOLOGY.drawings,
    fixed_version=2,
    topology=_TOPOLOGY,
    read=_read,
    recipe=preset("paper-pruning"),
    tenas_recipe=preset("tenas"),
)
"""Supernets of NAS-Bench-201; entry point ``nasbench201_supernet`` of ``anglenas.spaces``."""

NASBENCH201 = Space(
    name="nasbench201",
    parse=values.parse,
    sample=values.sample,
    mutate=values.mutate,
    build=_build,
    drawings=values.drawings,
    canonical=lambda cell: str(form_of(cell)),
    enumerate=all_cells,
    size=len(OPERATIONS) ** len(EDGES),
    at=cell_at,
    group=size_group,
    from_naslib=from_naslib,
    source=write_source,
    supernets=NASBENCH201_SUPERNET,
    fixed_version=1,
)
"""All 15 625 cells in the order of the benchmark's indices; entry point ``nasbench201``."""
