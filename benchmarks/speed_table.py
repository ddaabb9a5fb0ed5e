"""Reading a table of known accuracies against reading its file with Python's own csv module.

    python benchmarks/speed_table.py --accuracies nasbench201.csv [--rounds 9]

The plain way makes a dictionary of each line and a number of one cell; ours also parses every
architecture, looks for those that stand twice, and reads the parameters.
"""

import argparse
import csv
from pathlib import Path

from anglenas._study import read_benchmark
from timing import Pairs, headline, in_turns, row


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--accuracies", type=Path, required=True)
    parser.add_argument("--column", default="cifar10_test")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()

    def plain() -> list[float]:
        with given.accuracies.open() as file:
            return [float(one[given.column]) for one in csv.DictReader(file)]

    def ours() -> object:
        return read_benchmark(given.accuracies, given.column)

    ours()  # imports what it needs
    times = [in_turns(plain, ours, rounds=1) for _ in range(given.rounds)]
    print(headline("speed_table.py"))
    print(row("table of 15 625 networks", Pairs(*zip(*times, strict=True))))


if __name__ == "__main__":
    main()
