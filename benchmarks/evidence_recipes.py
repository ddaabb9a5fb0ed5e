"""The tables of docs/evidence/recipes.md: how well recipes order networks, for how much time.

Kendall's tau-b with known accuracies, estimated for the whole space from a sample whose strata are
the best 1 000 and the rest; 95 % intervals by the rescaling bootstrap within strata. Combined ranks
are formed, and values standardised, in the whole space. Settings of `fast` were chosen on the
networks ``chosen``: those of seed 1, and the first 75 of the sample of the best 1 000; ``held-out``
are all others of a file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from anglenas._paper.runs import picks as picks_of
from anglenas._study import Benchmark, Scores, apply_guard, read_benchmark, read_scores, read_subset
from anglenas._study.correlation import sampled_of
from anglenas._study.estimates import Ranking
from anglenas._study.subsets import strata_of
from anglenas.ranking import Interval
from study_measure import best_in_order, run

EVIDENCE = Path(__file__).parents[1] / "docs" / "evidence"
SUM = "z(angle)+z(tse)+z(log(params))"
RANKS = ("params", "angle", "loss", "tse", "angle_loss", "angle_loss+params", SUM)
PICKED = ("params", "angle_loss", "angle_loss+params", SUM)
CHOSEN_TOP, REPLICATES = 75, 500
HEAD = (
    "| recipe | ranked by | n: rest + best | all | groups | top-1000 |",
    "|---|---|---|---|---|---|",
)


class Asked(NamedTuple):
    """A recipe's measurements, and which of them a table is about."""

    name: str
    file: str
    column: str = "cifar10_test"
    networks: str = "all"
    guard: str = "off"
    iteration: int | None = None


TABLES = {
    "fast-guard": Asked("fast, guard", "study_fast_cifar10", networks="held-out",
                        guard="structure"),
    "fast-guard-cifar100": Asked("fast, guard", "study_fast_cifar100", "cifar100_test",
                                 guard="structure"),
    "fast": Asked("fast", "study_fast_cifar10", networks="held-out"),
    "fast-cifar100": Asked("fast", "study_fast_cifar100", "cifar100_test"),
    "fast-chosen": Asked("fast", "study_fast_cifar10", networks="chosen"),
    "paper": Asked("paper", "study_paper_cifar10"),
    "paper-guard": Asked("paper, guard", "study_paper_cifar10", guard="structure"),
}  # fmt: skip

FULL = "16 channels, 5 cells, 100 images"
SETTINGS = (
    *((f"{FULL}, {at}", "recipes_50_iterations", at) for at in (3, 5)),
    (f"**{FULL}, 10**", "study_fast_cifar10", 10),
    *((f"{FULL}, {at}", "recipes_50_iterations", at) for at in (20, 50)),
    *((f"8 channels, {at}", "recipes_8_channels", at) for at in (10, 50)),
    ("3 cells, 10", "recipes_3_cells", 10),
    ("50 images, 10", "recipes_50_images", 10),
)


@cache
def benchmark_of(data: Path, column: str) -> Benchmark:
    """The accuracies of a column, after 200 epochs."""
    return read_benchmark(data / "nasbench201.csv", column, epochs="200")


def scores_of(asked: Asked, benchmark: Benchmark) -> Scores:
    """What was measured of the networks that a table is about, guarded or not."""
    names = ("angle", "loss", "tse")
    at = [f"{name}@{asked.iteration}" for name in names] if asked.iteration else []
    [scores] = read_scores([EVIDENCE / f"{asked.file}.csv.gz"], benchmark, at)
    for name, read_at in zip(names, at, strict=False):
        scores = replace(scores, columns={**scores.columns, name: scores.columns[read_at]})
    used = np.zeros(len(benchmark), dtype=bool)
    used[[*run(1), *best_in_order(benchmark)[:CHOSEN_TOP]]] = True
    of_table = {"all": np.ones_like(used), "chosen": used, "held-out": ~used}[asked.networks]
    return apply_guard(scores.among(scores.measured["angle"] & of_table), benchmark, asked.guard)


