"""Latency as a metric and as a limit, and what is worth its cost."""

import csv
import json
import socket
import sys
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from anglenas import Found, Recipe, Store, score, search, write_run
from anglenas._measuring.executors import InProcess
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.task import Context, Outcome, Task
from anglenas._report.figures import Mark, Scatter, rank_figure, scatters
from anglenas.errors import SettingError, UnknownNameError, UsageError
from anglenas.probes._latency import LATENCY, time_forward
from anglenas.ranking import pareto_front
from anglenas.spaces import NASBENCH201, NetworkConfig
from anglenas.testing._networks import images_of

TINY = Recipe(resolution=8, channels=4, cells=1, iterations=2)


class Watched(nn.Module):
    """Notes in which modes it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Linear(64, 10)
        self.modes: list[tuple[bool, bool]] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.modes.append((self.training, torch.is_inference_mode_enabled()))
        return self.classifier(images.flatten(1)[:, :64])  # type: ignore[no-any-return]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """By it, passes take 30, 10, 20, 30, ... milliseconds."""
    ticks: list[float] = []
    durations = cycle([0.03, 0.01, 0.02])

    def now() -> float:
        ticks.append((ticks[-1] if ticks else 0) + (next(durations) if len(ticks) % 2 else 1))
        return ticks[-1]

    monkeypatch.setattr("anglenas.probes._latency.time", SimpleNamespace(perf_counter=now))
    return ticks


def test_it_is_the_median_time_of_a_forward_pass(clock: list[float]) -> None:
    record = LATENCY.measure(Watched(), images_of(), TINY, 1)
    assert record["milliseconds"] == pytest.approx(20)
    assert record["fastest"] == pytest.approx(10)
    assert record["runs"] == 15
    assert record["threads"] == torch.get_num_threads()
    assert record["device"] == "cpu"
    measured = score(Watched(), metrics=["latency"], recipe=TINY)
    assert measured.values["latency"] == pytest.approx(20)
    assert not LATENCY.metric("latency").higher_is_better


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_network_of_any_data_type_is_timed_as_it_is(dtype: torch.dtype) -> None:
    network = nn.Conv2d(3, 2, 3).to(dtype)
    assert LATENCY.measure(network, images_of(), TINY, 1)["milliseconds"] > 0
    assert network.weight.dtype == dtype


def test_a_quick_network_is_run_more_often_and_in_evaluation_mode() -> None:
    network = Watched()
    seconds = time_forward(network, torch.zeros(1, 3, 8, 8))
    assert len(seconds) > 15
    assert sum(seconds) >= 0.2
    assert len(network.modes) == len(seconds) + 3  # to warm up
    assert set(network.modes) == {(False, True)}


def test_one_thread_computes_however_many_the_caller_has() -> None:
    config = NetworkConfig(num_classes=3, channels=2, cells=1, side=8)
    context = Context.of("nasbench201", "latency", config, recipe=TINY, images="", seed=1)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        [outcome] = InProcess().run([Task(context, str(NASBENCH201.at(3)))], {})
        assert outcome.record is not None
        assert outcome.record["threads"] == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_times_are_kept_for_their_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def context(probe: str) -> Context:
        return Context.of("nasbench201", probe, NetworkConfig(), recipe=TINY, images="", seed=1)

    here, counts = context("latency"), context("parameters")
    assert here.platform.endswith(socket.gethostname())
    assert here.seed is None
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    assert context("latency").digest != here.digest
    assert context("parameters").digest == counts.digest


class Others:
    """Says which probes it was asked for."""

    def __init__(self) -> None:
        self.probes: list[str] = []

    def run(self, tasks: Any, batches: Any) -> Any:
        for task in tasks:
            self.probes.append(task.context.probe)
            yield Outcome(task, "undefined: by others")

    def __enter__(self) -> "Others":
        return self

    def __exit__(self, *raised: object) -> None:
        pass


def test_times_are_measured_here_before_others_work() -> None:
    config = NetworkConfig(num_classes=3, channels=2, cells=1, side=8)
    tasks = [
        Task(Context.of("nasbench201", probe, config, recipe=TINY, images="", seed=1),
             str(NASBENCH201.at(index)))
        for probe in ("parameters", "latency") for index in (3, 4)
    ]  # fmt: skip
    others = Others()
    with Store.memory() as store:
        outcomes = list(Scorer(store, others).outcomes(tasks, {}))
    assert [one.task for one in outcomes] == [*tasks[2:], *tasks[:2]]
    assert [one.status for one in outcomes] == ["ok"] * 2 + ["undefined: by others"] * 2
    assert others.probes == ["parameters"] * 2


# As a limit.


def found(**settings: Any) -> Found:
    usual = {"recipe": TINY, "workers": 0, "rank": "params", "store": ":memory:", "budget": 6}
    return search(**usual | settings)


def test_a_limit_admits_what_is_quick_enough() -> None:
    with Store.memory() as store:
        free = found(metrics=["latency"], store=store, budget=12, channels=4, cells=1)
        times = sorted(one.values["latency"] or 0 for one in free.candidates)
        limit = (times[5] + times[6]) / 2
        limited = found(max_latency_ms=limit, store=store, channels=4, cells=1)
        assert all((one.values["latency"] or 0) <= limit for one in limited.candidates)
        assert limited.limits["max_latency_ms"] == limit
        # Measured times are kept, so that the same search gives the same result.
        again = found(max_latency_ms=limit, store=store, channels=4, cells=1)
        assert again.table == limited.table
        assert again.computed == 0


@pytest.mark.slow
def test_workers_do_not_change_what_a_limit_admits(tmp_path: Path) -> None:
    store = tmp_path / "scores.sqlite"
    settings: dict[str, Any] = {"max_latency_ms": 1000.0, "store": store, "channels": 4, "cells": 1}
    assert found(**settings).table == found(**settings | {"workers": 2}).table


def test_limits_that_nothing_keeps_are_told() -> None:
    with pytest.raises(UsageError, match=r"0.0001 milliseconds are allowed, and the smallest has "):
        found(max_latency_ms=0.0001, strategy="random,first_patience=3", channels=2, cells=1)
    with pytest.raises(SettingError, match="max_latency_ms is a finite number above 0, not 0"):
        found(max_latency_ms=0)
    with pytest.raises(SettingError, match="max_latency_ms is a finite number above 0, not nan"):
        found(max_latency_ms=float("nan"))


def test_what_is_too_large_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[Any] = []
    monkeypatch.setattr("anglenas.probes._latency.time_forward", lambda *of: timed.append(of))
    with pytest.raises(UsageError, match="1 parameters are allowed"):
        found(max_params=1, max_latency_ms=5.0, strategy="random,first_patience=3")
    assert not timed


# What is worth its cost.

numbers = st.integers(0, 6) | st.sampled_from([float("nan"), float("inf"), -float("inf")])


@given(st.lists(st.tuples(numbers, numbers), max_size=20))
def test_the_front_is_what_nothing_beats(pairs: list[tuple[float, float]]) -> None:
    def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
        return one[0] >= other[0] and one[1] <= other[1] and one != other

    finite = [pair for pair in pairs if np.isfinite(pair).all()]
    expected = [
        bool(np.isfinite(pair).all()) and not any(beats(other, pair) for other in finite)
        for pair in pairs
    ]
    scores, costs = zip(*pairs, strict=True) if pairs else ((), ())
    assert pareto_front(scores, costs).tolist() == expected


def test_charts_and_search_have_the_same_front() -> None:
    result = found(metrics=["flops", "latency"], budget=10, rank="angle+loss")
    charts = {chart.name: chart for chart in scatters(result)}
    for cost in ("params", "flops", "latency"):
        drawn = {(mark.x, mark.y) for mark in charts[f"score_by_{cost}"].front}
        assert drawn
        assert drawn == {(one.values[cost], one.score) for one in result.front(cost)}


def test_the_front_of_a_search() -> None:
    result = found(metrics=["flops"], budget=10, rank="angle+loss")
    front = result.front("flops")
    costs = [one.values["flops"] or 0 for one in front]
    assert costs == sorted(costs)
    assert [one.score for one in front] == sorted(one.score for one in front)
    assert front[-1].score == result.best.score
    with pytest.raises(UnknownNameError, match="no measured metric named 'latency'"):
        result.front("latency")


def test_charts_show_the_front() -> None:
    marks = (Mark(1, 1, "a"), Mark(2, 3, "b", best=True), Mark(3, 2, "c"))
    scatter = Scatter("s", "S", "x", "y", marks, front=marks[:2])
    steps = [
        line for line in rank_figure(scatter).axes[0].lines if line.get_drawstyle() != "default"
    ]
    assert [line.get_xydata().tolist() for line in steps] == [[[1, 1], [2, 3]]]  # type: ignore[union-attr]
    alone = rank_figure(Scatter("s", "S", "x", "y", marks[:1], front=marks[:1])).axes[0]
    assert all(line.get_drawstyle() == "default" for line in alone.lines)


def test_a_run_with_times_has_their_figure(tmp_path: Path) -> None:
    result = found(metrics=["latency", "flops"], channels=4, cells=1)
    page = write_run(result, tmp_path).read_text()
    for name in ("score_by_params", "score_by_flops", "score_by_latency"):
        assert (tmp_path / "figures" / f"{name}.png").exists()
    assert "milliseconds of one image, on this machine" in page
    assert 'id="score_by_latency-front"' in page
    write_run(found(), tmp_path)
    assert not (tmp_path / "figures" / "score_by_latency.png").exists()


def test_the_command_line_prints_the_front(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from anglenas.__main__ import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANGLENAS_STORE", str(tmp_path / "scores.sqlite"))

    def run(*arguments: str) -> str:
        command = ["anglenas", "search", "--budget", "4", "--workers", "0", "--rank", "params"]
        monkeypatch.setattr(sys, "argv", [*command, "--out", "run", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code
        return capsys.readouterr().out

    shown = run("--front", "params,latency", "--max-latency-ms", "1000")
    assert "Worth its params, " in shown
    assert "Worth its latency, " in shown
    with Path("run/table.csv").open() as file:
        texts = [row["architecture"] for row in csv.DictReader(file)]
    printed = json.loads(run("--front", "flops", "--json"))
    rows = printed["table"]
    assert [row["architecture"] for row in rows] == texts
    worth = [
        row for row in rows
        if not any(
            other["score"] >= row["score"] and other["flops"] <= row["flops"]
            and (other["score"], other["flops"]) != (row["score"], row["flops"])
            for other in rows
        )
    ]  # fmt: skip
    worth.sort(key=lambda row: (row["flops"], row["rank"]))
    assert printed["fronts"] == {"flops": [row["architecture"] for row in worth]}
