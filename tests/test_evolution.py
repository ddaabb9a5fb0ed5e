"""Aging evolution: as a plain loop would do it, and better than chance where the truth is known."""

import csv
import importlib
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anglenas import Recipe, search
from anglenas._numerics import derive
from anglenas._searching.setup import choose_strategy
from anglenas.errors import SettingError, UnknownNameError
from anglenas.spaces import NASBENCH201
from anglenas.strategies import Request, Strategy, Trial
from anglenas.strategies._evolution import EVOLUTION, Evolution
from anglenas.strategies._exhaustive import EXHAUSTIVE
from anglenas.strategies._random import RANDOM

ROOT = Path(__file__).parents[1]
FAKES = ROOT / "tests" / "search_fakes"
TINY = Recipe(name="tiny", resolution=8, cells=1, channels=2, iterations=2)

Score = Callable[[Any], float]


@pytest.fixture(scope="module")
def fakes() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FAKES))
        yield importlib.import_module("search_fakes")


def stream(seed: int, number: int) -> np.random.Generator:
    return np.random.default_rng(derive(seed, "strategy", number))


def evolve(
    strategy: Strategy,
    score: Score,
    budget: int,
    seed: int = 1,
    space: Any = NASBENCH201,
    fits: Callable[[Any], bool] = lambda one: True,
) -> list[Any]:
    """What a search proposes whose scores are known beforehand."""
    found: list[Any] = []
    while len(found) < budget:
        forms = {space.canonical(one) for one in found}
        request = Request(
            space=space,
            history=[Trial(n, one, score(one)) for n, one in enumerate(found)],
            count=min(budget - len(found), strategy.concurrency or budget),
            stream=lambda number: stream(seed, number),
            admits=lambda one, forms=forms: space.canonical(one) not in forms and fits(one),
        )
        new = list(strategy.propose(request))
        if not new:
            break
        found += new
    return found


def convolutions(cell: Any) -> float:
    return float(sum(name.startswith("nor_conv") for name in cell.operations))


def differences(one: Any, other: Any) -> int:
    return sum(a != b for a, b in zip(one.operations, other.operations, strict=True))


def neighbours(parents: list[Any]) -> set[str]:
    """The functions of all cells that differ from a parent in one choice."""
    return {
        NASBENCH201.canonical(one)
        for one in NASBENCH201.enumerate()
        if any(differences(one, parent) == 1 for parent in parents)
    }


def test_it_is_the_algorithm_of_the_paper() -> None:
    """Real et al. (2019), algorithm 1, with a queue; what was seen is drawn again."""
    size, sample, budget, seed = 8, 3, 60, 5
    history: list[Any] = []
    population: deque[Any] = deque()
    seen: set[str] = set()
    while len(history) < budget:
        rng = stream(seed, len(history))
        while True:
            if len(history) < size:
                child = NASBENCH201.sample(rng)
            else:
                drawn = rng.integers(size, size=sample)
                parent = max((population[index] for index in drawn), key=convolutions)
                child = NASBENCH201.mutate(parent, rng)
            if NASBENCH201.canonical(child) not in seen:
                break
        history.append(child)
        seen.add(NASBENCH201.canonical(child))
        population.append(child)
        if len(population) > size:
            population.popleft()
    strategy = Evolution(population=size, sample=sample, concurrency=1)
    assert evolve(strategy, convolutions, budget, seed) == history


@given(st.integers(1, 12), st.integers(1, 30), st.integers(1, 9), st.integers(0, 10**6))
def test_a_child_differs_from_a_parent_of_the_population_in_one_choice(
    population: int, sample: int, concurrency: int, seed: int
) -> None:
    strategy = Evolution(population, sample, concurrency, patience=5000)
    found = evolve(strategy, convolutions, 40, seed)
    assert found[:population] == evolve(RANDOM, convolutions, population, seed)[:40]
    for number in range(population, 40):
        open_since = number - number % concurrency
        if open_since:
            parents = found[max(0, open_since - population) : open_since]
            # Where all neighbours are functions that were found, a random cell is all that is left.
            assert any(differences(found[number], parent) == 1 for parent in parents) or not (
                neighbours(parents) - {NASBENCH201.canonical(one) for one in found[:number]}
            )


@given(st.integers(1, 39), st.integers(0, 10**6))
def test_a_smaller_budget_begins_alike(budget: int, seed: int) -> None:
    at_once = evolve(Evolution(population=5), convolutions, 40, seed)
    assert evolve(Evolution(population=5), convolutions, budget, seed) == at_once[:budget]


def test_the_best_of_a_large_sample_is_the_parent() -> None:
    strategy = Evolution(population=10, sample=500, concurrency=1)
    found = evolve(strategy, convolutions, 11)
    best = max(map(convolutions, found[:10]))
    parents = [one for one in found[:10] if convolutions(one) == best]
    assert any(differences(found[10], parent) == 1 for parent in parents)


def test_the_old_are_forgotten() -> None:
    """The first candidate is by far the best, and has no child once it is too old."""
    strategy = Evolution(population=3, sample=50, concurrency=1)
    first = evolve(strategy, convolutions, 1)[0]
    found = evolve(strategy, lambda one: float(one == first), 12)
    assert all(differences(one, first) == 1 for one in found[3:4])
    assert any(differences(one, first) > 1 for one in found[7:])


