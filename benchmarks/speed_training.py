"""The short training of the recipe `paper` against the published way, written plainly.

    python benchmarks/speed_training.py [counterpart] [profile] [random] [light] [space] [fast]

Both train the same networks on the same number of images, for a few of the 50 iterations, with
building and all; images are random pixels, since times do not depend on them. ``counterpart``
times an iteration of three cells on all cores by the clock on the wall, so let nothing else run;
``profile`` tells where ours spends its time; ``random`` takes random networks, ``light``
those with at most one convolution; ``space`` projects all 15 625 networks, trained one by one the
plain way, against their 5 224 functions, each trained once; ``fast`` takes the recipe `fast`, and
in the column of the plain way our own `paper`, its 50 iterations projected.
"""

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from anglenas import Recipe, preset
from anglenas.data import FewShot
from anglenas.probes._short_training import SHORT_TRAINING
from anglenas.spaces import NASBENCH201, NetworkConfig
from plain import short_training
from timing import Pairs, headline, in_turns, row, seconds

SEED = 5
ITERATIONS = 3
CELLS = {
    "all 3x3": "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
    "+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "mixed": "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|"
    "+|avg_pool_3x3~0|none~1|nor_conv_3x3~2|",
    "light": "|nor_conv_1x1~0|+|skip_connect~0|avg_pool_3x3~1|"
    "+|skip_connect~0|avg_pool_3x3~1|skip_connect~2|",
}
PAPER = preset("paper", iterations=ITERATIONS)
PIXELS = np.random.default_rng(SEED).integers(0, 256, (100, 32, 32, 3), dtype=np.uint8)
IMAGES = [Image.fromarray(pixels) for pixels in PIXELS]
LABELS = [index // 10 for index in range(100)]


def batch(side: int = 32) -> FewShot:
    """The same images as ours take them."""
    pixels = PIXELS[:, :side, :side]
    return FewShot(
        images=torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(),
        labels=torch.tensor(LABELS),
        class_names=tuple("0123456789"),
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        flip=True,
    )


def ours(text: str, recipe: Recipe = PAPER) -> None:
    """A short training of a network's canonical form."""
    canonical = NASBENCH201.canonical(NASBENCH201.parse(text))
    network = NASBENCH201.build(canonical, NetworkConfig(num_classes=10))
    SHORT_TRAINING.measure(network, batch(recipe.resolution), recipe, seed=1)


def plain(text: str) -> None:
    """The same in the published way."""
    short_training(text, IMAGES, LABELS, ITERATIONS)


def compared(texts: list[str]) -> Pairs:
    """Seconds of both for each network, a few iterations each."""
    times = [in_turns(lambda t=text: plain(t), lambda t=text: ours(t), 1) for text in texts]
    first, second = zip(*times, strict=True)
    return Pairs(first, second)


def light(text: str) -> bool:
    """Whether a cell has at most one convolution."""
    return text.count("nor_conv") <= 1


def iteration(train: Callable[[str, int], object], text: str) -> float:
    """Seconds of an iteration by the clock on the wall: of three more, with building once."""
    times = []
    for iterations in (1, 4) * 3:
        start = time.perf_counter()
        train(text, iterations)
        times.append(time.perf_counter() - start)
    return (statistics.median(times[1::2]) - statistics.median(times[::2])) / 3


def counterpart(count: int) -> None:
    """An iteration on all cores, of both ways."""
    torch.set_num_threads(os.cpu_count() or 1)
    for name, text in CELLS.items():
        plainly = iteration(lambda one, n: short_training(one, IMAGES, LABELS, n), text)
        fast = iteration(lambda one, n: ours(one, preset("paper", iterations=n)), text)
        work = f"an iteration, cell {name}, all cores, wall"
        print(row(work, Pairs([plainly], [fast])))
    torch.set_num_threads(1)


def profiled(count: int) -> None:
    """Where an iteration of the heaviest cell spends its time, and how fast convolutions are."""
    text, steps = CELLS["all 3x3"], 3
    with torch.profiler.profile() as profile:
        ours(text, preset("paper", iterations=steps))
    found = sorted(profile.key_averages(), key=lambda one: -one.self_cpu_time_total)
    total = sum(one.self_cpu_time_total for one in found)
    for one in found[:8]:
        each = one.self_cpu_time_total / one.count / 1000
        share = one.self_cpu_time_total / total
        print(f"| {one.key} | {share:.1%} of the time | {each:.2f} ms a call | | | | |")
    images = torch.randn(100, 16, 32, 32).contiguous(memory_format=torch.channels_last)
    kernel = torch.randn(16, 16, 3, 3).contiguous(memory_format=torch.channels_last)
    square = torch.randn(1500, 1500)
    for name, operations, work in (
        ("a 3x3 convolution of 16 channels", 2 * images.numel() * 16 * 9,
         lambda: F.conv2d(images, kernel, padding=1)),
        ("a product of matrices", 2 * 1500**3, lambda: square @ square),
    ):  # fmt: skip
        fastest = min(seconds(work) for _ in range(20))
        print(f"| {name} | {operations / fastest / 1e9:.0f} GFLOP/s | | | | | |")


def random_networks(count: int) -> None:
    """Random networks."""
    chosen = random.Random(SEED).sample(list(map(str, NASBENCH201.enumerate())), count)
    print(row("short training, random networks", compared(chosen)))


def light_networks(count: int) -> None:
    """Random networks with at most one convolution."""
    chosen = random.Random(SEED).sample(
        [text for text in map(str, NASBENCH201.enumerate()) if light(text)], count
    )
    print(row("short training, at most one convolution", compared(chosen)))


def space(count: int) -> None:
    """All networks one by one against all functions once; random ones of each stand for all."""
    texts = [str(network) for network in NASBENCH201.enumerate()]
    forms = {NASBENCH201.canonical(NASBENCH201.parse(text)): text for text in texts}
    stream = random.Random(SEED + 1)
    pairs = compared(stream.sample(texts, count))  # the plain times of random networks ...
    functions = [seconds(lambda t=t: ours(t)) for t in stream.sample(list(forms.values()), count)]
    projected = Pairs(
        [len(texts) * value for value in pairs.plain],  # ... and ours of random functions
        [len(forms) * value for value in functions],
    )
    scale = 50 / ITERATIONS / 3600
    print(row(f"all {len(texts)} networks; {ITERATIONS} iterations", projected))
    for name, values in (("plain", projected.plain), ("ours", projected.ours)):
        print(f"projected to 50 iterations, {name}: {statistics.mean(values) * scale:.1f} h",
              file=sys.stderr)  # fmt: skip


def fast(count: int) -> None:
    """The recipe `paper`, projected to its 50 iterations, against the recipe `fast`."""
    texts = [str(network) for network in NASBENCH201.enumerate()]
    times = [
        in_turns(lambda t=text: ours(t), lambda t=text: ours(t, preset("fast")), 1)
        for text in random.Random(SEED).sample(texts, count)
    ]
    paper, quick = zip(*times, strict=True)
    scaled = [value * preset("paper").iterations / ITERATIONS for value in paper]
    print(row("recipe `paper` / recipe `fast`", Pairs(scaled, quick)))


PARTS = {
    "counterpart": counterpart,
    "profile": profiled,
    "random": random_networks,
    "light": light_networks,
    "space": space,
    "fast": fast,
}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--networks", type=int, default=30)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(headline("speed_training.py"), flush=True)
    plain(CELLS["light"])  # the first use of everything is nobody's time
    ours(CELLS["light"])
    for part in given.parts or PARTS:
        PARTS[part](given.networks)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
