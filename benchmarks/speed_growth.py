"""How times grow with networks, width, resolution, samples and workers: a figure and its numbers.

    python benchmarks/speed_growth.py --csv docs/evidence/speed_growth.csv --out growth.png
    python benchmarks/speed_growth.py --csv docs/evidence/speed_growth.csv --out growth.png --draw

The first measures and draws, the second draws what was measured. Processor seconds of one thread,
the plain way (`plain.py`) and ours in turns, for one cell with three convolutions; the growth with
networks is counted, not timed: so many functions are among that many random networks. Workers are
timed by the clock on the wall, so let nothing else run.
"""

import argparse
import csv
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.ticker import LogLocator

from anglenas import Store, preset
from anglenas._measuring.local import LocalWorkers
from anglenas._measuring.plan import draw_repeats
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.scores import score_architectures
from anglenas.data import open_source
from anglenas.probes._ntk import ntk
from anglenas.probes._regions import count_regions
from anglenas.spaces import NASBENCH201, NetworkConfig
from plain import Network, kaiming
from plain import ntk as plain_ntk
from plain import regions as plain_regions
from speed_training import CELLS
from timing import in_turns

CELL = CELLS["mixed"]
CANONICAL = NASBENCH201.canonical(NASBENCH201.parse(CELL))
IMAGES = 100
Point = tuple[str, str, int, float]


def built(channels: int, cells: int) -> torch.nn.Module:
    """Our network of the cell, ready to train."""
    config = NetworkConfig(num_classes=10, channels=channels, cells=cells)
    network = NASBENCH201.build(CANONICAL, config).train()
    return network.to(memory_format=torch.channels_last)


def step(network: torch.nn.Module, images: torch.Tensor, fused: bool) -> None:
    """One iteration of the short training, images aside."""
    optimiser = torch.optim.SGD(
        network.parameters(), lr=0.2, momentum=0.9, nesterov=True, weight_decay=5e-4, fused=fused
    )
    labels = torch.arange(len(images)) % 10
    F.cross_entropy(network(images), labels).backward()
    optimiser.step()


def iterations(panel: str, sizes: list[tuple[int, int, int]]) -> Iterator[Point]:
    """An iteration at (what stands on the axis, channels, side)."""
    for at, channels, side in sizes:
        images = torch.randn(IMAGES, 3, side, side)
        theirs, ours = Network(CELL, channels), built(channels, 5)
        last = images.contiguous(memory_format=torch.channels_last)
        plain, mine = in_turns(
            lambda n=theirs, x=images: step(n, x, fused=False),
            lambda n=ours, x=last: step(n, x, fused=True),
        )
        yield from ((panel, "plain", at, plain), (panel, "anglenas", at, mine))


def kernels() -> Iterator[Point]:
    """The tangent kernel of 36 images, by width."""
    images = torch.randn(36, 3, 32, 32)
    for channels in (3, 8, 16):
        theirs, ours = Network(CELL, channels, 1), built(channels, 1)
        kaiming(theirs)
        last = images.contiguous(memory_format=torch.channels_last)
        plain, mine = in_turns(
            lambda n=theirs: plain_ntk(n, images), lambda n=ours, x=last: ntk(n, x), rounds=1
        )
        panel = "ntk of 36 images, by channels"
        yield from ((panel, "plain", channels, plain), (panel, "anglenas", channels, mine))


def linear_regions() -> Iterator[Point]:
    """Linear regions, by samples."""
    network = NASBENCH201.build(CELL, NetworkConfig(num_classes=10)).thin().train()
    for thousands in (1, 2, 4, 8):
        batches = [torch.randn(1000, 1, 3, 3) for _ in range(thousands)]
        plain, mine = in_turns(
            lambda b=batches: plain_regions(CELL, b), lambda b=batches: count_regions(network, b)
        )
        panel, at = "regions, by samples", 1000 * thousands
        yield from ((panel, "plain", at, plain), (panel, "anglenas", at, mine))


def functions() -> Iterator[Point]:
    """Trainings for so many random networks: one each, or one a function."""
    counts = Counter(NASBENCH201.canonical(cell) for cell in NASBENCH201.enumerate())
    everything = [form for form, count in counts.items() for _ in range(count)]
    random.Random(0).shuffle(everything)
    for size in (100, 300, 1000, 3000, 7000, len(everything)):
        panel = "trainings, by networks asked for"
        yield panel, "plain", size, size
        yield panel, "anglenas", size, len(set(everything[:size]))


def workers() -> Iterator[Point]:
    """Seconds on the wall for 24 networks with the recipe `fast`, workers already there."""
    source, recipe = open_source("digits"), preset("fast", resolution=8)
    cells = [cell for cell in map(NASBENCH201.at, range(60)) if not NASBENCH201.is_trivial(cell)]
    for count in (1, 2):
        with TemporaryDirectory() as folder, ExitStack() as opened:
            store = opened.enter_context(Store(Path(folder) / "scores.sqlite"))
            executor = opened.enter_context(LocalWorkers(count))
            for chosen in (cells[:4], cells[4:28]):
                start = time.perf_counter()
                score_architectures(
                    chosen, "nasbench201", 10, draw_repeats(source, recipe, 1), ["angle"],
                    recipe, 1, Scorer(store, executor),
                )  # fmt: skip
                took = time.perf_counter() - start
        yield "24 networks, by workers (wall)", "anglenas", count, took


def measure() -> Iterator[Point]:
    """All points, panel by panel."""
    yield from functions()
    yield from iterations("iteration, by channels", [(c, c, 32) for c in (8, 16, 32)])
    yield from iterations("iteration, by side of the images", [(s, 16, s) for s in (16, 32, 48)])
    yield from kernels()
    yield from linear_regions()
    yield from workers()


def draw(points: list[Point], out: Path) -> None:
    """A panel a kind of growth, both axes logarithmic."""
    panels = list(dict.fromkeys(panel for panel, *_ in points))
    figure, axes = plt.subplots(2, 3, figsize=(11, 6.4), layout="constrained")
    for axis, panel in zip(axes.flat, panels, strict=True):
        for who, colour, marker in (("plain", "#b0413e", "s"), ("anglenas", "#1f5fa8", "o")):
            line = sorted((at, value) for p, w, at, value in points if (p, w) == (panel, who))
            if line:
                axis.loglog(*zip(*line, strict=True), marker=marker, color=colour, label=who)
        ticks = sorted({at for p, _, at, _ in points if p == panel})
        axis.set_xticks(ticks, [f"{tick:,}".replace(",", " ") for tick in ticks], fontsize=8)
        axis.minorticks_off()
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.set_title(panel, fontsize=10)
        axis.set_ylabel("trainings" if panel.startswith("trainings") else "seconds")
        axis.grid(alpha=0.3)
    axes.flat[0].legend(frameon=False)
    figure.savefig(out, dpi=130)


def main() -> None:
    """Measure if asked for, and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--draw", action="store_true", help="draw what was measured before")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if not given.draw:
        with given.csv.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("panel", "way", "at", "value"))
            for panel, way, at, value in measure():
                writer.writerow((panel, way, at, f"{value:.4g}"))
    with given.csv.open() as file:
        rows = csv.DictReader(file)
        points = [(r["panel"], r["way"], int(r["at"]), float(r["value"])) for r in rows]
    draw(points, given.out)


if __name__ == "__main__":
    main()
