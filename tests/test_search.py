"""Searches: what they find, again and again, whatever becomes of single candidates."""

import csv
import html
import importlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import anglenas
from anglenas import Found, Recipe, Store, score, score_many, search, write_run
from anglenas._measuring.plan import repeat_seed
from anglenas._measuring.progress import Progress
from anglenas._plugins import load
from anglenas.errors import (
    ArchitectureError,
    NetworkError,
    SettingError,
    UnknownNameError,
    UsageError,
)
from anglenas.spaces import DARTS, NASBENCH201, NetworkConfig
from anglenas.strategies import Request

TINY = Recipe(name="tiny", resolution=8, cells=1, channels=2, iterations=2)
SCORED = {"metrics": ["params"], "recipe": TINY, "workers": 0, "store": ":memory:"}
FAKES = Path(__file__).parent / "search_fakes"


@pytest.fixture(scope="module")
def fakes() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FAKES))
        yield importlib.import_module("search_fakes")


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.memory() as store:
        yield store


def tiny_search(**settings: Any) -> Found:
    return search(**{"recipe": TINY, "workers": 0, "store": ":memory:", "cells": 1, **settings})


def table_of(found: Found, folder: Path) -> bytes:
    write_run(found, folder)
    return (folder / "table.csv").read_bytes()


def proposals(found: Found) -> list[str]:
    ordered = sorted(found.candidates, key=lambda one: one.number)
    assert [one.number for one in ordered] == list(range(len(ordered)))
    return [str(one.architecture) for one in ordered]


# The same again.


def test_a_second_run_computes_nothing_and_writes_the_same_bytes(
    store: Store, tmp_path: Path
) -> None:
    first, second = (tiny_search(budget=4, store=store) for _ in range(2))
    assert (first.computed, second.computed) == (8, 0)
    assert table_of(first, tmp_path / "1") == table_of(second, tmp_path / "2")
    assert first.table == second.table


def test_a_larger_budget_goes_on_from_a_smaller_one(store: Store) -> None:
    small = tiny_search(budget=3, store=store)
    large = tiny_search(budget=5, store=store)
    assert proposals(large)[:3] == proposals(small)
    assert large.computed == 4
    values = {str(one.architecture): one.values for one in large.candidates}
    assert all(values[str(one.architecture)] == one.values for one in small.candidates)


def test_other_seeds_search_elsewhere(fakes: Any) -> None:
    runs = [
        tiny_search(space="search_fakes:PAIRS", rank="params", budget=5, seed=seed)
        for seed in range(5)
    ]
    assert len({tuple(proposals(run)) for run in runs}) == 5


@pytest.mark.slow
def test_any_number_of_workers_gives_the_same_bytes(tmp_path: Path) -> None:
    tables = {
        table_of(tiny_search(budget=8, workers=workers), tmp_path / str(workers))
        for workers in (0, 1, 2)
    }
    assert len(tables) == 1


@pytest.mark.slow
def test_workers_find_a_space_and_a_strategy_of_the_users_own(fakes: Any) -> None:
    settings = {"space": fakes.PAIRS, "strategy": fakes.CLIMB, "budget": 4}
    here, there = (tiny_search(workers=workers, **settings) for workers in (0, 1))
    assert here.table == there.table


# What is found.


def test_candidates_are_ranked_by_the_expression(fakes: Any) -> None:
    found = tiny_search(space=fakes.PAIRS, rank="params", strategy="exhaustive", budget=100)
    assert len(found.candidates) == 10
    by_hand = sorted(
        {fakes.PAIRS.canonical(p): fakes.parameters(p) for p in fakes.PAIRS.enumerate()}.values(),
        reverse=True,
    )
    assert [one.values["params"] for one in found.candidates] == by_hand
    assert [one.rank for one in found.candidates] == list(range(1, 11))
    assert str(found.best.architecture) == "4-4"
    # Pairs of equal width have equally many parameters; the earlier proposal goes first.
    assert [one.number for one in found.candidates] == sorted(
        (one.number for one in found.candidates),
        key=lambda n: (-sum(map(int, proposals(found)[n].split("-"))), n),
    )