def test_limits_hold_and_small_spaces_end(fakes: Any) -> None:
    def fits(pair: Any) -> bool:
        return bool(pair.first + pair.second < 6)

    pairs = fakes.PAIRS
    found = evolve(
        Evolution(population=2), lambda pair: pair.first, 100, space=pairs, fits=fits
    )  # most functions can only be reached by drawing at random
    everything = {pairs.canonical(one) for one in pairs.enumerate() if fits(one)}
    assert {pairs.canonical(one) for one in found} == everything
    assert len(found) == len(everything)


def test_candidates_without_a_score_are_parents_only_among_themselves() -> None:
    strategy = Evolution(population=10, sample=200, concurrency=1)
    first = evolve(strategy, convolutions, 10)

    def score(one: Any) -> float:
        return 0.0 if one == first[4] else float("-inf")

    assert differences(evolve(strategy, score, 11)[10], first[4]) == 1
    assert len(evolve(strategy, lambda one: float("-inf"), 30)) == 30


@pytest.mark.parametrize(
    "name", ["population", "sample", "concurrency", "patience", "first_patience"]
)
def test_settings_that_do_not_fit(name: str) -> None:
    with pytest.raises(SettingError, match=f"{name} is a whole number of at least 1, not 0"):
        Evolution(**{name: 0})


def test_settings_follow_a_name() -> None:
    assert choose_strategy("evolution") is EVOLUTION
    text = "evolution, population=50,concurrency=16"
    assert choose_strategy(text) == Evolution(population=50, concurrency=16, name=text)
    assert choose_strategy("random,patience=7").patience == 7
    assert choose_strategy("exhaustive") is EXHAUSTIVE
    for wrong, message in [
        ("evolution,populatoin=5", "no strategy setting named 'populatoin'; did you mean popul"),
        ("evolution,name=x", "no strategy setting named 'name'"),
    ]:
        with pytest.raises(UnknownNameError, match=message):
            choose_strategy(wrong)
    with pytest.raises(SettingError, match="sample=x does not fit: sample is a whole number"):
        choose_strategy("evolution,sample=x")
    with pytest.raises(SettingError, match="sample is a whole number of at least 1"):
        choose_strategy("evolution,sample=0")


def test_a_strategy_without_settings(fakes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain:
        name, concurrency = "plain", None

        def propose(self, request: Request) -> tuple[Any, ...]:
            return ()

    monkeypatch.setattr(fakes, "PLAIN", Plain(), raising=False)
    with pytest.raises(SettingError, match="'search_fakes:PLAIN' has no settings; leave out 'a=1'"):
        choose_strategy("search_fakes:PLAIN,a=1")


def test_it_beats_random_search_where_the_truth_is_known(dev_data: Path) -> None:
    """NAS-Bench-201 with its accuracies: chosen by validation, judged by test, 100 candidates."""
    with (dev_data / "nasbench201.csv").open() as file:
        rows = {row["arch_str"]: row for row in csv.DictReader(file)}
    gains = []
    for seed in range(12):
        best = [
            max(
                evolve(strategy, lambda one: float(rows[str(one)]["cifar100_valid"]), 100, seed),
                key=lambda one: float(rows[str(one)]["cifar100_valid"]),
            )
            for strategy in (EVOLUTION, RANDOM)
        ]
        evolved, drawn = (float(rows[str(one)]["cifar100_test"]) for one in best)
        gains.append(evolved - drawn)
    assert np.mean(gains) > 3 * np.std(gains, ddof=1) / np.sqrt(len(gains))


@pytest.mark.slow
def test_the_page_of_strategies_shows_the_table_that_the_script_makes(dev_data: Path) -> None:
    script = ROOT / "benchmarks" / "strategies.py"
    table = subprocess.run(
        [sys.executable, script, "--accuracies", dev_data / "nasbench201.csv"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert table in (ROOT / "docs" / "evidence" / "strategies.md").read_text()


def test_a_search_evolves_and_says_how(fakes: Any) -> None:
    settings = "evolution,population=3,sample=3,concurrency=2"
    found = search(
        space=fakes.PAIRS, strategy=settings, rank="params", budget=8, recipe=TINY, workers=0,
        store=":memory:",
    )  # fmt: skip
    assert found.strategy == settings
    assert len(found.candidates) == 8


@pytest.mark.slow
def test_any_number_of_workers_and_of_interruptions_gives_the_same(tmp_path: Path) -> None:
    def run(budget: int, workers: int, store: str) -> Any:
        return search(
            strategy="evolution,population=4,sample=3,concurrency=3", rank="angle_loss+params",
            budget=budget, recipe=TINY, cells=1, workers=workers, store=tmp_path / store,
        )  # fmt: skip

    expected = run(14, 0, "alone").table
    assert run(14, 1, "one").table == expected
    assert run(14, 3, "three").table == expected
    for budget in (5, 10):
        run(budget, 0, "in pieces")
    last = run(14, 2, "in pieces")
    assert last.table == expected
    assert last.computed == 2 * 4
