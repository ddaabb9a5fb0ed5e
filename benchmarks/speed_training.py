"""The short training of the recipe `paper` against the published way, written plainly.

    python benchmarks/speed_training.py [counterpart] [random] [light] [space] [fast]

Both train the same networks on the same number of images, for a few of the 50 iterations, with
building and all; images are random pixels, since times do not depend on them. ``counterpart``
times the plain way alone, an iteration of three cells; ``random`` takes random networks, ``light``
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

import numpy as np
import torch
from PIL import Image

from anglenas.data import FewShot
from anglenas.networks import NetworkConfig, build_network
from anglenas.probes.short_training import SHORT_TRAINING
from anglenas.recipe import Recipe, preset
from anglenas.spaces.nasbench201 import NASBENCH201
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
    network = build_network(NASBENCH201, canonical, NetworkConfig(num_classes=10))
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


def counterpart(count: int) -> None:
    """Seconds of an iteration the plain way on all cores, by the clock on the wall."""
    torch.set_num_threads(os.cpu_count() or 1)
    for name, text in CELLS.items():
        times = []
        for iterations in (1, 4) * 3:
            start = time.perf_counter()
            short_training(text, IMAGES, LABELS, iterations)
            times.append(time.perf_counter() - start)
        each = (statistics.median(times[1::2]) - statistics.median(times[::2])) / 3
        print(f"| an iteration the plain way, {name}, all cores | 1 | {each:.3f} | | | | |")
    torch.set_num_threads(1)


def random_networks(count: int) -> None:
    """Random networks."""
    chosen = random.Random(SEED).sample(list(map(str, NASBENCH201.enumerate())), count)
    print(row("short training, random networks", compared(chosen), "2"))


def light_networks(count: int) -> None:
    """Random networks with at most one convolution."""
    chosen = random.Random(SEED).sample(
        [text for text in map(str, NASBENCH201.enumerate()) if light(text)], count
    )
    print(row("short training, at most one convolution", compared(chosen), "3"))


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
    print(row(f"all {len(texts)} networks; {ITERATIONS} iterations", projected, "5"))
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
    print(row("recipe `paper` / recipe `fast`", Pairs(scaled, quick), "10"))


PARTS = {
    "counterpart": counterpart,
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
