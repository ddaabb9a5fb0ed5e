"""Limits on the cost of the network that is looked for."""

from dataclasses import dataclass, field
from typing import Any

import torch

from anglenas.errors import SettingError
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
    _known: dict[str, bool] = field(default_factory=dict, repr=False, compare=False)

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
            self._known[text] = self._fits(text)
        return self._known[text]

    def _fits(self, text: str) -> bool:
        with torch.random.fork_rng(devices=[]):  # initial weights are drawn, and do not matter
            network = build_network(load("space", self.space), text, self.config)
        if self.max_params is not None and count_parameters(network) > self.max_params:
            return False
        if self.max_flops is None:
            return True
        shape = (self.config.in_channels, self.config.side, self.config.side)
        return count_operations(network, shape) <= self.max_flops