def taus(rank: str, scores: Scores, benchmark: Benchmark) -> tuple[list[np.ndarray], str]:
    """Tau on all networks, in the groups and among the best, with replicates; and how many."""
    strata = strata_of(benchmark, ["top-1000"])
    sampled = sampled_of([scores], benchmark, rank, strata, replicates=1, seed=1)
    rng = np.random.default_rng(0)
    ranking = Ranking(replace(sampled, replicates=sampled.sample.replicates(REPLICATES, rng)), rank)
    found = []
    for subset in ("all", "groups", "top-1000"):
        parts = [part[sampled.rows] for part in read_subset(subset, benchmark).parts]
        found.append(np.concatenate([one[0] for one in ranking.taus(parts)]))
    return found, " + ".join(map(str, sampled.sample.drawn))


def told(found: np.ndarray) -> str:
    """An estimate, which comes first, and the 95 % interval of its replicates."""
    interval = Interval.of(float(found[0]), found[1:])
    if np.isnan(interval.value):
        return "all equal"
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def lines(asked: Asked, data: Path, ranks: Sequence[str] = RANKS) -> Iterator[str]:
    """A recipe's lines."""
    benchmark = benchmark_of(data, asked.column)
    scores = scores_of(asked, benchmark)
    for rank in ranks:
        found, count = taus(rank, scores, benchmark)
        yield f"| {asked.name} | `{rank}` | {count} | {' | '.join(map(told, found))} |"


def table(name: str, data: Path) -> Iterator[str]:
    """One of the tables of a recipe."""
    yield from HEAD
    yield from lines(TABLES[name], data)


def settings(data: Path) -> Iterator[str]:
    """Other settings on the networks that `fast` was chosen on, read at several iterations."""
    yield from (HEAD[0].replace("recipe", "setting, read at"), HEAD[1])
    for name, file, at in SETTINGS:
        asked = Asked(name, file, networks="chosen", iteration=at)
        yield from lines(asked, data, ["angle_loss+params", SUM])


def gain(data: Path) -> Iterator[str]:
    """What `fast` has more than `paper` on the networks that both have, in the same replicates."""
    benchmark = benchmark_of(data, "cifar10_test")
    both = [scores_of(Asked("", f"study_{recipe}_cifar10"), benchmark)
            for recipe in ("fast", "paper")]  # fmt: skip
    common = both[0].measured["angle"] & both[1].measured["angle"]
    yield from HEAD
    for rank in ("angle_loss+params", SUM):
        (ours, count), (theirs, _) = (taus(rank, one.among(common), benchmark) for one in both)
        cells = [told(one - other) for one, other in zip(ours, theirs, strict=True)]
        yield f"| fast - paper | `{rank}` | {count} | {' | '.join(cells)} |"


def picks(data: Path) -> Iterator[str]:
    """The accuracy of the network that each ranking puts first of each seed's hundred."""
    names = " | ".join(f"`{rank}`" for rank in PICKED)
    yield f"| images, recipe | seed | {names} | best of the 100 |"
    yield "|---" * (len(PICKED) + 3) + "|"
    for images, recipe, seeds in (("10", "fast", 3), ("10", "paper", 3), ("100", "fast", 2)):
        benchmark = benchmark_of(data, f"cifar{images}_test")
        [scores] = read_scores([EVIDENCE / f"study_{recipe}_cifar{images}.csv.gz"], benchmark)
        for seed in range(1, seeds + 1):
            found = picks_of(scores, benchmark, PICKED, seeds=[seed])
            most = max(one.accuracy for one in found)
            cells = " | ".join(f"**{one.accuracy:.2f}**" if one.accuracy == most
                               else f"{one.accuracy:.2f}" for one in found)  # fmt: skip
            chosen = " (chosen on)" if (images, recipe, seed) == ("10", "fast", 1) else ""
            yield f"| CIFAR-{images}, {recipe} | {seed}{chosen} | {cells} | {found[0].best:.2f} |"
