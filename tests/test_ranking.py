"""Ranks, guard and correlations, against naive counts, SciPy and published numbers."""

import csv
import json
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

import anglenas.ranking
from anglenas.errors import UsageError
from anglenas.ranking import (
    guard_columns,
    kendall_tau,
    order,
    parse,
    ranks,
    spearman,
)

few_values = st.sampled_from([-np.inf, -2.5, 0.0, 0.1, 1.0, 7.0, np.inf, np.nan])
columns = st.integers(0, 12).flatmap(lambda n: arrays(np.float64, n, elements=few_values))


def naive_ranks(values, higher_is_better):
    """For each value, how many are worse, and half of the others that equal it."""
    placed = []
    for i, value in enumerate(values):
        others = [other for j, other in enumerate(values) if j != i]
        worse = sum(
            np.isnan(other) or (other < value if higher_is_better else other > value)
            for other in others
        )
        equal = sum(other == value for other in others)
        placed.append(0.0 if np.isnan(value) else worse + equal / 2)
    return placed


@pytest.fixture(scope="module")
def benchmark(dev_data):
    with (dev_data / "nasbench201.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {
        "params": np.array([float(row["params_M"]) for row in rows]),
        "accuracy": np.array([float(row["natstss_cifar10_test"]) for row in rows]),
    }


def test_all_is_sorted_and_complete():
    names = anglenas.ranking.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(anglenas.ranking, name) for name in names)


@given(columns, st.booleans())
def test_ranks_equal_naive_counts(values, higher_is_better):
    found = ranks(values, higher_is_better=higher_is_better)
    assert found.tolist() == naive_ranks(values, higher_is_better)


@given(columns, st.randoms(use_true_random=False))
def test_ranks_move_with_the_candidates(values, random):
    shuffle = random.sample(range(len(values)), len(values))
    expected = ranks(values, higher_is_better=True)[shuffle]
    assert ranks(values[shuffle], higher_is_better=True).tolist() == expected.tolist()


@given(columns)
def test_ranks_do_not_change_under_a_monotone_transform(values):
    once = ranks(values, higher_is_better=True)
    assert ranks(np.arctan(values) * 3 + 1, higher_is_better=True).tolist() == once.tolist()
    assert ranks(np.exp(-values), higher_is_better=False).tolist() == once.tolist()


@given(columns, st.integers(0, 99))
def test_broken_ranks_are_a_permutation_that_respects_the_values(values, seed):
    broken = ranks(values, higher_is_better=True, ties="broken", rng=np.random.default_rng(seed))
    defined = ~np.isnan(values)
    undefined = np.count_nonzero(~defined)
    assert sorted(broken[defined]) == list(range(undefined, len(values)))
    assert (broken[~defined] == 0).all()
    assert values[defined][np.argsort(broken[defined])].tolist() == sorted(values[defined])


@given(columns, st.booleans())
def test_dense_ranks_count_different_values(values, higher_is_better):
    dense = ranks(values, higher_is_better=higher_is_better, ties="dense")
    defined = values[~np.isnan(values)]
    signed = defined if higher_is_better else -defined
    expected = stats.rankdata(signed, "dense") - 1 + np.count_nonzero(np.isnan(values))
    assert dense[~np.isnan(values)].tolist() == expected.tolist()
    assert (dense[np.isnan(values)] == 0).all()


def test_every_order_of_ties_is_equally_likely():
    rng = np.random.default_rng(0)
    draws = [
        tuple(ranks([5, 1, 5, 5], higher_is_better=True, ties="broken", rng=rng)[[0, 2, 3]])
        for _ in range(3000)
    ]
    counts = [draws.count(order) for order in permutations((1.0, 2.0, 3.0))]
    assert sum(counts) == 3000
    assert stats.chisquare(counts).pvalue > 0.001


def test_ranks_leave_global_random_state_and_the_values_alone():
    values = np.array([1.0, 1.0, np.nan])
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 - it is what is watched
    ranks(values, higher_is_better=False, ties="broken", rng=np.random.default_rng(0))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    np.testing.assert_array_equal(values, [1.0, 1.0, np.nan])


def test_ranks_refuse_what_they_cannot_rank():
    with pytest.raises(UsageError, match=r"needs rng, such as numpy\.random\.default_rng"):
        ranks([1, 1], higher_is_better=True, ties="broken")
    with pytest.raises(UsageError, match="'average', 'broken' or 'dense', not 'first'"):
        ranks([1, 1], higher_is_better=True, ties="first")
    with pytest.raises(UsageError, match=r"one value a candidate, not .* shape \(1, 2\)"):
        ranks([[1, 2]], higher_is_better=True)


@given(columns)
def test_order_is_best_first_and_stable(scores):
    key = {i: (np.isnan(s), -s if not np.isnan(s) else 0, i) for i, s in enumerate(scores)}
    assert order(scores).tolist() == sorted(key, key=key.get)


