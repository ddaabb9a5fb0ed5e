"""Counting linear regions of 3 000 samples against the published product of all codes.

    python benchmarks/speed_regions.py [--networks 10]

TE-NAS's released code multiplies the half-precision matrix of all codes with its complement; we
count distinct packed codes, one batch of 1 000 samples at a time. Both build the thin network and
run it on three batches of random crops.
"""

import argparse
import random

import torch

from anglenas.probes._regions import count_regions
from anglenas.spaces import NASBENCH201, NetworkConfig
from plain import regions as plain_regions
from timing import Pairs, headline, in_turns, row


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--networks", type=int, default=10)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(headline("speed_regions.py"), flush=True)
    batches = [torch.randn(1000, 1, 3, 3) for _ in range(3)]

    def ours(text: str) -> int:
        network = NASBENCH201.build(text, NetworkConfig(num_classes=10))
        return count_regions(network.thin().train(), batches)

    with_relu = [text for text in map(str, NASBENCH201.enumerate()) if "conv" in text]
    chosen = random.Random(1).sample(with_relu, given.networks)
    plain_regions(chosen[0], batches)
    times = [
        in_turns(lambda t=text: plain_regions(t, batches), lambda t=text: ours(t))
        for text in chosen
    ]
    print(row("`regions`, 3 000 samples", Pairs(*zip(*times, strict=True))))


if __name__ == "__main__":
    main()
