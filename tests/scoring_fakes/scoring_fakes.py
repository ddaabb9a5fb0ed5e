"""More words to obey than the conformance suite has, and probes that look elsewhere."""

import ctypes
import resource
import time
from dataclasses import replace
from typing import Any

import torch

from anglenas import Recipe
from anglenas._measuring.task import Context, Task
from anglenas.errors import NetworkError
from anglenas.probes import Probe
from anglenas.spaces import NetworkConfig
from anglenas.testing import _orders
from anglenas.testing._orders import BATCH, BATCHES, VERBS

__all__ = ["BATCH", "BATCHES"]


def build(text: str, config: NetworkConfig) -> Any:
    if text == "too wide":
        raise MemoryError("no room for the weights")
    return _orders.build(text, config)


def _devour(rest: str) -> None:
    """Allocate past a limit of address space, which is set for this call alone."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**33, before[1]))
    try:
        torch.zeros(2**34, dtype=torch.uint8)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _gorge(rest: str) -> None:
    """Take so many megabytes, and touch them all."""
    taken = []
    for _ in range(0, int(rest), 50):
        taken.append(torch.ones(50 * 250_000))
        time.sleep(0.05)


def _misfit(rest: str) -> None:
    raise NetworkError("The network has fewer outputs than there are classes.")


def _hold(rest: str) -> None:
    """Keep Python's lock, as an extension in C may do."""
    ctypes.PyDLL(None).sleep(int(rest))


VERBS.update(devour=_devour, gorge=_gorge, hold=_hold, misfit=_misfit)

SPACE = replace(_orders.SPACE, build=build)
OBEY = _orders.OBEY
SHAPE = Probe(
    "shape",
    (),
    lambda network, batch, *_: {"word": network.word, "shape": list(batch.images.shape)},
    subject="network",
    uses_images=False,
)
WHERE = Probe("where", (), lambda network, *_: {"device": str(network.weight.device)})


def context(probe: str = "OBEY", seed: int = 3, **changes: Any) -> Context:
    network = NetworkConfig(num_classes=2, channels=1, cells=1)
    made = Context.of("scoring_fakes:SPACE", f"scoring_fakes:{probe}", network,
                      recipe=Recipe(), images=BATCH.fingerprint, seed=seed)  # fmt: skip
    return replace(made, **changes)


def task(word: str, **changes: Any) -> Task:
    return Task(context(**changes), word)
