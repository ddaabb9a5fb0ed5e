"""What the structure of a cell says before anything is measured."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from anglenas.errors import DataError
from anglenas.plugins import load
from anglenas.spaces import CellGraph, Drawing

__all__ = ["equal_size_groups", "is_untrained", "live_operations"]

_FIXED = frozenset({"", "none", "skip_connect", "avg_pool_3x3"})

_GROUPS = ((1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (4, 0))


def live_operations(graph: CellGraph) -> frozenset[str]:
    """The operations on the ways from an input of a cell to its output.

    An operation ``none`` lets nothing through, so that a way ends there.

    >>> cell = CellGraph("", ("in", "1", "out"),
    ...                  ((0, 1, "none"), (0, 2, "skip_connect"), (1, 2, "nor_conv_3x3")), (0,), 2)
    >>> sorted(live_operations(cell))
    ['skip_connect']
    """
    open_ = [edge for edge in sorted(graph.edges, key=lambda edge: edge[:2]) if edge[2] != "none"]
    reached, leading = set(graph.inputs), {graph.output}
    for start, end, _ in open_:
        reached |= {end} if start in reached else set()
    for start, end, _ in reversed(open_):
        leading |= {start} if end in leading else set()
    return frozenset(name for start, end, name in open_ if start in reached and end in leading)


def is_untrained(graphs: Iterable[Drawing]) -> bool:
    """Whether nothing but ``none``, ``skip_connect`` and ``avg_pool`` is on the ways through cells.

    These are the trivial structures of Yang et al. (WACV 2023, supplement, section 3): no layer of
    a cell learns anything, and the classifier hardly turns.

    Args:
        graphs: What the space draws of an architecture; cells alone are looked at.

    Returns:
        Whether it is such a structure; false where there is no cell to look at.
    """
    cells = [graph for graph in graphs if isinstance(graph, CellGraph)]
    return bool(cells) and all(live_operations(cell) <= _FIXED for cell in cells)


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
