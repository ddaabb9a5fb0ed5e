"""How well recipes order networks, for how much time: the calibration of `fast`.

    python benchmarks/recipes.py --accuracies nasbench201.csv --column cifar10_test \
        --networks chosen "paper=docs/evidence/study_paper_cifar10.csv.gz" \
        "fast@10=docs/evidence/study_fast_cifar10.csv.gz"

Each argument is a name, perhaps the iteration to read at, and a file of `study_measure.py`. The
settings of `fast` were chosen on the networks ``chosen``: those of seed 1, and the first 75 of the
sample of the best 1 000. ``held-out`` are all others of the file, ``all`` both.

Kendall's tau-b with known accuracies, estimated for the whole space from the sample: its strata are
the best 1 000 and the rest; 95 % intervals by the rescaling bootstrap within strata. Combined ranks
are formed, and values standardised, in the whole space. ``groups`` counts pairs inside the eight
groups of equal #Param alone. ``--picks`` prints, for the seeds of which all 100 networks are there,
the accuracy of the one that each ranking puts first; ``--gain`` prints what each recipe has more
than the first one on the networks that both have. With ``--guard``, cells without a convolution on
a way through them are behind all others, as in a search.
"""

import argparse
import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anglenas.probes._short_training import SHORT_TRAINING
from anglenas.ranking import Pairs, Sample, count_pairs, guard_columns, order, parse
from anglenas.spaces._nasbench201.published import size_group
from anglenas.spaces._nasbench201.values import NASBENCH201
from study_measure import RUN, SPACE_SIZE, TOP, accuracies, drawn, rows_of_run

RANKS = (
    "params",
    "angle",
    "loss",
    "tse",
    "angle_loss",
    "angle_loss+params",
    "z(angle)+z(tse)+z(log(params))",
)
DIRECTIONS = {"angle": True, "loss": False, "tse": False, "params": True}
REPLICATES = 500
CHOSEN_TOP = 75


@dataclass(frozen=True)
class Measured:
    """Networks of a sample: columns of values by name, accuracies, strata, groups."""

    columns: dict[str, np.ndarray]
    truth: np.ndarray
    sample: Sample
    group: np.ndarray


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a compressed CSV file."""
    return list(csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode())))


def wanted(rows: list[dict[str, str]], networks: str, known: list[float]) -> list[dict[str, str]]:
    """The rows of the networks that settings were chosen on, of the others, or all."""
    used = {*drawn("seed1", known), *drawn(f"top:{CHOSEN_TOP}", known)}
    if networks == "all":
        return rows
    return [row for row in rows if (int(row["index"]) in used) == (networks == "chosen")]


def values(row: dict[str, str], iteration: int | None) -> dict[str, float]:
    """The metrics of a network, at an iteration or as they stand in the file."""
    if iteration is None:
        return {name: float(row[name] or "nan") for name in ("angle", "loss", "tse", "params")}
    record = {
        "iterations": iteration,
        "loss": [float(value) for value in row["losses"].split()][:iteration],
        "cosine": [float(value) for value in row["cosines"].split()][:iteration],
    }
    found = {name: SHORT_TRAINING.metric(name).read(record) for name in ("angle", "loss", "tse")}
    return {**found, "params": float(row["params"])}


def columns_of(
    rows: list[dict[str, str]], iteration: int | None, guard: bool
) -> dict[str, np.ndarray]:
    """Values by name; with a guard, cells without a convolution on a way through are behind."""
    found = [values(row, iteration) for row in rows]
    columns = {name: np.array([one[name] for one in found]) for name in found[0]}
    cells = [NASBENCH201.at(int(row["index"])) for row in rows]
    trivial = [guard and NASBENCH201.is_trivial(cell) for cell in cells]
    return guard_columns(columns, trivial, threshold=np.inf)[0]


def measured(
    rows: list[dict[str, str]], iteration: int | None, known: list[float], guard: bool
) -> Measured:
    """A file's networks, as a stratified sample of the space."""
    indices = [int(row["index"]) for row in rows]
    best = set(sorted(range(SPACE_SIZE), key=lambda index: -known[index])[:TOP])
    return Measured(
        columns_of(rows, iteration, guard),
        np.array([known[index] for index in indices]),
        Sample.of([index in best for index in indices], [SPACE_SIZE - TOP, TOP]),
        np.array([size_group(NASBENCH201.at(index)) for index in indices]),
    )


