"""Streams of random numbers depend on what their seeds and positions are, not on their types."""

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anglenas._numerics import derive, single_thread
from anglenas.errors import SettingError

WORDS = st.text(max_size=8)


def published(seed: int, *position: str | int) -> int:
    """What every stored score was drawn by."""
    return int(hashlib.sha256(repr((seed, *position)).encode()).hexdigest()[:16], 16) >> 1


@given(st.integers(-(2**63), 2**63 - 1), st.lists(WORDS | st.integers(0, 2**31), max_size=3))
def test_streams_are_those_that_they_were(seed: int, position: list[str | int]) -> None:
    assert derive(seed, *position) == published(seed, *position)
    assert 0 <= derive(seed, *position) < 2**63


@given(st.integers(0, 2**31 - 1), WORDS, st.integers(0, 2**31 - 1))
def test_numbers_and_words_of_numpy_are_pythons(seed: int, word: str, number: int) -> None:
    expected = derive(seed, word, number)
    for kind in (np.int64, np.int32, np.uint64):
        assert derive(kind(seed), np.str_(word), kind(number)) == expected
    assert derive(torch.tensor(seed), word, number) == expected
    assert derive(np.array(seed), word, number) == expected


@pytest.mark.parametrize("seed", [1.0, "1", None, np.float64(1), 1.5])
def test_seeds_that_are_no_whole_numbers_are_refused(seed: object) -> None:
    with pytest.raises(SettingError, match="A seed is a whole number, not "):
        derive(seed, "weights")  # type: ignore[arg-type]


def test_streams_differ_by_seed_and_position() -> None:
    places = [(1,), (2,), (1, "a"), (1, "b"), (1, "a", 0), (1, "a", 1), (1, "a", "0")]
    assert len({derive(*place) for place in places}) == len(places)


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with single_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
