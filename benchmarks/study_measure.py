"""Metrics of the networks that the study and the recipes are judged on.

    python benchmarks/study_measure.py --data cifar10.npz --accuracies nasbench201.csv \
        --column cifar10_test --samples seed1 seed2 top:250 --recipe paper \
        --metrics angle loss tse --out docs/evidence/study_paper_cifar10.csv.gz

A sample is ``seedS``, the 100 networks that ``random.seed(S); random.sample(range(15625), 100)``
draws (the released code of Yang et al., WACV 2023); a number, so many random networks of the whole
table; or ``top:N``, the first N of a fixed random order of the 1 000 networks with the highest
known accuracy, so that a larger N adds networks and drops none. One row a network. What was
measured is kept in the store: a run that was stopped goes on where it was. Files of short trainings
that lie in docs/evidence hold the whole trajectories of loss and cosine, from which metrics of
every earlier iteration are read; ``--metrics angle@10 loss@10`` names those that are wanted now.
"""

import argparse
import gzip
import random
from pathlib import Path

import numpy as np

from anglenas._study import (
    Benchmark,
    Measuring,
    draw_samples,
    measure,
    read_benchmark,
    scores_text,
)

SPACE_SIZE, RUN, TOP = 15625, 100, 1000


def run(seed: int) -> list[int]:
    """The indices of the hundred networks that a seed draws, in their order."""
    return random.Random(seed).sample(range(SPACE_SIZE), RUN)


def best_in_order(benchmark: Benchmark) -> list[int]:
    """The 1 000 most accurate networks in the order in which samples take them."""
    top = sorted(range(len(benchmark)), key=lambda row: -benchmark.accuracy[row])[:TOP]
    return random.Random(0).sample(top, TOP)


def main() -> None:
    """Measure, and write one row a network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--accuracies", type=Path, required=True)
    parser.add_argument("--column", default="cifar10_test")
    parser.add_argument("--samples", nargs="+", required=True)
    parser.add_argument("--metrics", nargs="+", default=["angle", "loss", "tse"])
    parser.add_argument("--recipe", default="paper")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    benchmark = read_benchmark(given.accuracies, given.column, epochs="200")
    best = [one for one in given.samples if one.startswith("top:")]
    others = [one for one in given.samples if one not in best]
    samples = dict(draw_samples(",".join(others), benchmark)) if others else {}
    for sample in best:
        chosen = best_in_order(benchmark)[: int(sample.removeprefix("top:"))]
        samples["top-1000"] = np.isin(np.arange(len(benchmark)), chosen)
    measuring = Measuring(given.data, seeds=[given.seed], recipe=given.recipe,
                          workers=given.workers, store=given.store)  # fmt: skip
    scores, _ = measure(
        benchmark, given.metrics, samples, measuring,
        on_progress=lambda done, total: print(f"{done}/{total}", flush=True)
        if done % 100 == 0 or done == total else None,
    )  # fmt: skip
    given.out.write_bytes(gzip.compress(scores_text(scores, benchmark).encode(), mtime=0))


if __name__ == "__main__":
    main()
