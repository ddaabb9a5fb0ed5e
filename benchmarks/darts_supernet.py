"""What one candidate of a pruning search on DARTS costs, and how that grows with the width.

    python benchmarks/darts_supernet.py [--iterations 3] [--side 16]

Prints a table: seconds of a candidate, which is 50 iterations of training (100 images, forward and
backward) of the supernet with 7, 4 and 1 operations on each edge, for several widths, and the
memory estimated before a search starts. Which operations are left is random; a time is the mean
over three draws, with the lowest and the highest, of as many iterations as are given. The last
column adds up the 332 candidates of a search.
"""

import argparse
import os
import random
import statistics
from dataclasses import replace

import torch

from anglenas import preset
from anglenas._measuring.memory import training_memory
from anglenas._numerics import single_thread
from anglenas._pruning.rounds import planned
from anglenas.data import FewShot
from anglenas.probes._short_training import SHORT_TRAINING
from anglenas.spaces import DARTS_SUPERNET, NetworkConfig, Supernet
from timing import seconds

WIDTHS = (1, 2, 4, 8)
IMAGES, DRAWS, ITERATIONS = 100, 3, 50


def with_operations(count: int, draw: int) -> Supernet:
    """The supernet with so many random operations on each edge."""
    full, rng = DARTS_SUPERNET.full(), random.Random(draw)
    chosen = [set(rng.sample(held, count)) for held in full.operations]
    left = tuple(
        tuple(name for name in held if name in some)
        for held, some in zip(full.operations, chosen, strict=True)
    )
    return replace(full, operations=left)


def trainings(count: int, channels: int, side: int, iterations: int) -> list[float]:
    """Seconds of a training of each of some supernets with so many operations on an edge."""
    supernets = [with_operations(count, draw) for draw in range(DRAWS)]
    return [ITERATIONS * iteration(one, channels, side, iterations) for one in supernets]


def iteration(supernet: Supernet, channels: int, side: int, iterations: int) -> float:
    """Seconds of an iteration; what a training costs besides is left out."""
    config = NetworkConfig(10, channels, 1, side=side)
    network = DARTS_SUPERNET.build(str(supernet), config)
    times = []
    for count in (1, 1, 1 + iterations):  # the very first one also chooses kernels
        recipe = preset("paper-darts", iterations=count)
        times.append(seconds(lambda recipe=recipe: SHORT_TRAINING.measure(
            network, images(side), recipe, seed=1
        )))  # fmt: skip
    return (times[2] - times[1]) / iterations


def images(side: int) -> FewShot:
    """Noise: what it shows does not change what it costs."""
    pixels = torch.randint(256, (IMAGES, 3, side, side), dtype=torch.uint8)
    names = tuple(map(str, range(10)))
    return FewShot(pixels, torch.arange(IMAGES) % 10, names, (0.5,) * 3, (0.25,) * 3, True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--side", type=int, default=16)
    given = parser.parse_args()
    sizes = [len(one.removals) for one in planned(DARTS_SUPERNET, DARTS_SUPERNET.number)[0]]
    print(f"CPU time of one thread, {given.side} x {given.side} pixels, {os.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f}, {torch.backends.cpu.get_cpu_capability()}, "
          f"torch {torch.__version__}\n")  # fmt: skip
    print("| channels | 7 operations, s | 4 | 1 | memory, MB | search, CPU h |")
    print("|---|---|---|---|---|---|")
    with single_thread():
        for channels in WIDTHS:
            config = NetworkConfig(10, channels, 1, side=given.side)
            memory = training_memory(DARTS_SUPERNET, str(DARTS_SUPERNET.full()), config, IMAGES)
            times = [
                trainings(count, channels, given.side, given.iterations) for count in (7, 4, 1)
            ]
            numbers = (*sizes[:2], sum(sizes[2:]))
            whole = sum(n * statistics.mean(t) for n, t in zip(numbers, times, strict=True))
            cells = [f"{statistics.mean(t):.1f} ({min(t):.1f} to {max(t):.1f})" for t in times]
            print(f"| {channels} | {' | '.join(cells)} | {memory / 1e6:.0f} | {whole / 3600:.1f} |",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
