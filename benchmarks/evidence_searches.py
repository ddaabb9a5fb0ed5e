"""Tables of docs/evidence: pruning.md, training.md (what a verification says) and metrics.md."""

import csv
import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from anglenas._numerics import derive
from anglenas._paper.runs import picks as picks_of
from anglenas._study import read_scores
from anglenas.probes import find_metric
from anglenas.ranking import Interval, bootstrap, kendall_tau, parse, spearman
from evidence_recipes import EVIDENCE, SUM, benchmark_of

# By recipe: the guard, as the released code has it or as a search has it, and the rankings.
PICKED = {
    "paper": ("off", {name: name for name in ("angle_loss", "angle_loss+params", "params")}),
    "fast": ("structure", {"default": SUM}),
}
# Chen et al. (TE-NAS), ICLR 2021, arXiv 2102.11535, table 1: accuracy and its deviation.
PUBLISHED_TENAS = {"cifar10": (93.9, 0.47), "cifar100": (71.24, 0.56)}
# Our name, and the column of the published table.
PUBLISHED_AS = {
    "params": "params", "flops": "flops", "synflow": "synflow", "l2_norm": "l2_norm",
    "naswot": "nwot", "jacob_cov": "jacov", "epe_nas": "epe_nas", "snip": "snip",
    "grad_norm": "grad_norm", "plain": "plain", "fisher": "fisher",
    "fisher_per_weight": "fisher", "grasp": "grasp", "zen": "zen",
}  # fmt: skip
COMBINED = (
    "ntk+regions",
    "logrank(az_expressivity)+logrank(az_progressivity)"
    "+logrank(az_trainability)+logrank(az_complexity)",
)
MISSING = -1e8  # what NASLib writes for a failure


def rows_of(name: str) -> list[dict[str, str]]:
    """The rows of a committed file."""
    with (EVIDENCE / name).open() as file:
        return list(csv.DictReader(file))


def pruned(images: str, data: Path) -> Iterator[str]:
    """What pruning ends with, beside TE-NAS as published and the picks of random search."""
    benchmark = benchmark_of(data, f"{images}_test")
    rows = [row for row in rows_of("pruning.csv") if row["images"] == images]
    yield f"| {images} | n | accuracy | each | seconds |"
    yield "|---|---|---|---|---|"
    for way in dict.fromkeys(row["way"] for row in rows):
        mine = [row for row in rows if row["way"] == way]
        seconds = statistics.mean(float(row["seconds"]) for row in mine)
        reached = [benchmark.accuracy[benchmark.rows[row["architecture"]]] for row in mine]
        yield accuracies(f"`{way}`", reached, f"{seconds:.0f}")
    mean, deviation = PUBLISHED_TENAS[images]
    yield f"| TE-NAS, as published | | {mean:.2f} ({deviation:.2f}) | | 1558, of a GPU |"
    for recipe, (guard, ranks) in PICKED.items():
        [scores, *_] = read_scores([EVIDENCE / f"study_{recipe}_{images}.csv.gz"], benchmark)
        samples = {seed: scores.samples.get(f"seed{seed}") for seed in (1, 2, 3)}
        whole = [seed for seed, mask in samples.items() if mask is not None and mask.sum() == 100]
        for name, rank in ranks.items():
            found = picks_of(scores, benchmark, [rank], seeds=whole, guards=[guard])
            title = f"100 random networks, `{recipe}`, best by `{name}`"
            yield accuracies(title, [one.accuracy for one in found])


def accuracies(title: str, values: Sequence[float], seconds: str = "") -> str:
    """A row: mean and deviation of some accuracies, and all of them."""
    deviation = f" ({statistics.stdev(values):.2f})" if values[1:] else ""
    each = ", ".join(f"{value:.2f}" for value in values)
    mean = f"{statistics.mean(values):.2f}{deviation}"
    return f"| {title} | {len(values)} | {mean} | {each} | {seconds} |"


def cells(data: Path) -> Iterator[str]:
    """Searched cells of DARTS: what they cost, and how large their networks are."""
    del data
    yield "| figure | images | ranked by | removals | CPU min | parameters, CIFAR-10 | ImageNet |"
    yield "|---|---|---|---|---|---|---|"
    for one in json.loads((EVIDENCE / "cells.json").read_text()):
        small, large = (one["parameters"][name] / 1e6 for name in ("cifar10", "imagenet"))
        yield (
            f"| {one['figure']} | {one['data']} | `{one['rank']}` | {one['candidates']} "
            f"| {one['seconds'] / 60:.0f} | {small:.2f} M | {large:.2f} M |"
        )


