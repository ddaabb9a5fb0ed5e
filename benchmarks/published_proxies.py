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

from anglenas import Recipe, Store, preset
from anglenas._measuring.computing import compute
from anglenas._measuring.local import LocalWorkers
from anglenas._measuring.plan import Plan, draw_repeats, make_plan
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.task import Outcome, Task
from anglenas._numerics import single_thread
from anglenas.data import open_source
from anglenas.probes import find_probe
from anglenas.spaces import NASBENCH201, NetworkConfig

SEED = 1
SAMPLE = 300
TIMED = 3
MISSING = -1e8
WRITE_EVERY = 100


@dataclass(frozen=True)
class Job:
    """Probes that are measured on the first networks of the sample, with one recipe."""

    probes: tuple[str, ...]
    networks: int
    recipe: Recipe


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
METRICS = tuple(
    metric.name for job in JOBS for probe in job.probes for metric in find_probe(probe).metrics
)


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


def plan_of(job: Job, data: str) -> Plan:
    """What a job measures."""
    source = open_source(data)
    metrics = [metric.name for probe in job.probes for metric in find_probe(probe).metrics]
    batches = draw_repeats(source, job.recipe, SEED)
    target = NetworkConfig(num_classes=len(source.class_names))
    return make_plan("nasbench201", metrics, batches, target, job.recipe, SEED)


def values_of(
    plans: Sequence[Plan], index: int, outcomes: Mapping[Task, Outcome]
) -> dict[str, float]:
    """All metrics of one network whose measurements are there."""
    architecture, values = NASBENCH201.at(index), {}
    for plan in plans:
        for metric in plan.metrics:
            part = Plan(plan.space, (metric,), {metric.probe: plan.contexts[metric.probe]}, {})
            if all(task in outcomes for task in part.tasks(architecture)):
                values |= part.read(architecture, outcomes).values
    return values


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
    """Measure the sample, job after job, and write one row a network as the scores come."""
    indices = sample(published)
    plans = [plan_of(job, data) for job in JOBS]
    outcomes: dict[Task, Outcome] = {}

    def save() -> None:
        rows = [{"index": index, **rounded(values_of(plans, index, outcomes))} for index in indices]
        write(out, ["index", *METRICS], rows)

    with Store(store) as opened, LocalWorkers(workers) as executor:
        scorer = Scorer(opened, executor)
        for job, plan in zip(JOBS, plans, strict=True):
            chosen = [NASBENCH201.at(index) for index in indices[: job.networks]]
            tasks = [task for architecture in chosen for task in plan.tasks(architecture)]
            for count, outcome in enumerate(scorer.outcomes(tasks, plan.batches), start=1):
                outcomes[outcome.task] = outcome
                if outcome.record is None:
                    print(outcome.task.context.probe, outcome.task.subject, outcome.status)
                if count % WRITE_EVERY == 0:
                    save()
            save()


def time_probes(data: str, published: Path, out: Path) -> None:
    """Seconds of CPU that each probe takes on the first networks of the sample, one thread."""
    rows = []
    plans = [plan_of(job, data) for job in (*JOBS, Job(("ntk", "short_training"), TIMED, PAPER))]
    with single_thread():
        for index in sample(published)[:TIMED]:
            row: dict[str, float] = {"index": index}
            for plan in plans:
                for task in plan.tasks(NASBENCH201.at(index)):
                    started = time.process_time()
                    compute(task, plan.batches.get(task.context.images))
                    name = task.context.probe
                    size = " (TE-NAS size)" if task.context.network.channels == 3 else ""
                    row[name + size] = round(time.process_time() - started, 3)
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
