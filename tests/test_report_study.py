"""What a study shows: tables in three forms, data, and figures."""

import csv
import json
import math
import re
from io import StringIO

import numpy as np
import pytest

from anglenas._paper.figures import position_sheet, positions_figure
from anglenas._paper.runs import Pick, Position, pick_sheet
from anglenas._paper.table import table_1, table_1_sheets
from anglenas._report import save_figure
from anglenas._report.study import study_figure, write_study
from anglenas._sheet import Sheet, latex, markdown
from anglenas._study import Estimate, Picks, Study
from anglenas.ranking import Interval
from anglenas.spaces import NASBENCH201

NOTHING = Interval(math.nan, math.nan, math.nan)


def make_estimate(metric, subset="all", guard="off", ranks="all", value=0.5, half=0.05, **others):
    interval = Interval(value, value - half, value + half)
    given = {
        "networks": 300, "population": 15625, "undefined": 0, "tau": interval,
        "tau_broken": interval, "spearman": Interval(0.7, 0.6, 0.8),
        "gain": Interval(-0.02, -0.1, 0.06),
        "with_params": 0.3, "deviation": math.nan, "precision": NOTHING,
    }  # fmt: skip
    return Estimate(metric, guard, subset, ranks, **(given | others))


@pytest.fixture
def study():
    estimates = (
        make_estimate("params", half=0, networks=15625),
        make_estimate("angle", value=0.45),
        make_estimate("angle", guard="score", value=0.5),
        make_estimate("params", "top-1000", value=0.06, half=0.004, population=1000),
        make_estimate("angle", "top-1000", value=-0.1, population=1000,
                      precision=Interval(0.3, 0.2, 0.4)),
        make_estimate("angle_loss+params", "top-1000", value=0.17, population=1000),
        make_estimate("angle_loss+params", "top-1000", ranks="subset", value=0.3, half=0.09),
        make_estimate("angle_loss", "top-1000", tau=NOTHING, tau_broken=NOTHING),
    )  # fmt: skip
    picks = (Picks("params", "off", 100, 1000, 15625, 93.22, 0.53, 0.64, 93.86, 0.0),)
    detectors = {(True, True): 2, (True, False): 1, (False, True): 3, (False, False): 94}
    return Study(
        "cifar10 test accuracy", estimates, picks,
        {"params": math.nan, "angle": 19.4, "angle_loss": 19.4, "angle_loss+params": 19.4},
        ("top-1000",), 500, (1,), detectors, ("A notice.",),
    )  # fmt: skip


def test_a_table_shows_each_subset_without_columns_that_say_nothing(study):
    whole, top, picked = study.sheets()
    assert whole.title == "all: 15,625 networks"
    assert whole.head[:4] == ("metric", "guard", "tau-b", "tau, ties broken")
    assert "ranks in" in top.head
    assert "guard" not in top.head
    assert "sd over seeds" not in whole.head
    params, angle, _ = whole.rows
    assert params[2] == "0.500"  # of all networks there are: no interval
    assert angle[2] == "0.45 [0.40, 0.50]"
    assert angle[whole.head.index("over params")] == "\u22120.02 [\u22120.10, +0.06]"
    assert top.rows[0][2] == "0.060 [0.056, 0.064]"
    assert top.rows[-1][2] == ""
    assert "the best of a search reaches 93.86" in picked.title
    assert picked.rows[0][2:4] == ("93.22", "0.53")


def test_table_1_shows_the_published_number_ours_and_a_verdict(study):
    whole, top = table_1_sheets(table_1(study))
    assert whole.rows == (("#Param", "off", "all", "15,625", "0.55", "0.500", "disagrees"),)
    verdicts = {(row[0], row[2]): row[-2:] for row in top.rows}
    assert verdicts["AngleLoss+#Param", "all"] == ("0.17 [0.12, 0.22]", "agrees")
    assert verdicts["AngleLoss+#Param", "subset"] == ("0.30 [0.21, 0.39]", "cannot tell")
    assert verdicts["AngleLoss", "all"] == ("", "cannot tell")


def test_picks_stand_beside_the_best_of_each_run():
    cell = str(NASBENCH201.at(0))
    found = [Pick(metric, "off", seed, cell, 90 + seed, 94.0 - seed, 88.0) for metric in ("a", "b")
             for seed in (1, 2)]  # fmt: skip
    sheet = pick_sheet(found)
    assert sheet.head == ("ranked by", "guard", "seed 1", "seed 2", "mean")
    assert sheet.rows[0] == ("a", "off", "91.00", "92.00", "91.50")
    assert sheet.rows[-2] == ("mean of each run", "", "88.00", "88.00", "88.00")
    assert sheet.rows[-1] == ("best of each run", "", "93.00", "92.00", "92.50")


