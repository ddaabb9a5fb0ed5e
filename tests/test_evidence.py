"""The committed measurements: tables follow from the scores, scores agree with an outsider's."""

import csv
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from anglenas.spaces._darts.values import DARTS

ROOT = Path(__file__).parents[1]
EVIDENCE = ROOT / "docs" / "evidence"
SCORES = EVIDENCE / "random_search_seed1_cifar10.csv"


def test_page_of_picks_shows_the_table_that_the_script_makes(dev_data):
    script = ROOT / "benchmarks" / "random_search_picks.py"
    table = subprocess.run(
        [sys.executable, script, "table", SCORES, "--accuracies", dev_data / "nasbench201.csv"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert table in (EVIDENCE / "random_search_picks.md").read_text()


@pytest.mark.slow
def test_page_of_pruning_shows_the_tables_that_the_script_makes(dev_data):
    images = ("cifar10", "cifar100")
    command = [
        sys.executable, ROOT / "benchmarks" / "pruning.py", "table", EVIDENCE / "pruning.csv",
        "--accuracies", dev_data / "nasbench201.csv",
        *(f"--random={name}:{recipe}={EVIDENCE / f'study_{recipe}_{name}.csv.gz'}"
          for name in images for recipe in ("paper", "fast")),
    ]  # fmt: skip
    tables = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [table.count("\n|") > 4 for table in tables.split("\n\n") if table] == [True, True]
    assert tables in (EVIDENCE / "pruning.md").read_text()


@pytest.mark.slow
def test_page_of_pruning_shows_the_searched_cells():
    command = [sys.executable, ROOT / "benchmarks" / "pruning.py", "cells", EVIDENCE / "cells.json"]
    table = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    page = (EVIDENCE / "pruning.md").read_text()
    assert table in page
    found = json.loads((EVIDENCE / "cells.json").read_text())
    assert [one["figure"] for one in found] == [3, 4, 5, 6]
    for one in found:
        assert one["genotype"] == str(DARTS.parse(one["genotype"]))
        assert one["genotype"] in page
        assert f"(darts_figure{one['figure']}.png)" in page
        assert (EVIDENCE / f"darts_figure{one['figure']}.svg").exists()


AT = (10, 20, 30, 40, 50)


@pytest.fixture(scope="module")
def both(dev_data):
    """Ours and an independent implementation's short trainings of the same networks."""
    with (EVIDENCE / "short_training_reference_cifar10.csv").open() as file:
        ours = {row["index"]: row for row in csv.DictReader(file)}
    with (dev_data / "reference_short_training_cifar10.csv").open() as file:
        theirs = {row["index"]: row for row in csv.DictReader(file)}
    assert len(ours.keys() & theirs.keys()) == len(theirs) == 29
    return [(ours[index], theirs[index]) for index in sorted(theirs)]


def column(rows, names):
    return np.array([sum(float(row[name]) for name in names) for row in rows])


@pytest.mark.parametrize(
    ("ours", "theirs", "known"),
    [
        (["angle@50"], ["cosine_50"], 0.74),
        (["loss@50"], ["loss_50"], 0.64),
        (["tse@50"], [f"loss_{i}" for i in AT], 0.85),
    ],
)
def test_networks_are_ordered_as_by_an_independent_implementation(both, ours, theirs, known):
    """As well as two seeds of that implementation order networks, within the interval of n = 29.

    ``known`` is the Spearman correlation between two of its seeds over 118 networks (cosine, last
    loss, sum of losses). Images and draws differ, so the bound is the lower end of the 95 %
    interval (Fisher's z) around it: .51, .35, .70. The loss of one last batch is noise for the
    most part; the sum of losses is not.
    """
    mine, others = zip(*both, strict=True)
    agreement = spearmanr(column(mine, ours), column(others, theirs)).statistic
    assert agreement > np.tanh(np.arctanh(known) - 1.96 / np.sqrt(len(both) - 3))


@pytest.mark.parametrize(("ours", "theirs"), [("angle", "cosine"), ("loss", "loss")])
def test_trajectories_lie_where_those_of_an_independent_implementation_lie(both, ours, theirs):
    """The mean over the networks, at the end and on the way."""
    mine, others = zip(*both, strict=True)
    for iteration in (10, 30, 50):
        a = column(mine, [f"{ours}@{iteration}"])
        b = column(others, [f"{theirs}_{iteration}"])
        standard_error = (a - b).std(ddof=1) / np.sqrt(len(a))
        assert abs(a.mean() - b.mean()) < max(4 * standard_error, 0.02)


SUM = "z(angle)+z(tse)+z(log(params))"


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("paper=study_paper_cifar10.csv.gz",),
        ("--networks", "held-out", "fast=study_fast_cifar10.csv.gz"),
        ("--networks", "held-out", "--guard", "fast, guard=study_fast_cifar10.csv.gz"),
        ("--column", "cifar100_test", "fast=study_fast_cifar100.csv.gz"),
        ("--column", "cifar100_test", "--guard", "fast, guard=study_fast_cifar100.csv.gz"),
        ("--guard", "paper, guard=study_paper_cifar10.csv.gz"),
        ("--gain", "paper=study_paper_cifar10.csv.gz", "fast=study_fast_cifar10.csv.gz",
         "--ranks", "angle_loss+params", SUM),
    ],
    ids=["paper", "fast", "fast guard", "cifar100", "cifar100 guard", "paper guard", "gain"],
)  # fmt: skip
def test_page_of_recipes_shows_the_tables_that_the_script_makes(dev_data, arguments):
    rows = printed_by_recipes(dev_data, arguments)
    page = (EVIDENCE / "recipes.md").read_text()
    assert len(rows) >= 2
    assert all(row in page for row in rows)


