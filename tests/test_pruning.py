"""Pruning: its rounds against TE-NAS's rules, how removals are ranked, whole searches."""

import contextlib
import csv
import importlib
import json
import os
import pty
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rich.console import Console

import anglenas
from anglenas._cli.progress import show_progress
from anglenas._cli.supernets import supernet_view
from anglenas._cli.tables import print_found
from anglenas._measuring.memory import check_memory, training_memory
from anglenas._measuring.plan import Measured, draw_repeats
from anglenas._plugins import load
from anglenas._recipe import Recipe, preset, read_recipe
from anglenas._report import report_of
from anglenas._searching.pruning import default_recipe, judge_supernets, resolve
from anglenas._searching.ranked import Judge
from anglenas._searching.readings import change, places_by_change, places_of_pruned
from anglenas.data import from_arrays
from anglenas.errors import AnglenasError, SettingError, UnknownNameError, UsageError
from anglenas.probes import find_metric
from anglenas.ranking import parse
from anglenas.spaces import NetworkConfig
from anglenas.spaces._build import build_network
from anglenas.spaces._supernets import (
    DARTS_SUPERNET,
    DARTS_SUPERNET_IMAGENET,
    NASBENCH201_SUPERNET,
    Edge,
    Layout,
    Supernet,
)
from anglenas.strategies import Request, Trial
from anglenas.strategies._prune import PRUNE, PruneSearch, Round

TINY = "paper-pruning,resolution=4,iterations=2,channels=2"


def play(strategy, space, score):
    """All rounds, and what is left, when ``score(base, removal)`` says what goes first."""
    history: list[Trial] = []
    rounds = []
    while isinstance(current := strategy.next_round(space, history), Round):
        rounds.append(current)
        history += [
            Trial(len(history) + k, removal.supernet, score(current.base, removal))
            for k, removal in enumerate(current.removals)
        ]
    return rounds, current, history


@pytest.mark.parametrize(
    ("number", "space", "sizes"),
    [
        (0, NASBENCH201_SUPERNET, [24, 18, 12]),
        (2, NASBENCH201_SUPERNET, [24, 12]),
        (9, NASBENCH201_SUPERNET, [24]),
        (0, DARTS_SUPERNET, [196, 112, 3, 4, 5, 3, 4, 5]),
        (2, DARTS_SUPERNET, [196, 140, 84, 3, 4, 5, 3, 4, 5]),
        (0, DARTS_SUPERNET_IMAGENET, [196, 140, 84, 3, 4, 5, 3, 4, 5]),
    ],
)
def test_rounds_are_as_many_and_as_large_as_tenas_has_them(number, space, sizes):
    """54 candidates in NAS-Bench-201; 332 in DARTS for CIFAR-10, 444 for ImageNet."""
    strategy = replace(PRUNE, number=number)
    rounds, left, _ = play(strategy, space, lambda *_: 0.0)
    assert [len(one.removals) for one in rounds] == sizes
    assert [one.title for one in strategy.planned(space)] == [one.title for one in rounds]
    space.read(left)


def te_nas(space, number, score):
    """``prune_func_rank`` and ``prune_func_rank_group`` once more, on a table of booleans."""
    names, edges = space.layout.operations, space.layout.edges
    alive = {(edge, name): True for edge in range(len(edges)) for name in names}
    operations = lambda edge: [name for name in names if alive[edge, name]]  # noqa: E731
    supernet = lambda: Supernet(  # noqa: E731
        space.layout, tuple(tuple(operations(edge)) for edge in range(len(edges)))
    )
    while any(len(operations(edge)) > 1 for edge in range(len(edges))):
        base = supernet()
        candidates = [(score(base, edge, name), -k, edge, name)
                      for k, (edge, name) in enumerate(alive) if alive[edge, name]]  # fmt: skip
        lost = min(number, len(operations(0)) - 1)
        for edge in range(len(edges)):
            mine = sorted((one for one in candidates if one[2] == edge), reverse=True)
            for _, _, _, name in mine[:lost]:
                alive[edge, name] = False
    starts = [0, 2, 5, 9] if len(edges) == 28 else []
    for cell in (0, 14):
        for start, end in zip(starts, [*starts[1:], 14], strict=False):
            base = supernet()
            group = range(cell + start, cell + end)
            mine = sorted(((score(base, edge, operations(edge)[0]), -edge, edge)
                           for edge in group), reverse=True)  # fmt: skip
            for _, _, edge in mine[: len(group) - 2]:
                alive[edge, operations(edge)[0]] = False
    return supernet()


@pytest.mark.parametrize(
    ("space", "number"), [(NASBENCH201_SUPERNET, 1), (DARTS_SUPERNET, 3), (DARTS_SUPERNET, 2)]
)
@pytest.mark.parametrize("seed", range(2))
def test_what_is_left_is_what_tenas_leaves(space, number, seed):
    def score(base, edge, name):
        """Chance, with ties, that depends on all of the supernet."""
        text = f"{seed}{base}{edge}{name}"
        return int(np.random.default_rng(list(text.encode())).integers(20))

    _, left, _ = play(
        replace(PRUNE, number=number),
        space,
        lambda base, removal: score(base, removal.edge, removal.operation),
    )
    assert left == te_nas(space, number, score)