def test_metrics_that_are_not_registered_rank_as_well(fakes: Any, tmp_path: Path) -> None:
    width = "search_fakes:WIDTH.width"
    found = tiny_search(space=fakes.PAIRS, strategy="exhaustive", rank=f"2*{width}+params")
    widths = [one.values[width] for one in found.candidates]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) > 1
    write_run(found, tmp_path)
    assert width in (tmp_path / "table.csv").read_text().splitlines()[0].split(",")


def test_a_few_networks_are_ranked_as_by_hand() -> None:
    found = tiny_search(budget=6, rank="loss", guard=False)
    losses = [one.values["loss"] for one in found.candidates]
    assert losses == sorted(losses)
    assert [one.ranks["loss"] for one in found.candidates] == [1, 2, 3, 4, 5, 6]
    angles = [one.values["angle"] for one in found.candidates]
    assert [one.ranks["angle"] for one in found.candidates] == [
        1 + sum(other > angle for other in angles) for angle in angles
    ]


def test_the_best_network_is_an_ordinary_module() -> None:
    best = tiny_search(budget=2).best
    images = torch.zeros(2, 3, 16, 16)
    assert best.network(num_classes=7, in_channels=3)(images).shape == (2, 7)
    assert best.network()(images[:, :1]).shape == (2, 10)


@pytest.mark.parametrize("rank", ["angle", "loss", "tse", "tse_e@2", "z(log(params))+3*z(tse)"])
def test_whatever_a_short_training_says_is_guarded(rank: str) -> None:
    """Cells without a convolution on a way through them stand behind the others, if by it alone."""
    found = tiny_search(budget=12, rank=rank)
    cells = [one.architecture for one in found.candidates]
    trivial = [load("space", "nasbench201").is_trivial(cell) for cell in cells]
    assert 0 < sum(trivial) < len(trivial)
    assert [one.guarded for one in found.candidates] == trivial
    if "params" not in rank:
        assert trivial == sorted(trivial)


def test_trivial_networks_are_behind(fakes: Any) -> None:
    idle = replace(TINY, lr=1e-12, weight_decay=0.0, iterations=50)  # no classifier turns
    on, off = (tiny_search(budget=3, recipe=idle, guard=guard) for guard in (True, False))
    assert all(one.guarded for one in on.candidates)
    assert not any(one.guarded for one in off.candidates)
    assert all(one.values["angle"] > 0.99 for one in on.candidates)  # as measured


def test_repeats_are_averaged(fakes: Any) -> None:
    pair = fakes.PAIRS.parse("1-2")
    settings: dict[str, Any] = {"space": fakes.PAIRS, "metrics": ["loss"], "store": ":memory:"}
    both = score(pair, recipe=replace(TINY, repeats=2), **settings)
    first, second = (
        score(pair, recipe=TINY, seed=repeat_seed(1, repeat), **settings).values["loss"]
        for repeat in (0, 1)
    )
    assert first is not None
    assert second is not None
    assert first != second
    assert both.values["loss"] == pytest.approx((first + second) / 2, rel=1e-15)
    assert both.spreads["loss"] == pytest.approx(abs(first - second) / 2**0.5, rel=1e-12)


def test_what_a_score_counts_is_the_published_network_which_a_search_looks_for() -> None:
    text = str(DARTS.sample(np.random.default_rng(0)))
    scored = anglenas.score(text, metrics=["params"], space="darts", store=":memory:")
    network = anglenas.make_network(text, "darts", in_channels=1)  # as digits have
    assert scored.values["params"] == sum(one.numel() for one in network.parameters())