@pytest.mark.slow
def test_page_of_recipes_shows_the_picks_that_the_script_makes(dev_data):
    files = ("fast=study_fast_cifar10.csv.gz", "paper=study_paper_cifar10.csv.gz")
    page = (EVIDENCE / "recipes.md").read_text().replace("*", "").replace(" (chosen on)", "")
    rows = printed_by_recipes(dev_data, ("--picks", *files))
    assert len(rows) == 6
    for row in rows:
        recipe, seed, params, _, _, _, *rest = row.strip("| ").split(" | ")
        assert f"| CIFAR-10, {recipe} | {seed} | {params} | {' | '.join(rest)} |" in page


def printed_by_recipes(dev_data, arguments):
    """The rows of a table of recipes.py, without its head."""
    script = ROOT / "benchmarks" / "recipes.py"
    given = [one.replace("=study", f"={EVIDENCE}/study") for one in arguments]
    lines = subprocess.run(
        [sys.executable, script, "--accuracies", dev_data / "nasbench201.csv", *given],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    return lines[2:]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "script"),
    [
        ("evidence/training.md", ("verified.py", EVIDENCE / "verify_cifar10.csv")),
        ("study.md", ("study_params.py",)),
    ],
)
def test_pages_show_what_their_scripts_print(dev_data, page, script):
    name, *arguments = script
    table = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / name, *arguments,
         "--accuracies", dev_data / "nasbench201.csv"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert table in (ROOT / "docs" / page).read_text()


@pytest.mark.slow
def test_page_of_the_study_shows_the_tables_that_the_script_makes(dev_data, tmp_path):
    command = [sys.executable, ROOT / "benchmarks" / "study.py", "--accuracies",
               dev_data / "nasbench201.csv"]  # fmt: skip
    recipes = ("paper", "fast")
    running = [
        subprocess.Popen([*command, "--recipe", recipe, "--out", tmp_path / recipe])
        for recipe in recipes
    ]
    assert [process.wait(1500) for process in running] == [0, 0]
    page = (EVIDENCE / "study.md").read_text()
    marked = re.findall(r"<!-- (\S+) (\S+) -->\n\n(.*?)\n\n<!-- end -->", page, re.DOTALL)
    assert len(marked) == 7
    for recipe, name, text in marked:
        assert text == (tmp_path / recipe / name).read_text().strip()


def test_so_many_good_networks_are_above_the_published_threshold_after_ten_iterations():
    with gzip.open(EVIDENCE / "study_fast_cifar10.csv.gz", "rt") as file:
        run = [row for row in csv.DictReader(file) if "seed1" in row["samples"].split()]
    caught = sum(float(row["angle"]) >= 0.95 for row in run)
    assert (caught, len(run)) == (38, 100)  # what ranking/_guard.py tells
