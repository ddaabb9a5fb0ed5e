"""Pruning as a process: from a supernet with every operation to an architecture, round by round.

The search of TE-NAS (Chen, Gong & Wang, ICLR 2021, arXiv 2102.11535; VITA-Group/TENAS). In each
round, every operation of every edge is taken away once, and the supernets that are left are
measured. Then each edge loses the operations whose removal scored best. Where nodes keep a part of
their edges alone, as in DARTS, edges that lead into a node compete in the same way at the end.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from anglenas.ranking import order
from anglenas.spaces import Supernet, Supernets


@dataclass(frozen=True)
class Contest:
    """What competes with each other in a round, before it is measured.

    Attributes:
        title: What it is, in words.
        base: The supernet that something is taken away from.
        removals: What is taken away on trial: the number of an edge, and an operation.
    """

    title: str
    base: Supernet
    removals: tuple[tuple[int, str], ...]

    @property
    def supernets(self) -> list[Supernet]:
        """What is left after each removal."""
        return [self.base.without(*removal) for removal in self.removals]


def contests(space: Supernets[Any], number: int) -> Generator[Contest, Sequence[float], Supernet]:
    """All rounds of a pruning: yields each, is sent a score a removal, returns what is left.

    Args:
        space: What is pruned.
        number: Operations that an edge loses in a round.
    """
    base = space.full()
    while (most := max(map(len, base.operations))) > 1:
        lost = min(number, most - 1)
        removals = [
            (edge, name)
            for edge, held in enumerate(base.operations)
            if len(held) > 1
            for name in held
        ]
        stay = f"{most - lost} {'stays' if most - lost == 1 else 'stay'}"
        contest = Contest(f"{most} operations on an edge, {stay}", base, tuple(removals))
        scores = yield contest
        for edge, name in (removals[index] for index in order(scores)):
            # An edge that had fewer operations than others never loses its last one here.
            least = max(len(contest.base.operations[edge]) - lost, 1)
            if len(base.operations[edge]) > least:
                base = base.without(edge, name)
    if space.edges_kept is None:
        return base
    edges = enumerate(space.topology.edges)
    nodes = groupby(edges, key=lambda pair: (pair[1].cell, pair[1].target))
    for (cell, target), entering in nodes:
        removals = [(edge, base.operations[edge][0]) for edge, _ in entering]
        if len(removals) > space.edges_kept:
            where = f"node {target} of the {cell} cell" if cell else f"node {target}"
            title = f"{len(removals)} edges into {where}, {space.edges_kept} stay"
            scores = yield Contest(title, base, tuple(removals))
            for index in order(scores)[: len(removals) - space.edges_kept]:
                base = base.without(*removals[index])
    return base


def planned(space: Supernets[Any], number: int) -> tuple[list[Contest], Supernet]:
    """All rounds, and what is left, as they would be if the first removals were the best ones.

    Their sizes and titles do not depend on scores.
    """
    found: list[Contest] = []
    rounds = contests(space, number)
    try:
        contest = next(rounds)
        while True:
            found.append(contest)
            contest = rounds.send([0.0] * len(contest.removals))
    except StopIteration as end:
        return found, end.value
