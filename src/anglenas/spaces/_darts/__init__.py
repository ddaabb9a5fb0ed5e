"""The cell space of DARTS (Liu, Simonyan & Yang, ICLR 2019, arXiv 1806.09055).

``values``: genotypes, their texts and drawings. ``network`` and ``supernet_network``: the networks
of genotypes and of supernets, with torch. ``source``: the former as source. The spaces themselves
stand here, one for each kind of network that the same cells are put into.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from anglenas._recipe import preset
from anglenas.errors import SettingError
from anglenas.spaces._base import Space, Supernets
from anglenas.spaces._config import NetworkConfig
from anglenas.spaces._darts import values
from anglenas.spaces._darts.source import write_source
from anglenas.spaces._darts.values import INPUTS, NODES, OPERATIONS, Choice, Genotype
from anglenas.spaces._supernet import Edge, Supernet, Topology

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "DARTS",
    "DARTS_IMAGENET",
    "DARTS_SUPERNET",
    "DARTS_SUPERNET_DEEP",
    "DARTS_SUPERNET_IMAGENET",
    "DARTS_TENAS",
    "DARTS_TENAS_IMAGENET",
    "Genotype",
    "build_darts_supernet",
]

_TOPOLOGY = Topology(
    operations=tuple(OPERATIONS.values()),
    edges=tuple(
        Edge(cell, source, target)
        for cell in ("normal", "reduce")
        for target in range(INPUTS, INPUTS + NODES)
        for source in range(target)
    ),
    gathers=True,
)


def _build(text: str, config: NetworkConfig, *, large: bool, normalised: bool) -> nn.Module:
    from anglenas.spaces._darts.network import build

    return build(values.parse(text), config, large=large, normalised=normalised)


def build_darts_supernet(
    text: str, config: NetworkConfig, *, halves: Sequence[bool], stem: int
) -> nn.Module:
    """The network of a supernet of DARTS with any sequence of cells.

    Args:
        text: Text of the supernet.
        config: Classes, channels of the images, and width ``C`` of the first cell.
        halves: For each cell whether it is a reduction cell, which doubles the width.
        stem: Width of the stem in units of ``C``; 0 for no stem: images enter the first cell.

    Raises:
        ArchitectureError: The text is no supernet.
    """
    from anglenas.spaces._darts.supernet_network import DartsSupernet

    return DartsSupernet(_TOPOLOGY.parse(text), config, halves, stem)


def _build_supernet(text: str, config: NetworkConfig) -> nn.Module:
    """TE-NAS's network, which has ``channels=1, cells=1`` there: one reduction cell at the end."""
    halves = [False] * config.cells + [True]
    return build_darts_supernet(text, config, halves=halves, stem=1)


def _build_deep(text: str, config: NetworkConfig) -> nn.Module:
    """The network that DARTS itself searches with, at ``channels=16, cells=2``: three stages."""
    stage = [False] * config.cells
    halves = [*stage, True, *stage, True, *stage]
    return build_darts_supernet(text, config, halves=halves, stem=3)


def _read(supernet: Supernet) -> Genotype:
    cells: dict[str, list[Choice]] = {"normal": [], "reduce": []}
    held = zip(supernet.topology.edges, supernet.operations, strict=True)
    for (cell, _), node in groupby(held, key=lambda pair: (pair[0].cell, pair[0].target)):
        left = [(operations, edge.source) for edge, operations in node if operations]
        if [len(operations) for operations, _ in left] != [1, 1]:
            raise SettingError(
                "A genotype can be read off when each node has two edges with one operation left."
            )
        cells[cell] += [(operations[0], source) for operations, source in left]
    return Genotype(tuple(cells["normal"]), tuple(cells["reduce"]))


DARTS_SUPERNET = Supernets(
    name="darts_supernet",
    parse=_TOPOLOGY.parse,
    sample=_TOPOLOGY.sample,
    mutate=_TOPOLOGY.mutate,
    build=_build_supernet,
    drawings=_TOPOLOGY.drawings,
    fixed_version=2,
    topology=_TOPOLOGY,
    read=_read,
    number=3,
    edges_kept=2,
    recipe=preset("paper-darts"),
    tenas_recipe=preset("tenas-darts"),
)
"""Supernets of DARTS in TE-NAS's small network: normal cells and one reduction cell; entry point
``darts_supernet``."""

DARTS_SUPERNET_IMAGENET = replace(
    DARTS_SUPERNET,
    name="darts_supernet_imagenet",
    number=2,
    tenas_recipe=preset("tenas-darts-imagenet"),
)
"""The same with TE-NAS's settings for ImageNet; entry point ``darts_supernet_imagenet``."""

DARTS_SUPERNET_DEEP = replace(DARTS_SUPERNET, name="darts_supernet_deep", build=_build_deep)
"""Supernets of DARTS in a network with all three stages; entry point ``darts_supernet_deep``."""

DARTS = Space(
    name="darts",
    parse=values.parse,
    sample=values.sample,
    mutate=values.mutate,
    build=partial(_build, large=False, normalised=False),
    drawings=values.drawings,
    canonical=values.canonical,
    source=partial(write_source, large=False, normalised=False),
    channels=36,
    cells=6,  # a stage, and a reduction cell between two stages: 20 in all
    supernets=DARTS_SUPERNET,
    fixed_version=1,
)
"""Small images, as in CIFAR-10; entry point ``darts`` of ``anglenas.spaces``."""

DARTS_IMAGENET = replace(
    DARTS,
    name="darts_imagenet",
    build=partial(_build, large=True, normalised=False),
    source=partial(write_source, large=True, normalised=False),
    channels=48,
    cells=4,
    supernets=DARTS_SUPERNET_IMAGENET,
)
"""Images of ImageNet's size, reduced by 8 before the first cell; entry point ``darts_imagenet``."""

DARTS_TENAS = replace(
    DARTS,
    name="darts_tenas",
    build=partial(_build, large=False, normalised=True),
    source=partial(write_source, large=False, normalised=True),
)
"""As :data:`DARTS`, with BatchNorm after each pooling; entry point ``darts_tenas``."""

DARTS_TENAS_IMAGENET = replace(
    DARTS_IMAGENET,
    name="darts_tenas_imagenet",
    build=partial(_build, large=True, normalised=True),
    source=partial(write_source, large=True, normalised=True),
)
"""As :data:`DARTS_IMAGENET`, with BatchNorm after each pooling; ``darts_tenas_imagenet``."""
