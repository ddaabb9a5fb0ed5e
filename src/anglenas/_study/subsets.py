"""Parts of a table that metrics are judged on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anglenas._plugins import load
from anglenas._study.benchmark import Benchmark
from anglenas.errors import DataError, SettingError

_NAME = re.compile(r"all|top-(?P<count>\d+)|top-(?P<percent>\d+(?:\.\d+)?)%|groups|group-([0-7])")


@dataclass(frozen=True, eq=False)
class Subset:
    """Networks of a table.

    Attributes:
        name: Such as ``"top-1000"``.
        parts: ``(N,)`` booleans each; two networks are compared if one part holds both.
    """

    name: str
    parts: tuple[NDArray[np.bool_], ...]

    @property
    def members(self) -> NDArray[np.bool_]:
        """``(N,)`` who is in any part."""
        return np.asarray(np.any(self.parts, axis=0))


def read_subset(name: str, benchmark: Benchmark) -> Subset:
    """The networks that a name stands for.

    * ``all``: every network of the table.
    * ``top-1000``, ``top-5%``: the most accurate ones; of equal ones, those first in the table.
    * ``group-0`` to ``group-7``: networks with equally many parameters, see
      :attr:`anglenas.spaces.Space.group`; ``groups``: pairs inside any of them.

    Args:
        name: One of these.
        benchmark: The accuracies.

    Raises:
        SettingError: It is none of these.
        DataError: The table has fewer networks, or is of a space without such groups.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise SettingError(
            f"{name!r} names no subset; write all, top-1000, top-5%, group-0 to group-7, or groups."
        )
    if name == "all":
        return Subset(name, (np.ones(len(benchmark), dtype=bool),))
    if name.startswith("top"):
        share = float(match["percent"] or 0) / 100
        return Subset(name, (benchmark.best(int(match["count"] or round(share * len(benchmark)))),))
    space = load("space", benchmark.space)
    if space.group is None:
        raise DataError(f"The space {benchmark.space} has no groups of equal #Param.")
    groups = np.array([space.group(space.parse(text)) for text in benchmark.architectures])
    # Of a table that has no grouped network one empty group is left, so that there is a subset.
    wanted = range(max(groups.max() + 1, 1)) if name == "groups" else [int(name[-1])]
    return Subset(name, tuple(groups == number for number in wanted))


def names_part(name: str) -> bool:
    """Whether a name is that of a subset other than ``all``.

    >>> names_part("top-2.5%"), names_part("group-3"), names_part("all"), names_part("seed1")
    (True, True, False, False)
    """
    return name != "all" and _NAME.fullmatch(name) is not None


def strata_of(
    benchmark: Benchmark, names: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The parts of a table that samples were drawn from with different probabilities.

    Args:
        benchmark: The accuracies.
        names: Subsets that more, or fewer, were drawn from than from the rest.

    Returns:
        ``(N,)`` numbers of strata, 0 to H - 1, and ``(H,)`` their sizes.
    """
    inside = np.stack(
        [
            np.zeros(len(benchmark), dtype=bool),
            *(read_subset(name, benchmark).members for name in names),
        ]
    )
    _, strata, sizes = np.unique(inside, axis=1, return_inverse=True, return_counts=True)
    return strata.ravel().astype(np.int64), sizes.astype(np.int64)
