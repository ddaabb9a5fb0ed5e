"""Metrics of the on-off patterns of rectifiers, all from one forward pass of the images.

* ``naswot``: how far apart a network with fresh weights holds the images ("Neural Architecture
  Search without Training", Mellor et al., ICML 2021, arXiv 2006.04647, eq. 2; ``hook_logdet`` of
  the released code);
* ``swap``: how many different patterns its units show over 16 of them ("SWAP-NAS: Sample-Wise
  Activation Patterns for Ultra-fast NAS", Peng et al., ICLR 2024, arXiv 2403.04161, eq. 4), and
  ``swap_reg``, the same with a preference for one size (eq. 5 and 6). The released code
  (pym1024/SWAP) counts on feature maps behind ``nn.ReLU`` modules alone, and takes the mean over
  32 draws of weights from N(0, 1); here every rectifier counts, and the weights are drawn once.
"""

import math

import torch
from torch import nn
from torch.autograd.graph import Node

from anglenas._recipe import Recipe
from anglenas._torch import owner_of
from anglenas.data import FewShot
from anglenas.probes._base import Metric, Probe, Record, Undefined
from anglenas.probes._isolation import isolated, spread
from anglenas.probes._rectifiers import (
    Rectifiers,
    agreements,
    by_sample,
    log_determinant,
    row_codes,
)


def reachable(tensor: torch.Tensor) -> frozenset[Node]:
    """All nodes of the autograd graph that a gradient of a tensor passes through."""
    seen: set[Node] = set()
    waiting = [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting.extend(parent for parent, _ in node.next_functions)
    return frozenset(seen)


def regularised(swap: int, parameters: int, mu: float = 1000.0, sigma: float = 1e6) -> float:
    """``swap * exp(-(P - mu)^2 / sigma)``, where P is in thousands of parameters.

    The paper and its code leave ``mu`` and ``sigma`` to who searches. The defaults prefer a million
    parameters, with ``sigma = mu^2``: half the size or 1.5 times the size keeps 78 % of the score,
    and no parameters at all, or twice as many, 37 %.

    >>> regularised(100, parameters=1_000_000)
    100.0
    >>> round(regularised(100, parameters=500_000))
    78
    """
    return swap * math.exp(-((parameters / 1000 - mu) ** 2) / sigma)


def _read_naswot(record: Record) -> float:
    """``log |det K|``."""
    if not record["live"]:
        raise Undefined("no rectifier of the network gets a gradient from its logits")
    if record["log_determinant"] is None:
        raise Undefined("the kernel is singular: at least two images have the same pattern")
    return float(record["log_determinant"])


def measure_activations(
    network: nn.Module, batch: FewShot, recipe: Recipe, seed: int, *, swap_images: int = 16
) -> Record:
    """Run a freshly initialised copy of the network once.

    The images are not augmented, BatchNorm uses the statistics of all of them, and the weights
    are fresh. Both papers count each rectifier as often as it is written, also where two of them
    get the same input, so the metrics depend on the network as written.

    Args:
        network: Any module.
        batch: The images.
        recipe: Not used.
        seed: Where the weights come from.
        swap_images: How many images, spread evenly over all, the patterns of ``swap`` run over;
            16 in the released code. With many more, almost every unit has a pattern of its own.

    Returns:
        ``images``, how many there are; ``rectifiers``, how many ran, and ``live``, how many of
        them get a gradient from the logits; ``log_determinant`` of the kernel of the live ones,
        ``None`` where it is singular; ``swap``, the number of patterns; and ``params``.

    Raises:
        Undefined: No rectifier runs.
        NetworkError: The network cannot be measured.
    """
    count = len(batch.images)
    chosen = spread(swap_images, count)
    kernels: list[tuple[Node | None, torch.Tensor]] = []  # of each rectifier, where it stands
    units: set[bytes] = set()

    def observe(positive: torch.Tensor, output: torch.Tensor) -> None:
        codes = by_sample(positive, count)
        kernels.append((owner_of(output).grad_fn, agreements(codes)))
        units.update(row_codes(codes[chosen].T))

    with isolated(network, batch, seed, "activations") as specimen:
        # Without parameters, the graph of the logits is what the images flow through.
        specimen.network.requires_grad_(False)
        # A copy, because a network may change its input in place.
        images = specimen.images.requires_grad_().clone()
        with Rectifiers(observe):
            reached = reachable(specimen.network(images))
    if not kernels:
        raise Undefined("the network runs no rectifier (ReLU and its kin)")
    live = [kernel for node, kernel in kernels if node in reached]
    return {
        "images": count,
        "rectifiers": len(kernels),
        "live": len(live),
        "log_determinant": log_determinant(sum(live)) if live else None,  # type: ignore[arg-type]
        "swap": len(units),
        "params": sum(parameter.numel() for parameter in network.parameters()),
    }


_SWAP = "Peng et al., ICLR 2024, arXiv 2403.04161, eq. "
_NEEDS = frozenset({"batch", "relu"})

ACTIVATIONS = Probe(
    "activations",
    (
        Metric(
            "naswot",
            higher_is_better=True,
            read=_read_naswot,
            source="Mellor et al., ICML 2021, arXiv 2006.04647, eq. 2",
            unit="nats",
            needs=_NEEDS,
            formula="logarithm of the determinant of the counts of rectifiers that two images "
            "agree in",
        ),
        Metric(
            "swap",
            higher_is_better=True,
            read=lambda record: float(record["swap"]),
            source=f"{_SWAP}4",
            unit="patterns",
            needs=_NEEDS,
            formula="number of different on-off patterns that units show over 16 images",
        ),
        Metric(
            "swap_reg",
            higher_is_better=True,
            read=lambda record: regularised(record["swap"], record["params"]),
            source=f"{_SWAP}5 and 6, with mu = 1000, sigma = mu^2",
            unit="patterns",
            needs=_NEEDS,
            formula="the same times exp(-(P - 1000)^2 / 1000^2), P in thousands of parameters",
        ),
    ),
    measure_activations,
    subject="network",
)
