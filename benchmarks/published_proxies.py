"""Training-free metrics on NAS-Bench-201, measured again and compared with published scores.

    python benchmarks/published_proxies.py measure --data cifar10.npz --published proxies.csv \
        --out docs/evidence/metrics_scores.csv
    python benchmarks/published_proxies.py time --data cifar10.npz --published proxies.csv \
        --out docs/evidence/metrics_seconds.csv

The published table (zero-cost proxies of NASLib and NAS-Bench-Suite-Zero on CIFAR-10) holds the
9 445 networks without unreachable operations; ``random.Random(0)`` draws the sample. ``measure``
keeps every outcome in a store, so that a run that was stopped goes on where it was; `evidence.py`
makes the table.
"""

import argparse
import csv
import os
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anglenas import Recipe, preset, score_many
from anglenas.data import open_source
from anglenas.probes import find_probe
from anglenas.spaces import NASBENCH201

SEED = 1
SAMPLE = 300
TIMED = 3
MISSING = -1e8


@dataclass(frozen=True)
class Job:
    """Probes that are measured on the first networks of the sample, with one recipe."""

    probes: tuple[str, ...]
    networks: int
    recipe: Recipe

    @property
    def metrics(self) -> list[str]:
        """Everything that the probes tell."""
        return [metric.name for probe in self.probes for metric in find_probe(probe).metrics]


PAPER = preset("paper")
TE_NAS = preset("paper", channels=3, cells=1)  # the size at which TE-NAS computes its kernel
JOBS = (
    Job(
        ("parameters", "flops", "norms", "regions", "synflow", "meco", "jacob_cov", "zico",
         "backward", "activations", "zen", "az_nas"),
        300, PAPER,
    ),
    Job(("ntk",), 300, TE_NAS),
    Job(("grasp", "gradsign", "vkdnw", "ntk_frozen_bn"), 150, PAPER),
)  # fmt: skip
METRICS = [metric for job in JOBS for metric in job.metrics]


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a file."""
    with path.open() as file:
        return list(csv.DictReader(file))


def number(text: str) -> float:
    """A published value; empty cells and the -1e8 that stand for failures are NaN."""
    value = float(text or "nan")
    return np.nan if value <= MISSING else value


def sample(published: Path) -> list[int]:
    """The indices of the networks that are measured, in the order of the draw."""
    known = [int(row["index"]) for row in read_csv(published) if row["params"]]
    return random.Random(0).sample(known, SAMPLE)


def rounded(values: Mapping[str, float | None]) -> dict[str, str]:
    """The values with seven digits, counts with all of theirs."""
    return {
        name: "" if value is None else str(value) if isinstance(value, int) else f"{value:.7g}"
        for name, value in values.items()
    }


def write(path: Path, head: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table at once, so that a reader never meets half of it."""
    fresh = path.with_suffix(".new")
    with fresh.open("w", newline="") as file:
        writer = csv.DictWriter(file, head, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    fresh.replace(path)


def measure(data: str, published: Path, store: Path | None, workers: int, out: Path) -> None:
    """Measure the sample, job after job, and write one row a network after each."""
    source, found = open_source(data), {index: {} for index in sample(published)}
    for job in JOBS:
        chosen = list(found)[: job.networks]
        measured = score_many(
            map(NASBENCH201.at, chosen), source, metrics=job.metrics, recipe=job.recipe, seed=SEED,
            workers=workers, store=store,
        )  # fmt: skip
        for index, one in zip(chosen, measured, strict=True):
            found[index] |= rounded(one.values)
            for metric, reason in one.reasons.items():
                print(index, metric, reason)
        write(out, ["index", *METRICS], [{"index": index} | row for index, row in found.items()])


def time_probes(data: str, published: Path, out: Path) -> None:
    """Seconds of CPU that each probe takes on the first networks of the sample, one thread."""
    source, rows = open_source(data), []
    for index in sample(published)[:TIMED]:
        row: dict[str, float] = {"index": index}
        for job in (*JOBS, Job(("ntk", "short_training"), TIMED, PAPER)):
            for probe in job.probes:
                metric, size = find_probe(probe).metrics[0].name, ""
                if job.recipe == TE_NAS:
                    size = " (TE-NAS size)"
                started = time.process_time()
                # A store of its own, so that nothing is read that was measured before.
                score_many([NASBENCH201.at(index)], source, metrics=[metric], recipe=job.recipe,
                           seed=SEED, workers=0, store=":memory:")  # fmt: skip
                row[probe + size] = round(time.process_time() - started, 3)
        rows.append(row)
    write(out, list(rows[0]), rows)


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("measure")
    second = commands.add_parser("time")
    for command in (first, second):
        command.add_argument("--data", required=True)
        command.add_argument("--published", type=Path, required=True)
        command.add_argument("--out", type=Path, required=True)
    first.add_argument("--store", type=Path)
    first.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    arguments = vars(parser.parse_args())
    {"measure": measure, "time": time_probes}[arguments.pop("command")](**arguments)


if __name__ == "__main__":
    main()
