"""Whole prunings: what they end with, what they tell, what they refuse, and what fails."""

import importlib
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import anglenas
from anglenas._cli.tables import print_pruned
from anglenas._plugins import load
from anglenas._pruning.settings import default_recipe, settle
from anglenas.errors import AnglenasError, SettingError, UnknownNameError
from anglenas.spaces import DARTS_SUPERNET, DARTS_SUPERNET_IMAGENET, NASBENCH201_SUPERNET

TINY = "paper-pruning,resolution=4,iterations=2,channels=2"


def prune(rank="angle_loss+params", space="nasbench201", recipe=TINY, **settings):
    given = {"workers": 0, "store": ":memory:", **settings}
    return anglenas.prune(space, "digits", rank=rank, recipe=recipe, **given)


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(SettingError, match="number is a whole number of at least 0, not -1"):
        prune(number=-1)
    with pytest.raises(SettingError, match="reading is 'auto', 'pruned' or 'change', not 'other'"):
        prune(reading="other")
    with pytest.raises(SettingError, match="number is a whole number of at least 0, not '3'"):
        prune(number="3")


def test_pruning_is_no_strategy_of_a_search():
    for strategy in ("prune", "prune,number=2"):
        with pytest.raises(SettingError, match=r"use anglenas\.prune\(\), or 'anglenas prune'"):
            anglenas.search(strategy=strategy, rank="params", store=":memory:", workers=0)


def test_changes_are_ranked_without_guard_by_dense_ranks_and_a_run_says_so():
    pruned = prune("params", recipe=None, guard=True)
    assert (pruned.guard, pruned.ties) == (False, "dense")
    assert pruned.facts["trivial-network guard"] is False
    with pytest.raises(SettingError, match="leave out ties='broken'"):
        prune("params", recipe=None, ties="broken")


def test_a_run_tells_of_removals_and_not_of_one_candidate(capsys):
    pruned = prune("params", recipe=None)
    facts = pruned.facts
    assert (facts["removals"], "candidates" in facts) == (24 + 18 + 12, False)
    print_pruned(pruned, Path("report.html"))
    printed = " ".join(capsys.readouterr().out.split())
    assert "digits: what pruning left by params" in printed
    assert "after 54 removals were tried in 3 rounds" in printed
    assert "54 removals in " in printed
    remarks = prune("params", recipe=None, number=3).remarks
    assert any(" after 24 removals were tried in 1 round; " in one for one in remarks)


def test_by_parameters_alone_it_ends_at_the_largest_cell():
    pruned = prune("params", recipe=None)
    assert set(pruned.best.architecture.operations) == {"nor_conv_3x3"}
    assert pruned.recipe.name == "tenas"
    assert [one.rank for one in pruned.candidates] == [1]
    assert [len(one.removals) for one in pruned.rounds] == [24, 18, 12]


@pytest.mark.slow
def test_removals_are_told_with_what_was_measured():
    seen = []
    pruned = prune(on_progress=seen.append)
    ended = [(p.done, p.total) for p in seen if p.computed == seen[-1].computed]
    assert ended == [(54, 54)] * 2  # the last measurement, and the end
    assert seen[0].stage == "round 1 of 3: 4 operations on an edge, 3 stay"
    assert seen[-2].stage == "round 3 of 3: 2 operations on an edge, 1 stays"
    assert seen[-1].best is None
    assert pruned.computed == 2 * 54 + 1  # a training and a count each, and the result's count
    made = Counter(row["round"] for row in pruned.table if row["made"])
    assert made == {1: 6, 2: 6, 3: 6}
    assert pruned.table[0].keys() == {
        "round", "cell", "source", "target", "operation", "angle", "loss", "params", "seconds",
        "status", "rank", "made",
    }  # fmt: skip
    for row in pruned.table:
        rivals = [other for other in pruned.table if all(
            other[key] == row[key] for key in ("round", "source", "target")
        )]  # fmt: skip
        assert row["made"] == (row["rank"] == min(other["rank"] for other in rivals))
    gone = {(row["source"], row["target"], row["operation"])
            for row in pruned.table if row["made"]}  # fmt: skip
    edges = zip(
        NASBENCH201_SUPERNET.topology.edges, pruned.best.architecture.operations, strict=True
    )
    assert {(e.source, e.target, name) for e, name in edges}.isdisjoint(gone)
    assert len(gone) == 18


