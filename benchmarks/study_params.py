"""What #Param alone is worth: its tau over orders of equal accuracies, and what it picks.

    python benchmarks/study_params.py --accuracies nasbench201.csv

Which networks of equal accuracy are among the best 1 000 or 500 is arbitrary. Prints, for each
release of the accuracies, the least and the largest tau over 200 random orders of them: tau-b, and
tau after ties of both were broken at random (the released code of Yang et al. breaks them by a
double ``argsort``). Then, over the hundreds that the released code draws with the seeds 1 to 1 000:
the mean accuracy of the hundred, of the pick of #Param (of equal ones the first drawn), and of the
best, with deviations over the seeds. No network is measured.
"""

import argparse
from pathlib import Path

import numpy as np

from anglenas._study import Benchmark, read_benchmark, run_of
from anglenas.ranking import kendall_tau, kendall_tau_broken, order

ORDERS, WHOLE = 200, 10
RELEASES = {
    "cifar10_test": "NAS-Bench-201",
    "natstss_cifar10_test": "NATS-Bench",
    "cifar100_test": "NAS-Bench-201, CIFAR-100",
}
SEEDS = range(1, 1001)


def taus(table: Benchmark, count: int) -> np.ndarray:
    """``(orders, 2)`` tau with ties broken, and tau-b, of the ``count`` most accurate networks."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(WHOLE if count == len(table) else ORDERS):
        chosen = np.lexsort((rng.permutation(len(table)), -table.accuracy))[:count]
        params, truth = table.columns["params"][chosen], table.accuracy[chosen]
        broken = kendall_tau_broken(params, truth, rng)
        found.append((broken, kendall_tau(params, truth)))
    return np.array(found)


def told(values: np.ndarray) -> str:
    """The least and the largest."""
    low, high = f"{values.min():.3f}", f"{values.max():.3f}"
    return low if low == high else f"{low} to {high}"


def picks(table: Benchmark) -> np.ndarray:
    """``(seeds, 3)`` accuracies: mean of a hundred, pick of #Param, best."""
    found = []
    for seed in SEEDS:
        rows = run_of(seed, table)
        reached, params = table.accuracy[rows], table.columns["params"][rows]
        found.append((reached.mean(), reached[order(params)[0]], reached.max()))
    return np.array(found)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--accuracies", type=Path, required=True)
    given = parser.parse_args()
    print("| | all | top-1000 | top-500 |\n|---|---:|---:|---:|")
    print("| published (CIFAR-10) | 0.55 | 0.04 | 0.03 |")
    tables = {name: read_benchmark(given.accuracies, column, epochs="200")
              for column, name in RELEASES.items()}  # fmt: skip
    found = {name: [taus(table, count) for count in (len(table), 1000, 500)]
             for name, table in tables.items()}  # fmt: skip
    for place, kind in enumerate(("tau, ties broken", "tau-b")):
        for name, subsets in found.items():
            print(f"| {kind}, {name} | {' | '.join(told(one[:, place]) for one in subsets)} |")
    print("\n| a hundred random networks | mean | pick of #Param | best |\n|---|---:|---:|---:|")
    for name, table in tables.items():
        cells = (f"{one.mean():.2f} ({one.std(ddof=1):.2f})" for one in picks(table).T)
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
