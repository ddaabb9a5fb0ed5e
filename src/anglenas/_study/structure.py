"""What the structure of a cell says before anything is measured."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from anglenas._plugins import load
from anglenas.errors import DataError
from anglenas.spaces import CellGraph, Drawing, live_operations

__all__ = ["equal_size_groups", "has_no_module"]

_NO_MODULE = frozenset({"", "none", "skip_connect"})

_GROUPS = ((1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (4, 0))


def has_no_module(graphs: Iterable[Drawing]) -> bool:
    """Whether cells hold nothing but ``none`` and ``skip_connect``, on live ways or not.

    This is what the released code of Yang et al. (WACV 2023, ``evaluate_anglefc.py``) tests.

    Args:
        graphs: What the space draws of an architecture; cells alone are looked at.

    Returns:
        Whether it is so; false where there is no cell to look at.
    """
    cells = [graph for graph in graphs if isinstance(graph, CellGraph)]
    return bool(cells) and all(name in _NO_MODULE for cell in cells for _, _, name in cell.edges)


def equal_size_groups(architectures: Sequence[str], space: str) -> NDArray[np.int64]:
    """The group of each architecture among the eight of equal #Param that Yang et al. compare.

    A group holds the cells of NAS-Bench-201 with a given number of 3x3 and of 1x1 convolutions,
    (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2) and (4, 0), if at least one way from
    input to output has a convolution or a pooling on it. The rule gives the released lists of
    taoyang1122/Revisit_TrainingFree_NAS (``params_split.txt``).

    Args:
        architectures: ``(N,)`` texts.
        space: Name of the space.

    Returns:
        ``(N,)`` numbers 0 to 7, and -1 for those in no group.

    Raises:
        DataError: The space is another one.
    """
    if space != "nasbench201":
        raise DataError(f"The groups of equal #Param are those of nasbench201; {space} has none.")
    groups = {counts: number for number, counts in enumerate(_GROUPS)}
    searched = load("space", space)
    found = np.full(len(architectures), -1)
    for row, text in enumerate(architectures):
        counts = (text.count("nor_conv_3x3"), text.count("nor_conv_1x1"))
        if counts in groups:
            [cell] = searched.graphs(searched.parse(text))
            if live_operations(cell) - {"skip_connect"}:
                found[row] = groups[counts]
    return found
