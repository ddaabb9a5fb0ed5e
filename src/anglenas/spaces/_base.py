"""What a search space is: values only, no network and no torch."""

from collections.abc import Hashable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np

from anglenas.spaces._graph import Drawing

__all__ = ["Architecture", "SearchSpace"]


@runtime_checkable
class Architecture(Hashable, Protocol):
    """A frozen, hashable value; ``space.parse(str(architecture))`` gives it back."""

    def __str__(self) -> str: ...


class SearchSpace(Protocol):
    """The architectures that can be searched.

    Some attributes may be missing:

    Attributes:
        version: Raised whenever the same text stands for another network, so that old scores are
            not taken for new ones; 1 if missing.
        channels: Width of the space's published networks.
        cells: Their cells per stage.
        supernet: Name of the space of its supernets, which pruning begins with.
        writer: ``"module:function"`` of the function that writes a network as code of its own.
    """

    @property
    def name(self) -> str:
        """Short name."""

    @property
    def size(self) -> int | None:
        """How many architectures there are; ``None`` if they cannot be counted."""

    @property
    def builder(self) -> str:
        """``"module:function"`` of the function that makes networks.

        It turns ``(subject, NetworkConfig)`` into a ``torch.nn.Module``, where the subject is what
        :meth:`subject` returns. A text, so that values stay free of torch.
        """

    def parse(self, text: str) -> Any:
        """The architecture that a text names; ``ArchitectureError`` points at the first error."""

    def sample(self, rng: np.random.Generator) -> Any:
        """One architecture, uniformly; all randomness comes from the generator."""

    def enumerate(self) -> Iterator[Any]:
        """Every architecture once, in a fixed order; ``UsageError`` if they cannot be counted."""

    def mutate(self, architecture: Any, rng: np.random.Generator) -> Any:
        """A neighbour: the same architecture with one choice changed to another value."""

    def canonical(self, architecture: Any) -> str:
        """The text of the canonical form.

        It is equal for two architectures exactly when their networks compute the same function,
        and go on doing so while they are trained.
        """

    def subject(self, text: str) -> Any:
        """What ``builder`` takes: the parsed form of a canonical text or of an architecture's."""

    def graphs(self, architecture: Any) -> tuple[Drawing, ...]:
        """The cells, or the choices, for drawing."""

    def is_trivial(self, architecture: Any) -> bool:
        """Whether nothing in its cells can learn, so that what it measures says nothing."""
