"""Limits on the cost of networks, some of which cannot be built."""

import importlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import anglenas
from anglenas.errors import ArchitectureError, SettingError, UsageError


@pytest.fixture(scope="module")
def fakes() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent / "search_fakes"))
        yield importlib.import_module("search_fakes")


def limited(space: Any, **limits: Any) -> set[str]:
    """What a search finds that goes through the whole space."""
    found = anglenas.search(
        space, rank="params", strategy="exhaustive", budget=99, workers=0, store=":memory:",
        **limits,
    )  # fmt: skip
    return {str(candidate.architecture) for candidate in found.candidates}


@pytest.mark.parametrize("limit", [50, 90, 170])
def test_what_is_found_is_what_fits(fakes: Any, limit: int) -> None:
    fitting = {
        fakes.PAIRS.canonical(pair)
        for pair in fakes.PAIRS.enumerate()
        if fakes.parameters(pair) <= limit
    }
    assert limited(fakes.PAIRS, max_params=limit) == fitting


def test_a_network_that_cannot_be_built_is_measured_so_that_its_status_says_why(fakes: Any) -> None:
    found = anglenas.search(
        fakes.FRAGILE, rank="params", strategy="exhaustive", budget=99, workers=0,
        store=":memory:", max_params=1, max_flops=1,
    )  # fmt: skip
    assert str(found.best.architecture) == "4-4"
    assert found.best.status == "failed: RuntimeError: too wide"


@pytest.mark.parametrize("name", ["max_params", "max_flops", "max_latency_ms", "budget", "minutes"])
def test_limits_are_numbers_that_leave_something(name: str) -> None:
    for wrong in ("5", 0, -1, True):
        with pytest.raises(
            SettingError, match=f"{name} is a .* (at least 1|above 0), not {wrong!r}"
        ):
            anglenas.search(**{name: wrong})


def test_mistakes_of_an_architecture_are_raised(fakes: Any, monkeypatch: Any) -> None:
    """Other than what goes wrong as a network is built, which is a status."""

    def build(text: str, config: Any) -> Any:
        raise ArchitectureError("A pair reads 1-1 to 4-4.", text, 0)

    monkeypatch.setattr(fakes, "ODD", replace(fakes.PAIRS, name="odd", build=build), raising=False)
    with pytest.raises(UsageError, match="A pair reads"):
        limited("search_fakes:ODD", max_params=1)
