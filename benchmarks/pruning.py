r"""What pruning ends with: NAS-Bench-201, where the truth is known, and the cells of DARTS.

    python benchmarks/pruning.py measure --data cifar10=cifar10.npz --data cifar100=cifar100.npz \
        --seeds 4 --store scores.sqlite --out docs/evidence/pruning.csv
    python benchmarks/pruning.py table docs/evidence/pruning.csv --accuracies nasbench201.csv \
        --random cifar10:paper=docs/evidence/study_paper_cifar10.csv.gz
    python benchmarks/pruning.py cells docs/evidence/cells.json

``measure`` prunes once for each set of images, way and seed, and appends a row to the file. A row
that is there is not made again, and a search that was stopped goes on from the store, so the same
command may be run until it is through. ``table`` looks up the accuracy of what pruning ended with,
beside the published one of TE-NAS and the picks of random search. ``cells`` makes a table of what
``anglenas paper cells`` wrote.
"""

import argparse
import csv
import gzip
import json
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import anglenas
from anglenas._measuring.progress import Progress
from anglenas._paper.runs import picks as picks_of
from anglenas._study import read_benchmark, read_scores
from anglenas.spaces._nasbench201.values import NASBENCH201
from study_measure import RUN


@dataclass(frozen=True)
class Way:
    """A way to prune; the recipe is that of the supernets unless it is named."""

    rank: str
    reading: str = "auto"
    recipe: str | None = None


WAYS = {
    "angle_loss": Way("angle_loss"),
    "angle_loss+params": Way("angle_loss+params"),
    "params": Way("params"),
    "default": Way("z(angle)+z(tse)+z(log(params))"),
    # TE-NAS: with the weights it means, with fan-in weights, with those of its released code.
    "tenas": Way("tenas"),
    "ntk+regions": Way("ntk+regions"),
    "tenas, as released": Way("ntk_as_released+regions_as_released"),
    # The other reading of a short training: by its change from the supernet that is not pruned,
    # without guard and with dense ranks, as TE-NAS reads its metrics.
    "angle_loss, change": Way("angle_loss", "change"),
    "angle_loss+params, change": Way("angle_loss+params", "change"),
    "angle_loss+params, 3 repeats": Way("angle_loss+params", recipe="paper-pruning,repeats=3"),
    "angle_loss+params, change, 3 repeats": Way(
        "angle_loss+params", "change", "paper-pruning,repeats=3"
    ),
    # Other supernets: as small as TE-NAS's, and wider ones.
    "angle_loss+params, 3 channels, 32 x 32": Way(
        "angle_loss+params", recipe="paper-pruning,resolution=32,channels=3"
    ),
    "angle_loss+params, 16 channels": Way("angle_loss+params", recipe="paper-pruning,channels=16"),
}
FOUR = ("angle_loss", "angle_loss+params", "params", "tenas")
FIELDS = ("images", "way", "seed", "index", "architecture", "seconds", "measurements", "wall")
# By recipe: the guard, as the released code has it or as a search has it, and the rankings.
PICKED = {
    "paper": ("off", ("angle_loss", "angle_loss+params", "params")),
    "fast": ("structure", ("default",)),
}
# Chen et al. (TE-NAS), ICLR 2021, arXiv 2102.11535, table 1: accuracy and its deviation.
PUBLISHED = {"cifar10": (93.9, 0.47), "cifar100": (71.24, 0.56)}


def measure(
    data: Sequence[str], ways: Sequence[str], seeds: int, store: Path, workers: int, out: Path
) -> None:
    """Prune, and append a row for each search that is not in the file yet."""
    rows = read(out) if out.exists() else []
    done = {(row["images"], row["way"], int(row["seed"])) for row in rows}
    for seed in range(1, seeds + 1):
        for name, path in (one.split("=", 1) for one in data):
            for way in ways:
                if (name, way, seed) not in done:
                    append(out, search(name, path, way, seed, store, workers))


def search(
    name: str, path: str, way: str, seed: int, store: Path, workers: int
) -> dict[str, object]:
    """The row of one search."""
    chosen = WAYS[way]
    found = anglenas.prune(
        "nasbench201", path, rank=chosen.rank, reading=chosen.reading, recipe=chosen.recipe,
        seed=seed, store=store, workers=workers, on_progress=Teller(f"{name}, {way}, seed {seed}"),
    )  # fmt: skip
    return {
        "images": name,
        "way": way,
        "seed": seed,
        "index": NASBENCH201.index(found.best.architecture),
        "architecture": found.best.architecture,
        "seconds": round(found.measuring_seconds, 1),
        "measurements": found.computed,
        "wall": round(found.seconds, 1),
    }


