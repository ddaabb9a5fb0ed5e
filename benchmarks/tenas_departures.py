r"""How much it matters where ``tenas`` departs from TE-NAS's released code.

    python benchmarks/tenas_departures.py --data cifar10.npz [--seeds 3]

The first round of pruning on NAS-Bench-201: 24 removals, of which each of six edges makes one.
*ours* is what ``anglenas prune --rank tenas`` measures. *theirs* differs in what that code does
otherwise and can be done on the same images: those of the NTK are mirrored and shifted, the patches
of the regions come from 3 000 images instead of the same 72, and only changes that are equal in
all digits share a rank. Both have the same weights. Told is how many of the six operations that go
are the same, and Kendall's tau of the 24 places: of the two readings of one seed, and, to compare
with, of two seeds of our own reading.
"""

import argparse
import itertools
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import kendalltau, rankdata

from anglenas import preset
from anglenas._measuring.plan import draw_repeats, proxy_config, repeat_seed
from anglenas._numerics import derive, single_thread
from anglenas._pruning.rounds import Contest, planned
from anglenas.data import FewShot, augment, open_source
from anglenas.probes._ntk import NTK_FAN_OUT
from anglenas.probes._regions import REGIONS
from anglenas.spaces import NASBENCH201_SUPERNET as SPACE

OURS, THEIRS = preset("tenas"), preset("tenas", classes=10, images_per_class=300)
Floats = NDArray[np.float64]


class Reading(NamedTuple):
    """The places of the removals, the highest going first, and which one each edge makes."""

    places: Floats
    gone: tuple[int, ...]


def first_round() -> Contest:
    """The full supernet and its 24 removals."""
    return planned(SPACE, 1)[0][0]


def values(source: object, seed: int, theirs: bool) -> Floats:
    """Of each supernet, the full one first, NTK and regions of three repeats: ``(25, 2, 3)``."""
    current = first_round()
    supernets = [current.base, *current.supernets]
    batches = draw_repeats(source, OURS, seed)
    patches = draw_repeats(source, THEIRS, seed) if theirs else batches
    found = np.empty((len(supernets), 2, len(batches)))
    for repeat, (batch, many) in enumerate(zip(batches, patches, strict=True)):
        drawn = repeat_seed(seed, repeat)
        images = shifted(batch, drawn) if theirs else batch
        for number, supernet in enumerate(supernets):
            network = SPACE.build(str(supernet), proxy_config(batch, OURS))
            kernel = NTK_FAN_OUT.measure(network, images, OURS, drawn)["eigenvalues"]
            regions = REGIONS.measure(network, many, OURS, drawn)["regions"]
            found[number, :, repeat] = kernel[-1] / kernel[0], regions
    return found


def shifted(batch: FewShot, seed: int) -> FewShot:
    """The images as TE-NAS's loader gives them: mirrored at random, shifted by up to 4 pixels."""
    generator = torch.Generator().manual_seed(derive(seed, "as TE-NAS"))
    images = augment(batch.images, padding=4, flip=True, generator=generator)
    return replace(batch, images=images)


def read(measured: Floats, digits: int | None) -> Reading:
    """Rank removals by dense ranks of their changes, equal in so many digits, or in all."""
    base, left = measured[0], measured[1:]
    changes = np.vectorize(lambda one: round(float(one), 3))((left - base) / base).mean(axis=2)
    if digits:
        changes = np.array([[float(f"{one:.{digits}g}") for one in row] for row in changes])
    # A lower condition number and more regions without the operation let it go first.
    low, high = rankdata(-changes[:, 0], "dense"), rankdata(changes[:, 1], "dense")
    order = np.lexsort((-np.arange(len(left)), -changes[:, 0], low + high))
    places = np.empty(len(left))
    places[order] = np.arange(len(left))
    removals = first_round().removals
    edges = sorted({edge for edge, _ in removals})
    gone = [max((k for k, (its, _) in enumerate(removals) if its == edge), key=lambda k: places[k])
            for edge in edges]  # fmt: skip
    return Reading(places, tuple(gone))


def work(job: tuple[str, int, bool]) -> Floats:
    """One process's part."""
    path, seed, theirs = job
    with single_thread():
        return values(open_source(path), seed, theirs)


def row(title: str, pairs: Sequence[tuple[Reading, Reading]]) -> str:
    """Mean agreement of some pairs of readings, and each."""
    same = [sum(a == b for a, b in zip(one.gone, other.gone, strict=True)) for one, other in pairs]
    taus = [kendalltau(one.places, other.places).statistic for one, other in pairs]
    each = ", ".join(map(str, same))
    return (f"| {title} | {len(pairs)} | {statistics.mean(same):.1f} ({each}) "
            f"| {statistics.mean(taus):.2f} ({min(taus):.2f} to {max(taus):.2f}) |")  # fmt: skip


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    seeds = range(1, given.seeds + 1)
    jobs = [(given.data, seed, theirs) for seed in seeds for theirs in (False, True)]
    with ProcessPoolExecutor(given.workers) as pool:
        measured = dict(zip(jobs, pool.map(work, jobs), strict=True))
    ours = {seed: read(measured[given.data, seed, False], 3) for seed in seeds}
    theirs = {seed: read(measured[given.data, seed, True], None) for seed in seeds}
    print("| compared | n | operations that go, of 6 | tau of places |\n|---|---|---|---|")
    print(row("ours and theirs, one seed", [(ours[seed], theirs[seed]) for seed in seeds]))
    print(row("ours, two seeds", [(ours[a], ours[b]) for a, b in itertools.combinations(seeds, 2)]))
    print(row("theirs, two seeds",
              [(theirs[a], theirs[b]) for a, b in itertools.combinations(seeds, 2)]))  # fmt: skip


if __name__ == "__main__":
    main()