def tried(rows):
    """What was left on each edge as a round began that tried to remove all of it."""
    left = {}
    for row in rows:
        left.setdefault((row["cell"], row["source"], row["target"]), []).append(row["operation"])
    return left


def held(supernet):
    pairs = zip(supernet.topology.edges, supernet.operations, strict=True)
    return {tuple(edge): list(left) for edge, left in pairs}


def test_progress_tells_what_is_left_as_each_round_begins_and_at_the_end():
    seen = []
    pruned = prune("params", recipe=None, on_progress=seen.append)
    assert [p.done for p in seen if p.computed == 0] == [0]
    for number in (1, 2, 3):
        [left] = {p.supernet for p in seen if p.stage.startswith(f"round {number} of 3")}
        assert held(left) == tried(row for row in pruned.table if row["round"] == number)
    assert str(seen[-1].supernet) == str(pruned.best.architecture)
    assert len({p.supernet for p in seen}) == 4


@pytest.mark.slow
def test_ranks_are_those_of_the_rank_expression():
    pruned = prune("tse+params")
    first = [row for row in pruned.table if row["round"] == 1]
    columns = {name: np.array([row[name] for row in first]) for name in ("tse", "params")}
    scores = anglenas.ranking.parse("tse+params").evaluate(columns, {"tse": False, "params": True})
    by_rank = [scores[k] for k in np.argsort([row["rank"] for row in first])]
    assert by_rank == sorted(by_rank, reverse=True)


@pytest.mark.slow
def test_reading_by_change_measures_the_supernet_of_each_round_too():
    pruned = prune("params+loss", reading="change", recipe=f"{TINY},repeats=2")
    told = (pruned.number, pruned.reading, pruned.supernets)
    assert told == (1, "change", "nasbench201_supernet")
    assert pruned.computed == 57 * 3 + 1
    assert len(pruned.table) == 54


@pytest.mark.parametrize(
    ("space", "number", "reading"),
    [
        ("nasbench201", 3, "pruned"),
        ("nasbench201", 1, "change"),
        pytest.param("darts", 6, "change", marks=pytest.mark.slow),
    ],
)
def test_seconds_are_those_of_every_supernet_once(monkeypatch, space, number, reading):
    """In DARTS, what a round of edges begins with has been a candidate of the one before."""
    scorer = importlib.import_module("anglenas._measuring.scorer").Scorer
    real, spent = scorer.outcomes, {}

    def spy(self, tasks, batches):
        for outcome in real(self, tasks, batches):
            spent[outcome.task] = outcome.seconds
            yield outcome

    monkeypatch.setattr(scorer, "outcomes", spy)
    pruned = prune("params", space, number=number, reading=reading, recipe=None)
    supernets = f"{space}_supernet"
    expected = sum(took for task, took in spent.items() if task.context.space == supernets)
    assert pruned.measuring_seconds == pytest.approx(expected)
    assert (pruned.rounds[0].base_seconds > 0) == (reading == "change")


def test_logarithms_of_changes_are_refused_before_anything_is_measured(tmp_path):
    for rank, reading in (("z(angle)+z(log(params))", "change"), ("z(log(params))", "auto")):
        with pytest.raises(
            SettingError, match=r"values below 0; write logrank\(params\) or params"
        ):
            prune(rank, reading=reading, store=tmp_path / "scores.sqlite")
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
    pruner = settle(space, "", 0, reading, rank)
    assert default_recipe(pruner.space, rank) == recipe


