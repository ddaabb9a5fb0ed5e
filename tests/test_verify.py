"""Does a ranking hold: which networks are trained, how they are compared, what is shown."""

import csv
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from scipy import stats

from anglenas import Candidate, Found, Recipe, Workers, load_run, search, verify, write_run
from anglenas._evaluation.network import Subject
from anglenas._evaluation.recipe import TrainingRecipe
from anglenas._evaluation.verification import Checked, Verification, _trained
from anglenas._measuring.result import Column
from anglenas._report.verification import (
    verification_figure,
    verification_sheets,
    write_verification,
)
from anglenas.errors import SettingError, TrainingError, WorkersError
from anglenas.spaces import NetworkConfig

pytest.importorskip("lightning")

PLACES = ("top", "middle", "bottom")
RECIPE = "quick,epochs=1,batch=16,channels=2,cells=1,side=8"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small search on images in a file."""
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    pixels = rng.integers(0, 100, (40, 8, 8, 3), np.uint8)
    pixels[labels == 1] += 60
    np.savez(folder / "two.npz", images=pixels, labels=labels)
    found = search(
        data=folder / "two.npz", recipe="draft,iterations=2,resolution=8,channels=4", budget=16,
        workers=0, store=":memory:", rank="angle_loss+params",
    )  # fmt: skip
    write_run(found, folder)
    return folder


def ranked(count: int, guarded: tuple[int, ...] = (), unscored: int = 0) -> tuple[Candidate, ...]:
    """A ranking of so many candidates, without a search."""
    return tuple(
        Candidate(
            rank=rank, number=rank - 1, architecture=f"text {rank}", canonical=f"text {rank}",
            values={"params": 1000.0 * (rank % 4 + 1)}, spreads={}, ranks={},
            score=float("-inf") if rank > count - unscored else float(-rank), status="ok",
            guarded=rank in guarded, space="nasbench201", config=NetworkConfig(),
        )
        for rank in range(1, count + 1)
    )  # fmt: skip


def found(candidates: tuple[Candidate, ...], origin: str = "digits") -> Found:
    """A search that found them."""
    return Found(
        candidates=candidates, columns=(Column("params"),), rank="angle+loss", space="nasbench201",
        data="digits", origin=origin, class_names=("0", "1"), flip=False, recipe=Recipe(), seed=1,
        guard=True, ties="average", notices=(), seconds=1.0, computed=0, strategy="random",
        limits={},
    )  # fmt: skip


def verification(accuracies: list[float | None]) -> Verification:
    """What came of training the candidates of a ranking, in its order."""
    rows = ranked(len(accuracies))
    places = np.repeat(["top", "middle", "bottom"], len(rows) // 3)
    checked = tuple(
        Checked(row, place, accuracy, "ok" if accuracy is not None else "failed: loss", 1.0)
        for row, place, accuracy in zip(rows, places, accuracies, strict=True)
    )
    return Verification(found(rows), Path("run"), TrainingRecipe(), 1, checked, left_out=3)


def chosen(rows: tuple[Candidate, ...], each: int, monkeypatch: pytest.MonkeyPatch) -> Verification:
    """What is chosen to be trained, without training it."""
    monkeypatch.setattr(
        "anglenas._evaluation.verification._train",
        lambda one, **_: Checked(one[1], one[0], 0.5, "ok", 0.0),
    )
    return verify(found(rows), each=each, workers=1, folder="run")


def test_networks_are_taken_from_three_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ranked(20, guarded=(2, 11), unscored=3)
    result = chosen(rows, 3, monkeypatch)
    assert [(one.part, one.ranked.rank) for one in result.checked] == [
        ("top", 1), ("top", 3), ("top", 4),
        ("middle", 8), ("middle", 9), ("middle", 10),
        ("bottom", 15), ("bottom", 16), ("bottom", 17),
    ]  # fmt: skip
    assert result.left_out == 5
    assert [one.ranked.rank for one in chosen(ranked(3), 1, monkeypatch).checked] == [1, 2, 3]


def test_too_few_candidates_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError, match=r"has 8 candidates .* to take 3 .*; take 2, or search"):
        chosen(ranked(8), 3, monkeypatch)
    with pytest.raises(SettingError, match="0 networks from each part prove nothing"):
        chosen(ranked(8), 0, monkeypatch)
    rows = tuple(replace(row, values={"angle": 1.0}) for row in ranked(8))
    with pytest.raises(SettingError, match="does not tell the params of its candidates"):
        chosen(rows, 1, monkeypatch)
    with pytest.raises(SettingError, match="does not tell where its images are; name them"):
        verify(found(ranked(3), origin=""), each=1, folder="run")
    with pytest.raises(SettingError, match="say where its trainings go"):
        verify(found(ranked(3)), each=1)
    for workers in (Workers(2, time_limit=9), Workers(scheduler="tls://10.0.0.1:8786")):
        with pytest.raises(SettingError, match="runs here, as long as it takes"):
            verify(found(ranked(3)), each=1, folder="run", workers=workers)


def test_a_process_that_dies_is_told() -> None:
    chosen: list[Any] = [3, 3]  # what each of them ends with
    with pytest.raises(WorkersError, match=r"has died.* fewer workers: what was trained is kept"):
        list(_trained(os._exit, chosen, Workers(2)))


def test_agreements_are_those_of_scipy() -> None:
    accuracies = [0.9, 0.95, 0.7, 0.8, 0.8, 0.6, 0.5, 0.3, 0.4]
    result = verification(list(accuracies))
    scores = [one.ranked.score for one in result.checked]
    params = [one.ranked.values["params"] for one in result.checked]
    tau, baseline, gain = result.agreements.values()
    assert list(result.agreements) == ["angle+loss", "params", "gain"]
    assert tau.value == pytest.approx(stats.kendalltau(scores, accuracies).statistic)
    assert baseline.value == pytest.approx(stats.kendalltau(params, accuracies).statistic)
    assert gain.value == pytest.approx(tau.value - baseline.value)
    for one in (tau, baseline, gain):
        assert one.low <= one.value <= one.high
    assert result.means == pytest.approx({"top": 2.55 / 3, "middle": 2.2 / 3, "bottom": 0.4})


def test_what_could_not_be_trained_is_worst() -> None:
    broken, low = verification([0.9, 0.8, None]), verification([0.9, 0.8, 0.0])
    assert broken.agreements["angle+loss"].value == low.agreements["angle+loss"].value == 1
    assert np.isnan(broken.means["bottom"])
    assert verification_sheets(broken)[0].rows[-1][:3] == ("bottom", "3", "failed: loss")


def test_the_figure_shows_both_orders() -> None:
    result = verification([0.9, 0.95, 0.7, 0.8, None, 0.6])
    left, right = verification_figure(result).axes
    points = [line.get_xydata().tolist() for line in left.lines]  # type: ignore[union-attr]
    assert points == [[[1, 90], [2, 95]], [[3, 70], [4, 80]], [[6, 60]]]
    assert left.get_title(loc="left").startswith("search: tau ")
    assert right.get_title(loc="left").startswith("params: tau ")


def test_files_tell_everything(tmp_path: Path) -> None:
    result = verification([0.9, 0.95, None])
    write_verification(result, tmp_path, "anglenas verify run")
    assert {path.name for path in tmp_path.iterdir()} == {
        "figure.svg", "figure.png", "table.md", "table.csv", "summary.json",
    }  # fmt: skip
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["mean accuracies"] == {"top": 0.9, "middle": 0.95, "bottom": None}
    assert summary["left out"] == 3
    assert summary["command"] == "anglenas verify run"
    with (tmp_path / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["accuracy"] for row in rows] == ["0.9", "0.95", ""]


# For real.


def test_a_search_is_verified_and_taken_up_again(run: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    settings: dict[str, Any] = {"each": 1, "recipe": RECIPE, "workers": 1, "folder": tmp_path}
    result = verify(run, **settings, on_progress=lambda *step: seen.append(step))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert all(one.status == "ok" and 0 < (one.accuracy or 0) <= 1 for one in result.checked)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.ckpt")}
    assert len(times) == 3
    again = verify(run, **settings)
    assert [one.accuracy for one in again.checked] == [one.accuracy for one in result.checked]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.ckpt")} == times


def test_a_network_that_diverges_is_told_and_the_others_go_on(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anglenas._evaluation import verification as _verify

    def train(subject: Subject, *arguments: Any, **settings: Any) -> Any:
        if subject.architecture == str(load_run(run).best.architecture):
            raise TrainingError("The loss is not finite.")
        return own(subject, *arguments, **settings)

    own = _verify.train
    monkeypatch.setattr(_verify, "train", train)
    result = verify(run, each=1, recipe=RECIPE, workers=1, folder=tmp_path)
    assert [one.status == "ok" for one in result.checked] == [False, True, True]
    assert result.checked[0].status == "failed: The loss is not finite."


@pytest.mark.slow
def test_processes_do_not_change_the_result(run: Path, tmp_path: Path) -> None:
    one, two = (
        verify(run, each=1, recipe=RECIPE, workers=workers, folder=tmp_path / str(workers))
        for workers in (1, 2)
    )
    assert [c.accuracy for c in one.checked] == [c.accuracy for c in two.checked]
    files = [sorted((tmp_path / name).rglob("last.safetensors")) for name in ("1", "2")]
    assert [a.read_bytes() for a in files[0]] == [b.read_bytes() for b in files[1]]


def test_the_command_line(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from anglenas.__main__ import main

    arguments = [str(run), "--each", "1", "--recipe", RECIPE, "--workers", "1"]
    monkeypatch.setattr(sys, "argv", ["anglenas", "verify", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    out, err = capsys.readouterr()
    assert re.search(r"^tau of angle_loss\+params +\S+ \[", out, re.MULTILINE)
    assert re.search(r"^gain over params +\S+ \[", out, re.MULTILINE)
    assert re.fullmatch(r"3 of 3 trained, \S+ s each", err.splitlines()[-1])
    assert (run / "verify" / "figure.png").exists()


@pytest.mark.parametrize("most", [1.2e5, 9e5, 4e6])
def test_the_axis_of_parameters_has_round_numbers_all_over(run: Path, most: float) -> None:
    sizes, searched = np.geomspace(1e5, most, 3), load_run(run)
    checked = tuple(
        Checked(replace(one, values={**one.values, "params": size}), place, 0.5, "ok", 1.0)
        for one, place, size in zip(
            searched.candidates, ("top", "middle", "bottom"), sizes, strict=False
        )
    )
    figure = verification_figure(Verification(searched, run, TrainingRecipe(), 1, checked, 0))
    axes = figure.axes[1]
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert len(ticks) >= 3
    assert max(np.diff(np.log([low, *ticks, high]))) < 0.6 * np.log(high / low)


WAITING = """
import os
import time
from pathlib import Path

from anglenas import Workers
from anglenas._evaluation.verification import _trained


def job(path):
    Path(path).write_text(str(os.getpid()))
    time.sleep(120)


if __name__ == "__main__":
    list(_trained(job, ["first", "second"], Workers(2)))
"""


@pytest.mark.slow
def test_trainings_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    """Killed, it cannot end them, and two trainings would write into one folder afterwards."""
    (tmp_path / "waiting.py").write_text(WAITING)
    parent = subprocess.Popen([sys.executable, "waiting.py"], cwd=tmp_path)
    paths = [tmp_path / "first", tmp_path / "second"]
    wait_for(lambda: all(path.exists() and path.read_text() for path in paths))
    children = [int(path.read_text()) for path in paths]
    parent.kill()
    parent.wait()
    wait_for(lambda: not any(map(psutil.pid_exists, children)))


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)
