"""Limits on the cost of the network that is looked for."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch

from anglenas.errors import ArchitectureError, SettingError
from anglenas.probes._flops import count_operations
from anglenas.probes._parameters import count_parameters
from anglenas.spaces import NetworkConfig, Space

Costs = Mapping[str, float]
"""Or the most of each that is allowed: ``"parameters"``, ``"operations"``, ``"milliseconds"``."""


def fits(costs: Costs, limits: Costs) -> bool:
    """Whether no cost that is known is above its limit."""
    return all(costs[name] <= limit for name, limit in limits.items() if name in costs)


def costs_of(
    architecture: object,
    space: Space[Any],
    config: NetworkConfig,
    limits: Costs,
    latency: Callable[[object], float | None],
) -> Costs:
    """What is limited, of an architecture; what takes longer comes later, if all before it fits.

    Nothing if its network fails: then it is measured all the same, its status says why, and the run
    goes on.

    Args:
        architecture: The architecture.
        space: Its space.
        config: Size of its network.
        limits: What is allowed.
        latency: From an architecture to its milliseconds; ``None`` for a network that fails.

    Raises:
        SettingError: FLOPs are limited, and no formula is known for some of them.
    """
    try:
        with torch.random.fork_rng(devices=[]):  # initial weights are drawn, and do not matter
            network = space.build(str(architecture), config)
        costs: dict[str, float] = {"parameters": count_parameters(network)}
        if "operations" in limits and fits(costs, limits):
            counted = count_operations(network, (config.in_channels, config.side, config.side))
            if counted.uncounted:
                raise SettingError(
                    f"max_flops cannot be kept: no formula is known for FLOPs of "
                    f"{', '.join(counted.uncounted)}; limit parameters or latency instead."
                )
            costs["operations"] = counted.total
        if "milliseconds" in limits and fits(costs, limits):
            milliseconds = latency(architecture)
            costs |= {} if milliseconds is None else {"milliseconds": milliseconds}
        return costs
    except (ArchitectureError, SettingError):
        raise
    except Exception:  # the builder may be the user's: it can raise anything
        return {}


def refusal(tried: Collection[Costs], limits: Costs) -> str:
    """How far the limits are from what there is; empty if nothing was tried or something fits."""
    if not tried or any(fits(costs, limits) for costs in tried):
        return ""
    # What takes longer to find out is looked at only where all else fits: if at all, it is what is
    # missed; and it comes first in the alphabet.
    name = min(limits.keys() & set().union(*tried))
    smallest = min(costs[name] for costs in tried if name in costs)
    allowed, least = (
        f"{cost:,}" if isinstance(cost, int) else f"{cost:.3g}" for cost in (limits[name], smallest)
    )
    return (
        f"None of the {len(tried)} architectures that were tried satisfies the constraints: "
        f"{allowed} {name} are allowed, and the smallest has {least}. Allow more, or try more with "
        "the strategy 'random,first_patience=5000'."
    )