def test_an_architecture_and_its_canonical_network_score_alike() -> None:
    text = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
    space = load("space", "nasbench201")
    config = NetworkConfig(channels=TINY.channels, cells=TINY.cells, in_channels=1, side=8)
    network = space.build(space.canonical(space.parse(text)), config)
    names = ["angle", "loss", "tse"]
    as_module = score(network, recipe=TINY, metrics=names)
    assert score(text, recipe=TINY, metrics=names, store=":memory:").values == as_module.values


@pytest.mark.parametrize(("limit", "kept"), [(110, 6), (50, 1)])
def test_no_candidate_has_too_many_parameters(fakes: Any, limit: int, kept: int) -> None:
    found = tiny_search(space=fakes.PAIRS, rank="params", budget=20, max_params=limit)
    fitting = {
        fakes.PAIRS.canonical(p) for p in fakes.PAIRS.enumerate() if fakes.parameters(p) <= limit
    }
    assert {one.canonical for one in found.candidates} == fitting
    assert len(fitting) == kept


def test_no_candidate_has_too_many_operations(fakes: Any) -> None:
    def operations(width: int) -> int:  # one multiply-add is two
        return 2 * (8 * 8 * width * 9 + width * 10)

    limit = operations(5)
    found = tiny_search(space=fakes.PAIRS, rank="flops", budget=20, max_flops=limit)
    counts = {one.canonical: one.values["flops"] for one in found.candidates}
    assert counts == {
        form: operations(sum(map(int, form.split("-"))))
        for form in ("1-1", "1-2", "1-3", "1-4", "2-2", "2-3")
    }


def test_limits_hold_on_the_network_that_is_looked_for() -> None:
    limit = 150_000
    found = tiny_search(rank="params", budget=5, max_params=limit, cells=2, channels=12)
    for one in found.candidates:
        count = sum(parameter.numel() for parameter in one.network().parameters())
        assert one.values["params"] == count
        assert count <= limit


def test_limits_that_no_network_keeps(fakes: Any) -> None:
    least = min(map(fakes.parameters, fakes.PAIRS.enumerate()))
    for limits, reason in [
        (
            {"max_params": least - 1},
            f"{least - 1} parameters are allowed, and the smallest has {least}",
        ),
        (
            {"max_params": least, "max_flops": 99},
            "99 operations are allowed, and the smallest has 2,344",
        ),
        ({"max_flops": 99}, "None of the 16 architectures .*: 99 operations .* smallest has 2,344"),
    ]:
        with pytest.raises(UsageError, match=rf"{reason}\. Allow more, or try more with"):
            tiny_search(space=fakes.PAIRS, rank="params", **limits)
    with pytest.raises(UsageError, match="'mute' proposes nothing"):
        tiny_search(space=fakes.PAIRS, rank="params", strategy=fakes.MUTE, max_params=1)


# Budgets.


def test_time_is_a_budget(fakes: Any) -> None:
    late = tiny_search(space=fakes.PAIRS, rank="loss", minutes=1e-9)
    assert len(late.candidates) == 1
    early = tiny_search(space=fakes.PAIRS, rank="loss", minutes=10.0)
    assert len(early.candidates) == 10  # all functions there are
    both = tiny_search(space=fakes.PAIRS, rank="loss", minutes=10.0, budget=3)
    assert len(both.candidates) == 3
    assert proposals(early)[:3] == proposals(both)


