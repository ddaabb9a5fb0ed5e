"""How long a network takes on this machine: a measured time, not a property of the network.

Times differ from machine to machine and from run to run, so what is measured is kept for the
machine that measured it, with how many threads computed.
"""

import statistics
import time

import torch
from torch import nn

from anglenas._recipe import Recipe
from anglenas.data import FewShot
from anglenas.probes._base import Metric, Probe, Record
from anglenas.probes._isolation import blank_image, copied, explained

# The first passes choose kernels and fill caches.
_WARM_UP = 3
# A median of fewer jumps with whatever else the machine does.
_LEAST_RUNS = 15
# Quick networks are run more often: a pass of theirs is as short as what disturbs it.
_LEAST_SECONDS = 0.2


def time_forward(network: nn.Module, images: torch.Tensor) -> list[float]:
    """Seconds of forward passes in evaluation mode, one after the other, after some to warm up.

    Args:
        network: Any module; it is put into evaluation mode.
        images: ``(B, C, H, W)``, on the network's device.

    Returns:
        The seconds of 15 passes at least, and of as many as fit into a fifth of a second.
    """
    network.eval()
    device = images.device
    # A CPU has computed what it was given when it returns; other devices have to be waited for.
    wait = (lambda: None) if device.type == "cpu" else torch.get_device_module(device).synchronize
    seconds: list[float] = []
    with torch.inference_mode():
        for _ in range(_WARM_UP):
            network(images)
        while len(seconds) < _LEAST_RUNS or sum(seconds) < _LEAST_SECONDS:
            wait()
            started = time.perf_counter()
            network(images)
            wait()
            seconds.append(time.perf_counter() - started)
    return seconds


def _measure(network: nn.Module, batch: FewShot, recipe: Recipe, seed: int) -> Record:
    shape = batch.images.shape[1:]
    image = blank_image(network, shape)
    with explained(network, shape, "latency"):
        seconds = time_forward(copied(network), image)
    return {
        "milliseconds": 1000 * statistics.median(seconds),
        "fastest": 1000 * min(seconds),
        "runs": len(seconds),
        "threads": torch.get_num_threads(),
        "device": str(image.device),
    }


LATENCY = Probe(
    "latency",
    (
        Metric(
            "latency",
            higher_is_better=False,
            read=lambda record: float(record["milliseconds"]),
            source="torch.utils.benchmark's protocol: warm-up, then the median of many runs",
            unit="milliseconds of one image, on one thread or one GPU of this machine",
            formula="median time of a forward pass of one image in evaluation mode",
        ),
    ),
    _measure,
    subject="network",
    uses_images=False,
    machine_bound=True,
)
"""It times the network as written, on the shape of the images alone.

The record holds ``milliseconds`` of one image and the ``fastest``, of how many ``runs``, on how
many ``threads`` and which ``device``.
"""
