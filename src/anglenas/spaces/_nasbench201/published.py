"""What the benchmark, and others, published of this space's cells: indices, notations, groups."""

import random
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product

from anglenas.errors import SettingError
from anglenas.spaces._graph import live_operations
from anglenas.spaces._nasbench201.values import (
    EDGES,
    OPERATIONS,
    NasBench201Architecture,
    drawings,
)

_SHUFFLE_SEED = 88  # D-X-Y/AutoDL-Projects: the benchmark's indices are a shuffle with this seed

GROUPS = ((1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (4, 0))
"""How many 3x3 and 1x1 convolutions a cell of each group has, in the order of the released lists
(``params_split.txt`` of taoyang1122/Revisit_TrainingFree_NAS)."""

_NASLIB_OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
_NASLIB_EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))


@cache
def _by_index() -> tuple[tuple[str, ...], ...]:
    cells = list(product(OPERATIONS, repeat=len(EDGES)))
    random.Random(_SHUFFLE_SEED).shuffle(cells)
    return tuple(cells)


@cache
def _indices() -> Mapping[tuple[str, ...], int]:
    return {operations: index for index, operations in enumerate(_by_index())}


def all_cells() -> Iterator[NasBench201Architecture]:
    """All 15 625 cells, in the order of their indices."""
    return map(NasBench201Architecture, _by_index())


def cell_at(index: int) -> NasBench201Architecture:
    """The cell with an index of NAS-Bench-201 and of NATS-Bench's topology space.

    Raises:
        SettingError: The index is not in 0 to 15 624.

    >>> set(cell_at(1462).operations)
    {'nor_conv_3x3'}
    """
    if not 0 <= index < len(_by_index()):
        raise SettingError(f"NAS-Bench-201 has the indices 0 to 15624, not {index}.")
    return NasBench201Architecture(_by_index()[index])


def index_of(cell: NasBench201Architecture) -> int:
    """The index of a cell, 0 to 15 624.

    >>> index_of(cell_at(1462))
    1462
    """
    return _indices()[cell.operations]


def size_group(cell: NasBench201Architecture) -> int:
    """The group of a cell among the eight of equal #Param that Yang et al. (WACV 2023) compare.

    A group holds the cells with a given number of 3x3 and of 1x1 convolutions, see :data:`GROUPS`,
    if at least one way from input to output has a convolution or a pooling on it.

    Returns:
        0 to 7, or -1 for a cell that is in no group.
    """
    counts = tuple(cell.operations.count(f"nor_conv_{k}x{k}") for k in (3, 1))
    if counts not in GROUPS:
        return -1
    (graph,) = drawings(cell)
    computes = any(operation.kind != "skip" for operation in live_operations(graph))
    return GROUPS.index(counts) if computes else -1


def from_naslib(key: str) -> NasBench201Architecture:
    """The cell of a key of NASLib's tables: an operation's number for each of its edges.

    >>> str(from_naslib("(4, 0, 3, 1, 4, 3)"))
    '|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|'
    """
    numbers = [int(part) for part in key.strip("()").split(",")]
    pairs = zip(_NASLIB_EDGES, numbers, strict=True)
    held = {edge: _NASLIB_OPERATIONS[number] for edge, number in pairs}
    return NasBench201Architecture(tuple(held[edge] for edge in EDGES))
