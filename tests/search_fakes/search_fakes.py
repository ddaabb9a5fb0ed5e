"""A tiny space, strategies and probes of a user's own, and networks good and bad."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import nn

from anglenas.errors import ArchitectureError
from anglenas.probes import Metric, Probe, Undefined
from anglenas.spaces import CellGraph, NetworkConfig
from anglenas.strategies import Request

WIDTHS = range(1, 5)


@dataclass(frozen=True)
class Pair:
    """Two widths; both orders make the same function."""

    first: int
    second: int

    def __str__(self) -> str:
        return f"{self.first}-{self.second}"


class Pairs:
    """Pairs of widths: 16 architectures, 10 functions."""

    name = "pairs"
    size: int | None = len(WIDTHS) ** 2
    builder = "search_fakes:build"

    def parse(self, text: str) -> Pair:
        for one in self.enumerate():
            if str(one) == text:
                return one
        raise ArchitectureError("A pair reads 1-1 to 4-4.", text, 0)

    def sample(self, rng: np.random.Generator) -> Pair:
        return Pair(*(int(width) for width in rng.choice(WIDTHS, 2)))

    def enumerate(self) -> Iterator[Pair]:
        return (Pair(*widths) for widths in product(WIDTHS, repeat=2))

    def mutate(self, architecture: Pair, rng: np.random.Generator) -> Pair:
        return Pair(architecture.first % len(WIDTHS) + 1, architecture.second)

    def canonical(self, architecture: Pair) -> str:
        return "{}-{}".format(*sorted((architecture.first, architecture.second)))

    def subject(self, text: str) -> Pair:
        return self.parse(text)

    def graphs(self, architecture: Pair) -> tuple[CellGraph, ...]:
        names = tuple(f"conv {width}" for width in (architecture.first, architecture.second))
        return (CellGraph("pair", ("in", "out"), tuple((0, 1, n) for n in names), (0,), 1),)

    def is_trivial(self, architecture: Pair) -> bool:
        return False


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


class Fragile(Pairs):
    """The same, but wide networks break as they are built, and narrow ones as they are run."""

    name = "fragile"
    builder = "search_fakes:build_fragile"


class Broken(Pairs):
    """The same, but no network can be built."""

    name = "broken"
    builder = "search_fakes:build_broken"


class Picky(Pairs):
    """The same, but the widest network takes images of three channels alone."""

    name = "picky"
    builder = "search_fakes:build_picky"


class Colourful(Pairs):
    """The same, but all networks do."""

    name = "colourful"
    builder = "search_fakes:build_colourful"


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


PAIRS = Pairs()
FRAGILE = Fragile()
BROKEN = Broken()
PICKY = Picky()
COLOURFUL = Colourful()
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
