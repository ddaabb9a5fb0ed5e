"""Limits on the cost of the network that is looked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from anglenas._plugins import load
from anglenas.errors import ArchitectureError, SettingError
from anglenas.probes._flops import count_operations
from anglenas.probes._parameters import count_parameters
from anglenas.spaces import NetworkConfig

__all__ = ["Constraints"]


@dataclass(frozen=True)
class Constraints:
    """Which architectures are small enough.

    Args:
        space: Name of the space.
        config: Size of the network.
        max_params: Most parameters; ``None`` for no limit.
        max_flops: Most operations of one image's forward pass; ``None`` for no limit.
        max_latency_ms: Most milliseconds of one image's forward pass; ``None`` for no limit.
        latency: From an architecture to its milliseconds; ``None`` for a network that fails.

    Raises:
        SettingError: A limit is below 1, or not above 0 milliseconds.
    """

    space: str
    config: NetworkConfig
    max_params: int | None = None
    max_flops: int | None = None
    max_latency_ms: float | None = None
    latency: Callable[[Any], float | None] = lambda architecture: None
    _known: dict[str, dict[str, float]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("max_params", "max_flops"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise SettingError(f"{name} of {limit} leaves no network; give 1 at least.")
        if self.max_latency_ms is not None and not self.max_latency_ms > 0:
            raise SettingError(
                f"max_latency_ms of {self.max_latency_ms:g} leaves no network; give more than 0."
            )

    @property
    def none(self) -> bool:
        """Whether there is no limit."""
        return not self._limits

    def admit(self, architecture: Any) -> bool:
        """Whether the architecture's network satisfies every limit."""
        if self.none:
            return True
        text = str(architecture)
        if text not in self._known:
            self._known[text] = self._costs(architecture)
        return self._fits(self._known[text])

    def refusal(self) -> str | None:
        """How far the limits are from what there is, if something was tried and nothing fits."""
        if not self._known or any(map(self._fits, self._known.values())):
            return None
        # What takes longer to find out is looked at only where all else fits: if at all, it is what
        # is missed; and it comes first in the alphabet.
        name = min(self._limits.keys() & set().union(*self._known.values()))
        smallest = min(costs[name] for costs in self._known.values() if name in costs)
        return (
            f"None of the {len(self._known)} architectures that were tried satisfies the "
            f"constraints: {_shown(self._limits[name])} {name} are allowed, and the smallest has "
            f"{_shown(smallest)}. Allow more, or try more with the strategy "
            "'random,first_patience=5000'."
        )

    def _fits(self, costs: Mapping[str, float]) -> bool:
        return all(costs[name] <= limit for name, limit in self._limits.items() if name in costs)

    @property
    def _limits(self) -> dict[str, float]:
        given = {
            "parameters": self.max_params,
            "operations": self.max_flops,
            "milliseconds": self.max_latency_ms,
        }
        return {name: limit for name, limit in given.items() if limit is not None}

    def _costs(self, architecture: Any) -> dict[str, float]:
        """What is limited, of an architecture; nothing if its network fails.

        What takes longer comes later, and only if all before it fits.

        Such a candidate is measured all the same: it fails there too, its status says why, and the
        run goes on.
        """
        try:
            costs = self._counted(str(architecture))
            if self.max_latency_ms is not None and self._fits(costs):
                latency = self.latency(architecture)
                costs |= {} if latency is None else {"milliseconds": latency}
            return costs
        except (ArchitectureError, SettingError):
            raise
        except Exception:  # the builder may be the user's: it can raise anything
            return {}

    def _counted(self, text: str) -> dict[str, float]:
        """Parameters, and operations if they are limited and the parameters fit."""
        with torch.random.fork_rng(devices=[]):  # initial weights are drawn, and do not matter
            network = load("space", self.space).build(text, self.config)
        costs: dict[str, float] = {"parameters": count_parameters(network)}
        fits = self.max_params is None or costs["parameters"] <= self.max_params
        if self.max_flops is not None and fits:
            shape = (self.config.in_channels, self.config.side, self.config.side)
            counted = count_operations(network, shape)
            if counted.uncounted:
                raise SettingError(
                    f"max_flops cannot be kept: no formula is known for FLOPs of "
                    f"{', '.join(counted.uncounted)}; limit parameters or latency instead."
                )
            costs["operations"] = counted.total
        return costs


def _shown(cost: float) -> str:
    return f"{cost:,}" if isinstance(cost, int) else f"{cost:.3g}"
