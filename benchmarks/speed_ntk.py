"""The neural tangent kernel of 72 images against one backward pass a sample, written plainly.

    python benchmarks/speed_ntk.py [--small 6] [--large 2]

At TE-NAS's own size (3 channels, 1 cell a stage) and at NAS-Bench-201's (16 channels, 5 cells), on
random networks; both ways build the network, and give the kernel in which BatchNorm couples the
images. The rows below are the variant with BatchNorm's statistics taken as constants, which is
another metric under a name of its own. Last come rows in chunks by vectorised backward passes,
which were tried, and are not used, because they are slower.
"""

import argparse
import random

import torch

from anglenas.probes._ntk import frozen_ntk, ntk
from anglenas.spaces import NASBENCH201, NetworkConfig
from plain import Network, kaiming
from plain import ntk as plain_ntk
from timing import Pairs, headline, in_turns, row

IMAGES = 72
SIZES = {"C=3, N=1": (3, 1), "C=16, N=5": (16, 5)}


def kernels(kernel, text: str, channels: int, cells: int) -> tuple[float, float]:
    """Seconds of the plain way, and of one of ours."""
    images = torch.randn(IMAGES, 3, 32, 32)

    def plain() -> None:
        network = Network(text, channels, cells)
        kaiming(network)
        torch.linalg.eigvalsh(plain_ntk(network, images))

    def ours() -> None:
        canonical = NASBENCH201.canonical(NASBENCH201.parse(text))
        config = NetworkConfig(num_classes=10, channels=channels, cells=cells)
        network = NASBENCH201.build(canonical, config).train()
        network.to(memory_format=torch.channels_last)
        layout = images.contiguous(memory_format=torch.channels_last)
        torch.linalg.eigvalsh(kernel(network, layout))

    return in_turns(plain, ours, rounds=1)


def in_chunks(text: str, size: int) -> tuple[float, float]:
    """Seconds a row at the small size: ours, and by vectorised passes of so many rows."""
    canonical = NASBENCH201.canonical(NASBENCH201.parse(text))
    config = NetworkConfig(num_classes=10, channels=3, cells=1)
    network = NASBENCH201.build(canonical, config).train()
    sums = network(torch.randn(IMAGES, 3, 32, 32)).sum(1)
    weights = [value for name, value in network.named_parameters() if "weight" in name]
    rows = torch.eye(IMAGES)[:size]

    def backward(one: torch.Tensor, batched: bool) -> None:
        torch.autograd.grad(
            sums, weights, one, retain_graph=True, is_grads_batched=batched,
            materialize_grads=True,
        )  # fmt: skip

    backward(rows[0], batched=False)
    alone, together = in_turns(
        lambda: [backward(one, batched=False) for one in rows],
        lambda: backward(rows, batched=True),
    )
    return alone / size, together / size


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--small", type=int, default=6, help="networks of the small size")
    parser.add_argument("--large", type=int, default=2, help="networks of the large size")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(headline("speed_ntk.py"), flush=True)
    convolved = [str(cell) for cell in NASBENCH201.enumerate() if not NASBENCH201.is_trivial(cell)]
    for kernel in (ntk, frozen_ntk):
        counts = (given.small, given.large)
        for (size, (channels, cells)), count in zip(SIZES.items(), counts, strict=True):
            chosen = random.Random(1).sample(convolved, count)
            times = [kernels(kernel, text, channels, cells) for text in chosen]
            work = f"`{'ntk' if kernel is ntk else 'ntk_frozen_bn'}`, {IMAGES} images, {size}"
            print(row(work, Pairs(*zip(*times, strict=True))), flush=True)
    for size in (4, 12, IMAGES):
        times = [in_chunks(text, size) for text in random.Random(1).sample(convolved, 3)]
        work = f"a row of `ntk` by itself / in vectorised chunks of {size}, C=3, N=1"
        print(row(work, Pairs(*zip(*times, strict=True))), flush=True)


if __name__ == "__main__":
    main()
