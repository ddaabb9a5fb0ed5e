"""Short trainings of the networks that the study and the recipes are judged on.

    python benchmarks/study_measure.py --data cifar10.npz --accuracies nasbench201.csv \
        --column cifar10_test --samples seed1 seed2 top:100 --recipe paper \
        --store scores.sqlite --out docs/evidence/study_paper_cifar10.csv.gz

A sample is ``seedS``, the 100 networks that ``random.seed(S); random.sample(range(15625), 100)``
draws (the released code of Yang et al., WACV 2023), or ``top:N``, the first N of a fixed random
order of the 1 000 networks with the highest known accuracy, so that a larger N adds networks and
drops none. One row a network, with the whole trajectories of loss and cosine, as text. Outcomes
are kept in the store: a run that was stopped goes on where it was. ``top`` networks that a seed's
sample holds too stand in both.
"""

import argparse
import csv
import gzip
import io
import os
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from anglenas._measuring.cluster import DaskWorkers
from anglenas._measuring.plan import draw_repeats, make_plan
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.store import Store
from anglenas._measuring.task import Outcome
from anglenas._recipe import read_recipe
from anglenas.data import open_source
from anglenas.probes import Record, Undefined
from anglenas.probes._short_training import SHORT_TRAINING
from anglenas.spaces import NetworkConfig
from anglenas.spaces._nasbench201.values import NASBENCH201

SPACE_SIZE, RUN, TOP = 15625, 100, 1000
WRITE_EVERY = 10
METRICS = ("angle", "loss", "tse")
COLUMNS = ("index", "seed", "samples", "params", "seconds", "status", *METRICS, "losses", "cosines")


def accuracies(path: Path, column: str) -> list[float]:
    """The column of a table of known accuracies, in index order."""
    with path.open() as file:
        by_index = {int(row["index"]): float(row[column]) for row in csv.DictReader(file)}
    return [by_index[index] for index in range(SPACE_SIZE)]


def run(seed: int) -> list[int]:
    """The indices of the hundred networks that a seed draws, in their order."""
    return random.Random(seed).sample(range(SPACE_SIZE), RUN)


def drawn(sample: str, known: Sequence[float]) -> list[int]:
    """The indices of a sample, by its name."""
    if sample.startswith("seed"):
        return run(int(sample.removeprefix("seed")))
    top = sorted(range(SPACE_SIZE), key=lambda index: -known[index])[:TOP]
    return random.Random(0).sample(top, TOP)[: int(sample.removeprefix("top:"))]


def rows_of_run(seed: int, rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """The rows of a seed's networks, as far as they are there, in the order of its draws."""
    by_index = {int(row["index"]): row for row in rows}
    return [by_index[index] for index in run(seed) if index in by_index]


def reading(record: Record, metric: str) -> str:
    """A metric of a training, empty where it is undefined."""
    try:
        return repr(SHORT_TRAINING.metric(metric).read(record))
    except Undefined:
        return ""


def row(index: int, seed: int, samples: Sequence[str], outcome: Outcome) -> list[str | int]:
    """One network's line."""
    network = NASBENCH201.at(index)
    threes, ones = (network.operations.count(f"nor_conv_{k}x{k}") for k in (3, 1))
    record = outcome.record or {"iterations": 0, "loss": [], "cosine": []}
    return [
        index,
        seed,
        " ".join(samples),
        73_306 + 243_040 * threes + 28_000 * ones,
        f"{outcome.seconds:.2f}",
        outcome.status,
        *(reading(record, name) for name in METRICS),
        *(" ".join(f"{value:.6g}" for value in record[name]) for name in ("loss", "cosine")),
    ]


def write(rows: Sequence[Sequence[str | int]], out: Path) -> None:
    """A gzip file that is the same for the same rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(sorted(rows))
    out.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def parser_for(description: str | None) -> argparse.ArgumentParser:
    """Options of what measures networks of the study: images, accuracies, how, and where to."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--accuracies", type=Path, required=True)
    parser.add_argument("--column", default="cifar10_test")
    parser.add_argument("--recipe", default="paper")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, required=True)
    return parser


def main() -> None:
    """Measure, and write the file again after every few networks."""
    parser = parser_for(__doc__)
    parser.add_argument("--samples", nargs="+", required=True)
    given = parser.parse_args()
    known = accuracies(given.accuracies, given.column)
    samples: dict[int, list[str]] = {}
    for name in given.samples:
        for index in drawn(name, known):
            samples.setdefault(index, []).append(name.partition(":")[0])
    source, recipe = open_source(given.data), read_recipe(given.recipe)
    batches = draw_repeats(source, recipe, given.seed)
    image = batches[0].images
    target = NetworkConfig(num_classes=10, in_channels=image.shape[1], side=image.shape[-1])
    plan = make_plan("nasbench201", ["loss"], batches, target, recipe, given.seed, "cpu")
    indices: dict[object, list[int]] = {}
    for index in samples:
        [task] = plan.tasks(NASBENCH201.at(index))
        indices.setdefault(task, []).append(index)
    rows: list[list[str | int]] = []
    with Store(given.store) as store, DaskWorkers.local(given.workers) as executor:
        outcomes = Scorer(store, executor).outcomes(indices, plan.batches)
        for done, outcome in enumerate(outcomes, start=1):
            rows += [row(index, given.seed, samples[index], outcome)
                     for index in indices[outcome.task]]  # fmt: skip
            if done % WRITE_EVERY == 0 or done == len(indices):
                write(rows, given.out)
                print(f"{done}/{len(indices)} functions", flush=True)


if __name__ == "__main__":
    main()
