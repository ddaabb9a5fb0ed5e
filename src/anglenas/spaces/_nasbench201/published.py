"""What others published of this space's cells: NASLib's notation, and groups of equal #Param."""

from anglenas.spaces._graph import live_operations
from anglenas.spaces._nasbench201.values import EDGES, NASBENCH201, NasBench201Architecture

__all__ = ["GROUPS", "from_naslib", "has_no_module", "size_group"]

GROUPS = ((1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (4, 0))
"""How many 3x3 and 1x1 convolutions a cell of each group has, in the order of the released lists
(``params_split.txt`` of taoyang1122/Revisit_TrainingFree_NAS)."""

_NASLIB_OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
_NASLIB_EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))


def size_group(architecture: NasBench201Architecture) -> int:
    """The group of a cell among the eight of equal #Param that Yang et al. (WACV 2023) compare.

    A group holds the cells with a given number of 3x3 and of 1x1 convolutions, see :data:`GROUPS`,
    if at least one way from input to output has a convolution or a pooling on it.

    Returns:
        0 to 7, or -1 for a cell that is in no group.
    """
    counts = tuple(architecture.operations.count(f"nor_conv_{k}x{k}") for k in (3, 1))
    if counts not in GROUPS:
        return -1
    [cell] = NASBENCH201.graphs(architecture)
    return GROUPS.index(counts) if live_operations(cell) - {"skip_connect"} else -1


def has_no_module(architecture: NasBench201Architecture) -> bool:
    """Whether a cell holds nothing but ``none`` and ``skip_connect``, on live ways or not.

    This is what the released code of Yang et al. (``evaluate_anglefc.py``) tests before it trains.
    """
    return set(architecture.operations) <= {"none", "skip_connect"}


def from_naslib(key: str) -> NasBench201Architecture:
    """The cell of a key of NASLib's tables: an operation's number for each of its edges.

    >>> str(from_naslib("(4, 0, 3, 1, 4, 3)"))
    '|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|'
    """
    numbers = [int(part) for part in key.strip("()").split(",")]
    on = {edge: _NASLIB_OPERATIONS[number]
          for edge, number in zip(_NASLIB_EDGES, numbers, strict=True)}  # fmt: skip
    return NasBench201Architecture(tuple(on[edge] for edge in EDGES))
