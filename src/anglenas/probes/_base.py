"""What a probe is: one computation on a network, from which several metrics are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from torch import nn

from anglenas._recipe import Recipe
from anglenas.data import FewShot

__all__ = ["Metric", "Probe", "Record", "Undefined"]

Record = Mapping[str, Any]
"""What a probe measured, in values that JSON can hold; the store keeps it whole."""


class Undefined(Exception):  # noqa: N818 - it is an outcome, not an error
    """Raised while a record is made or read: the metric has no value here, and this is why."""


@dataclass(frozen=True)
class Metric:
    """One number that can be read from a probe's record.

    Attributes:
        name: What the user asks for.
        probe: Name of the probe whose record it is read from.
        higher_is_better: Direction.
        read: From the record to the value; raises :class:`Undefined` where there is none.
        source: The paper and formula it comes from.
        unit: Unit of the value; empty for a pure number.
        needs: What it takes: ``"batch"`` (several images, which it compares), ``"labels"``,
            ``"gradients"``, ``"relu"``, ``"batchnorm"``.
        at: For metrics that can be read at earlier iterations of the same run: from the iteration
            to such a ``read``.
        formula: What it is, in words.
    """

    name: str
    probe: str
    higher_is_better: bool
    read: Callable[[Record], float]
    source: str
    unit: str = ""
    needs: frozenset[str] = field(default_factory=frozenset)
    at: Callable[[int], Callable[[Record], float]] | None = None
    formula: str = ""


class Probe(Protocol):
    """One computation on a network.

    Attributes:
        name: Part of every score's address.
        version: Raised whenever the same input gives another record.
        subject: ``"function"`` if it measures the canonical network at the recipe's size,
            ``"network"`` if it measures the network as written at full size (dead edges count).
        uses_images: Whether the record depends on the images, the recipe and the seed.
        metrics: What can be read from the record, by name.
        machine_bound: Whether the record depends on the machine and the moment, as times do. It is
            then measured by the process that asks, not by workers, and kept for its machine. May be
            missing, which is no.
    """

    name: str
    version: int
    subject: Literal["function", "network"]
    uses_images: bool
    metrics: Mapping[str, Metric]

    def measure(self, network: nn.Module, batch: FewShot, recipe: Recipe, seed: int) -> Record:
        """The record of one network, which stays as it was, like all global random state.

        Args:
            network: Any module that maps ``(N, C, H, W)`` images to ``(N, K)`` logits.
            batch: The images.
            recipe: How to measure.
            seed: Where all randomness comes from.

        Raises:
            Undefined: The record has no meaning for this network.
            NetworkError: The network cannot be measured.
        """
