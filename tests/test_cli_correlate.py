"""``anglenas correlate`` and the studies of ``anglenas paper``: what they print and write."""

import csv
import json
import sys

import numpy as np
import pytest

from anglenas.__main__ import main
from anglenas.spaces import NASBENCH201

SIZE = 400
TEXTS = [str(NASBENCH201.at(index)) for index in range(SIZE)]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs a command in this process, in an empty folder with a store of its own."""
    monkeypatch.setenv("ANGLENAS_STORE", str(tmp_path / "scores.sqlite"))
    monkeypatch.setenv("COLUMNS", "220")
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["anglenas", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture
def files(tmp_path):
    """A table of 400 networks, and scores of 300 of them."""
    rng = np.random.default_rng(0)
    accuracy = 60 + 5 * rng.normal(size=SIZE)
    params = rng.integers(1, 9, SIZE)
    write(tmp_path / "table.csv", ["architecture", "cifar10_test", "cifar10_valid", "params"],
          zip(TEXTS, accuracy, accuracy - 1, params, strict=True))  # fmt: skip
    angle = accuracy / 100 + 0.05 * rng.normal(size=SIZE)
    rows = zip(TEXTS, angle, 2 - angle, params, strict=True)
    write(tmp_path / "scores.csv", ["architecture", "angle", "loss", "params"], list(rows)[:300])
    return ("--benchmark", "table.csv", "--accuracy", "cifar10_test", "--scores", "scores.csv")


def write(path, head, rows):
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])


QUICK = ("--subsets", "all,top-40", "--replicates", "20", "--searches", "2")


def test_correlate_prints_tables_and_writes_a_folder(run, files, tmp_path):
    code, out, err = run("correlate", *files, *QUICK, "--guard", "off,structure", "--out", "study")
    assert (code, err) == (0, "")
    assert out.startswith("cifar10 test accuracy, epochs not told, seeds not told (table.csv, 400")
    for text in ("top-40: 40 networks", "angle_loss+params", "over params", "structure"):
        assert text in out
    names = {path.name for path in (tmp_path / "study").iterdir()}
    assert names >= {"study.md", "study.tex", "study.json", "estimates.csv", "study.svg"}


def test_a_narrow_terminal_gets_the_columns_that_tell_most(run, files, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = run("correlate", *files, *QUICK, "--guard", "off,structure")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    tables, _, notes = out.partition("Note:")
    assert "tau-b" in tables
    assert "Spearman" not in tables
    assert "left out: tau, ties broken, Spearman" in " ".join(notes.split())
    assert "\u2026" not in out  # no cell is cut


def test_correlate_prints_json_alone(run, files):
    code, out, err = run("correlate", *files, *QUICK, "--metrics", "params,angle", "--json")
    content = json.loads(out)
    assert (code, err) == (0, "")
    assert {one["metric"] for one in content["estimates"]} == {"params", "angle"}


def test_correlate_of_all_takes_every_column(run, files):
    _, out, _ = run("correlate", *files, *QUICK, "--metrics", "all", "--json")
    metrics = {one["metric"] for one in json.loads(out)["estimates"]}
    assert metrics == {"angle", "loss", "params"}


def test_correlate_measures_a_sample_and_goes_on_from_it(run, files, tmp_path):
    asked = (
        "correlate", *files[:4], "--data", "digits", "--sample", "5,top-40:3", "--metrics",
        "params,angle", "--recipe", "draft,iterations=1,channels=2,resolution=8", "--workers", "0",
        *QUICK, "--quiet", "--out",
    )  # fmt: skip
    first, second = run(*asked, "one"), run(*asked, "two")
    assert first[0] == second[0] == 0
    written = (tmp_path / "one" / "scores.csv").read_text()
    assert written == (tmp_path / "two" / "scores.csv").read_text()
    again = ("correlate", *files[:4], "--scores", "one/scores.csv", "--metrics", "params,angle")
    _, out, _ = run(*again, *QUICK, "--json")
    assert json.loads(out)["strata"] == ["top-40"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "digits"], "Give either scores that were measured, or images to measure on"),
        (["--metrics", "angel", "--subsets", "all"], "no metric named 'angel'; did you mean angle"),
        (["--metrics", ","], "Name at least one metric"),
        (["--subsets", "best"], "'best' names no subset"),
        (["--subsets", "top-1000"], "has 400 networks, so there is no top 1,000 of it"),
        (["--guard", "on", "--subsets", "all"], "A guard is one of off, score, structure"),
        (["--seeds", "one"], "Seeds are whole numbers"),
        (["--architecture", "cell"], "has no column 'cell'"),
        (["--accuracy", "cifar10_tst"], "did you mean cifar10_test"),
    ],
)
def test_correlate_refuses_in_one_sentence(run, files, arguments, message):
    code, out, err = run("correlate", *files, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_correlate_needs_something_to_judge(run, files):
    code, _, err = run("correlate", *files[:4])
    assert code == 2
    assert "There is nothing to judge" in err


def test_table_1_is_about_test_accuracy(run, files):
    asked = ("--benchmark", "table.csv", "--accuracy", "cifar10_valid", *files[4:])
    code, _, err = run("paper", "table1", *asked)
    assert code == 2
    assert "Table 1 is about test accuracies, not about validation ones" in err


@pytest.fixture
def whole(tmp_path):
    """A table of the whole space, and scores of the run of seed 1."""
    import random

    rng = np.random.default_rng(1)
    texts = [str(one) for one in NASBENCH201.enumerate()]
    write(tmp_path / "table.csv", ["architecture", "cifar10_test", "cifar100_test", "params"],
          zip(texts, *(60 + 5 * rng.normal(size=(2, 15625))), rng.integers(1, 9, 15625),
              strict=True))  # fmt: skip
    drawn = random.Random(1).sample(range(15625), 100)
    write(tmp_path / "scores.csv", ["index", "angle", "loss"],
          zip(drawn, rng.random(100), rng.random(100), strict=True))  # fmt: skip
    return ("--benchmark", "table.csv", "--scores", "scores.csv")


def test_table_1_shows_verdicts_and_what_is_missing(run, whole, tmp_path):
    code, out, err = run("paper", "table1", *whole, "--replicates", "20", "--out", "table")
    assert (code, err) == (0, "")
    for text in ("Table 1, top-500", "#Param", "AngleLoss+#Param", "disagrees", "cannot tell"):
        assert text in out
    assert "Not measured: LR1, NTK, LR2, LR1+#Param, NTK+#Param, LR2+#Param." in out
    assert (
        "| #Param | off | all | 15,625 | 0.55 |" in (tmp_path / "table" / "table1.md").read_text()
    )


@pytest.mark.parametrize("name", ["figure1", "figure2"])
def test_figures_are_drawn_in_three_forms(run, whole, tmp_path, name):
    code, out, _ = run("paper", name, *whole, "--out", "figures")
    assert code == 0
    assert "cifar100 test accuracy" in out
    assert "by angle+#Param" in out
    written = {path.name for path in (tmp_path / "figures").iterdir()}
    assert written == {f"{name}.{suffix}" for suffix in ("svg", "png", "pdf", "md", "tex")}


def test_picks_are_told_run_by_run(run, whole):
    code, out, _ = run("paper", "picks", *whole, "--runs", "1")
    assert code == 0
    assert "best of each run" in out
    code, _, err = run("paper", "picks", *whole)
    assert code == 2
    assert "was not measured of all 100 networks of the run" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runs", "one"], "Seeds are whole numbers with commas between, not 'one'"),
        (["--runs", ","], "Name at least one seed"),
        (["--metrics", ","], "Name at least one ranking"),
        (["--guard", "on", "--runs", "1"], "A guard is one of off, score, structure, not 'on'"),
        (["--guard", ",", "--runs", "1"], "A guard is one of off, score, structure, not none"),
    ],
)
def test_picks_are_refused_in_one_sentence(run, whole, arguments, message):
    code, out, err = run("paper", "picks", *whole, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
