"""Pruning: from a supernet with every operation to an architecture, a few operations at a time.

The search of TE-NAS (Chen, Gong & Wang, ICLR 2021, arXiv 2102.11535; VITA-Group/TENAS). In each
round, every operation of every edge is taken away once, and the supernets that are left are
measured. Then each edge loses the operations whose removal scored best. Where nodes keep a part of
their edges alone, as in DARTS, edges that lead into a node compete in the same way at the end.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar, Literal

from anglenas.errors import SettingError, UsageError
from anglenas.ranking import order
from anglenas.spaces._supernets import Supernet, SupernetSpace
from anglenas.strategies._base import Request, Trial

__all__ = ["PRUNE", "PruneSearch", "Reading", "Removal", "Round"]

Reading = Literal["auto", "pruned", "change"]
"""How the metrics of a supernet that lacks an operation are read.

``"pruned"``: as they are. ``"change"``: by how much they differ from those of the supernet that
has it, in relation to it, as in TE-NAS. ``"auto"``: ``"pruned"`` if a metric of a short training
is among them, else ``"change"``."""


@dataclass(frozen=True)
class Removal:
    """An operation that is taken away on trial.

    Attributes:
        edge: Number of its edge.
        operation: Its name.
        supernet: What is left.
    """

    edge: int
    operation: str
    supernet: Supernet


@dataclass(frozen=True)
class Round:
    """Removals that compete with each other.

    Attributes:
        title: What it is, in words.
        base: The supernet that something is taken away from.
        removals: The candidates.
    """

    title: str
    base: Supernet
    removals: tuple[Removal, ...]


@dataclass(frozen=True)
class PruneSearch:
    """Pruning by any rank expression.

    What is searched are supernets; a removal with a higher score is pruned earlier. How TE-NAS
    scores a removal is published. For metrics of a short training (Yang et al., WACV 2023) it is
    not: here, the supernet that is left is trained for a moment and is ranked like any other
    network, so that an operation goes if the network does well without it.

    Args:
        number: Operations that an edge loses in a round; 0 for what TE-NAS has in the space: 1 in
            NAS-Bench-201, 3 in DARTS (there, 2 for ImageNet).
        reading: See :data:`Reading`.
        supernet: Name of another space of supernets than the space's own.

    Raises:
        SettingError: The number is negative, or there is no such reading.
    """

    number: int = 0
    reading: Reading = "auto"
    supernet: str = ""
    name: str = "prune"
    concurrency: ClassVar[int | None] = 10_000  # a round, however large, so that it is no setting

    def __post_init__(self) -> None:
        if self.number < 0:
            raise SettingError(f"Pruning {self.number} operations a round ends nowhere; give 1.")
        if self.reading not in ("auto", "pruned", "change"):
            raise SettingError(f"reading is auto, pruned or change, not {self.reading!r}.")

    def propose(self, request: Request) -> Sequence[Supernet]:
        """The supernets of the next round that the history lacks; none when all is pruned.

        Raises:
            UsageError: What is searched are no supernets.
        """
        current, scores = self._replay(_supernets(request.space), request.history)
        if isinstance(current, Supernet):
            return ()
        left = current.removals[len(scores) :]
        return tuple(removal.supernet for removal in left[: request.count])

    def next_round(self, space: SupernetSpace, history: Sequence[Trial]) -> Round | Supernet:
        """The round that comes after those of the history, or what is left after all of them."""
        return self._replay(space, history)[0]

    def planned(self, space: SupernetSpace) -> list[Round]:
        """All rounds, as they would be if the first removals were the best ones.

        Their sizes and titles do not depend on scores.
        """
        return self._played(space)[0]

    def example(self, space: SupernetSpace) -> Supernet:
        """What is left after the rounds that are planned: one of the possible results."""
        return self._played(space)[1]

    def _played(self, space: SupernetSpace) -> tuple[list[Round], Supernet]:
        found: list[Round] = []
        history: list[Trial] = []
        while isinstance(current := self.next_round(space, history), Round):
            found.append(current)
            history += [Trial(0, removal.supernet, 0.0) for removal in current.removals]
        return found, current

    def _replay(
        self, space: SupernetSpace, history: Sequence[Trial]
    ) -> tuple[Round | Supernet, list[float]]:
        """Where the history leads to, and its scores that belong to an unfinished round."""
        scores = [trial.score for trial in history]
        rounds = self._rounds(space)
        try:
            current = next(rounds)
            while len(scores) >= (size := len(current.removals)):
                current, scores = rounds.send(scores[:size]), scores[size:]
        except StopIteration as end:
            return end.value, []
        return current, scores

    def _rounds(self, space: SupernetSpace) -> Generator[Round, Sequence[float], Supernet]:
        """The search itself: yields rounds, is sent their scores, returns what is left."""
        base = space.full()
        while (most := max(map(len, base.operations))) > 1:
            lost = min(self.number or space.number, most - 1)
            current = Round(_operations_title(most, lost), base, tuple(_removals(base)))
            base = _pruned(current, (yield current), lost)
        if space.edges_kept is None:
            return base
        for node in _nodes(space):
            lost = len(node) - space.edges_kept
            if lost > 0:
                title = _edges_title(space, node)
                current = Round(title, base, tuple(_edge_removals(base, node)))
                base = _best_removed(current, (yield current), lost)
        return base


PRUNE = PruneSearch()
"""The strategy, as ``anglenas.strategies`` entry point ``prune``."""


def _supernets(space: Any) -> SupernetSpace:
    if not isinstance(space, SupernetSpace):
        raise UsageError(
            f"Pruning needs supernets, which the space {space.name!r} does not have; use the "
            "strategy random or evolution."
        )
    return space


def _removals(base: Supernet) -> Iterator[Removal]:
    for edge, held in enumerate(base.operations):
        if len(held) > 1:
            yield from (Removal(edge, name, base.without(edge, name)) for name in held)


def _edge_removals(base: Supernet, edges: Sequence[int]) -> Iterator[Removal]:
    for edge in edges:
        (name,) = base.operations[edge]
        yield Removal(edge, name, base.without(edge, name))


def _pruned(current: Round, scores: Sequence[float], lost: int) -> Supernet:
    """What is left when every edge loses so many operations, those that scored best first."""
    base, taken = current.base, [0] * len(current.base.operations)
    for place in order(scores):
        removal = current.removals[place]
        if taken[removal.edge] < min(lost, len(current.base.operations[removal.edge]) - 1):
            taken[removal.edge] += 1
            base = base.without(removal.edge, removal.operation)
    return base


def _best_removed(current: Round, scores: Sequence[float], lost: int) -> Supernet:
    """What is left when the removals that scored best are made."""
    base = current.base
    for place in order(scores)[:lost]:
        removal = current.removals[place]
        base = base.without(removal.edge, removal.operation)
    return base


def _nodes(space: SupernetSpace) -> list[list[int]]:
    """The numbers of the edges that lead into each node."""
    numbered = enumerate(space.layout.edges)
    nodes = groupby(numbered, key=lambda pair: (pair[1].cell, pair[1].target))
    return [[number for number, _ in node] for _, node in nodes]


def _operations_title(most: int, lost: int) -> str:
    left = most - lost
    return f"{most} operations on an edge, {left} {'stays' if left == 1 else 'stay'}"


def _edges_title(space: SupernetSpace, node: Sequence[int]) -> str:
    edge = space.layout.edges[node[0]]
    where = f"node {edge.target} of the {edge.cell} cell" if edge.cell else f"node {edge.target}"
    return f"{len(node)} edges into {where}, {space.edges_kept} stay"
