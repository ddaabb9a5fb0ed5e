"""Limits on the cost of networks, some of which cannot be built."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anglenas._searching.constraints import Constraints
from anglenas.errors import UsageError
from anglenas.spaces import NetworkConfig

CONFIG = NetworkConfig(in_channels=1, side=8)


@pytest.fixture(scope="module", autouse=True)
def fakes() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent / "search_fakes"))
        yield importlib.import_module("search_fakes")


@pytest.mark.parametrize("limit", [49, 50, 90, 170])
def test_what_is_admitted_is_what_fits(fakes: Any, limit: int) -> None:
    constraints = Constraints("search_fakes:PAIRS", CONFIG, max_params=limit)
    for pair in fakes.PAIRS.enumerate():
        assert constraints.admit(pair) == (fakes.parameters(pair) <= limit)
    assert (constraints.refusal() is None) == (limit >= 50)


def test_a_network_that_cannot_be_built_is_measured_so_that_its_status_says_why(fakes: Any) -> None:
    constraints = Constraints("search_fakes:FRAGILE", CONFIG, max_params=1, max_flops=1)
    admitted = [pair for pair in fakes.FRAGILE.enumerate() if constraints.admit(pair)]
    assert [str(pair) for pair in admitted] == ["4-4"]
    assert constraints.refusal() is None


def test_a_refusal_needs_something_that_was_tried() -> None:
    assert Constraints("search_fakes:PAIRS", CONFIG, max_params=1).refusal() is None


def test_what_is_asked_wrongly_is_raised() -> None:
    class Odd:
        def __str__(self) -> str:
            return "no pair"

    with pytest.raises(UsageError, match="A pair reads"):
        Constraints("search_fakes:PAIRS", CONFIG, max_params=1).admit(Odd())