@pytest.mark.parametrize(
    ("space", "ends"),
    [
        (NASBENCH201_SUPERNET, [24, 42, 54]),
        (DARTS_SUPERNET, [196, 308, 311, 315, 320, 323, 327, 332]),  # the last six prune edges
    ],
)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_proposals_are_a_function_of_the_history(space, ends, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    done = data.draw(st.sampled_from(ends)) - data.draw(st.integers(1, 3))
    _, _, history = play(PRUNE, space, lambda *_: float(rng.integers(9)))
    request = Request(
        space=space, history=history[:done], count=1000,
        stream=np.random.default_rng, admits=lambda _: True,
    )  # fmt: skip
    size = next(end for end in ends if done < end) - done
    proposed = PRUNE.propose(request)
    assert list(proposed) == [trial.architecture for trial in history[done : done + size]]
    assert PRUNE.propose(replace(request, count=1)) == proposed[:1]
    assert PRUNE.propose(replace(request, history=history)) == ()


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(SettingError, match="ends nowhere"):
        PruneSearch(number=-1)
    with pytest.raises(SettingError, match="auto, pruned or change"):
        PruneSearch(reading="other")
    with pytest.raises(UnknownNameError, match="no strategy setting named 'concurrency'"):
        search("params", strategy="prune,concurrency=3")
    with pytest.raises(UsageError, match="needs supernets"):
        PRUNE.propose(Request(load("space", "nasbench201"), [], 1, np.random.default_rng, bool))


def tenas_change(before, after, precision=3):
    """VITA-Group/TENAS: ``round((origin - pruned) / origin, 3)``, its mean, and ``round_to``.

    ``None`` where the mean lies between two numbers of three digits.
    """
    mean = np.mean([round((a - b) / a, precision) for a, b in zip(before, after, strict=True)])
    if mean == 0:
        return 0.0
    power = np.floor(np.log10(abs(mean) + 1e-8)) + 1
    digits = (abs(mean) + 1e-8) * 10 ** (precision - power)
    between = abs(digits % 1 - 0.5) < 1e-3
    return None if between else np.sign(mean) * round(digits) * 10 ** (power - precision)


values = st.lists(st.tuples(st.floats(1, 1e4), st.floats(1, 1e4)), min_size=1, max_size=4)


@given(values)
def test_changes_are_rounded_as_tenas_rounds_them(pairs):
    before, after = zip(*pairs, strict=True)
    expected = tenas_change(before, after)
    assume(expected is not None)
    assert change(before, after) == pytest.approx(-expected)


def test_changes_without_meaning():
    assert np.isnan(change([1.0], [None]))
    assert np.isnan(change([None], [1.0]))
    assert np.isnan(change([0.0], [1.0]))
    assert np.isnan(change([0.0, None], [1.0, 1.0]))
    assert change([-2.0], [-1.0]) == 0.5  # it has risen


without = st.sampled_from([(None, 1.0), (1.0, None), (None, None), (0.0, 1.0)])


@given(values, st.lists(st.tuples(st.integers(0, 8), without), max_size=4))
def test_repeats_without_a_change_are_left_out(pairs, others):
    mixed = list(pairs)
    for place, pair in others:
        mixed.insert(place, pair)
    assert change(*zip(*mixed, strict=True)) == change(*zip(*pairs, strict=True))


def test_one_undefined_repeat_of_the_base_does_not_end_the_search():
    base = [measured(None, 50.0), measured(100.0, 50.0), measured(100.0, 50.0)]
    left = [[measured(90.0, 50.0)] * 3, [measured(None, 50.0), *[measured(80.0, 50.0)] * 2]]
    assert places_by_change(TENAS, base, left, METRICS).tolist() == [0.0, 1.0]


def measured(ntk, regions):
    values = {"ntk": ntk, "regions": regions}
    reasons = {name: "undefined: no" for name, value in values.items() if value is None}
    return Measured(values, values, reasons)


METRICS = (find_metric("ntk"), find_metric("regions"))
TENAS = Judge("ntk+regions", guard=False, ties="dense")


@given(
    st.lists(
        st.tuples(st.sampled_from([80.0, 90.0, 100.0, 130.0]), st.sampled_from([40, 50, 60])),
        min_size=1, max_size=8,
    )
)  # fmt: skip
def test_places_are_those_of_tenas(candidates):
    """Sum of dense ranks, the first candidate to be pruned having the highest place."""
    base = (measured(100.0, 50.0),)
    left = [(measured(*candidate),) for candidate in candidates]
    placed = places_by_change(TENAS, base, left, METRICS)

    ntk = [(100.0 - k) / 100.0 for k, _ in candidates]  # higher goes first
    lr = [(50.0 - r) / 50.0 for _, r in candidates]  # lower goes first
    ranks = [
        sorted(set(ntk), reverse=True).index(a) + sorted(set(lr)).index(b)
        for a, b in zip(ntk, lr, strict=True)
    ]
    by_ntk = sorted(range(len(ntk)), key=lambda k: -ntk[k])  # ties in the order of this list
    expected = sorted(by_ntk, key=lambda k: ranks[k])
    assert np.argsort(-placed).tolist() == expected


@given(st.integers(0, 10**6))
def test_the_benchmark_reads_changes_as_a_search_does(seed):
    """Written once more there, with SciPy's ranks; its table compares other readings with it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
        read = importlib.import_module("tenas_departures").read
    values = np.random.default_rng(seed).integers(1, 40, size=(25, 2, 3)).astype(float)
    metrics = [find_metric("anglenas.probes._tenas:NTK"), find_metric("regions")]
    names = [metric.name for metric in metrics]
    repeats = [[Measured(dict(zip(names, one, strict=True)), {}, {}) for one in each.T.tolist()]
               for each in values]  # fmt: skip
    judge = judge_supernets(PruneSearch(reading="change"), Judge("tenas"))
    placed = places_by_change(judge, repeats[0], repeats[1:], metrics)
    assert read(values, 3).places.tolist() == placed.tolist()


def test_removals_without_a_value_go_last_and_none_at_all_is_an_error():
    base = (measured(100.0, 50.0),)
    left = [(measured(None, 60.0),), (measured(120.0, 10.0),)]
    assert places_by_change(TENAS, base, left, METRICS).tolist() == [0.0, 1.0]
    with pytest.raises(AnglenasError, match=r"scored by ntk\+regions \(undefined: no\)"):
        places_by_change(TENAS, base, left[:1], METRICS)


# Whole searches.


def search(rank="angle_loss+params", space="nasbench201", recipe=TINY, **settings):
    given = {"strategy": "prune", "workers": 0, "store": ":memory:", **settings}
    return anglenas.search(space, "digits", rank=rank, recipe=recipe, **given)


def test_changes_are_ranked_without_guard_by_dense_ranks_and_a_run_says_so():
    found = search("params", recipe=None, guard=True)
    assert (found.guard, found.ties) == (False, "dense")
    assert report_of(found).data_facts["trivial-network guard"] is False
    with pytest.raises(SettingError, match="leave out ties='broken'"):
        search("params", recipe=None, ties="broken")


def test_a_run_tells_of_removals_and_not_of_one_candidate(capsys):
    found = search("params", recipe=None)
    facts = report_of(found).data_facts
    assert (facts["removals"], "candidates" in facts) == (24 + 18 + 12, False)
    print_found(found, Path("report.html"), top=1, costs=[])
    printed = " ".join(capsys.readouterr().out.split())
    assert "digits: what pruning left by params" in printed
    assert "after 54 removals were tried in 3 rounds" in printed
    assert "54 removals in " in printed
    remarks = search("params", recipe=None, strategy="prune,number=3").remarks
    assert any(" after 24 removals were tried in 1 round; " in one for one in remarks)


def test_by_parameters_alone_it_ends_at_the_largest_cell():
    found = search("params", recipe=None)
    assert set(found.best.architecture.operations) == {"nor_conv_3x3"}
    assert found.recipe.name == "tenas"
    assert [one.rank for one in found.candidates] == [1]
    assert Counter(row["round"] for row in found.pruning) == {1: 24, 2: 18, 3: 12}


@pytest.mark.slow
def test_removals_are_told_with_what_was_measured():
    seen = []
    found = search(on_progress=seen.append)
    ended = [(p.done, p.total) for p in seen if p.computed == seen[-1].computed]
    assert ended == [(54, 54)] * 2  # the last measurement, and the end
    assert seen[0].stage == "round 1 of 3: 4 operations on an edge, 3 stay"
    assert seen[-2].stage == "round 3 of 3: 2 operations on an edge, 1 stays"
    assert seen[-1].best is None
    assert found.computed == 2 * 54 + 1  # a training and a count each, and the result's count
    pruned = Counter(row["round"] for row in found.pruning if row["pruned"])
    assert pruned == {1: 6, 2: 6, 3: 6}
    assert found.pruning[0].keys() == {
        "round", "cell", "source", "target", "operation", "angle", "loss", "params", "seconds",
        "status", "place", "pruned",
    }  # fmt: skip
    for row in found.pruning:
        rivals = [other for other in found.pruning if all(
            other[key] == row[key] for key in ("round", "source", "target")
        )]  # fmt: skip
        assert row["pruned"] == (row["place"] == min(other["place"] for other in rivals))
    gone = {(row["source"], row["target"], row["operation"])
            for row in found.pruning if row["pruned"]}  # fmt: skip
    edges = zip(NASBENCH201_SUPERNET.layout.edges, found.best.architecture.operations, strict=True)
    assert {(e.source, e.target, name) for e, name in edges}.isdisjoint(gone)
    assert len(gone) == 18


def tried(rows):
    """What was left on each edge as a round began that tried to remove all of it."""
    left = {}
    for row in rows:
        left.setdefault((row["cell"], row["source"], row["target"]), []).append(row["operation"])
    return left


def held(supernet):
    pairs = zip(supernet.layout.edges, supernet.operations, strict=True)
    return {tuple(edge): list(left) for edge, left in pairs}


def test_progress_tells_what_is_left_as_each_round_begins_and_at_the_end():
    seen = []
    found = search("params", recipe=None, on_progress=seen.append)
    assert [p.done for p in seen if p.computed == 0] == [0]
    for number in (1, 2, 3):
        [left] = {p.supernet for p in seen if p.stage.startswith(f"round {number} of 3")}
        assert held(left) == tried(row for row in found.pruning if row["round"] == number)
    assert str(seen[-1].supernet) == str(found.best.architecture)
    assert len({p.supernet for p in seen}) == 4
    drawn = []
    search("params", strategy="random", budget=1, on_progress=drawn.append)
    assert [p.supernet for p in drawn] == [None]


@pytest.mark.slow
def test_places_are_those_of_the_rank_expression():
    found = search("tse+params")
    first = [row for row in found.pruning if row["round"] == 1]
    columns = {name: np.array([row[name] for row in first]) for name in ("tse", "params")}
    scores = anglenas.ranking.parse("tse+params").evaluate(columns, {"tse": False, "params": True})
    by_place = [scores[k] for k in np.argsort([row["place"] for row in first])]
    assert by_place == sorted(by_place, reverse=True)


@pytest.mark.slow
def test_reading_by_change_measures_the_supernet_of_each_round_too():
    found = search("params+loss", strategy="prune,reading=change", recipe=f"{TINY},repeats=2")
    assert found.strategy == "prune,number=1,reading=change,supernet=nasbench201_supernet"
    assert found.computed == 57 * 3 + 1
    assert len(found.pruning) == 54


@pytest.mark.parametrize(
    ("space", "strategy"),
    [
        ("nasbench201", "prune,number=3,reading=pruned"),
        ("nasbench201", "prune,reading=change"),
        pytest.param("darts", "prune,number=6,reading=change", marks=pytest.mark.slow),
    ],
)
def test_seconds_are_those_of_every_supernet_once(monkeypatch, space, strategy):
    """In DARTS, what a round of edges begins with has been a candidate of the one before."""
    scorer = importlib.import_module("anglenas._measuring.scorer").Scorer
    real, spent = scorer.outcomes, {}

    def spy(self, tasks, batches):
        for outcome in real(self, tasks, batches):
            spent[outcome.task] = outcome.seconds
            yield outcome

    monkeypatch.setattr(scorer, "outcomes", spy)
    found = search("params", space, strategy=strategy, recipe=None)
    supernets = f"{space}_supernet"
    expected = sum(took for task, took in spent.items() if task.context.space == supernets)
    assert found.pruning_seconds == pytest.approx(expected)
    assert (found.base_seconds > 0) == strategy.endswith("change")


def test_logarithms_of_changes_are_refused_before_anything_is_measured(tmp_path):
    for rank, strategy in (("z(angle)+z(log(params))", "prune,reading=change"),
                           ("z(log(params))", "prune")):  # fmt: skip
        with pytest.raises(
            SettingError, match=r"values below 0; write logrank\(params\) or params"
        ):
            search(rank, strategy=strategy, store=tmp_path / "scores.sqlite")
    assert not (tmp_path / "scores.sqlite").exists()


@pytest.mark.parametrize("reading", ["auto", "pruned", "change"])
@pytest.mark.parametrize(
    ("space", "rank", "recipe"),
    [
        ("nasbench201", "angle_loss+params", "paper-pruning"),
        ("nasbench201", "tenas", "tenas"),
        ("nasbench201", "params", "tenas"),
        ("darts", "angle_loss", "paper-darts"),
        ("darts", "ntk+regions", "tenas-darts"),
        ("darts_imagenet", "angle_loss", "paper-darts"),
        ("darts_tenas_imagenet", "tenas", "tenas-darts-imagenet"),
    ],
)
def test_the_default_recipe_is_that_of_the_metrics_however_they_are_read(
    space, rank, recipe, reading
):
    assert default_recipe(PruneSearch(reading=reading), space, parse(rank)) == recipe


def test_fields_of_a_recipe_change_the_one_of_the_supernets():
    found = search("params", recipe="channels=2")
    assert (found.recipe.name, found.recipe.channels, found.recipe.repeats) == ("tenas*", 2, 3)


def test_a_result_that_cannot_be_measured_is_a_result(monkeypatch):
    pruning = importlib.import_module("anglenas._searching.pruning")
    cell = load("space", "nasbench201").parse("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    monkeypatch.setattr(pruning.Pruning, "run", lambda self, scorer, report: cell)
    found = search("ntk+regions", recipe="tenas,resolution=8", metrics=["ntk"])
    assert found.best.architecture == cell
    assert found.best.scored
    assert found.best.values["ntk"] is None
    assert found.rank == "ntk+regions"


def test_removals_that_the_guard_put_behind_go_last():
    supernets = [NASBENCH201_SUPERNET.full().without(0, name) for name in ("skip_connect",) * 3]
    metrics = [find_metric("angle"), find_metric("loss")]
    seen = [Measured({"angle": a, "loss": 1.0}, {"angle": 0.0, "loss": 0.0}, {})
            for a in (0.99, 0.5, 0.97)]  # fmt: skip
    judge = Judge("angle_loss", iterations=100)
    placed = places_of_pruned(judge, NASBENCH201_SUPERNET, supernets, seen, metrics)
    assert placed.tolist() == [1.0, 2.0, 0.0]  # of the two behind, the earlier one first


@pytest.mark.slow
def test_darts_ends_at_a_genotype():
    found = search("params", "darts", recipe=None)
    assert found.recipe.name == "tenas-darts"
    assert {name for name, _ in found.best.architecture.normal} == {"sep_conv_5x5"}
    assert len(found.pruning) == 332
    assert found.best.config.channels == 36
    assert found.best.config.cells == 6
    cells = Counter((row["cell"], row["target"]) for row in found.pruning if row["round"] > 2)
    assert cells == {(c, t): t for c in ("normal", "reduce") for t in (3, 4, 5)}


@pytest.mark.slow
def test_a_search_that_is_stopped_where_edges_compete_goes_on_from_there(tmp_path):
    """DARTS, stopped as operations go and as edges go."""

    def stop_at(count):
        def tell(progress):
            if progress.done >= count:
                raise KeyboardInterrupt

        return tell

    given = {"strategy": "prune,reading=pruned", "recipe": None}
    whole = search("params", "darts", **given)
    store = tmp_path / "scores.sqlite"
    for count in (250, 318):
        with pytest.raises(KeyboardInterrupt):
            search("params", "darts", store=store, on_progress=stop_at(count), **given)
    after = search("params", "darts", store=store, **given)
    assert after.computed == whole.computed - 318
    assert after.best.architecture == whole.best.architecture
    untimed = [[{k: v for k, v in row.items() if k != "seconds"} for row in found.pruning]
               for found in (whole, after)]  # fmt: skip
    assert untimed[0] == untimed[1]


@pytest.mark.parametrize(
    ("space", "supernets", "number"),
    [("darts", DARTS_SUPERNET, 3), ("darts_tenas", DARTS_SUPERNET, 3),
     ("darts_imagenet", DARTS_SUPERNET_IMAGENET, 2),
     ("darts_tenas_imagenet", DARTS_SUPERNET_IMAGENET, 2)],
)  # fmt: skip
def test_every_kind_of_darts_network_has_supernets(space, supernets, number):
    assert load("space", load("space", space).supernet) is supernets
    assert resolve(PruneSearch(), space, parse("params")).number == number


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"budget": 10}, "takes no budget"),
        ({"minutes": 1.0}, "takes no minutes: it has no result before its end"),
        ({"max_params": 10**6}, "takes no max_params: how large its result is"),
        ({"max_flops": 10**6}, "takes no max_flops"),
    ],
)
def test_limits_are_refused(limit, message):
    with pytest.raises(SettingError, match=message):
        search(**limit)


def test_spaces_without_supernets_and_unknown_names_are_refused():
    with pytest.raises(SettingError, match="'nasbench201_supernet' does not have"):
        search(space="nasbench201_supernet")
    with pytest.raises(SettingError, match="'nasbench201' is no space of supernets"):
        search(strategy="prune,supernet=nasbench201")
    with pytest.raises(SettingError, match="'darts_supernet' is no architecture of 'nasbench201'"):
        search(strategy="prune,supernet=darts_supernet")
    with pytest.raises(UnknownNameError, match="no space named 'other'"):
        search(strategy="prune,supernet=other")
    with pytest.raises(UnknownNameError, match="no metric named 'angel'"):
        search("angel+params", recipe=None)


FOREIGN = """
import dataclasses
from anglenas.spaces._nasbench201 import network as nasbench201
from anglenas.spaces._choices import ChoiceSpace
from anglenas.spaces._nasbench201.values import NASBENCH201
from anglenas.spaces._supernets import NASBENCH201_SUPERNET

def build(choices, config):
    return nasbench201.build(NASBENCH201.parse(f"|{choices['op']}~0|+|none~0|none~1|+"
                                               "|none~0|none~1|nor_conv_3x3~2|"), config)

WIDTHS = ChoiceSpace("widths", {"op": ("nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")}, build)


def read_cell(supernet):
    return NASBENCH201.parse(str(supernet))


def read_choice(supernet):
    return WIDTHS.parse(f"op={supernet.operations[0][0]}")


def read_text(supernet):
    return str(supernet)


def read_nothing(supernet):
    raise KeyError("no such edge")


CELL, CHOICE, TEXT, NOTHING = (
    dataclasses.replace(NASBENCH201_SUPERNET, read=read)
    for read in (read_cell, read_choice, read_text, read_nothing)
)
"""


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    (tmp_path / "foreign_supernets.py").write_text(FOREIGN)
    monkeypatch.delitem(sys.modules, "foreign_supernets", raising=False)  # that of another folder
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize(
    ("space", "supernet", "message"),
    [
        ("foreign_supernets:WIDTHS", "nasbench201_supernet",
         "use the strategy random or evolution"),
        ("nasbench201", "foreign_supernets:CHOICE",
         "leave out supernet=foreign_supernets:CHOICE"),
        ("nasbench201", "foreign_supernets:TEXT", "is another one there"),
        ("nasbench201", "foreign_supernets:NOTHING", "KeyError: 'no such edge'"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("foreign")
def test_supernets_of_another_space_are_refused_before_anything_is_measured(
    tmp_path, space, supernet, message
):
    store = tmp_path / "scores.sqlite"
    with pytest.raises(SettingError, match="is no architecture of") as caught:
        search("params", space, strategy=f"prune,supernet={supernet}", recipe=None, store=store)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not store.exists()


@pytest.mark.usefixtures("foreign")
def test_supernets_that_are_read_in_one_s_own_way_are_pruned():
    best = {}
    for space, supernet in (("nasbench201", "CELL"), ("foreign_supernets:WIDTHS", "CHOICE")):
        strategy = f"prune,number=3,supernet=foreign_supernets:{supernet}"
        best[supernet] = search("params", space, strategy=strategy, recipe=None).best.architecture
    assert set(best["CELL"].operations) == {"nor_conv_3x3"}
    assert best["CHOICE"]["op"] == "nor_conv_3x3"


def test_a_supernet_that_does_not_fit_the_memory_is_refused_before_anything_is_measured(tmp_path):
    store = tmp_path / "scores.sqlite"
    with pytest.raises(SettingError, match=r"of 8 x 8 pixels takes about .* TB|about .* GB"):
        search(recipe="paper-pruning,channels=20000", store=store)
    assert not store.exists()
    size, recipe = NetworkConfig(10), preset("fast")
    check_memory(lambda _: 10**6, size, 2, "train", recipe)
    with pytest.raises(SettingError, match=r"in each of 2 workers.*fewer channels.*fewer workers"):
        check_memory(lambda _: 10**15, size, 2, "train", recipe)


def refusal(monkeypatch, free, recipe):
    """What a search says that has so many bytes."""
    monkeypatch.setattr("anglenas._measuring.memory.MEMORY_LIMIT", free)
    with pytest.raises(SettingError) as caught:
        search("angle", recipe=recipe)
    return str(caught.value)


def bytes_of(recipe):
    config = NetworkConfig(
        recipe.classes, recipe.channels, recipe.cells, side=min(recipe.resolution, 8)
    )
    images = recipe.classes * recipe.images_per_class
    return training_memory(NASBENCH201_SUPERNET, str(NASBENCH201_SUPERNET.full()), config, images)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("paper-pruning,channels=64,repeats=2,augment=no,lr=0.15", {"channels": 4}),
        ("paper-pruning,channels=1000000,images_per_class=8", {"channels": 7}),
        ("paper-pruning,channels=1,images_per_class=90", {"resolution": 4}),
        ("paper-pruning,channels=6,images_per_class=90", {"channels": 1, "resolution": 4}),
    ],
)
def test_the_recipe_that_a_refusal_recommends_fits_and_keeps_what_was_given(
    monkeypatch, given, expected
):
    """The digits have 8 x 8 pixels."""
    recipe = read_recipe(given)
    wanted = replace(recipe, **expected)
    free = bytes_of(wanted) * 1.2  # not enough for twice the width, or the side
    message = refusal(monkeypatch, int(free), given)
    advised = read_recipe(re.search(r"such as --recipe (\S+)\.$", message)[1])
    assert advised.settings() == wanted.settings()
    assert advised.repeats == recipe.repeats
    assert bytes_of(advised) <= free < bytes_of(recipe)
    assert bytes_of(replace(advised, channels=2 * advised.channels)) > free


def test_a_refusal_names_no_recipe_that_there_is_not(monkeypatch):
    lower = "fewer channels, cells or images, or a smaller resolution."
    assert refusal(monkeypatch, 1, "paper-pruning,channels=4").endswith(lower)
    for recipe in (Recipe(channels=64), replace(preset("paper"), name="mine", channels=64)):
        assert refusal(monkeypatch, bytes_of(replace(recipe, channels=16)), recipe).endswith(lower)
    recipe = replace(preset("paper"), channels=64)
    message = refusal(monkeypatch, bytes_of(replace(recipe, channels=16)), recipe)
    assert message.endswith("such as --recipe paper.")


def test_what_is_not_trained_needs_memory_for_its_weights_alone(monkeypatch):
    network = build_network(
        NASBENCH201_SUPERNET, str(NASBENCH201_SUPERNET.full()), NetworkConfig(10, 2, 1, side=4)
    )
    copies = 4 * sum(weight.nbytes for weight in network.parameters())
    monkeypatch.setattr("anglenas._measuring.memory.MEMORY_LIMIT", int(1.02 * copies))
    with pytest.raises(SettingError, match="To train the supernet on 100 images"):
        search("angle")
    assert set(search("params").best.architecture.operations) == {"nor_conv_3x3"}
    monkeypatch.setattr("anglenas._measuring.memory.MEMORY_LIMIT", int(0.98 * copies))
    with pytest.raises(SettingError, match="To build the supernet takes about"):
        search("params")


PEAK = """
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from anglenas.data import from_arrays
from anglenas.spaces._build import build_network
from anglenas._numerics import single_thread
from anglenas.probes import find_probe
from anglenas._recipe import preset
from anglenas._measuring.memory import gradients_memory, training_memory
from anglenas._measuring.plan import draw_repeats, proxy_config
from anglenas.spaces._supernets import NASBENCH201_SUPERNET as SPACE

probe, base, channels = sys.argv[1], sys.argv[2], int(sys.argv[3])
pixels = np.random.default_rng(0).integers(256, size=(100, 16, 16, 3), dtype=np.uint8)
source = from_arrays(pixels, np.arange(100) % 10)


def batch_and_config(recipe):
    [batch] = draw_repeats(source, recipe, seed=1)
    return batch, proxy_config(batch, recipe)


def peak(recipe):
    batch, config = batch_and_config(recipe)
    with single_thread():
        network = build_network(SPACE, str(SPACE.full()), config)
        find_probe(probe).measure(network, batch, recipe, 1)
    # Not getrusage, whose peak of a child is at least what the parent held as it began.
    lines = Path("/proc/self/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


small = preset(base, iterations=1, repeats=1, channels=1, resolution=4)
large = replace(small, channels=channels, resolution=16 if probe == "short_training" else 8)
held = peak(small)  # whatever is imported and set up at the first measurement
batch, config = batch_and_config(large)
measured = (SPACE, str(SPACE.full()), config, images := len(batch.images))
rows = {"ntk": images, "grasp": 0}.get(probe)
estimate = training_memory(*measured) if rows is None else gradients_memory(*measured, rows)
print(estimate, peak(large) - held)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("probe", "recipe", "channels"),
    [
        ("short_training", "paper-pruning", 32),
        ("ntk", "tenas", 24),
        ("grasp", "paper-pruning", 32),
    ],
)
def test_memory_is_estimated_above_its_peak_and_not_far_above(probe, recipe, channels):
    command = [sys.executable, "-c", PEAK, probe, recipe, str(channels)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    estimate, peak = map(int, done.stdout.split())
    assert peak > 100e6  # large enough that what else a process takes does not count
    assert peak <= estimate <= 4 * peak


def test_worker_processes_take_memory_of_their_own(monkeypatch):
    monkeypatch.setattr("anglenas._measuring.memory.MEMORY_LIMIT", 10**9)
    size, recipe = NetworkConfig(10), preset("fast")
    check_memory(lambda _: 4 * 10**8, size, 0, "train", recipe)
    check_memory(lambda _: 4 * 10**8, size, 1, "train", recipe)
    with pytest.raises(
        SettingError, match=r"about 0\.8 GB in each of 2 workers, and 1 GB are free"
    ):
        check_memory(lambda _: 4 * 10**8, size, 2, "train", recipe)


@pytest.mark.parametrize(
    ("rank", "does"),
    [("angle", "train"), ("tse+params", "train"), ("tenas", "differentiate"),
     ("grasp", "differentiate"), ("naswot", "train"), ("params", "build")],
)  # fmt: skip
def test_memory_is_estimated_for_what_the_ranking_measures(monkeypatch, rank, does):
    monkeypatch.setattr("anglenas._measuring.memory.MEMORY_LIMIT", 1)
    with pytest.raises(SettingError, match=f"To {does} the supernet"):
        search(rank)


def test_memory_grows_with_images_and_pixels():
    text = str(DARTS_SUPERNET.full())
    sizes = {}
    for images, side in ((10, 16), (20, 16), (10, 32)):
        config = NetworkConfig(10, 2, 1, side=side)
        sizes[images, side] = training_memory(DARTS_SUPERNET, text, config, images)
    weights = sizes[10, 16] * 2 - sizes[20, 16]
    assert 0 < weights < 0.2 * sizes[10, 16]
    assert (sizes[10, 32] - weights) / (sizes[10, 16] - weights) == pytest.approx(4, rel=0.05)


def own_supernets(folder, monkeypatch, name, condition, cell="NASBENCH201_SUPERNET"):
    """Name supernets that cannot be built where a condition on ``supernet`` holds."""
    (folder / f"{name}.py").write_text(f"""
import dataclasses
from anglenas.spaces._nasbench201 import network as nasbench201
from anglenas.spaces._supernets import {cell}

def build(supernet, config):
    if {condition}:
        raise ValueError("no such cell")
    return nasbench201.build(supernet, config)

SPACE = dataclasses.replace({cell}, name="mine", builder="{name}:build")
""")
    monkeypatch.syspath_prepend(str(folder))
    return f"prune,supernet={name}:SPACE"


@pytest.mark.parametrize("reading", ["pruned", "change"])
def test_a_removal_that_cannot_be_measured_goes_last_and_the_search_goes_on(
    tmp_path, monkeypatch, reading
):
    """By parameters the first edge would lose its skip first; it fails, and so it stays."""
    name = f"lacking_{reading}"
    strategy = own_supernets(tmp_path, monkeypatch, name, "not supernet.holds(0, 'skip_connect')")
    found = search("params", recipe=None, strategy=f"{strategy},reading={reading}")
    assert found.best.architecture.operations == ("skip_connect", *["nor_conv_3x3"] * 5)
    failed = [row for row in found.pruning if row["status"] != "ok"]
    assert [row["status"] for row in failed] == ["failed: ValueError: no such cell"] * 3
    assert [(row["round"], row["place"]) for row in failed] == [(1, 24), (2, 18), (3, 12)]
    assert {(row["operation"], row["params"], row["pruned"]) for row in failed} == {
        ("skip_connect", None, False)
    }
    assert any(remark.startswith("3 removals were pruned last") for remark in found.remarks)


@pytest.mark.parametrize(
    ("name", "condition", "reading", "what"),
    [
        ("none_built", "True", "pruned", "Not one supernet of a round could be measured"),
        ("no_base", "supernet == SPACE.full()", "change", "compared with of a round could not be"),
    ],
)
def test_a_round_without_any_measurement_or_its_base_tells_the_reason(
    tmp_path, monkeypatch, name, condition, reading, what
):
    strategy = own_supernets(tmp_path, monkeypatch, name, condition)
    with pytest.raises(
        AnglenasError, match=rf"{what}.*ValueError: no such cell\).*time limit.*the same search"
    ):
        search("params", recipe=None, strategy=f"{strategy},reading={reading}")


def test_a_repeat_that_failed_is_no_change_of_the_others():
    """A failure may be the machine's: a mean without it would depend on where it was measured."""
    failed = Measured({"ntk": None}, {"ntk": None}, {"ntk": "failed: worker died"})
    base = (measured(100.0, 50.0),) * 2
    left = [(measured(50.0, 50.0), failed), (measured(120.0, 50.0),) * 2]
    assert places_by_change(replace(TENAS, rank="ntk"), base, left, METRICS[:1]).tolist() == [
        0.0,
        1.0,
    ]


def test_what_failed_is_measured_again_by_the_same_search(tmp_path, monkeypatch):
    scorer = importlib.import_module("anglenas._measuring.scorer").Scorer
    real, store = scorer.outcomes, tmp_path / "scores.sqlite"
    lacking = str(NASBENCH201_SUPERNET.full().without(0, "skip_connect"))

    def failing(self, tasks, batches):
        for outcome in real(self, tasks, batches):
            if outcome.task.subject == lacking:
                outcome = replace(outcome, status="failed: worker died", record=None)
                self.store.put_many([outcome])
            yield outcome

    with monkeypatch.context() as patched:
        patched.setattr(scorer, "outcomes", failing)
        broken = search("params", recipe=None, store=store)
    mended = search("params", recipe=None, store=store)
    assert mended.computed > 0
    assert [row["status"] for row in broken.pruning].count("failed: worker died") == 1
    assert {row["status"] for row in mended.pruning} == {"ok"}
    assert mended.best.architecture == search("params", recipe=None).best.architecture


# The page.

PAGE = (Path(__file__).parents[1] / "docs" / "pruning.md").read_text()


def test_the_page_has_the_sizes_and_recipes_that_there_are():
    for space in (NASBENCH201_SUPERNET, DARTS_SUPERNET, DARTS_SUPERNET_IMAGENET):
        rounds = PruneSearch().planned(space)
        row = rf"`{space.name}` \| .* \| {sum(len(one.removals) for one in rounds)} \|\n"
        assert re.search(row, PAGE)
        for name in (space.recipe, space.tenas_recipe):
            [line] = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
            recipe = preset(name)
            assert f"{recipe.channels} channel" in line
            if name == space.recipe:
                size = f"{recipe.resolution} x {recipe.resolution} pixels"
                assert f"| {recipe.classes} x {recipe.images_per_class}, {size} |" in line
                assert f"| {recipe.iterations} iterations, rate {recipe.lr} |" in line
            else:
                assert f"| {recipe.classes}, three draws |" in line


def test_the_recipe_for_imagenet_measures_as_tenas_does():
    """24 images of as many classes, and 3 rounds of operations that leave 5, 3 and 1."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(256, size=(60, 40, 40, 3), dtype=np.uint8)
    source = from_arrays(pixels, np.arange(60) % 30)
    [batch, *_] = draw_repeats(source, preset("tenas-darts-imagenet"), seed=1)
    assert batch.images.shape == (24, 3, 32, 32)
    assert len(set(batch.labels.tolist())) == 24
    titles = [one.title for one in PruneSearch(2).planned(DARTS_SUPERNET)][:3]
    assert titles == [f"{a} operations on an edge, {b} stay" for a, b in ((7, 5), (5, 3))] + [
        "3 operations on an edge, 1 stays"
    ]


@pytest.mark.slow
def test_the_page_s_searches_run(tmp_path):
    commands = [line[2:] for line in PAGE.splitlines() if line.startswith("$ anglenas search")]
    commands = [one for one in commands if "my_supernets" not in one]  # of test_own_supernets.py
    assert len(commands) == 2
    for number, command in enumerate(commands):
        words = shlex.split(command.replace("angle_loss+params", "params"))[1:]
        words[words.index("photos/")] = "digits"
        words += ["--out", f"run{number}", "--store", "s.sqlite", "--workers", "0", "-q"]
        subprocess.run([SCRIPT, *words], cwd=tmp_path, check=True, capture_output=True)
        assert (tmp_path / f"run{number}" / "best.json").exists()


# The view of what is left.

SHORT = {
    "skip": "skip_connect", "sep3": "sep_conv_3x3", "sep5": "sep_conv_5x5",
    "dil3": "dil_conv_3x3", "dil5": "dil_conv_5x5", "avg3": "avg_pool_3x3", "max3": "max_pool_3x3",
}  # fmt: skip


def view(supernet, width):
    console = Console(width=width)
    with console.capture() as caught:
        console.print(supernet_view(supernet, width))
    return caught.get().splitlines()


def read_view(lines):
    """By cell, source and target what is left, of lines with any number of cells side by side."""
    left, cells = {}, [""]
    for line in lines:
        if line.split()[1:2] == ["cell"]:
            cells = re.findall(r"(\w+) cell", line)
            continue
        rows = re.split(r"\s+(?=\d>\d)", line)
        for cell, row in zip(cells, rows, strict=True):
            edge, *marks = row.split()
            source, target = map(int, edge.split(">"))
            left[cell, source, target] = [SHORT.get(one, one) for one in marks if one != "."]
    return left


def emptied(space, seed):
    supernet = space.sample(np.random.default_rng(seed))
    edge = seed % len(supernet.operations)
    rest = supernet.operations[edge + 1 :]
    return replace(supernet, operations=(*supernet.operations[:edge], (), *rest))


@given(st.sampled_from([NASBENCH201_SUPERNET, DARTS_SUPERNET]), st.integers(0, 10**6))
def test_the_view_shows_every_operation_that_is_left(space, seed):
    supernet = emptied(space, seed)
    for width, lines in ((80, {6, 15}), (60, {6, 30}), (190, {6, 15})):
        shown = view(supernet, width)
        assert len(shown) in lines
        assert max(map(len, shown)) <= width
        assert read_view(shown) == held(supernet)


def test_columns_of_the_view_stay_where_nothing_is_left():
    full, left = (view(one, 80) for one in (DARTS_SUPERNET.full(), emptied(DARTS_SUPERNET, 4)))
    for whole, line in zip(full[1:], left[1:], strict=True):
        for name in re.finditer(r"[a-z]+\d?", whole):
            assert line[name.start() : name.end()].strip() in (name.group(), ".")
    wide = view(DARTS_SUPERNET.full(), 190)
    assert "sep_conv_3x3" in wide[1]


def test_operations_with_alike_short_names_are_written_whole():
    layout = Layout(("conv_3x3_relu", "conv_3x3_gelu"), (Edge("", 0, 1),))
    narrow, wide = (view(Supernet(layout, (layout.operations,)), width) for width in (30, 40))
    assert narrow[0].startswith("0>1 conv_3x3_relu conv_3x3")
    assert wide == ["0>1 conv_3x3_relu conv_3x3_gelu"]


def test_lines_have_one_view_a_round_and_one_at_the_end(capsys):
    with show_progress(quiet=False) as report:
        found = search("params", recipe=None, on_progress=report)
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if "57 of 57 measured" in line]) == 1
    starts = [k for k, line in enumerate(lines) if re.match("round . of 3|what is left", line)]
    shown = [read_view(lines[k + 1 : k + 7]) for k in starts]
    rounds = [tried(row for row in found.pruning if row["round"] == n) for n in (1, 2, 3)]
    assert shown == [*rounds, held(NASBENCH201_SUPERNET.parse(str(found.best.architecture)))]
    assert len([line for line in lines if re.match(r"\d>\d", line)]) == 4 * 6


def screen(output):
    """What stays on a terminal after rich's codes for a line up, an emptied line, and colours."""
    lines, row = [""], 0
    for code in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", output):
        if code == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif code.endswith("A") and code[0] == "\x1b":
            row -= int(code[2:-1])
        elif code == "\x1b[2K":
            lines[row] = ""
        elif code[0] not in "\x1b\r":
            lines[row] += code
    return lines


@pytest.mark.slow
def test_on_a_terminal_every_view_stays_and_the_bar_does_not(tmp_path):
    reading, writing = pty.openpty()
    termios.tcsetwinsize(writing, (40, 80))
    command = [SCRIPT, "search", "--strategy", "prune", "--rank", "params", "--workers", "0",
               "--out", tmp_path / "run", "--store", tmp_path / "scores.sqlite"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=writing, env={
        **{name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")},
        "TERM": "xterm",
    })  # fmt: skip
    os.close(writing)
    output = b""
    with contextlib.suppress(OSError):  # a terminal ends so
        while part := os.read(reading, 65536):
            output += part
    os.close(reading)
    assert process.wait() == 0
    lines = [line.rstrip() for line in screen(output.decode()) if line.strip()]
    assert [line for line in lines if not re.match(r"\d>\d", line)] == [
        "round 1 of 3: 4 operations on an edge, 3 stay",
        "round 2 of 3: 3 operations on an edge, 2 stay",
        "round 3 of 3: 2 operations on an edge, 1 stays",
        "what is left at the end",
    ]
    assert len(lines) == 4 * 7
    assert list(read_view(lines[-6:]).values()) == [["nor_conv_3x3"]] * 6


# The command line.

SCRIPT = Path(sys.executable).with_name("anglenas")


def start(folder: Path, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [SCRIPT, "search", "--strategy", "prune", "--rank", "angle_loss+params", "--recipe", TINY,
         "--out", str(folder / "run"), "--store", str(folder / "scores.sqlite"), *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
    )  # fmt: skip


def rows(store: Path) -> int:
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            (count,) = connection.execute("SELECT count(*) FROM scores").fetchone()
    except sqlite3.OperationalError:
        return 0
    connection.close()
    return int(count)


@pytest.mark.slow
def test_a_search_killed_twice_ends_as_one_that_was_not(tmp_path):
    whole = search()
    known = 0
    for further, workers in ((20, "2"), (50, "1")):
        process = start(tmp_path, "--workers", workers)
        while rows(tmp_path / "scores.sqlite") < known + further and process.poll() is None:
            time.sleep(0.05)
        assert process.poll() is None  # it is under way
        process.kill()
        process.communicate()
        known = rows(tmp_path / "scores.sqlite")
        assert further <= known < whole.computed
    process = start(tmp_path, "--workers", "0", "--json")
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    result = json.loads(out)
    assert result["best"] == str(whole.best.architecture)
    assert result["computed"] == whole.computed - known
    with (tmp_path / "run" / "pruning.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [row["angle"] for row in written] == [repr(row["angle"]) for row in whole.pruning]
    assert [row["pruned"] for row in written] == [str(row["pruned"]) for row in whole.pruning]


@pytest.mark.slow
def test_ctrl_c_and_lines_tell_round_and_time_left(tmp_path):
    process = start(tmp_path, "--workers", "1")
    while rows(tmp_path / "scores.sqlite") < 4 and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1].endswith("the same command goes on from there.")
    process = start(tmp_path, "--workers", "1")
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "54 of 54 measured" in errors
    assert "round 3 of 3: 2 operations on an edge, 1 stays" in errors
    assert "Pruning ended with this network after 54 removals" in " ".join(out.split())
    assert os.path.exists(tmp_path / "run" / "pruning.csv")  # noqa: PTH110
