"""The tables of docs/evidence/study.md, docs/study.md and docs/evidence/random_search_picks.md."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from anglenas import correlate
from anglenas._paper.figures import position_sheet, positions_figure
from anglenas._paper.runs import pick_sheet, positions
from anglenas._paper.runs import picks as picks_of
from anglenas._paper.table import TABLE_1, table_1, table_1_sheets
from anglenas._report import save_figure
from anglenas._sheet import markdown
from anglenas._study import GUARDS, Benchmark, Scores, read_scores, run_of
from anglenas.ranking import GUARDED, kendall_tau, order, parse, ranks
from anglenas.spaces import NASBENCH201, index_of
from evidence_recipes import EVIDENCE, benchmark_of

TRAINING_FREE = ("study_training_free_cifar10", "study_ntk_cifar10")
FURTHER = ("angle", "loss", "tse", "z(tse)+z(angle)+z(log(params))")
STRATA = ("top-1000",)  # what the sample "top" of study_measure.py was drawn from
# The authors' log (CIFAR-10 test accuracy, seed 1; released with their code).
LOGGED = {"loss": 90.877, "angle": 93.410, "angle_loss": 92.240, "angle_loss+params": 94.045}
RELEASES = {
    "cifar10_test": "NAS-Bench-201",
    "natstss_cifar10_test": "NATS-Bench",
    "cifar100_test": "NAS-Bench-201, CIFAR-100",
}
ORDERS, WHOLE = 200, 10


def scores_in(names: Sequence[str], benchmark: Benchmark) -> tuple[Scores, ...]:
    """The scores of some files, one for each seed."""
    return read_scores([EVIDENCE / f"{name}.csv.gz" for name in names], benchmark)


def of_recipe(recipe: str, benchmark: Benchmark) -> tuple[Scores, list[str]]:
    """A recipe's scores on CIFAR-10, and the rows of table 1 that they have all for."""
    free = TRAINING_FREE if recipe == "paper" else ()
    [scores] = scores_in([f"study_{recipe}_cifar10", *free], benchmark)
    metrics = [row.metric for row in TABLE_1]
    return scores, [one for one in metrics if scores.columns.keys() >= set(parse(one).metrics)]


def table1(recipe: str, data: Path) -> Iterator[str]:
    """Table 1 with its verdicts, and what has to be known to read it."""
    benchmark = benchmark_of(data, "cifar10_test")
    scores, known = of_recipe(recipe, benchmark)
    found = correlate(benchmark, scores, known, guards=GUARDS, strata=STRATA, searches=1)
    yield from map(markdown, table_1_sheets(table_1(found)))
    missing = ", ".join(row.name for row in TABLE_1 if row.metric not in known) or "none"
    yield f"Not measured: {missing}.\n"
    yield from (f"* {remark}" for remark in found.remarks())


def picked(recipe: str, data: Path) -> Iterator[str]:
    """What each ranking picks of the hundreds of seeds 1 to 3, with each guard that matters."""
    benchmark = benchmark_of(data, "cifar10_test")
    scores, known = of_recipe(recipe, benchmark)
    rankings = [*known, *FURTHER]
    guarded = [one for one in rankings if set(parse(one).metrics) & set(GUARDED)]
    found = [*picks_of(scores, benchmark, rankings),
             *picks_of(scores, benchmark, guarded, guards=GUARDS[1:])]  # fmt: skip
    yield markdown(pick_sheet(found))


def seeds(data: Path) -> Iterator[str]:
    """What changes with other images, weights and augmentations."""
    benchmark = benchmark_of(data, "cifar10_test")
    measured = scores_in(["study_fast_cifar10", "study_fast_cifar10_seed2"], benchmark)
    metrics = ["angle_loss", "angle_loss+params", *FURTHER]
    found = correlate(benchmark, measured, metrics, subsets=("all", "top-1000"), strata=STRATA,
                      searches=1)  # fmt: skip
    yield from map(markdown, found.sheets()[:2])


def regions(data: Path) -> Iterator[str]:
    """What changes for LR1 with other crops and weights."""
    benchmark = benchmark_of(data, "cifar10_test")
    others = [f"study_regions_cifar10_seed{seed}" for seed in (2, 3)]
    measured = scores_in([TRAINING_FREE[0], *others], benchmark)
    found = correlate(benchmark, measured, ["regions", "regions+params"], strata=STRATA,
                      subsets=("all", "top-1000"), replicates=200, searches=1)  # fmt: skip
    yield from map(markdown, found.sheets()[:2])


