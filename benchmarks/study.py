"""Every table of the study, from scores that were committed.

    python benchmarks/study.py --accuracies nasbench201.csv --out study [--recipe fast] [--page]

Reads docs/evidence/study_RECIPE_cifar10.csv.gz and study_RECIPE_cifar100.csv.gz
(benchmarks/study_measure.py makes them), and for `paper` study_training_free_cifar10.csv.gz and
study_ntk_cifar10.csv.gz (benchmarks/study_training_free.py). Writes, as far as they are there:
table1.md with verdicts, study.md with all subsets, guards and combinations, picks.md, figure1,
figure2 and figures.md; seeds.md of the first file with study_RECIPE_cifar10_seed2.csv.gz, which is
of other images and weights, and regions.md of LR1 with three seeds. Nothing is measured. ``--page``
also puts the tables into docs/evidence/study.md, between ``<!-- paper table1.md -->`` and
``<!-- end -->``, and the figures beside its images.
"""

import argparse
import re
import shutil
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from anglenas._paper.figures import position_sheet, positions_figure
from anglenas._paper.runs import Pick, pick_sheet, picks, positions
from anglenas._paper.table import TABLE_1, table_1, table_1_sheets
from anglenas._report import (
    prepare_folder,
    save_figure,
    write_study,
)
from anglenas._sheet import markdown
from anglenas._study import (
    GUARDS,
    Benchmark,
    Scores,
    correlate,
    read_benchmark,
    read_scores,
)
from anglenas.ranking import GUARDED, parse

EVIDENCE = Path(__file__).parents[1] / "docs" / "evidence"
PAGE, IMAGES = EVIDENCE / "study.md", EVIDENCE.parent / "images"
TRAINING_FREE = ("study_training_free_cifar10", "study_ntk_cifar10")
REGIONS = ("study_regions_cifar10_seed2", "study_regions_cifar10_seed3")
OF_TRAINING = ("angle_loss", "angle_loss+params")
FURTHER = ("angle", "loss", "tse", "z(tse)+z(angle)+z(log(params))")
SUBSETS = ("all", "top-1000", "top-500", "top-10%", "groups")
STRATA = ("top-1000",)  # what the sample "top" of study_measure.py was drawn from


def study_cifar10(accuracies: Path, scores: Sequence[Path], out: Path) -> None:
    """Correlations, table 1 with its verdicts, and picks."""
    table = read_benchmark(accuracies, "cifar10_test", epochs="200")
    measured = read_scores(scores, table)
    published = [row.metric for row in TABLE_1]
    known = [name for name in published if _known(name, measured[0].columns)]
    found = correlate(
        table, measured, [*known, *FURTHER], subsets=SUBSETS, guards=GUARDS, strata=STRATA
    )
    write_study(found, out)
    missing = ", ".join(row.name for row in TABLE_1 if row.metric not in known) or "none"
    lines = [*map(markdown, table_1_sheets(table_1(found))), f"Not measured: {missing}.", ""]
    lines += [f"* {note}" for note in found.remarks()]
    (out / "table1.md").write_text("\n".join([*lines, ""]))
    there = [seed for seed in (1, 2, 3) if f"seed{seed}" in measured[0].samples]
    whole = [seed for seed in there if measured[0].samples[f"seed{seed}"].sum() == 100]
    if whole:
        (out / "picks.md").write_text(
            markdown(pick_sheet(_picks(measured[0], table, known, whole)))
        )


def _picks(
    scores: Scores, table: Benchmark, metrics: Sequence[str], seeds: Sequence[int]
) -> list[Pick]:
    """What each ranking picks, and with each guard where one could change it."""
    rankings = [*metrics, *FURTHER]
    guarded = [one for one in rankings if set(parse(one).metrics) & set(GUARDED)]
    found = picks(scores, table, rankings, seeds=seeds)
    return [*found, *picks(scores, table, guarded, seeds=seeds, guards=GUARDS[1:])]


def _known(metric: str, columns: Collection[str]) -> bool:
    return all(name in columns for name in parse(metric).metrics)


def seeds_cifar10(accuracies: Path, scores: Sequence[Path], out: Path) -> None:
    """What changes with other images, weights and augmentations."""
    table = read_benchmark(accuracies, "cifar10_test", epochs="200")
    found = correlate(
        table, read_scores(scores, table), [*OF_TRAINING, *FURTHER],
        subsets=("all", "top-1000"), strata=STRATA,
    )  # fmt: skip
    sheets = found.sheets()[:2]
    (out / "seeds.md").write_text("\n".join(map(markdown, sheets)))


def seeds_regions(accuracies: Path, scores: Sequence[Path], out: Path) -> None:
    """What changes for LR1 with other crops and weights."""
    table = read_benchmark(accuracies, "cifar10_test", epochs="200")
    found = correlate(
        table, read_scores(scores, table), ["regions", "regions+params"],
        subsets=("all", "top-1000"), strata=STRATA, replicates=200, searches=1,
    )  # fmt: skip
    (out / "regions.md").write_text("\n".join(map(markdown, found.sheets()[:2])))


def figures_cifar100(accuracies: Path, scores: Sequence[Path], out: Path) -> None:
    """Figures 1 and 2, and where trivial structures land."""
    table = read_benchmark(accuracies, "cifar100_test", epochs="200")
    found = positions(read_scores(scores, table)[0], table)
    for number, ranking in ((1, "angle"), (2, "angle+params")):
        figure = positions_figure(found, ranking, about="cifar100 test")
        for suffix in ("svg", "png"):
            save_figure(figure, out / f"figure{number}.{suffix}")
    (out / "figures.md").write_text(markdown(position_sheet(found)))


def refreshed(page: str, recipe: str, folder: Path) -> str:
    """The text of a page, with the tables of a recipe as they lie in the folder.

    A table follows a line such as ``<!-- paper table1.md -->`` and ends before ``<!-- end -->``.
    """
    mark = re.compile(rf"(<!-- {recipe} (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
    return mark.sub(
        lambda found: f"{found[1]}\n{(folder / found[2]).read_text().strip()}\n\n{found[3]}", page
    )


def refresh(recipe: str, folder: Path) -> None:
    """Put what was made into the page of the study, and its figures beside the page's images."""
    PAGE.write_text(refreshed(PAGE.read_text(), recipe, folder))
    for figure in folder.glob("figure*.png"):
        if f"study_{recipe}_{figure.name}" in PAGE.read_text():
            shutil.copyfile(figure, IMAGES / f"study_{recipe}_{figure.name}")


def main() -> None:
    """Make what can be made of the scores that are there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--accuracies", type=Path, required=True)
    parser.add_argument("--recipe", default="paper")
    parser.add_argument("--out", type=Path, default=Path("study"))
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()
    out = prepare_folder(given.out)
    scores = f"study_{given.recipe}_cifar10"
    free = TRAINING_FREE if given.recipe == "paper" else ()
    for make, names in (
        (study_cifar10, (scores, *free)),
        (seeds_cifar10, (scores, f"{scores}_seed2")),
        *([(seeds_regions, (TRAINING_FREE[0], *REGIONS))] if free else []),
        (figures_cifar100, (f"{scores}0",)),
    ):
        started = time.perf_counter()
        files = [EVIDENCE / f"{name}.csv.gz" for name in names]
        missing = [file.name for file in files if not file.exists()]
        if missing:
            print(f"{make.__name__} left out: {', '.join(missing)} not measured yet")
        else:
            make(given.accuracies, files, out)
            print(f"{make.__name__}: {time.perf_counter() - started:.0f} s")
    if given.page:
        refresh(given.recipe, out)


if __name__ == "__main__":
    main()