def test_forms_escape_what_would_be_read_as_form():
    sheet = Sheet("50 % of {it}", ("a|b", "x_1"), (("|none~0|", "\u22120.5"), ("c\\d^#&$", "1")), 1)
    lines = markdown(sheet).splitlines()
    assert lines[2] == r"| a\|b | x_1 |"
    assert lines[4] == "| \\|none~0\\| | \u22120.5 |"
    text = latex(sheet)
    assert r"\caption{50 \% of \{it\}}" in text
    assert r"|none\textasciitilde{}0| & $-$0.5 \\" in text
    assert r"c\textbackslash{}d\textasciitilde{}" not in text
    assert r"c\textbackslash{}d\textasciicircum{}\#\&\$ & 1 \\" in text
    assert r"\begin{tabular}{lr}" in text


def test_notes_say_what_has_to_be_known(study):
    notes = " ".join(study.remarks())
    assert "A notice." in notes
    assert "500 replicates" in notes
    assert "within its strata" in notes
    assert "Of 100 networks, 2 are trivial by score and by structure, 1 by score alone, 3" in notes
    assert "agree on 96%" in notes
    assert all(note in str(study) for note in study.remarks())


def test_everything_is_written_and_read_again(study, tmp_path):
    write_study(study, tmp_path)
    names = {"study.md", "study.tex", "study.json", "estimates.csv", "picks.csv", "study.svg",
             "study.png"}  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == names
    rows = list(csv.DictReader(StringIO((tmp_path / "estimates.csv").read_text())))
    assert len(rows) == len(study.estimates)
    assert float(rows[1]["tau"]) == 0.45
    assert float(rows[1]["tau_high"]) == pytest.approx(0.5)
    assert rows[1]["deviation"] == ""
    content = json.loads((tmp_path / "study.json").read_text())
    assert content == json.loads(json.dumps(study.to_dict()))
    assert content["estimates"][-1]["tau"] == {"value": None, "low": None, "high": None}
    assert content["detectors"][0] == {"score": True, "structure": True, "networks": 2}
    first = {name: (tmp_path / name).read_bytes() for name in names}
    write_study(study, tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in names} == first


def test_the_figure_has_a_panel_for_each_subset_and_a_mark_for_each_estimate(study):
    figure = study_figure(study)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["all", "top-1000"]
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["params", "angle", "angle, guard: score", "angle_loss+params", "angle_loss"]
    for axes, subset in zip(figure.axes, ("all", "top-1000"), strict=True):
        marks = {float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == "o"}
        known = {e.tau.value for e in study.estimates if e.subset == subset}
        assert marks == {value for value in known if not math.isnan(value)}


@pytest.fixture
def positions():
    rng = np.random.default_rng(0)
    index, by_sum = rng.permutation(12), rng.permutation(12)
    return tuple(
        Position(str(NASBENCH201.at(k)), 50.0 + k, k % 5 == 0, float(index[k]), float(by_sum[k]),
              bool(index[k] == 11))
        for k in range(12)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ranking", "attribute"), [("angle", "by_angle"), ("angle+params", "by_sum")]
)
def test_positions_stand_at_their_index_and_the_first_is_drawn(
    positions, ranking, attribute, tmp_path
):
    figure = positions_figure(positions, ranking, about="cifar100 test")
    chart, cell = figure.axes
    marks = sorted((float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in chart.lines
                   if len(line.get_xdata()))  # fmt: skip
    assert marks == sorted((getattr(one, attribute), one.accuracy) for one in positions)
    squares = [line for line in chart.lines if line.get_marker() == "s" and len(line.get_xdata())]
    assert len(squares) == sum(one.trivial for one in positions)
    [first] = [one for one in positions if one.first]
    drawn = [text.get_text() for text in cell.texts]
    kinds = {"nor_conv_3x3": "conv 3x3", "nor_conv_1x1": "conv 1x1", "avg_pool_3x3": "avg pool 3x3",
             "skip_connect": "skip"}  # fmt: skip
    named = [kinds[name] for name in re.findall(r"(\w+)~", first.architecture) if name != "none"]
    assert sorted(text for text in drawn if text in kinds.values()) == sorted(named)
    save_figure(figure, tmp_path / "figure.svg")


def test_the_table_of_positions_holds_trivial_ones_and_the_first(positions):
    sheet = position_sheet(positions)
    shown = {one.architecture for one in positions if one.trivial or one.first}
    assert {row[0] for row in sheet.rows} == shown
    assert [float(row[3]) for row in sheet.rows] == sorted(
        (float(row[3]) for row in sheet.rows), reverse=True
    )
