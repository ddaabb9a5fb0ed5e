"""What a probe is: one computation on a network, from which several metrics are read."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from anglenas._recipe import Recipe
from anglenas.data import FewShot
from anglenas.errors import SettingError, UnknownNameError

Record = Mapping[str, Any]
"""What a probe measured, in values that JSON can hold; the store keeps it whole."""

Measure = Callable[[nn.Module, FewShot, Recipe, int], Record]
"""From network, images, recipe and seed to a record; see :attr:`Probe.measure`."""

# Rank expressions name metrics: a sign in the name would be read as one of theirs.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Undefined(Exception):  # noqa: N818 - it is an outcome, not an error
    """Raised while a record is made or read: the metric has no value here, and this is why."""


@dataclass(frozen=True)
class Metric:
    """One number that can be read from a probe's record.

    Attributes:
        name: What the user asks for.
        higher_is_better: Direction.
        read: From the record to the value; raises :class:`Undefined` where there is none.
        source: The paper and formula it comes from.
        unit: Unit of the value; empty for a pure number.
        needs: What it takes: ``"batch"`` (several images, which it compares), ``"labels"``,
            ``"gradients"``, ``"relu"``, ``"batchnorm"``.
        formula: What it is, in words.
        at: For metrics that can be read at earlier iterations of the same run: from the iteration
            to such a ``read``.
        probe: Name that the probe is found under; :func:`anglenas.probes.find_metric` fills it in.
    """

    name: str
    higher_is_better: bool
    read: Callable[[Record], float]
    source: str
    unit: str = ""
    needs: frozenset[str] = frozenset()
    formula: str = ""
    at: Callable[[int], Callable[[Record], float]] | None = None
    probe: str = ""


@dataclass(frozen=True)
class Probe:
    """One computation on a network, and what can be read from it.

    Attributes:
        name: What messages call it; the name of its entry point.
        metrics: What can be read from the record.
        measure: The computation. It takes any module from ``(N, C, H, W)`` images to ``(N, K)``
            logits, which stays as it is, like all global random state; the images; how to measure;
            and a seed, where all randomness comes from. It raises :class:`Undefined` if the record
            has no meaning for this network, and :class:`anglenas.errors.NetworkError` if the
            network cannot be measured. :func:`anglenas.probes.on_copy` makes one.
        subject: ``"function"`` if it measures the canonical network at the recipe's size,
            ``"network"`` if it measures the network as written at full size (dead edges count).
        uses_images: Whether the record depends on the images, the recipe and the seed.
        machine_bound: Whether the record depends on the machine and the moment, as times do. It is
            then measured by the process that asks, not by workers, and kept for its machine.
        variant: Whether it computes another probe's metric in another way, to compare the two.
            ``--metrics all`` leaves it out.
        version: Raised whenever the same input gives another record: part of a score's address.

    Raises:
        SettingError: A metric's name is no word that a rank expression could hold, or occurs twice.

    >>> width = Metric("width", True, lambda record: record["width"], source="our own")
    >>> probe = Probe("width", (width,), lambda network, *_: {"width": network.out_features},
    ...               uses_images=False)
    >>> probe.metric("width").read(probe.measure(nn.Linear(3, 7), None, None, 1))
    7
    """

    name: str
    metrics: tuple[Metric, ...]
    measure: Measure
    subject: Literal["function", "network"] = "function"
    uses_images: bool = True
    machine_bound: bool = False
    variant: bool = False
    version: int = 1

    def __post_init__(self) -> None:
        names = [metric.name for metric in self.metrics]
        for name in names:
            if not _NAME.fullmatch(name):
                raise SettingError(
                    f"A metric cannot be called {name!r}: rank expressions would not read it; use "
                    "letters, digits and underscores."
                )
            if names.count(name) > 1:
                raise SettingError(f"The probe {self.name!r} has two metrics {name!r}; rename one.")

    def metric(self, name: str) -> Metric:
        """The metric of that name.

        Raises:
            UnknownNameError: There is none.
        """
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise UnknownNameError("metric", name, [metric.name for metric in self.metrics])
