"""Training-free metrics of the networks that the study is judged on, and of more random ones.

    python benchmarks/study_training_free.py --data cifar10.npz --accuracies nasbench201.csv \
        --metrics regions naswot --store scores.sqlite \
        --out docs/evidence/study_training_free_cifar10.csv.gz

The networks are those of study_measure.py (the hundreds of seeds 1, 2 and 3, and 250 of the 1 000
with the highest known accuracy), and ``--more`` of the whole table, 2 000 by default. What the
store has is not measured again. ``ntk`` takes longer: ``--metrics ntk --recipe
paper,channels=3,cells=1 --more 0 --out docs/evidence/study_ntk_cifar10.csv.gz`` computes it at the
size of TE-NAS, of the study's networks alone.
"""

import gzip

import numpy as np

from anglenas._study import draw_samples, measure, read_benchmark, scores_text
from study_measure import drawn, parser_for

RUNS = ("seed1", "seed2", "seed3")
BEST = "top:250"


def main() -> None:
    """Measure, and write one row a network."""
    parser = parser_for(__doc__)
    parser.add_argument("--metrics", nargs="+", default=["regions", "naswot"])
    parser.add_argument("--more", type=int, default=2000)
    given = parser.parse_args()
    table = read_benchmark(given.accuracies, given.column, epochs="200")
    parts = [*RUNS, *([str(given.more)] if given.more else [])]
    samples = dict(draw_samples(",".join(parts), table))
    samples["top-1000"] = np.isin(np.arange(len(table)), drawn(BEST, list(table.accuracy)))
    scores, _ = measure(
        table, given.metrics, samples, given.data, seeds=[given.seed], recipe=given.recipe,
        store=given.store, workers=given.workers,
        on_progress=lambda done, total: print(f"{done}/{total}", flush=True)
        if done % 100 == 0 or done == total else None,
    )  # fmt: skip
    given.out.write_bytes(gzip.compress(scores_text(scores, table).encode(), mtime=0))


if __name__ == "__main__":
    main()
