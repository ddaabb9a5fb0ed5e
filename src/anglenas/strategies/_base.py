"""What a search strategy is: a function of the history that proposes candidates."""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from anglenas.spaces import Space


@dataclass(frozen=True)
class Trial:
    """One candidate of a search so far.

    Attributes:
        number: Position among all proposals, from 0.
        architecture: What was proposed.
        score: Its combined score among all trials of the history; higher is better, minus infinity
            where a metric is undefined.
    """

    number: int
    architecture: Any  # of the space's own type, which a name of a space does not tell
    score: float


@dataclass(frozen=True)
class Request:
    """What a strategy is given; equal requests must get equal proposals.

    Attributes:
        space: What is searched.
        history: All trials so far, in the order of their numbers.
        count: How many proposals are wanted.
        stream: The generator of a proposal, by its number: the same one whenever it is asked for.
        admits: Whether an architecture may be proposed: it satisfies the constraints, and computes
            nothing that a trial of the history computes.
    """

    space: Space[Any]
    history: Sequence[Trial]
    count: int
    stream: Callable[[int], np.random.Generator]
    admits: Callable[[object], bool]


class Strategy(Protocol):
    """A way to search."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def concurrency(self) -> int | None:
        """How many proposals are open at once; ``None`` if they do not depend on scores.

        A property of the strategy and not of the workers, whose number changes no proposal.
        """

    def propose(self, request: Request) -> Iterable[object]:
        """Up to ``request.count`` architectures or their texts; none if nothing is left to propose.

        They are taken one after the other, and not all of them if the time of a search ends: a
        generator makes none in vain.
        """


def distinct(space: Space[Any], architectures: Iterable[object]) -> Iterator[object]:
    """Those of which no earlier one computes the same function."""
    seen: set[str] = set()
    for architecture in architectures:
        if (form := space.canonical(architecture)) not in seen:
            seen.add(form)
            yield architecture


def first_new(
    request: Request, taken: Container[str], draw: Callable[[], object], tries: int
) -> object | None:
    """The first draw that may be proposed and computes nothing that is taken; ``None`` if none.

    Args:
        request: Says what may be proposed.
        taken: Canonical forms of what is proposed already by this request.
        draw: Draws an architecture.
        tries: Most draws.
    """
    for architecture in (draw() for _ in range(tries)):
        if request.space.canonical(architecture) not in taken and request.admits(architecture):
            return architecture
    return None
