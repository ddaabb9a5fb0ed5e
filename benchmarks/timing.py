"""What the benchmarks of speed share: fair pairs of times, ratios with intervals, the machine."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from anglenas.ranking import bootstrap

__all__ = ["Pairs", "headline", "in_turns", "row", "seconds"]

HEAD = """\
| work | n | plain, s | anglenas, s | ratio | 95 % interval |
|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Pairs:
    """Seconds of the plain way and of ours, one pair a network."""

    plain: Sequence[float]
    ours: Sequence[float]

    @property
    def ratio(self) -> float:
        """How many times as long the plain way takes for all of them together."""
        return sum(self.plain) / sum(self.ours)

    def interval(self) -> tuple[float, float]:
        """The middle 95 % of the ratio over 2 000 bootstrap samples of the networks."""
        plain, ours = np.asarray(self.plain), np.asarray(self.ours)
        [found] = bootstrap(
            lambda chosen: [plain[chosen].sum() / ours[chosen].sum()], len(ours),
            np.random.default_rng(0), replicates=2000,
        )  # fmt: skip
        return found.low, found.high


def seconds(work: Callable[[], object]) -> float:
    """Seconds that the processor spends on the work, in all threads.

    On one thread that is the time of an idle machine, also while another program runs beside it.
    """
    start = time.process_time()
    work()
    return time.process_time() - start


def in_turns(
    plain: Callable[[], object], ours: Callable[[], object], rounds: int = 3
) -> tuple[float, float]:
    """Medians of both, measured in turns, so that a busy moment of the machine meets both."""
    times = [(seconds(plain), seconds(ours)) for _ in range(rounds)]
    first, second = zip(*times, strict=True)
    return statistics.median(first), statistics.median(second)


def row(work: str, pairs: Pairs) -> str:
    """A line of the table: means over the networks, and the ratio of the sums."""
    low, high = pairs.interval()
    return (
        f"| {work} | {len(pairs.ours)} | {statistics.mean(pairs.plain):.3g} "
        f"| {statistics.mean(pairs.ours):.3g} | {pairs.ratio:.2f} | {low:.2f} to {high:.2f} |"
    )


def headline(script: str) -> str:
    """Script, machine, versions, threads and load, as every table tells them."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.processor() or platform.machine()
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return (
        f"`{script}`: {model}, {os.cpu_count()} cores, "
        f"{torch.backends.cpu.get_cpu_capability()}, "
        f"{torch.get_num_threads()} thread(s), CPU time; Python "
        f"{platform.python_version()}, torch {torch.__version__}{load}\n\n{HEAD}"
    )
