r"""What pruning ends with: NAS-Bench-201, where the truth is known, and the cells of DARTS.

    python benchmarks/pruning.py --data cifar10=cifar10.npz --data cifar100=cifar100.npz \
        --seeds 4 --store scores.sqlite --out docs/evidence/pruning.csv

Prunes once for each set of images, way and seed, and appends a row to the file. A row that is there
is not made again, and a search that was stopped goes on from the store, so the same command may be
run until it is through. `evidence.py` makes the tables of it.
"""

import argparse
import csv
import gzip
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anglenas
from anglenas._measuring.progress import Progress
from anglenas.spaces import index_of


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
        "index": index_of(found.best.architecture),
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


def main() -> None:
    """Prune."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", action="append", required=True, metavar="NAME=PATH")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(FOUR))
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, required=True)
    measure(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
