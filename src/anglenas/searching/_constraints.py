"""Limits on the cost of the network that is looked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from anglenas.errors import ArchitectureError, SettingError
from anglenas.networks import NetworkConfig, build_network
from anglenas.plugins import load
from anglenas.probes.counting import count_operations, count_parameters

__all__ = ["Constraints"]


@dataclass(frozen=True)
class Constraints:
    """Which architectures are small enough.

    Args:
        space: Name of the space.
        config: Size of the network.
        max_params: Most parameters; ``None`` for no limit.
        max_flops: Most operations of one image's forward pass; ``None`` for no limit.

    Raises:
        SettingError: A limit is below 1.
    """

    space: str
    config: NetworkConfig
    max_params: int | None = None
    max_flops: int | None = None
    _known: dict[str, dict[str, int]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("max_params", "max_flops"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise SettingError(f"{name} of {limit} leaves no network; give 1 at least.")

    @property
    def none(self) -> bool:
        """Whether there is no limit."""
        return self.max_params is None and self.max_flops is None

    def admit(self, architecture: Any) -> bool:
        """Whether the architecture's network satisfies every limit."""
        if self.none:
            return True
        text = str(architecture)
        if text not in self._known:
            self._known[text] = self._costs(text)
        return self._fits(self._known[text])

    def refusal(self) -> str | None:
        """How far the limits are from what there is, if something was tried and nothing fits."""
        if not self._known or any(map(self._fits, self._known.values())):
            return None
        # Operations are counted only where the parameters fit: if at all, they are what is missed.
        name = min(self._limits.keys() & set().union(*self._known.values()))
        smallest = min(costs[name] for costs in self._known.values() if name in costs)
        return (
            f"None of the {len(self._known)} architectures that were tried satisfies the "
            f"constraints: {self._limits[name]:,} {name} are allowed, and the smallest has "
            f"{smallest:,}. Allow more, or try more with the strategy 'random,hope=5000'."
        )

    def _fits(self, costs: Mapping[str, int]) -> bool:
        return all(costs[name] <= limit for name, limit in self._limits.items() if name in costs)

    @property
    def _limits(self) -> dict[str, int]:
        given = {"parameters": self.max_params, "operations": self.max_flops}
        return {name: limit for name, limit in given.items() if limit is not None}

    def _costs(self, text: str) -> dict[str, int]:
        """What can be counted of an architecture; nothing if its network fails.

        Such a candidate is measured all the same: it fails there too, its status says why, and the
        run goes on.
        """
        try:
            return self._counted(text)
        except (ArchitectureError, SettingError):
            raise
        except Exception:  # the builder may be the user's: it can raise anything
            return {}

    def _counted(self, text: str) -> dict[str, int]:
        """What is limited; operations, which take long to count, only if the parameters fit."""
        with torch.random.fork_rng(devices=[]):  # initial weights are drawn, and do not matter
            network = build_network(load("space", self.space), text, self.config)
        costs = {"parameters": count_parameters(network)}
        fits = self.max_params is None or costs["parameters"] <= self.max_params
        if self.max_flops is not None and fits:
            shape = (self.config.in_channels, self.config.side, self.config.side)
            costs["operations"] = count_operations(network, shape)
        return costs
