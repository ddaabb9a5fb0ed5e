"""Strategies: what they propose, of which space, and when they stop."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anglenas._numerics import derive
from anglenas._plugins import load, names
from anglenas.errors import UsageError
from anglenas.spaces import DARTS, NASBENCH201
from anglenas.strategies import Request, Trial, distinct
from anglenas.strategies._evolution import Evolution
from anglenas.strategies._exhaustive import EXHAUSTIVE
from anglenas.strategies._random import RANDOM, RandomSearch
from anglenas.testing import StrategyConformance

FAKES = Path(__file__).parent / "search_fakes"


@pytest.fixture(scope="module")
def pairs() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FAKES))
        yield importlib.import_module("search_fakes").PAIRS


def request(
    space: Any,
    count: int,
    before: Sequence[Any] = (),
    seed: int = 1,
    fits: Callable[[Any], bool] = lambda architecture: True,
) -> Request:
    known = {space.canonical(one) for one in before}
    return Request(
        space=space,
        history=[Trial(number, one, 0.0) for number, one in enumerate(before)],
        count=count,
        stream=lambda number: np.random.default_rng(derive(seed, "strategy", number)),
        admits=lambda one: space.canonical(one) not in known and fits(one),
    )


def in_rounds(strategy: Any, space: Any, sizes: Sequence[int], **settings: Any) -> list[Any]:
    found: list[Any] = []
    for size in sizes:
        found += strategy.propose(request(space, size, found, **settings))
    return found


def test_random_proposes_each_function_once() -> None:
    found = list(RANDOM.propose(request(NASBENCH201, 300)))
    assert len(found) == len({NASBENCH201.canonical(one) for one in found}) == 300


def test_random_draws_as_a_loop_would() -> None:
    """One generator for each proposal; draws of functions that are known are thrown away."""
    expected: list[Any] = []
    seen: set[str] = set()
    while len(expected) < 200:
        rng = np.random.default_rng(derive(1, "strategy", len(expected)))
        one = NASBENCH201.sample(rng)
        while NASBENCH201.canonical(one) in seen:
            one = NASBENCH201.sample(rng)
        seen.add(NASBENCH201.canonical(one))
        expected.append(one)
    assert list(RANDOM.propose(request(NASBENCH201, 200))) == expected


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 10**6))
def test_proposals_do_not_depend_on_rounds(sizes: list[int], seed: int) -> None:
    at_once = list(RANDOM.propose(request(NASBENCH201, sum(sizes), seed=seed)))
    assert in_rounds(RANDOM, NASBENCH201, sizes, seed=seed) == at_once
    assert list(RANDOM.propose(request(NASBENCH201, sizes[0], seed=seed))) == list(
        at_once[: sizes[0]]
    )


@pytest.mark.parametrize("strategy", [RANDOM, EXHAUSTIVE])
def test_constraints_hold(strategy: Any, pairs: Any) -> None:
    found = list(
        strategy.propose(request(pairs, 100, fits=lambda pair: pair.first + pair.second < 5))
    )
    assert {pairs.canonical(pair) for pair in found} == {"1-1", "1-2", "1-3", "2-2"}
    assert all(pair.first + pair.second < 5 for pair in found)


def test_a_space_without_new_functions_ends_the_search(pairs: Any) -> None:
    everything = list(RANDOM.propose(request(pairs, 100)))
    assert len(everything) == 10
    assert not list(RANDOM.propose(request(pairs, 5, everything)))


@pytest.mark.parametrize(("before", "tries"), [(0, 3), (1, 7)])
def test_drawing_in_vain_ends(pairs: Any, before: int, tries: int) -> None:
    """Soon, if nothing was found yet: then every draw is one that has to be counted."""
    draws = 0

    def never(_: Any) -> bool:
        nonlocal draws
        draws += 1
        return False

    strategy = RandomSearch(patience=7, first_patience=3)
    asked = replace(request(pairs, 5, list(pairs.enumerate())[:before]), admits=never)
    assert not list(strategy.propose(asked))
    assert draws == tries


def test_exhaustive_goes_through_the_space_in_its_order(pairs: Any) -> None:
    texts = [str(one) for one in EXHAUSTIVE.propose(request(pairs, 100))]
    assert texts == ["1-1", "1-2", "1-3", "1-4", "2-2", "2-3", "2-4", "3-3", "3-4", "4-4"]
    assert [str(one) for one in in_rounds(EXHAUSTIVE, pairs, [3, 4, 5, 6])] == texts


def test_exhaustive_on_the_large_space() -> None:
    expected: dict[str, Any] = {}
    for one in islice(NASBENCH201.enumerate(), 400):
        expected.setdefault(NASBENCH201.canonical(one), one)
    assert len(expected) < 400
    found = EXHAUSTIVE.propose(request(NASBENCH201, len(expected)))
    assert list(found) == list(expected.values())


@pytest.mark.slow
def test_exhaustive_proposes_every_function() -> None:
    found = list(EXHAUSTIVE.propose(request(NASBENCH201, 20_000)))
    everything = {NASBENCH201.canonical(one) for one in NASBENCH201.enumerate()}
    assert len(found) == len(everything)
    assert {NASBENCH201.canonical(one) for one in found} == everything


def test_a_space_that_cannot_be_counted() -> None:
    with pytest.raises(UsageError, match="'darts' is too large to go through; use the strategy r"):
        EXHAUSTIVE.propose(request(DARTS, 1))


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4))))
def test_distinct_keeps_the_first_of_each_function(widths: list[tuple[int, int]]) -> None:
    class Sorted:
        def canonical(self, pair: tuple[int, int]) -> str:
            return str(sorted(pair))

    kept = list(distinct(Sorted(), widths))  # type: ignore[arg-type]
    assert kept == [
        pair
        for number, pair in enumerate(widths)
        if not any(sorted(other) == sorted(pair) for other in widths[:number])
    ]


# What holds for every strategy.


class TestRandom(StrategyConformance):
    strategy = RANDOM


class TestExhaustive(StrategyConformance):
    strategy = EXHAUSTIVE


class TestEvolution(StrategyConformance):
    strategy = Evolution(population=5, sample=3, concurrency=4)


def test_every_registered_strategy_is_tested() -> None:
    suites = (TestRandom, TestExhaustive, TestEvolution)
    tested = {type(suite.strategy) for suite in suites}
    assert {type(load("strategy", name)) for name in names("strategy")} == tested


@dataclass
class Forgetful:
    """Proposes something else whenever it is asked."""

    name: str = "forgetful"
    concurrency: int | None = None
    asked: int = 0

    def propose(self, request: Request) -> list[Any]:
        self.asked += 1
        return list(RANDOM.propose(replace(request, stream=np.random.default_rng)))[
            self.asked % 2 :
        ]


@dataclass(frozen=True)
class Careless:
    """Proposes whatever it draws."""

    name: str = "careless"
    concurrency: int | None = 30

    def propose(self, request: Request) -> list[Any]:
        rng = request.stream(len(request.history))
        return [str(NASBENCH201.sample(rng)) for _ in range(request.count + 1)]


def failures(strategy: Any) -> set[str]:
    suite = type("Suite", (StrategyConformance,), {"strategy": strategy, "budget": 400})()
    found = set()
    for name in dir(suite):
        if name.startswith("test_"):
            try:
                getattr(suite, name)()
            except AssertionError:
                found.add(name)
    return found


def test_what_does_not_conform_is_found() -> None:
    assert "test_equal_requests_get_equal_proposals" in failures(Forgetful())
    assert failures(Careless()) == {
        "test_nothing_is_proposed_twice",
        "test_proposals_satisfy_what_is_asked_for",
        "test_no_more_is_proposed_than_is_asked_for",
        "test_it_ends_where_nothing_fits",
    }