def test_fields_of_a_recipe_change_the_one_of_the_supernets():
    pruned = prune("params", recipe="channels=2")
    assert (pruned.recipe.name, pruned.recipe.channels, pruned.recipe.repeats) == ("tenas*", 2, 3)


@pytest.mark.slow
def test_darts_ends_at_a_genotype():
    pruned = prune("params", "darts", recipe=None)
    assert pruned.recipe.name == "tenas-darts"
    assert {name for name, _ in pruned.best.architecture.normal} == {"sep_conv_5x5"}
    assert len(pruned.table) == 332
    assert pruned.best.config.channels == 36
    assert pruned.best.config.cells == 6
    cells = Counter((row["cell"], row["target"]) for row in pruned.table if row["round"] > 2)
    assert cells == {(c, t): t for c in ("normal", "reduce") for t in (3, 4, 5)}


@pytest.mark.slow
def test_a_search_that_is_stopped_where_edges_compete_goes_on_from_there(tmp_path):
    """DARTS, stopped as operations go and as edges go."""

    def stop_at(count):
        def tell(progress):
            if progress.done >= count:
                raise KeyboardInterrupt

        return tell

    given = {"reading": "pruned", "recipe": None}
    whole = prune("params", "darts", **given)
    store = tmp_path / "scores.sqlite"
    for count in (250, 318):
        with pytest.raises(KeyboardInterrupt):
            prune("params", "darts", store=store, on_progress=stop_at(count), **given)
    after = prune("params", "darts", store=store, **given)
    assert after.computed == whole.computed - 318
    assert after.best.architecture == whole.best.architecture
    untimed = [[{k: v for k, v in row.items() if k != "seconds"} for row in pruned.table]
               for pruned in (whole, after)]  # fmt: skip
    assert untimed[0] == untimed[1]


@pytest.mark.parametrize(
    ("space", "supernets", "number"),
    [("darts", DARTS_SUPERNET, 3), ("darts_tenas", DARTS_SUPERNET, 3),
     ("darts_imagenet", DARTS_SUPERNET_IMAGENET, 2),
     ("darts_tenas_imagenet", DARTS_SUPERNET_IMAGENET, 2)],
)  # fmt: skip
def test_every_kind_of_darts_network_has_supernets(space, supernets, number):
    assert load("space", space).supernets is supernets
    assert settle(space, "", 0, "auto", "params").number == number


def test_spaces_without_supernets_and_unknown_names_are_refused():
    with pytest.raises(SettingError, match="'nasbench201_supernet' does not have"):
        prune(space="nasbench201_supernet")
    with pytest.raises(SettingError, match="'nasbench201' is no space of supernets"):
        prune(supernets="nasbench201")
    with pytest.raises(SettingError, match="'darts_supernet' is no architecture of 'nasbench201'"):
        prune(supernets="darts_supernet")
    with pytest.raises(UnknownNameError, match="no space named 'other'"):
        prune(supernets="other")
    with pytest.raises(UnknownNameError, match="no metric named 'angel'"):
        prune("angel+params", recipe=None)


