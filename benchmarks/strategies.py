"""Random search and evolution where the truth is known: NAS-Bench-201 with its accuracies.

The table of docs/evidence/strategies.md, which `evidence.py` makes. A candidate's score is its
accuracy on validation images after full training; what a search finds is judged by the test
accuracy of its best candidate. So this compares strategies, not metrics. It takes half a minute on
one core, and is the same on every machine.
"""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from anglenas._numerics import derive
from anglenas.spaces import NASBENCH201, NasBench201Architecture
from anglenas.strategies import Request, Strategy, Trial
from anglenas.strategies._evolution import Evolution
from anglenas.strategies._random import RANDOM

BUDGETS = (60, 100, 200)
SEEDS = 20
STRATEGIES: dict[str, Strategy] = {
    "`random`": RANDOM,
    "`evolution`": Evolution(),
    "`evolution,concurrency=1`": Evolution(concurrency=1),
    "`evolution,population=10`": Evolution(population=10),
    "`evolution,population=50`": Evolution(population=50),
    "`evolution,sample=3`": Evolution(sample=3),
}
SETS = {"CIFAR-10": "cifar10", "CIFAR-100": "cifar100"}

Cells = list[NasBench201Architecture]


def search(
    strategy: Strategy, score: Callable[[NasBench201Architecture], float], budget: int, seed: int
) -> Cells:
    """What a search proposes that knows the score of every candidate at once."""
    found: Cells = []
    while len(found) < budget:
        forms = {NASBENCH201.canonical(one) for one in found}
        found += strategy.propose(
            Request(
                space=NASBENCH201,
                history=[Trial(number, one, score(one)) for number, one in enumerate(found)],
                count=min(budget - len(found), strategy.concurrency or budget),
                stream=lambda number: np.random.default_rng(derive(seed, "strategy", number)),
                admits=lambda one, forms=forms: NASBENCH201.canonical(one) not in forms,
            )
        )
    return found


def accuracies(path: Path, column: str) -> Callable[[NasBench201Architecture], float]:
    """The accuracy of a cell, in percent."""
    with path.open() as file:
        known = {row["arch_str"]: float(row[column]) for row in csv.DictReader(file)}
    return lambda cell: known[str(cell)]


def table(data: Path) -> Iterator[str]:
    """A line for each set of images and strategy."""
    yield "| images | strategy | " + " | ".join(f"{n} candidates" for n in BUDGETS) + " |"
    yield "|---" * (2 + len(BUDGETS)) + "|"
    for images, column in SETS.items():
        valid, test = (
            accuracies(data / "nasbench201.csv", f"{column}_{part}") for part in ("valid", "test")
        )
        for name, strategy in STRATEGIES.items():
            runs = [search(strategy, valid, max(BUDGETS), seed) for seed in range(SEEDS)]
            # A smaller budget finds the beginning of what a larger one finds.
            picks = [[test(max(run[:budget], key=valid)) for run in runs] for budget in BUDGETS]
            cells = [f"{np.mean(one):.2f} ({np.std(one, ddof=1):.2f})" for one in picks]
            yield f"| {images} | {name} | " + " | ".join(cells) + " |"
