"""What a verification says, beside the accuracies that the benchmark knows of its networks.

    python benchmarks/verified.py docs/evidence/verify_cifar10.csv --accuracies nasbench201.csv

Reads ``table.csv`` of ``anglenas verify`` on NAS-Bench-201 and prints its networks, the means of
its parts, and Kendall's tau-b of the ranking and of #Param with the accuracy after the short
training and after the benchmark's 200 epochs. Intervals of 95 % come from the bootstrap over
networks.
"""

import argparse
import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from anglenas._numerics import derive
from anglenas.ranking import kendall_tau
from anglenas.spaces._nasbench201.values import NASBENCH201
from study_measure import accuracies

REPLICATES, SEED = 1000, 1
PARTS = ("top", "middle", "bottom")

Columns = Mapping[str, np.ndarray]


def columns_of(rows: list[dict[str, str]], known: Mapping[str, float]) -> Columns:
    """Scores, parameters, and accuracies in percent after the short and the long training."""
    return {
        "score": np.array([float(row["score"]) for row in rows]),
        "params": np.array([float(row["params"]) for row in rows]),
        "short": np.array([100 * float(row["accuracy"]) for row in rows]),
        "long": np.array([known[row["architecture"]] for row in rows]),
    }


def networks(rows: list[dict[str, str]], columns: Columns) -> Iterator[str]:
    """A line a network."""
    yield "| part | rank | short training | 200 epochs | parameters | architecture |"
    yield "|---|---:|---:|---:|---:|---|"
    for row, short, long in zip(rows, columns["short"], columns["long"], strict=True):
        text = row["architecture"].replace("|", "\\|")
        yield (
            f"| {row['part']} | {row['rank']} | {short:.2f} | {long:.2f} | "
            f"{float(row['params']):,.0f} | `{text}` |"
        )


def means(rows: list[dict[str, str]], columns: Columns) -> Iterator[str]:
    """A line a part of the ranking."""
    yield "| part | mean after the short training | after 200 epochs |"
    yield "|---|---:|---:|"
    for part in PARTS:
        here = np.array([row["part"] == part for row in rows])
        cells = " | ".join(f"{columns[name][here].mean():.1f}" for name in ("short", "long"))
        yield f"| {part} | {cells} |"


def taus(columns: Columns, truth: str) -> Columns:
    """Tau of the ranking, of #Param, and the gain: first itself, then ``REPLICATES`` of it."""
    count = len(columns[truth])
    rng = np.random.default_rng(derive(SEED, "bootstrap"))
    chosen = [np.arange(count), *(rng.integers(count, size=count) for _ in range(REPLICATES))]
    ours, theirs = (
        np.array([kendall_tau(columns[name][one], columns[truth][one]) for one in chosen])
        for name in ("score", "params")
    )
    return {"the ranking": ours, "`params`": theirs, "what the ranking gains": ours - theirs}


def agreements(columns: Columns) -> Iterator[str]:
    """A line an order."""
    yield "| order by | tau after the short training | after 200 epochs |"
    yield "|---|---:|---:|"
    short, long = taus(columns, "short"), taus(columns, "long")
    for name in short:
        yield f"| {name} | {told(short[name])} | {told(long[name])} |"
    yield f"| the short training | | {kendall_tau(columns['short'], columns['long']):.2f} |"


def told(found: np.ndarray) -> str:
    """An estimate and its interval."""
    low, high = np.nanquantile(found[1:], (0.025, 0.975))
    return f"{found[0]:.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    """Print three tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("table", type=Path)
    parser.add_argument("--accuracies", type=Path, required=True)
    parser.add_argument("--column", default="cifar10_test")
    given = parser.parse_args()
    with given.table.open() as file:
        rows = list(csv.DictReader(file))
    by_index = accuracies(given.accuracies, given.column)
    known = {str(NASBENCH201.at(index)): value for index, value in enumerate(by_index)}
    columns = columns_of(rows, known)
    for table in (networks(rows, columns), means(rows, columns), agreements(columns)):
        print("\n".join([*table, ""]))


if __name__ == "__main__":
    main()