def verified_columns(data: Path) -> dict[str, np.ndarray]:
    """Scores, parameters, and accuracies in percent after the short and the long training."""
    rows, benchmark = rows_of("verify_cifar10.csv"), benchmark_of(data, "cifar10_test")
    return {
        "score": np.array([float(row["score"]) for row in rows]),
        "params": np.array([float(row["params"]) for row in rows]),
        "short": np.array([100 * float(row["accuracy"]) for row in rows]),
        "long": benchmark.accuracy[[benchmark.rows[row["architecture"]] for row in rows]],
        "part": np.array([row["part"] for row in rows]),
    }


def verified_networks(data: Path) -> Iterator[str]:
    """A line a network that was verified."""
    columns = verified_columns(data)
    yield "| part | rank | short training | 200 epochs | parameters | architecture |"
    yield "|---|---:|---:|---:|---:|---|"
    for row, short, long in zip(
        rows_of("verify_cifar10.csv"), columns["short"], columns["long"], strict=True
    ):
        text = row["architecture"].replace("|", "\\|")
        yield (
            f"| {row['part']} | {row['rank']} | {short:.2f} | {long:.2f} | "
            f"{float(row['params']):,.0f} | `{text}` |"
        )


def verified_means(data: Path) -> Iterator[str]:
    """A line a part of the ranking."""
    columns = verified_columns(data)
    yield "| part | mean after the short training | after 200 epochs |"
    yield "|---|---:|---:|"
    for part in ("top", "middle", "bottom"):
        here = columns["part"] == part
        cells = (f"{columns[name][here].mean():.1f}" for name in ("short", "long"))
        yield f"| {part} | {' | '.join(cells)} |"


def verified_agreement(data: Path) -> Iterator[str]:
    """How well the ranking and #Param order the networks, after the short training and the long."""
    columns = verified_columns(data)

    def agreement(truth: str) -> list[Interval]:
        def taus(chosen: np.ndarray) -> tuple[float, float, float]:
            ours, theirs = (kendall_tau(columns[name][chosen], columns[truth][chosen])
                            for name in ("score", "params"))  # fmt: skip
            return ours, theirs, ours - theirs

        rng = np.random.default_rng(derive(1, "bootstrap"))
        return bootstrap(taus, len(columns[truth]), rng)

    yield "| order by | tau after the short training | after 200 epochs |"
    yield "|---|---:|---:|"
    names = ("the ranking", "`params`", "what the ranking gains")
    for name, *both in zip(names, agreement("short"), agreement("long"), strict=True):
        cells = (f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})" for one in both)
        yield f"| {name} | {' | '.join(cells)} |"
    yield f"| the short training | | {kendall_tau(columns['short'], columns['long']):.2f} |"


def published(data: Path) -> Iterator[str]:
    """Our training-free metrics beside published scores of the same networks, a metric a line."""
    benchmark = benchmark_of(data, "cifar10_test")
    [own] = read_scores([EVIDENCE / "metrics_scores.csv"], benchmark)
    [theirs] = read_scores([data / "nasbench201_published_proxies_cifar10.csv"], benchmark)
    rows = np.flatnonzero(own.measured["regions"])  # each network that was drawn has it
    seconds = rows_of("metrics_seconds.csv")
    times = {name: statistics.fmean(float(row[name]) for row in seconds) for name in seconds[0]}
    names = list(rows_of("metrics_scores.csv")[0])[1:]
    truth = benchmark.accuracy[rows]
    columns = {name: own.columns[name][rows] for name in names}
    yield "| metric | n | Spearman with published | tau | tau published | tau `params` | CPU s |"
    yield "|---|---|---|---|---|---|---|"
    for name in sorted(names):
        metric, ours = find_metric(name), columns[name]
        here = np.isfinite(ours)
        other = theirs.columns[PUBLISHED_AS[name]][rows] if name in PUBLISHED_AS else ours * np.nan
        both = here & (other > MISSING)
        spear = f"{spearman(ours[both], other[both]):.3f}" if both.any() else ""
        tau = f"{kendall_tau(other[both], truth[both]):.3f}" if both.any() else ""
        cost = times.get(metric.probe, times.get(f"{metric.probe} (TE-NAS size)", np.nan))
        count = f"{here.sum()}" + (f" ({both.sum()})" if 0 < both.sum() < here.sum() else "")
        sign = 1 if metric.higher_is_better else -1
        yield (
            f"| `{name}` | {count} | {spear} | {kendall_tau(sign * ours[here], truth[here]):.3f} "
            f"| {tau} | {kendall_tau(columns['params'][here], truth[here]):.3f} | {cost:.2f} |"
        )
    directions = {name: find_metric(name).higher_is_better for name in names}
    for expression in COMBINED:
        score = parse(expression).evaluate(columns, directions)
        here = np.isfinite(score)
        ours, size = (kendall_tau(one[here], truth[here]) for one in (score, columns["params"]))
        yield f"| `{expression}` | {here.sum()} | | {ours:.3f} | | {size:.3f} | |"
