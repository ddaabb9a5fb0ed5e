"""What handing out, keeping and looking up scores costs.

    python benchmarks/throughput.py [tasks] [networks] [store]

``tasks``: 10 000 measurements that do next to nothing, through two workers and into a store.
``networks``: all 15 625 networks of NAS-Bench-201 as they are written, by ``params`` and
``flops``. ``store``: a million scores are put, and some are looked up. Each prints rows of a table.
"""

import argparse
import os
import platform
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn

from anglenas import Recipe, Store, score_many
from anglenas._measuring.local import LocalWorkers
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.task import Context, Outcome, Task
from anglenas.probes import Probe
from anglenas.spaces import NASBENCH201, NetworkConfig, Space

TASKS = 10_000
SCORES = 1_000_000
LOOK_UPS = 1_000
BATCH = 10_000
WORKERS = 2


def build(word: str, config: NetworkConfig) -> nn.Module:
    """No network at all."""
    return nn.Identity()


NOTHING = Probe("nothing", (), lambda *_: {"value": 1 / 3}, uses_images=False)

WORDS = Space(
    name="words",
    parse=str,
    sample=lambda rng: str(rng.integers(TASKS)),
    mutate=lambda word, rng: word[::-1],
    build=build,
    drawings=lambda word: (),
    fixed_version=1,
)
"""A space of words, whose networks are empty."""


@dataclass
class Usage:
    """Time of the wall and of all processors, and most memory at any moment, in MB."""

    seconds: float = 0.0
    cpu: dict[int, float] = field(default_factory=dict)
    main: float = 0.0
    all: float = 0.0

    def look(self) -> None:
        """Look at this process and all that it started."""
        this = psutil.Process()
        together = 0.0
        for process in [this, *this.children(recursive=True)]:
            try:
                times, memory = process.cpu_times(), process.memory_full_info()
            except psutil.NoSuchProcess:
                continue
            self.cpu[process.pid] = times.user + times.system
            together += memory.pss / 1e6  # what processes share counts once
            if process.pid == this.pid:
                self.main = max(self.main, memory.rss / 1e6)
        self.all = max(self.all, together)


@contextmanager
def used() -> Iterator[Usage]:
    """What is used inside."""
    usage, over = Usage(), threading.Event()

    def watch() -> None:
        while not over.wait(5):  # looking at memory takes time itself
            usage.look()

    watcher = threading.Thread(target=watch)
    before = time.process_time()
    started = time.perf_counter()
    watcher.start()
    try:
        yield usage
    finally:
        usage.seconds = time.perf_counter() - started
        over.set()
        watcher.join()
        usage.cpu[os.getpid()] = time.process_time() - before


def words(count: int) -> list[Task]:
    """Tasks that do nothing."""
    context = Context.of("throughput:WORDS", "throughput:NOTHING", NetworkConfig(),
                         recipe=Recipe(), images="", seed=0)  # fmt: skip
    return [Task(context, f"word {number}") for number in range(count)]


def tasks(folder: Path) -> Iterator[str]:
    """Rows on cheap tasks."""
    with Store(folder / "tasks.sqlite") as store, LocalWorkers(WORKERS) as workers:
        scorer = Scorer(store, workers)
        list(scorer.outcomes(words(10), {}))  # the workers are up
        with used() as usage:
            outcomes = list(scorer.outcomes(words(TASKS), {}))
        yield timed(f"{TASKS} tasks that do nothing, {WORKERS} workers", usage, TASKS)
        inside = sum(outcome.seconds for outcome in outcomes)
        yield row("- inside the tasks, all workers together", f"{inside:.1f} s", "")
        with used() as usage:
            list(scorer.outcomes(words(TASKS), {}))
        yield timed("- the same once more, all in the store", usage, TASKS)


def networks(folder: Path) -> Iterator[str]:
    """Rows on all networks of the space."""
    architectures = list(NASBENCH201.enumerate())
    size = len(architectures)
    settings: dict[str, Any] = {
        "metrics": ["params", "flops"],
        "store": folder / "all.sqlite",
        "workers": WORKERS,
    }
    with used() as usage:
        measured = score_many(architectures, **settings)
    yield timed(f"{size} networks by params and flops, {WORKERS} workers", usage, size)
    total = sum(usage.cpu.values())
    yield row("- time of processors", f"{total:.0f} s", f"{1e3 * total / size:.2f} ms")
    yield row("- most memory of this process", f"{usage.main:.0f} MB", "")
    yield row("- most memory of all processes together", f"{usage.all:.0f} MB", "")
    with used() as usage:
        again = score_many(architectures, **settings)
    assert again == measured
    yield timed("- the same once more, all in the store", usage, size)


def store(folder: Path) -> Iterator[str]:
    """Rows on a small and on a large store."""
    for size in (LOOK_UPS, SCORES):
        everything = words(size)
        some = random.Random(1).sample(everything, LOOK_UPS)
        with Store(folder / f"{size}.sqlite") as opened:
            with used() as usage:
                for first in range(0, size, BATCH):
                    opened.put_many(map(outcome_of, everything[first : first + BATCH]))
            yield timed(f"{size} scores put, up to {BATCH} at once", usage, size)
            with used() as usage:
                assert all(opened.get(task) for task in some)
            yield timed(f"- {LOOK_UPS} of {size} looked up, one by one", usage, LOOK_UPS)
            with used() as usage:
                assert len(opened.get_many(some)) == LOOK_UPS
            yield timed(f"- {LOOK_UPS} of {size} looked up, at once", usage, LOOK_UPS)
            with used() as usage:
                info = opened.info()
            assert info.scores == size
            yield row("- what it holds, as a table", f"{usage.seconds:.3f} s", "")
            yield row("- size on disk", f"{info.size / 1e6:.1f} MB", "")


def outcome_of(task: Task) -> Outcome:
    """A small record."""
    return Outcome(task, "ok", {"value": 1 / 3}, 0.1, "host")


def timed(what: str, usage: Usage, count: int) -> str:
    """A row on a time, in all and each."""
    return row(what, f"{usage.seconds:.3g} s", f"{1e3 * usage.seconds / count:.3g} ms")


def row(*cells: str) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


PARTS = {"tasks": tasks, "networks": networks, "store": store}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], default=[])
    parts = parser.parse_args().part or list(PARTS)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {load}; "
          f"Python {platform.python_version()}, torch {torch.__version__}\n")  # fmt: skip
    print("| what | all | each |\n|---|---|---|", flush=True)
    for part in parts:
        with tempfile.TemporaryDirectory() as folder:
            for line in PARTS[part](Path(folder)):
                print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
