"""What a search space is: typed functions and facts, without torch until a network is built."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

from anglenas._recipe import Recipe
from anglenas.spaces._code import version_of
from anglenas.spaces._config import NetworkConfig
from anglenas.spaces._graph import Drawing, learns
from anglenas.spaces._supernet import Supernet, Topology

if TYPE_CHECKING:
    from torch import nn


class Architecture(Hashable, Protocol):
    """A frozen, hashable value; ``space.parse(str(architecture))`` gives it back."""

    def __str__(self) -> str: ...


A = TypeVar("A", bound=Architecture)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Space(Generic[A]):
    """The architectures that can be searched.

    Attributes:
        name: Short name.
        parse: The architecture that a text names; raises ``ArchitectureError``, which points at
            the first wrong place.
        sample: One architecture, uniformly; all randomness comes from the generator.
        mutate: A neighbour: the same architecture with one choice changed to another value; all
            randomness comes from the generator.
        build: The network of an architecture's text or of its canonical form, at a size. Here,
            torch is imported, not before.
        drawings: The cells, or the choices, for drawing. They also tell whether anything learns.
        canonical: The text of the canonical form. It is equal for two architectures exactly when
            their networks compute the same function, and go on doing so while they are trained;
            by default the text as written.
        enumerate: Every architecture once, in a fixed order; ``None`` if they are too many.
        size: How many architectures there are; ``None`` if they are too many to go through.
        at: The architecture with an index in a published table; ``None`` if there is no such table.
        group: The number of the group, of networks with equally many parameters, that a published
            table compares an architecture in, 0 and up; -1 for one in none. ``None`` if there are
            no such groups.
        from_naslib: The architecture of a key in NASLib's tables; raises ``ValueError`` for what
            is no key. ``None`` if these tables lack the space.
        source: The network of an architecture, at a size, as Python source that defines a class
            ``Network`` without arguments; ``torch``, ``nn`` and ``F`` (``torch.nn.functional``) are
            imported before it. Its tensors have the names of those of ``build``. ``None`` if the
            space writes no source.
        channels: Width of the published networks; ``None`` if there are none.
        cells: Their cells per stage.
        supernets: The supernets of the space, which pruning begins with; ``None`` if it has none.
        fixed_version: Raised by hand whenever the same text stands for another network, so that
            old scores are not taken for new ones. By default, it comes from the source; see
            :attr:`version`.
        module: Name of the module that defines the space; by default the one that defines
            ``build``. Workers find the space there.

    >>> from anglenas.spaces import NASBENCH201
    >>> cell = NASBENCH201.sample(np.random.default_rng(0))
    >>> NASBENCH201.parse(str(cell)) == cell
    True
    """

    name: str
    parse: Callable[[str], A]
    sample: Callable[[np.random.Generator], A]
    mutate: Callable[[A, np.random.Generator], A]
    build: Callable[[str, NetworkConfig], nn.Module]
    drawings: Callable[[A], tuple[Drawing, ...]]
    canonical: Callable[[A], str] = str
    enumerate: Callable[[], Iterator[A]] | None = None
    size: int | None = None
    at: Callable[[int], A] | None = None
    group: Callable[[A], int] | None = None
    from_naslib: Callable[[str], A] | None = None
    source: Callable[[A, NetworkConfig], str] | None = None
    channels: int | None = None
    cells: int | None = None
    supernets: Supernets[A] | None = None
    fixed_version: int | None = None
    module: str = ""

    def __repr__(self) -> str:
        return f"<space {self.name}>"

    @property
    def home(self) -> str:
        """Name of the module that workers find the space in."""
        return self.module or self.build.__module__

    @cached_property
    def version(self) -> int:
        """The version that a score's address holds: the fixed one, or one made of the source.

        Raises:
            UsageError: None is fixed, and the source cannot be read.
        """
        return version_of(self.home) if self.fixed_version is None else self.fixed_version

    def is_trivial(self, architecture: A) -> bool:
        """Whether nothing learns on the ways through its cells; see :func:`learns`."""
        return not learns(self.drawings(architecture))

    def config(self, **sizes: int) -> NetworkConfig:
        """The size of the published networks, with some fields of :class:`NetworkConfig` changed.

        >>> from anglenas.spaces import DARTS
        >>> DARTS.config(num_classes=3)
        NetworkConfig(num_classes=3, channels=36, cells=6, in_channels=3, side=32)
        """
        standard = {"channels": self.channels, "cells": self.cells}
        told = {name: value for name, value in standard.items() if value is not None}
        return NetworkConfig(**(told | sizes))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Supernets(Space[Supernet], Generic[A]):
    """The supernets of a space, and how they are pruned; a space themselves.

    Attributes:
        topology: Edges and operations.
        read: From a supernet with one operation on each edge to the architecture that it is. Edges
            that are to be left out hold none.
        recipe: The recipe to prune with by a metric of a short training.
        tenas_recipe: The recipe with TE-NAS's settings.
        number: How many operations of an edge TE-NAS prunes in a round.
        edges_kept: How many edges of a node stay in the end; ``None`` if all do.
    """

    topology: Topology
    read: Callable[[Supernet], A]
    recipe: Recipe
    tenas_recipe: Recipe
    number: int = 1
    edges_kept: int | None = None

    def full(self) -> Supernet:
        """The supernet with every operation on every edge."""
        return self.topology.full()