def test_a_search_by_time_does_not_go_through_a_space_once_a_round(
    fakes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = 0

    def enumerated() -> Iterator[Any]:
        nonlocal looked_at
        for architecture in NASBENCH201.enumerate():
            looked_at += 1
            yield architecture

    monkeypatch.setattr(fakes, "COUNTED", replace(NASBENCH201, enumerate=enumerated), raising=False)
    found = tiny_search(space="search_fakes:COUNTED", rank="params", strategy="exhaustive",
                        minutes=10.0, budget=200)  # fmt: skip
    assert proposals(found) == proposals(
        tiny_search(rank="params", strategy="exhaustive", budget=200)
    )
    needed = [str(cell) for cell in NASBENCH201.enumerate()].index(proposals(found)[-1]) + 1
    assert looked_at <= 3 * needed


def test_a_search_ends_when_its_time_is_up(fakes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock takes a second: far fewer than 16 candidates fit in 12 of them."""
    clock = iter(range(1000))
    searching = sys.modules["anglenas._searching.run"]
    monkeypatch.setattr(searching, "time", type("", (), {"perf_counter": lambda: next(clock)}))
    found = tiny_search(space=fakes.PAIRS, rank="params", minutes=0.2)
    assert 1 <= len(found.candidates) < 10


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"budget": 0}, "budget is a whole number of at least 1, not 0"),
        ({"budget": -3}, "budget is a whole number of at least 1, not -3"),
        ({"minutes": 0}, "minutes is a finite number above 0, not 0"),
        ({"minutes": float("nan")}, "minutes is a finite number above 0, not nan"),
        ({"workers": -1}, "count is a whole number of at least 0, not -1"),
        ({"max_params": 0}, "max_params is a whole number of at least 1, not 0"),
        ({"channels": 0}, "channels is a whole number of at least 1, not 0"),
    ],
)
def test_numbers_that_do_not_fit(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        tiny_search(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"budget": "60"}, "budget is a whole number of at least 1, not '60'"),
        ({"budget": 2.5}, "budget is a whole number of at least 1, not 2.5"),
        ({"minutes": "1"}, "minutes is a finite number above 0, not '1'"),
        ({"seed": None}, "seed is a whole number, not None"),
        ({"rank": 3}, "rank is a text, not 3"),
        ({"metrics": "tse"}, r"metrics is a list of names, such as \['angle', 'loss'\], not 'tse'"),
        ({"metrics": 3}, "metrics is a list of names"),
        ({"metrics": [3]}, "metrics is a list of names"),
        ({"recipe": 5}, "recipe is a text or a Recipe, not 5"),
        ({"store": 5}, "store is a text, a Path or a Store, not 5"),
        ({"flip": "no"}, "flip is True or False, not 'no'"),
        ({"on_progress": 5}, "on_progress is a function, not 5"),
        ({"space": 5}, "What '5' names is no space; make an anglenas.spaces.Space"),
        ({"strategy": None}, "What 'None' names is no strategy; it lacks name"),
    ],
)
def test_arguments_of_a_wrong_kind(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        tiny_search(**settings)


def test_images_in_the_place_of_the_space(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"is no space, but a path; give images as data='/"):
        tiny_search(space=str(tmp_path))


def test_arguments_of_another_kind_that_do() -> None:
    """Numbers of NumPy, and names that can be looked at once alone."""
    found = tiny_search(
        budget=np.int64(1), seed=np.int64(2), minutes=None, metrics=(name for name in ["flops"])
    )
    assert set(found.best.values) == {"angle", "tse", "params", "loss", "flops"}


@pytest.mark.parametrize(
    ("subject", "settings", "error", "message"),
    [
        (nn.Flatten(), {"metrics": "params"}, SettingError, "metrics is a list of names"),
        (nn.Flatten(), {"seed": "1"}, SettingError, "seed is a whole number"),
        (nn.Flatten(), {"classifier": 3}, SettingError, "classifier is a text, not 3"),
        (None, {}, ArchitectureError, "None"),
        (3, {}, ArchitectureError, "3"),
    ],
)
def test_scores_of_a_wrong_kind(
    subject: Any, settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        score(subject, **{"recipe": TINY, "store": ":memory:", "metrics": ["params"], **settings})


def test_names_that_nothing_has(fakes: Any) -> None:
    with pytest.raises(UnknownNameError, match="no metric named 'losss'; did you mean loss"):
        tiny_search(rank="losss")
    with pytest.raises(UnknownNameError, match="no metric named 'anglee'; did you mean angle"):
        tiny_search(metrics=["anglee"])
    with pytest.raises(UnknownNameError, match="no space named 'nasbench'; did you mean nasben"):
        tiny_search(space="nasbench")
    with pytest.raises(UnknownNameError, match="no strategy named 'randon'; did you mean random"):
        tiny_search(strategy="randon")
    with pytest.raises(UnknownNameError, match="no recipe named 'papper'; did you mean paper"):
        tiny_search(recipe="papper")
    with pytest.raises(SettingError, match="'search_fakes:Pair' names is no space; make an"):
        tiny_search(space="search_fakes:Pair")
    with pytest.raises(SettingError, match="is no strategy; it lacks concurrency, propose"):
        tiny_search(strategy="search_fakes:PAIRS")


# Candidates that fail.


def test_networks_that_fail_are_last_and_the_run_goes_on(
    fakes: Any, store: Store, tmp_path: Path
) -> None:
    settings = {"space": fakes.FRAGILE, "strategy": "exhaustive", "rank": "angle_loss"}
    found = tiny_search(**settings, budget=20, store=store)
    statuses = {one.canonical: one.status for one in found.candidates}
    assert len(statuses) == 10
    assert statuses.pop("4-4") == "failed: RuntimeError: too wide"
    assert statuses.pop("1-1") == "undefined: loss is not finite at iteration 1"
    assert set(statuses.values()) == {"ok"}
    assert {one.canonical for one in found.candidates[-2:]} == {"4-4", "1-1"}
    assert [one.scored for one in found.candidates] == [True] * 8 + [False] * 2
    assert [one.rank for one in found.candidates] == list(range(1, 11))
    # What failed may have been the machine's fault and is tried again; the rest is known.
    assert tiny_search(**settings, budget=20, store=store).computed == 2

    page = write_run(found, tmp_path)
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert [row["architecture"] for row in rows][-2:] == [
        str(one.architecture) for one in found.candidates[-2:]
    ]
    assert [bool(row["score"]) for row in rows] == [True] * 8 + [False] * 2
    assert "2 candidates could not be scored" in page.read_text()


@pytest.mark.parametrize("space", ["nasbench201", "search_fakes:BROKEN"])
def test_nothing_that_can_be_scored(fakes: Any, space: str, tmp_path: Path) -> None:
    diverging = replace(TINY, lr=1e20, iterations=4)
    seen: list[Progress] = []
    found = tiny_search(space=space, recipe=diverging, budget=3, on_progress=seen.append)
    assert len(found.candidates) == 3
    assert not any(one.scored for one in found.candidates)
    assert {one.status.partition(":")[0] for one in found.candidates} <= {"undefined", "failed"}
    assert seen[-1].best == found.best
    page = write_run(found, tmp_path)
    assert "3 candidates could not be scored" in page.read_text()
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert [(row["rank"], row["score"]) for row in rows] == [("1", ""), ("2", ""), ("3", "")]
    assert all(row["status"] == found.best.status for row in rows)
    assert json.loads((tmp_path / "run.json").read_text())["space"] == space


def test_a_network_that_does_not_fit_is_last_and_the_run_goes_on(fakes: Any) -> None:
    found = tiny_search(space=fakes.PICKY, strategy="exhaustive", rank="loss", budget=20)
    last = found.candidates[-1]
    assert (last.canonical, last.scored) == ("4-4", False)
    assert re.match(
        r"failed: NetworkError: .*'short_training' runs it .* have 3 channels, but got 1",
        last.status,
    )
    assert {one.status for one in found.candidates[:-1]} == {"ok"}

    measured = score_many(["1-2", "4-4"], **SCORED | {"metrics": ["flops"]}, space=fakes.PICKY)
    assert [one.values["flops"] is None for one in measured] == [False, True]
    assert measured[1].status.startswith("failed: NetworkError: ")


def test_networks_none_of_which_fits_are_a_mistake(fakes: Any) -> None:
    with pytest.raises(NetworkError, match=r"^The network .* have 3 channels, but got 1"):
        tiny_search(space=fakes.COLOURFUL, rank="loss", budget=3)
    with pytest.raises(NetworkError, match=r"^The network .* have 3 channels, but got 1"):
        score_many(["1-2", "4-4"], **SCORED | {"metrics": ["flops"]}, space=fakes.COLOURFUL)


def test_a_strategy_may_propose_texts(fakes: Any) -> None:
    class Texts:
        name, concurrency = "texts", None

        def propose(self, request: Request) -> list[Any]:
            return [text for text in ("1-2", "3-4") if request.admits(request.space.parse(text))]

    found = tiny_search(space=fakes.PAIRS, rank="params", strategy=Texts())
    assert {one.architecture for one in found.candidates} == {fakes.Pair(1, 2), fakes.Pair(3, 4)}


@pytest.mark.parametrize("wrong", ["5-5", None, ("1", "2")])
def test_what_a_strategy_proposes_is_an_architecture(fakes: Any, wrong: Any) -> None:
    class Wrong:
        name, concurrency = "wrong", 1

        def propose(self, request: Request) -> list[Any]:
            return [wrong]

    message = rf"'wrong' proposes {re.escape(repr(wrong))}, .* 'pairs': A pair reads 1-1 to 4-4"
    with pytest.raises(SettingError, match=message):
        tiny_search(space=fakes.PAIRS, rank="params", strategy=Wrong())


def test_a_strategy_goes_on_after_failures(fakes: Any) -> None:
    found = tiny_search(space=fakes.FRAGILE, strategy=fakes.CLIMB, budget=4, rank="loss")
    assert proposals(found)[0] == "1-1"  # which is undefined
    assert len(found.candidates) == 4


def test_a_further_metric_without_a_value_costs_no_rank(fakes: Any, tmp_path: Path) -> None:
    names = ["search_fakes:WIDTH.odd", "search_fakes:WIDTH.infinite", "search_fakes:WIDTH"]
    odd, infinite, width = names
    found = tiny_search(space=fakes.PAIRS, rank="params", strategy="exhaustive",
                        budget=20, metrics=names)  # fmt: skip
    assert str(found.best.architecture) == "4-4"
    assert found.best.scored
    assert (found.best.values[odd], found.best.values[width]) == (None, 8)
    assert found.best.status == "undefined: the width is even"
    assert {one.values[infinite] for one in found.candidates} == {None}
    assert found.candidates[1].values[odd] == 7
    page = write_run(found, tmp_path).read_text()
    assert "10 candidates lack a metric that they are not ranked by." in page
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert [row["rank"] for row in rows] == [str(rank) for rank in range(1, 11)]
    assert rows[0]["score"] == "9.0"


def test_an_expression_without_a_value_says_so(fakes: Any) -> None:
    """The cosine of a classifier that turns far is negative and has no logarithm."""
    wild = replace(TINY, lr=50.0, iterations=8, augment=False)
    found = tiny_search(
        space=fakes.PAIRS, rank="z(log(angle))", recipe=wild, budget=20, guard=False
    )
    behind = [one for one in found.candidates if not one.scored]
    assert 0 < len(behind) < len(found.candidates)
    assert all((one.values["angle"] or 0) <= 0 for one in behind)
    assert {one.status for one in behind} == {"undefined: z(log(angle)) has no value here"}


# Modules.


def test_a_module_is_measured_or_says_why_not(fakes: Any) -> None:
    module = fakes.make_net()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    measured = score(module, recipe=TINY, metrics=["params", "loss", "angle"])
    assert measured.status == "ok"
    assert measured.values["params"] == fakes.parameters(fakes.Pair(2, 4))
    after = module.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())

    with pytest.raises(NetworkError, match=r"'flops' runs it .* have 3 channels, but got 1"):
        score(fakes.make_colour(), recipe=TINY, metrics=["flops"])


def test_every_reason_is_told(fakes: Any) -> None:
    measured = score(
        fakes.make_net(), recipe=TINY, metrics=["search_fakes:WIDTH.odd", "params", "angle@7"]
    )
    assert measured.reasons == {
        "search_fakes:WIDTH.odd": "undefined: the width is even",
        "angle@7": "undefined: the training has 2 iterations, not 7",
    }
    assert measured.status == "undefined: the width is even"


def test_a_metric_that_fails_takes_no_other_with_it_in_modules_as_in_architectures(
    fakes: Any,
) -> None:
    names = [f"search_fakes:ODDITIES.{one}" for one in ("single", "raw", "text", "failing")]
    single, raw, text, failing = names
    lost = "search_fakes:FAILING"
    settings: dict[str, Any] = {"recipe": TINY, "metrics": [lost, *names, "params"]}
    module = score(fakes.make_net(), **settings)
    architecture = score("2-4", **settings, space=fakes.PAIRS, store=":memory:")
    assert module == architecture
    assert module.values == {lost: None, single: 0.5, raw: 0.5, text: None, failing: None,
                             "params": fakes.parameters(fakes.Pair(2, 4))}  # fmt: skip
    assert module.reasons == {
        lost: "failed: LookupError: nothing is here",
        text: "failed: TypeError: must be real number, not str",
        failing: "failed: LookupError: nothing is here",
    }


def test_too_few_outputs(fakes: Any) -> None:
    with pytest.raises(UsageError, match=r"4 outputs, but the images have 10 classes; build it w"):
        score(fakes.make_narrow(), recipe=TINY)


# Progress and pages.


def test_progress_is_told_after_every_measurement(fakes: Any) -> None:
    seen: list[Progress] = []
    found = tiny_search(space=fakes.PAIRS, rank="loss", budget=4, on_progress=seen.append)
    assert [one.computed for one in seen] == list(range(1, 9))  # two probes
    assert [one.done for one in seen] == sorted(one.done for one in seen)
    assert seen[-1].done == seen[-1].total == 4
    assert seen[-1].best == found.best
    timed: list[Progress] = []
    tiny_search(space=fakes.PAIRS, rank="loss", minutes=1.0, on_progress=timed.append)
    assert {one.total for one in timed} == {None}


def test_the_code_on_the_page_makes_the_network(tmp_path: Path) -> None:
    found = tiny_search(budget=2)
    page = write_run(found, tmp_path).read_text()
    [code] = re.findall(r"<code>(import anglenas\n.*?)</code>", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(html.unescape(code), names)
    expected = found.best.network()
    assert isinstance(names["network"], nn.Module)
    shapes = [tensor.shape for tensor in expected.state_dict().values()]
    assert [tensor.shape for tensor in names["network"].state_dict().values()] == shapes


def test_a_folder_that_cannot_be_written(fakes: Any, tmp_path: Path) -> None:
    found = tiny_search(space=fakes.PAIRS, rank="params", budget=2)
    (tmp_path / "file").touch()
    with pytest.raises(
        SettingError, match=r"run folder '.*file/run' cannot be written \(Not a dir"
    ):
        write_run(found, tmp_path / "file" / "run")
    with pytest.raises(SettingError, match="choose another one"):
        write_run(found, tmp_path / "file")


def test_the_root_offers_what_it_says() -> None:
    assert dir(anglenas) == sorted(anglenas.__all__)
    assert all(hasattr(anglenas, name) for name in anglenas.__all__)
    assert anglenas.search is search
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = anglenas.nonsense


def test_score_watches_the_layer_that_is_named():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    recipe = Recipe(resolution=8, iterations=3)
    named, found = (anglenas.score(network, recipe=recipe, classifier=name) for name in ("1", None))
    assert named.values["loss"] == found.values["loss"]
    assert named.values["angle"] != found.values["angle"]
    with pytest.raises(NetworkError, match="no linear layer 'head'; it has 1, 3"):
        anglenas.score(network, recipe=recipe, classifier="head")