class Teller:
    """Tells how far a search is, whenever it begins a round."""

    def __init__(self, title: str) -> None:
        self._title, self._stage = title, ""

    def __call__(self, progress: Progress) -> None:
        if progress.stage != self._stage:
            self._stage = progress.stage
            print(f"{self._title}: {self._stage}, {progress.seconds:.0f} s", file=sys.stderr)


def append(out: Path, row: dict[str, object]) -> None:
    """Add a row to the file."""
    is_new = not out.exists()
    with out.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, gzipped or not."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return list(csv.DictReader(file))


def table(scores: Path, accuracies: Path, random: Sequence[str]) -> Iterator[str]:
    """Lines of a Markdown table for each set of images."""
    rows, known = read(scores), {row["arch_str"]: row for row in read(accuracies)}
    samples = [one.split("=", 1) for one in random]
    for images in dict.fromkeys(row["images"] for row in rows):
        truth = {cell: float(row[f"{images}_test"]) for cell, row in known.items()}
        yield f"| {images} | n | accuracy | each | seconds |"
        yield "|---|---|---|---|---|"
        for way in dict.fromkeys(row["way"] for row in rows):
            mine = [row for row in rows if (row["images"], row["way"]) == (images, way)]
            if mine:
                seconds = statistics.mean(float(row["seconds"]) for row in mine)
                yield line(
                    f"`{way}`", [truth[row["architecture"]] for row in mine], f"{seconds:.0f}"
                )
        if images in PUBLISHED:
            mean, deviation = PUBLISHED[images]
            yield f"| TE-NAS, as published | | {mean:.2f} ({deviation:.2f}) | | 1558, of a GPU |"
        for name, path in samples:
            if name.partition(":")[0] == images:
                yield from picks(Path(path), accuracies, images, name.partition(":")[2])
        yield ""


def line(title: str, values: Sequence[float], seconds: str = "") -> str:
    """A row: mean and deviation of some accuracies, and all of them."""
    deviation = f" ({statistics.stdev(values):.2f})" if values[1:] else ""
    each = ", ".join(f"{value:.2f}" for value in values)
    mean = f"{statistics.mean(values):.2f}{deviation}"
    return f"| {title} | {len(values)} | {mean} | {each} | {seconds} |"


def picks(scores: Path, accuracies: Path, images: str, recipe: str) -> Iterator[str]:
    """What random search picks of the samples of 100 networks in a file of scores."""
    guard, ranks = PICKED[recipe]
    table = read_benchmark(accuracies, f"{images}_test", epochs="200")
    [measured, *_] = read_scores([scores], table)
    samples = {seed: measured.samples.get(f"seed{seed}") for seed in (1, 2, 3)}
    whole = [seed for seed, mask in samples.items() if mask is not None and mask.sum() == RUN]
    for rank in ranks:
        found = picks_of(measured, table, [WAYS[rank].rank], seeds=whole, guards=[guard])
        title = f"100 random networks, `{recipe}`, best by `{rank}`"
        if found:
            yield line(title, [one.accuracy for one in found])


def cells(file: Path) -> Iterator[str]:
    """Lines of a Markdown table of searched cells: what they cost, and how large networks are."""
    yield "| figure | images | ranked by | removals | CPU min | parameters, CIFAR-10 | ImageNet |"
    yield "|---|---|---|---|---|---|---|"
    for one in json.loads(file.read_text()):
        small, large = (one["parameters"][name] / 1e6 for name in ("cifar10", "imagenet"))
        yield (
            f"| {one['figure']} | {one['data']} | `{one['rank']}` | {one['candidates']} "
            f"| {one['seconds'] / 60:.0f} | {small:.2f} M | {large:.2f} M |"
        )


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("measure")
    first.add_argument("--data", action="append", required=True, metavar="NAME=PATH")
    first.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(FOUR))
    first.add_argument("--seeds", type=int, default=4)
    first.add_argument("--store", type=Path, required=True)
    first.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    first.add_argument("--out", type=Path, required=True)
    second = commands.add_parser("table")
    second.add_argument("scores", type=Path)
    second.add_argument("--accuracies", type=Path, required=True)
    second.add_argument("--random", action="append", default=[], metavar="NAME:RECIPE=SCORES")
    third = commands.add_parser("cells")
    third.add_argument("file", type=Path)
    arguments = vars(parser.parse_args())
    command = arguments.pop("command")
    if command == "measure":
        measure(**arguments)
    else:
        lines = table(**arguments) if command == "table" else cells(**arguments)
        sys.stdout.writelines(line + "\n" for line in lines)


if __name__ == "__main__":
    main()
