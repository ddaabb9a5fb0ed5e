"""Kendall's tau of #Param with accuracies, over orders of networks of equal accuracy.

    python benchmarks/study_params.py --accuracies nasbench201.csv

Which networks of equal accuracy are among the best 1 000 or 500 is arbitrary. Prints, for each
release of the accuracies, the least and the largest tau over 200 random orders of them: tau-b, and
tau after ties of both were broken at random (the released code of Yang et al. breaks them by a
double ``argsort``). No network is measured.
"""

import argparse
from pathlib import Path

import numpy as np

from anglenas.ranking import kendall_tau, kendall_tau_broken
from anglenas.study import Table, read_table

ORDERS, WHOLE = 200, 10
RELEASES = {"cifar10_test": "NAS-Bench-201", "natstss_cifar10_test": "NATS-Bench"}


def taus(table: Table, count: int) -> np.ndarray:
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


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--accuracies", type=Path, required=True)
    given = parser.parse_args()
    print(
        "| | all | top-1000 | top-500 |\n|---|---:|---:|---:|\n| published | 0.55 | 0.04 | 0.03 |"
    )
    tables = {name: read_table(given.accuracies, column, epochs="200")
              for column, name in RELEASES.items()}  # fmt: skip
    found = {name: [taus(table, count) for count in (len(table), 1000, 500)]
             for name, table in tables.items()}  # fmt: skip
    for place, kind in enumerate(("tau, ties broken", "tau-b")):
        for name, subsets in found.items():
            print(f"| {kind}, {name} | {' | '.join(told(one[:, place]) for one in subsets)} |")


if __name__ == "__main__":
    main()
