"""The released code's random search on NAS-Bench-201, measured again: which network is picked?

    python benchmarks/random_search_picks.py measure --data cifar10.npz --out scores.csv
    python benchmarks/random_search_picks.py table scores.csv --accuracies nasbench201.csv

``measure`` trains the 100 networks that ``random.seed(SEED); random.sample(range(15625), 100)``
draws (``evaluate_anglefc.py`` of taoyang1122/Revisit_TrainingFree_NAS) for a few iterations and
keeps loss and cosine at every tenth; ``table`` ranks them and looks up the accuracy of each pick.
"""

import argparse
import csv
import os
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from anglenas._measuring.cluster import DaskWorkers
from anglenas._measuring.plan import draw_repeats
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.scores import score_architectures
from anglenas._measuring.store import Store
from anglenas._recipe import preset
from anglenas.data import open_source
from anglenas.ranking import guard, order, parse
from anglenas.spaces._nasbench201.values import NASBENCH201

SAMPLE = 100
READ_AT = (10, 20, 30, 40, 50)
METRICS = [*(f"{name}@{i}" for name in ("angle", "loss", "tse") for i in READ_AT), "params"]
PICKS = ("loss", "angle", "angle_loss", "angle_loss+params", "params")
# The authors' log (CIFAR-10 test accuracy, seed 1; released with their code).
LOGGED = {"loss": 90.877, "angle": 93.410, "angle_loss": 92.240, "angle_loss+params": 94.045}


def sample(seed: int) -> list[int]:
    """The indices of one run of the released code."""
    return random.Random(seed).sample(range(15625), SAMPLE)


def listed(path: Path) -> list[int]:
    """The indices of a CSV file's column ``index``."""
    with path.open() as file:
        return [int(row["index"]) for row in csv.DictReader(file)]


def measure(
    data: str,
    recipe: str,
    seed: int,
    networks: Path | None,
    store: Path | None,
    workers: int,
    out: Path,
) -> None:
    """Measure the sample, or the networks of a CSV file, and write one row a network."""
    source, chosen = open_source(data), preset(recipe)
    indices = listed(networks) if networks else sample(seed)
    with Store(store) as opened, DaskWorkers.local(workers) as executor:
        rows = score_architectures(
            [NASBENCH201.at(index) for index in indices],
            "nasbench201",
            len(source.class_names),
            draw_repeats(source, chosen, seed),
            METRICS,
            chosen,
            seed,
            Scorer(opened, executor),
        )
    with out.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["index", *METRICS, "status"])
        for index, row in zip(indices, rows, strict=True):
            values = ["" if row.values[name] is None else row.values[name] for name in METRICS]
            writer.writerow([index, *values, row.status])


def table(scores: Path, accuracies: Path, column: str) -> Iterator[str]:
    """Lines of a Markdown table: the pick of each ranking, guard off and on."""
    with scores.open() as file:
        rows = list(csv.DictReader(file))
    with accuracies.open() as file:
        accuracy = {int(row["index"]): float(row[column]) for row in csv.DictReader(file)}
    indices = [int(row["index"]) for row in rows]
    columns = {
        name: np.array([float(row[f"{name}@50"] or "nan") for row in rows])
        for name in ("angle", "loss", "tse")
    }
    columns["params"] = np.array([float(row["params"]) for row in rows])
    trivial = np.array([NASBENCH201.is_trivial(NASBENCH201.at(index)) for index in indices])
    angle, loss = guard(columns["angle"], columns["loss"], trivial=trivial)
    yield "| ranked by | guard off: index, accuracy | guard on: index, accuracy | authors' log |"
    yield "|---|---|---|---|"
    for pick in PICKS:
        cells = [
            _pick(pick, chosen, indices, accuracy)
            for chosen in (columns, {**columns, "angle": angle, "loss": loss})
        ]
        yield f"| `{pick}` | {cells[0]} | {cells[1]} | {LOGGED.get(pick, '')} |"
    best = max(indices, key=lambda index: accuracy[index])
    yield f"| best of the {len(indices)} | #{best}, {accuracy[best]:.3f} | | |"


def _pick(pick: str, columns: dict, indices: Sequence[int], accuracy: dict[int, float]) -> str:
    directions = {"angle": True, "loss": False, "tse": False, "params": True}
    index = indices[order(parse(pick).evaluate(columns, directions))[0]]
    return f"#{index}, {accuracy[index]:.3f}"


def main() -> None:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("measure")
    first.add_argument("--data", required=True)
    first.add_argument("--recipe", default="paper")
    first.add_argument("--seed", type=int, default=1)
    first.add_argument("--networks", type=Path, help="CSV whose column index names others")
    first.add_argument("--store", type=Path)
    first.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    first.add_argument("--out", type=Path, required=True)
    second = commands.add_parser("table")
    second.add_argument("scores", type=Path)
    second.add_argument("--accuracies", type=Path, required=True)
    second.add_argument("--column", default="cifar10_test")
    arguments = vars(parser.parse_args())
    if arguments.pop("command") == "measure":
        measure(**arguments)
    else:
        sys.stdout.writelines(line + "\n" for line in table(**arguments))


if __name__ == "__main__":
    main()
