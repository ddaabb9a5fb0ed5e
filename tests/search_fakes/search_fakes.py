"""A tiny space, strategies and probes of a user's own, and networks good and bad."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import nn

from anglenas.errors import ArchitectureError
from anglenas.probes import Metric, Probe, Undefined
from anglenas.spaces import CellGraph, NetworkConfig, Operation, Space
from anglenas.strategies import Request

WIDTHS = range(1, 5)


@dataclass(frozen=True)
class Pair:
    """Two widths; both orders make the same function."""

    first: int
    second: int

    def __str__(self) -> str:
        return f"{self.first}-{self.second}"


def parse(text: str) -> Pair:
    for pair in enumerated():
        if str(pair) == text:
            return pair
    raise ArchitectureError("A pair reads 1-1 to 4-4.", text, 0)


def enumerated() -> Iterator[Pair]:
    return (Pair(*widths) for widths in product(WIDTHS, repeat=2))


def drawings(pair: Pair) -> tuple[CellGraph, ...]:
    names = (f"conv {width}" for width in (pair.first, pair.second))
    edges = tuple((0, 1, Operation(name, name)) for name in names)
    return (CellGraph("pair", ("in", "out"), edges, (0,), 1),)


def pairs(name: str, build: Callable[[Pair, NetworkConfig], nn.Module]) -> Space[Pair]:
    """Pairs of widths: 16 architectures, 10 functions."""
    return Space(
        name=name,
        parse=parse,
        sample=lambda rng: Pair(*(int(width) for width in rng.choice(WIDTHS, 2))),
        mutate=lambda pair, rng: Pair(pair.first % len(WIDTHS) + 1, pair.second),
        build=lambda text, config: build(parse(text), config),
        drawings=drawings,
        canonical=lambda pair: "{}-{}".format(*sorted((pair.first, pair.second))),
        enumerate=enumerated,
        size=len(WIDTHS) ** 2,
        fixed_version=1,
    )


class Net(nn.Module):
    """A convolution as wide as both widths together, and a classifier."""

    def __init__(self, widths: int, config: NetworkConfig) -> None:
        super().__init__()
        self.conv = nn.Conv2d(config.in_channels, widths, 3, padding=1)
        self.classifier = nn.Linear(widths, config.num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        # (B, C, S, S) -> (B, K)
        hidden: torch.Tensor = self.classifier(self.conv(images).relu().mean((2, 3)))
        return hidden


def build(subject: Pair, config: NetworkConfig) -> nn.Module:
    return Net(subject.first + subject.second, config)


def parameters(pair: Pair, channels: int = 1, classes: int = 10) -> int:
    """Counted by hand: weights and biases of the convolution, then of the classifier."""
    width = pair.first + pair.second
    return width * channels * 9 + width + width * classes + classes


class NaN(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images * float("nan")


def build_fragile(subject: Pair, config: NetworkConfig) -> nn.Module:
    if subject.first + subject.second == 8:
        raise RuntimeError("too wide")
    net = build(subject, config)
    return nn.Sequential(NaN(), net) if subject.first + subject.second == 2 else net


def build_picky(subject: Pair, config: NetworkConfig) -> nn.Module:
    if subject.first + subject.second == 8:
        return build_colourful(subject, config)
    return build(subject, config)


def build_colourful(subject: Pair, config: NetworkConfig) -> nn.Module:
    return build(subject, replace(config, in_channels=3))


def build_broken(subject: Pair, config: NetworkConfig) -> nn.Module:
    raise RuntimeError("no such layer")


def _odd(record: Mapping[str, Any]) -> float:
    if record["width"] % 2 == 0:
        raise Undefined("the width is even")
    return float(record["width"])


WIDTH = Probe(
    "width",
    (
        Metric("width", True, lambda record: record["width"], "made up"),
        Metric("odd", True, _odd, "made up"),
        Metric("infinite", True, lambda record: record["infinite"], "made up"),
    ),
    lambda network, *_: {"width": network.conv.out_channels, "infinite": float("inf")},
    uses_images=False,
)


def _fail(*_: object) -> Any:
    raise LookupError("nothing is here\nsecond line")


ODDITIES = Probe(
    "oddities",
    (
        Metric("single", True, lambda record: record["single"], "made up"),
        Metric("raw", True, lambda record: np.float32(record["single"]), "made up"),
        Metric("text", True, lambda record: "much", "made up"),  # type: ignore[arg-type, return-value]
        Metric("failing", True, _fail, "made up"),
    ),
    lambda *_: {"single": np.float32(0.5), "widths": np.arange(2)},
    uses_images=False,
)
FAILING = Probe("fails", (Metric("lost", True, _fail, "made up"),), _fail, uses_images=False)


@dataclass(frozen=True)
class Climb:
    """Proposes the neighbour of the best candidate so far, one at a time."""

    name: str = "climb"
    concurrency: int | None = 1

    def propose(self, request: Request) -> Sequence[Any]:
        best = max(request.history, key=lambda trial: trial.score, default=None)
        start = request.space.parse("1-1") if best is None else best.architecture
        while not request.admits(start):
            start = request.space.mutate(start, request.stream(len(request.history)))
            if best is not None and start == best.architecture:
                return ()
        return (start,)


@dataclass(frozen=True)
class Mute:
    name: str = "mute"
    concurrency: int | None = None

    def propose(self, request: Request) -> Sequence[Any]:
        return ()


PAIRS = pairs("pairs", build)
FRAGILE = pairs("fragile", build_fragile)  # wide ones break as they are built, narrow ones later
BROKEN = pairs("broken", build_broken)  # no network can be built
PICKY = pairs("picky", build_picky)  # the widest network takes images of three channels alone
COLOURFUL = pairs("colourful", build_colourful)  # all networks do
CLIMB = Climb()
MUTE = Mute()


def make_net() -> nn.Module:
    return Net(6, NetworkConfig(in_channels=1))


def make_narrow() -> nn.Module:
    return Net(6, NetworkConfig(in_channels=1, num_classes=4))


def make_colour() -> nn.Module:
    return Net(6, NetworkConfig(in_channels=3))


def make_nothing() -> None:
    return None


def make_trouble() -> nn.Module:
    raise OSError("no weights here")