def trivial(data: Path) -> Iterator[str]:
    """Where trivial structures land in figures 1 and 2."""
    benchmark = benchmark_of(data, "cifar100_test")
    [scores] = scores_in(["study_paper_cifar100"], benchmark)
    yield markdown(position_sheet(positions(scores, benchmark)))


def draw_figures(data: Path, folder: Path) -> None:
    """Figures 1 and 2, beside the images of the pages."""
    benchmark = benchmark_of(data, "cifar100_test")
    [scores] = scores_in(["study_paper_cifar100"], benchmark)
    found = positions(scores, benchmark)
    for number, ranking in ((1, "angle"), (2, "angle+params")):
        figure = positions_figure(found, ranking, about="cifar100 test")
        save_figure(figure, folder / f"study_paper_figure{number}.png")


def logged_run(data: Path) -> Iterator[str]:
    """The picks of the run that the authors logged, without and with their guard."""
    benchmark = benchmark_of(data, "cifar10_test")
    [scores] = read_scores([EVIDENCE / "random_search_seed1_cifar10.csv"], benchmark)
    yield "| ranked by | guard off: index, accuracy | guard on: index, accuracy | authors' log |"
    yield "|---|---|---|---|"
    for rank in (*LOGGED, "params"):
        at_50 = rank.replace("angle_loss", "(angle+loss)")
        at_50 = at_50.replace("angle", "angle@50").replace("loss", "loss@50")
        found = picks_of(scores, benchmark, [at_50], seeds=[1], guards=["off", "score"])
        numbers = [index_of(NASBENCH201.parse(one.architecture)) for one in found]
        cells = [f"#{number}, {one.accuracy:.3f}"
                 for number, one in zip(numbers, found, strict=True)]  # fmt: skip
        yield f"| `{rank}` | {' | '.join(cells)} | {LOGGED.get(rank, '')} |"
    rows = run_of(1, benchmark)
    best = rows[np.argmax(benchmark.accuracy[rows])]
    yield f"| best of the {len(rows)} | #{best}, {benchmark.accuracy[best]:.3f} | | |"


def params_taus(data: Path) -> Iterator[str]:
    """The least and the largest tau of #Param over orders of equal accuracies.

    Which networks of equal accuracy are among the best 1 000 or 500 is arbitrary.
    """
    yield "| | all | top-1000 | top-500 |\n|---|---:|---:|---:|"
    yield "| published (CIFAR-10) | 0.55 | 0.04 | 0.03 |"
    found = {name: [_taus(benchmark_of(data, column), count) for count in (15625, 1000, 500)]
             for column, name in RELEASES.items()}  # fmt: skip
    for place, kind in enumerate(("tau, ties broken", "tau-b")):
        for name, subsets in found.items():
            ends = [(f"{one[:, place].min():.3f}", f"{one[:, place].max():.3f}") for one in subsets]
            cells = (low if low == high else f"{low} to {high}" for low, high in ends)
            yield f"| {kind}, {name} | {' | '.join(cells)} |"


def _taus(benchmark: Benchmark, count: int) -> np.ndarray:
    """``(orders, 2)`` tau with ties broken, and tau-b, of the ``count`` most accurate networks."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(WHOLE if count == len(benchmark) else ORDERS):
        chosen = np.lexsort((rng.permutation(len(benchmark)), -benchmark.accuracy))[:count]
        params, truth = benchmark.columns["params"][chosen], benchmark.accuracy[chosen]
        broken = (ranks(one, higher_is_better=True, ties="broken", rng=rng)
                  for one in (params, truth))  # fmt: skip
        found.append((kendall_tau(*broken), kendall_tau(params, truth)))
    return np.array(found)


def params_picks(data: Path) -> Iterator[str]:
    """Over 1 000 hundreds: their mean accuracy, the pick of #Param, and the best."""
    yield "| a hundred random networks | mean | pick of #Param | best |\n|---|---:|---:|---:|"
    for column, name in RELEASES.items():
        benchmark, found = benchmark_of(data, column), []
        for seed in range(1, 1001):
            rows = run_of(seed, benchmark)
            reached, params = benchmark.accuracy[rows], benchmark.columns["params"][rows]
            found.append((reached.mean(), reached[order(params)[0]], reached.max()))
        cells = (f"{one.mean():.2f} ({one.std(ddof=1):.2f})" for one in np.array(found).T)
        yield f"| {name} | {' | '.join(cells)} |"