FOREIGN = """
import dataclasses
from anglenas.spaces import NASBENCH201, NASBENCH201_SUPERNET, ChoiceSpace

def build(choices, config):
    return NASBENCH201.build(f"|{choices['op']}~0|+|none~0|none~1|+"
                             "|none~0|none~1|nor_conv_3x3~2|", config)

WIDTHS = ChoiceSpace("widths", {"op": ("nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")}, build)


def read_cell(supernet):
    return NASBENCH201.parse(str(supernet))


def read_choice(supernet):
    return WIDTHS.parse(f"op={supernet.operations[0][0]}")


def read_text(supernet):
    return str(supernet)


def read_nothing(supernet):
    raise KeyError("no such edge")


def read_dead(supernet):
    return NASBENCH201.parse("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")


CELL, CHOICE, TEXT, NOTHING, DEAD = (
    dataclasses.replace(NASBENCH201_SUPERNET, read=read)
    for read in (read_cell, read_choice, read_text, read_nothing, read_dead)
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
         "search it instead"),
        ("nasbench201", "foreign_supernets:CHOICE",
         "leave out supernets=foreign_supernets:CHOICE"),
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
        prune("params", space, supernets=supernet, recipe=None, store=store)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not store.exists()


@pytest.mark.usefixtures("foreign")
def test_supernets_that_are_read_in_one_s_own_way_are_pruned():
    best = {}
    for space, supernet in (("nasbench201", "CELL"), ("foreign_supernets:WIDTHS", "CHOICE")):
        pruned = prune(
            "params", space, number=3, supernets=f"foreign_supernets:{supernet}", recipe=None
        )
        best[supernet] = pruned.best.architecture
    assert set(best["CELL"].operations) == {"nor_conv_3x3"}
    assert best["CHOICE"]["op"] == "nor_conv_3x3"


@pytest.mark.usefixtures("foreign")
def test_a_result_that_cannot_be_measured_is_a_result():
    pruned = prune("params", number=3, supernets="foreign_supernets:DEAD", metrics=["ntk"])
    assert set(pruned.best.architecture.operations) == {"none"}
    assert pruned.best.scored
    assert pruned.best.values["ntk"] is None
    assert pruned.rank == "params"


def own_supernets(folder, monkeypatch, name, condition, cell="NASBENCH201_SUPERNET"):
    """Name supernets that cannot be built where a condition on ``supernet`` holds."""
    (folder / f"{name}.py").write_text(f"""
import dataclasses
from anglenas.spaces import NASBENCH201_SUPERNET
from anglenas.spaces import {cell}

def build(text, config):
    supernet = NASBENCH201_SUPERNET.parse(text)
    if {condition}:
        raise ValueError("no such cell")
    return NASBENCH201_SUPERNET.build(text, config)

SPACE = dataclasses.replace({cell}, name="mine", build=build)
""")
    monkeypatch.syspath_prepend(str(folder))
    return f"{name}:SPACE"


@pytest.mark.parametrize("reading", ["pruned", "change"])
def test_a_removal_that_cannot_be_measured_goes_last_and_the_search_goes_on(
    tmp_path, monkeypatch, reading
):
    """By parameters the first edge would lose its skip first; it fails, and so it stays."""
    name = f"lacking_{reading}"
    supernets = own_supernets(tmp_path, monkeypatch, name, "not supernet.holds(0, 'skip_connect')")
    pruned = prune("params", recipe=None, supernets=supernets, reading=reading)
    assert pruned.best.architecture.operations == ("skip_connect", *["nor_conv_3x3"] * 5)
    failed = [row for row in pruned.table if row["status"] != "ok"]
    assert [row["status"] for row in failed] == ["failed: ValueError: no such cell"] * 3
    assert [(row["round"], row["rank"]) for row in failed] == [(1, 24), (2, 18), (3, 12)]
    assert {(row["operation"], row["params"], row["made"]) for row in failed} == {
        ("skip_connect", None, False)
    }
    assert any(remark.startswith("3 removals were made last") for remark in pruned.remarks)


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
    supernets = own_supernets(tmp_path, monkeypatch, name, condition)
    with pytest.raises(
        AnglenasError, match=rf"{what}.*ValueError: no such cell\).*time limit.*the same command"
    ):
        prune("params", recipe=None, supernets=supernets, reading=reading)


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
        broken = prune("params", recipe=None, store=store)
    mended = prune("params", recipe=None, store=store)
    assert mended.computed > 0
    assert [row["status"] for row in broken.table].count("failed: worker died") == 1
    assert {row["status"] for row in mended.table} == {"ok"}
    assert mended.best.architecture == prune("params", recipe=None).best.architecture