def taus(rank: str, data: Measured) -> Iterator[np.ndarray]:
    """Tau on all networks, inside the groups, and among the best; first itself, then replicates."""
    weights = data.sample.replicates(REPLICATES, np.random.default_rng(0))
    rows = np.vstack([data.sample.weights, weights])
    scores = np.stack([
        parse(rank).evaluate(data.columns, DIRECTIONS, weights=row) for row in rows
    ])  # fmt: skip

    def pairs(among: np.ndarray) -> Pairs:
        return count_pairs(scores, data.truth, data.sample, weights=rows, among=among)

    inside = [pairs(data.group == group) for group in range(8)]
    grouped = sum(inside[1:], start=inside[0])
    for found in (pairs(np.ones(len(data.truth), bool)), grouped, pairs(data.sample.strata == 1)):
        yield found.tau_b


def told(taus: np.ndarray) -> str:
    """An estimate and its 95 % interval."""
    if np.isnan(taus[0]):
        return "all equal"
    low, high = np.nanquantile(taus[1:], (0.025, 0.975))
    return f"{taus[0]:.2f} ({low:.2f} to {high:.2f})"


def lines(name: str, data: Measured, ranks: Sequence[str] = RANKS) -> Iterator[str]:
    """A recipe's lines of the table."""
    drawn_at_random = int((data.sample.strata == 0).sum())
    for rank in ranks:
        cells = [told(one) for one in taus(rank, data)]
        n = f"{drawn_at_random} + {(data.sample.strata == 1).sum()}"
        yield f"| {name} | `{rank}` | {n} | {' | '.join(cells)} |"


def gains(name: str, data: Measured, base: Measured, ranks: Sequence[str]) -> Iterator[str]:
    """What a recipe's tau has more than another's on the same networks, in the same replicates."""
    for rank in ranks:
        both = zip(taus(rank, data), taus(rank, base), strict=True)
        cells = [told(one - other) for one, other in both]
        n = f"{(data.sample.strata == 0).sum()} + {(data.sample.strata == 1).sum()}"
        yield f"| {name} | `{rank}` | {n} | {' | '.join(cells)} |"


def picks(name: str, rows: list[dict[str, str]], known: list[float], guard: bool) -> Iterator[str]:
    """The accuracy of the network that each ranking puts first, of each seed's hundred.

    Of equal ones it is the one that was drawn first, as in the released code.
    """
    for seed in (1, 2, 3):
        run = rows_of_run(seed, rows)
        if len(run) < RUN:
            continue
        columns = columns_of(run, None, guard)
        truth = np.array([known[int(row["index"])] for row in run])
        found = [truth[order(parse(rank).evaluate(columns, DIRECTIONS))[0]] for rank in RANKS]
        cells = " | ".join(f"{accuracy:.2f}" for accuracy in found)
        yield f"| {name} | {seed} | {cells} | {truth.max():.2f} |"


def by_index(row: dict[str, str]) -> int:
    """Where a network stands in the space."""
    return int(row["index"])


def read_argument(
    text: str, networks: str, known: list[float]
) -> tuple[str, list[dict[str, str]], int | None]:
    """Name, rows and iteration of an argument ``NAME[@ITERATION]=FILE``."""
    name, _, path = text.partition("=")
    _, _, iteration = name.partition("@")
    return name, wanted(rows_of(Path(path)), networks, known), int(iteration or 0) or None


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("recipes", nargs="+", metavar="NAME[@ITERATION]=FILE")
    parser.add_argument("--accuracies", type=Path, required=True)
    parser.add_argument("--column", default="cifar10_test")
    parser.add_argument("--ranks", nargs="+", default=RANKS, help="rank expressions")
    parser.add_argument("--gain", action="store_true", help="over the first recipe, in pairs")
    parser.add_argument("--picks", action="store_true", help="what each ranking puts first")
    parser.add_argument("--guard", action="store_true", help="put trivial cells behind")
    parser.add_argument("--networks", choices=("chosen", "held-out", "all"), default="all")
    given = parser.parse_args()
    known = accuracies(given.accuracies, given.column)
    if given.picks:
        print(f"| recipe | seed | {' | '.join(f'`{rank}`' for rank in RANKS)} | best of 100 |")
        print("|---" * (len(RANKS) + 3) + "|")
    else:
        print("| recipe | ranked by | n: rest + best | all | groups | top-1000 |")
        print("|---|---|---|---|---|---|")
    recipes = [read_argument(text, given.networks, known) for text in given.recipes]
    for name, rows, iteration in recipes[given.gain :]:
        if given.gain:
            base, first, at = recipes[0]
            there = {row["index"] for row in rows} & {row["index"] for row in first}
            common = [sorted((row for row in some if row["index"] in there), key=by_index)
                      for some in (rows, first)]  # fmt: skip
            pair = (
                measured(common[0], iteration, known, given.guard),
                measured(common[1], at, known, given.guard),
            )
            table = gains(f"{name} - {base}", *pair, given.ranks)
        elif given.picks:
            table = picks(name, rows, known, given.guard)
        else:
            table = lines(name, measured(rows, iteration, known, given.guard), given.ranks)
        for line in table:
            print(line, flush=True)


if __name__ == "__main__":
    main()
