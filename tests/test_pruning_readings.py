"""How removals are compared: changes as TE-NAS rounds and ranks them, or what is left."""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from anglenas import Measured
from anglenas._measuring.judge import Judge
from anglenas._pruning.readings import change, ranks_by_change, ranks_of_pruned
from anglenas.errors import AnglenasError
from anglenas.probes import find_metric
from anglenas.spaces import NASBENCH201_SUPERNET


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


def measured(ntk, regions):
    values = {"ntk": ntk, "regions": regions}
    reasons = {name: "undefined: no" for name, value in values.items() if value is None}
    return Measured(values, values, reasons)


METRICS = (find_metric("ntk"), find_metric("regions"))


TENAS = Judge("ntk+regions", guard=False, ties="dense")


def test_one_undefined_repeat_of_the_base_does_not_end_the_search():
    base = [measured(None, 50.0), measured(100.0, 50.0), measured(100.0, 50.0)]
    left = [[measured(90.0, 50.0)] * 3, [measured(None, 50.0), *[measured(80.0, 50.0)] * 2]]
    assert ranks_by_change(TENAS, base, left, METRICS) == [2, 1]


@given(
    st.lists(
        st.tuples(st.sampled_from([80.0, 90.0, 100.0, 130.0]), st.sampled_from([40, 50, 60])),
        min_size=1, max_size=8,
    )
)  # fmt: skip
def test_ranks_are_those_of_tenas(candidates):
    """Sum of dense ranks, the first candidate to be pruned having rank 1."""
    base = (measured(100.0, 50.0),)
    left = [(measured(*candidate),) for candidate in candidates]
    ranked = ranks_by_change(TENAS, base, left, METRICS)

    ntk = [(100.0 - k) / 100.0 for k, _ in candidates]  # higher goes first
    lr = [(50.0 - r) / 50.0 for _, r in candidates]  # lower goes first
    ranks = [
        sorted(set(ntk), reverse=True).index(a) + sorted(set(lr)).index(b)
        for a, b in zip(ntk, lr, strict=True)
    ]
    by_ntk = sorted(range(len(ntk)), key=lambda k: -ntk[k])  # ties in the order of this list
    expected = sorted(by_ntk, key=lambda k: ranks[k])
    assert np.argsort(ranked).tolist() == expected


@given(st.integers(0, 10**6))
def test_the_benchmark_reads_changes_as_a_search_does(seed):
    """Written once more there, with SciPy's ranks; its table compares other readings with it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
        read = importlib.import_module("tenas_departures").read
    values = np.random.default_rng(seed).integers(1, 40, size=(25, 2, 3)).astype(float)
    metrics = [find_metric("ntk_fan_out"), find_metric("regions")]
    names = [metric.name for metric in metrics]
    repeats = [[Measured(dict(zip(names, one, strict=True)), {}, {}) for one in each.T.tolist()]
               for each in values]  # fmt: skip
    judge = Judge("tenas", guard=False, ties="dense")
    ranked = ranks_by_change(judge, repeats[0], repeats[1:], metrics)
    places = read(values, 3).places.tolist()
    assert [len(ranked) - place for place in places] == ranked


def test_removals_without_a_value_go_last_and_none_at_all_is_an_error():
    base = (measured(100.0, 50.0),)
    left = [(measured(None, 60.0),), (measured(120.0, 10.0),)]
    assert ranks_by_change(TENAS, base, left, METRICS) == [2, 1]
    with pytest.raises(AnglenasError, match=r"scored by ntk\+regions \(undefined: no\)"):
        ranks_by_change(TENAS, base, left[:1], METRICS)


def test_removals_that_the_guard_put_behind_go_last():
    supernets = [NASBENCH201_SUPERNET.full().without(0, name) for name in ("skip_connect",) * 3]
    metrics = [find_metric("angle"), find_metric("loss")]
    seen = [Measured({"angle": a, "loss": 1.0}, {"angle": 0.0, "loss": 0.0}, {})
            for a in (0.99, 0.5, 0.97)]  # fmt: skip
    judge = Judge("angle_loss", iterations=100)
    ranked = ranks_of_pruned(judge, NASBENCH201_SUPERNET, supernets, seen, metrics)
    assert ranked == [2, 1, 3]  # of the two behind, the earlier one first


def test_a_repeat_that_failed_is_no_change_of_the_others():
    """A failure may be the machine's: a mean without it would depend on where it was measured."""
    failed = Measured({"ntk": None}, {"ntk": None}, {"ntk": "failed: worker died"})
    base = (measured(100.0, 50.0),) * 2
    left = [(measured(50.0, 50.0), failed), (measured(120.0, 50.0),) * 2]
    assert ranks_by_change(replace(TENAS, rank="ntk"), base, left, METRICS[:1]) == [2, 1]