def test_guard_ranks_as_the_released_rule_written_as_a_loop():
    angle, loss = [0.3, 0.95, 0.9499999, 0.1, 1.0], [1.0, 2.0, 3.0, 5.0, 6.0]
    trivial = [True, False, False, False, False]
    released = [
        (0.0, -100.0) if skip or not cosine < 0.95 else (cosine, -entropy)
        for cosine, entropy, skip in zip(angle, loss, trivial, strict=True)
    ]
    columns = {"angle": np.array(angle), "loss": np.array(loss)}
    found, caught = guard_columns(columns, trivial)
    assert caught.tolist() == [True, True, False, False, True]
    for name, theirs in zip(("angle", "loss"), zip(*released, strict=True), strict=True):
        ours = ranks(found[name], higher_is_better=name == "angle")
        assert ours.tolist() == ranks(theirs, higher_is_better=True).tolist()


def test_guard_moves_trivial_networks_from_first_to_last():
    angle = np.array([0.7, 0.999, np.nan, 0.8])
    columns = {"angle": angle, "loss": np.array([1.0, 2.3, np.nan, 0.9])}
    assert order(ranks(angle, higher_is_better=True))[0] == 1
    guarded, _ = guard_columns(columns, [False] * 4)
    assert ranks(guarded["angle"], higher_is_better=True).tolist() == [2.0, 1.0, 0.0, 3.0]
    np.testing.assert_array_equal(angle, [0.7, 0.999, np.nan, 0.8])


pairs = st.integers(2, 12).flatmap(
    lambda n: st.tuples(*[arrays(np.float64, n, elements=st.integers(0, 4).map(float))] * 2)
)


def concordance(x, y):
    """The sum over pairs of +1 if in the same order, -1 if opposite, 0 if tied; and its terms."""
    i, j = np.triu_indices(len(x), 1)
    return np.sign(x[i] - x[j]), np.sign(y[i] - y[j])


@given(pairs)
def test_correlations_equal_their_definitions(pair):
    x, y = pair
    signs_x, signs_y = concordance(x, y)
    if not (signs_x.any() and signs_y.any()):
        assert np.isnan(kendall_tau(x, y))
        assert np.isnan(spearman(x, y))
        return
    tau = signs_x @ signs_y / np.sqrt((signs_x @ signs_x) * (signs_y @ signs_y))
    assert kendall_tau(x, y) == pytest.approx(tau, abs=1e-12)
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def broken_tau(x, y, rng):
    """As the released code does: ties of both are broken at random, and then ranked."""
    return kendall_tau(*(ranks(one, higher_is_better=True, ties="broken", rng=rng)
                         for one in (x, y)))  # fmt: skip


def test_broken_tau_is_tau_a_on_average():
    x, y = np.array([0, 0, 1, 1, 1, 2, 2, 3.0]), np.array([1, 0, 0, 2, 2, 2, 1, 3.0])
    signs_x, signs_y = concordance(x, y)
    rng = np.random.default_rng(0)
    draws = [broken_tau(x, y, rng) for _ in range(2000)]
    error = stats.sem(draws)
    assert np.mean(draws) == pytest.approx(np.mean(signs_x * signs_y), abs=4 * error)


def test_correlations_count_undefined_scores_as_lowest():
    x, y = [np.nan, 3.0, 1.0, 2.0], [0.0, 3.0, 1.0, 2.0]
    assert kendall_tau(x, y) == pytest.approx(1)
    assert spearman(x, y) == pytest.approx(1)
    assert broken_tau(x, y, np.random.default_rng(0)) == pytest.approx(1)


def test_correlations_need_pairs():
    with pytest.raises(UsageError, match="as many scores on both sides, not 2 and 3"):
        kendall_tau([1, 2], [1, 2, 3])
    with pytest.raises(UsageError, match="as many scores on both sides, not 3 and 1"):
        spearman([1, 2, 3], [1])


def test_tau_of_params_on_nasbench201_is_the_published_one(benchmark):
    params, accuracy = benchmark["params"], benchmark["accuracy"]
    broken = broken_tau(params, accuracy, np.random.default_rng(0))
    assert kendall_tau(params, accuracy) == pytest.approx(0.578, abs=0.0005)
    assert round(broken, 2) == 0.55  # Yang et al., supplement, table 1


def test_tau_of_params_vanishes_among_the_best_of_nasbench201(benchmark):
    top = order(benchmark["accuracy"])[:1000]
    params, accuracy = benchmark["params"][top], benchmark["accuracy"][top]
    draws = [broken_tau(params, accuracy, np.random.default_rng(s)) for s in range(20)]
    assert np.mean(draws) == pytest.approx(0.055, abs=0.002)
    assert kendall_tau(params, accuracy) == pytest.approx(0.059, abs=0.002)


def test_params_alone_picks_the_network_of_the_published_log(benchmark, dev_data):
    sample = json.loads((dev_data / "seed1_sample.json").read_text())["indices"]
    columns = {name: values[sample] for name, values in benchmark.items()}
    scores = parse("params").evaluate(columns, {"params": True})
    assert sample[order(scores)[0]] == 4655
    assert sample[order(columns["accuracy"])[0]] == 11400
    assert columns["accuracy"][order(scores)[0]] == pytest.approx(93.41)
