"""What a stratified sample says of its population, against naive counts and whole populations."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from anglenas.errors import UsageError
from anglenas.ranking import (
    GUARDED,
    Sample,
    count_pairs,
    guard_columns,
    kendall_tau,
    parse,
    precision_at,
    ranks,
    spearman,
)

few = st.sampled_from([-np.inf, 0.0, 1.0, 2.0, 3.0, np.nan])
finite = st.sampled_from([0.0, 1.0, 2.0, 3.0])
copies = st.integers(1, 4)


def columns(least, *elements):
    """Columns of one length, integers for ``copies``."""
    kinds = [np.int64 if one is copies else np.float64 for one in elements]
    return st.integers(least, 12).flatmap(
        lambda n: st.tuples(
            *(arrays(kind, n, elements=one) for kind, one in zip(kinds, elements, strict=True))
        )
    )


@st.composite
def drawn(draw):
    """Scores, truth, and a sample of two strata."""
    count = draw(st.integers(2, 12))
    strata = draw(arrays(np.int64, count, elements=st.integers(0, 1)))
    more = draw(arrays(np.int64, 2, elements=st.integers(0, 9)))
    sizes = np.bincount(strata, minlength=2) + more
    scores = draw(arrays(np.float64, count, elements=few))
    return scores, draw(arrays(np.float64, count, elements=finite)), Sample.of(strata, sizes)


def naive_pairs(scores, truth, sample, weights, among=None):
    """The four sums, from every pair in turn."""
    low = np.where(np.isnan(scores), -np.inf, scores)
    sums = np.zeros(4)
    for i, j in combinations(range(len(truth)) if among is None else np.flatnonzero(among), 2):
        weight = weights[i] * weights[j]
        if sample.strata[i] == sample.strata[j]:
            n, size = (int(a[sample.strata[i]]) for a in (sample.drawn, sample.sizes))
            weight *= (size * (size - 1) / (n * (n - 1))) / (size / n) ** 2
        y = np.sign(truth[i] - truth[j])
        x = int(low[i] > low[j]) - int(low[i] < low[j])
        sums += weight * np.array([x * y, abs(x), abs(y), 1])
    return sums


def found_pairs(pairs):
    return np.array([pairs.agreement, pairs.untied_scores, pairs.untied_truth, pairs.all])


@given(drawn(), st.integers(0, 99))
def test_pairs_equal_naive_sums(given, seed):
    scores, truth, sample = given
    found = count_pairs(scores, truth, sample)
    expected = naive_pairs(scores, truth, sample, sample.weights)
    np.testing.assert_allclose(found_pairs(found)[:, 0], expected, rtol=1e-12, atol=1e-12)
    replicates = sample.replicates(3, np.random.default_rng(seed))
    if not sample.is_census:
        found = found_pairs(count_pairs(scores, truth, sample, weights=replicates))
        for row, weights in zip(found.T, replicates, strict=True):
            expected = naive_pairs(scores, truth, sample, weights)
            np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-3)


@given(drawn())
def test_several_scores_share_one_set_of_weights(given):
    scores, truth, sample = given
    rows = np.stack([scores, -truth, truth])
    found = found_pairs(count_pairs(rows, truth, sample))
    for row, one in zip(found.T, rows, strict=True):
        alone = found_pairs(count_pairs(one, truth, sample))[:, 0]
        np.testing.assert_allclose(row, alone, rtol=1e-5, atol=1e-3)


@given(drawn(), st.integers(0, 99))
def test_the_way_for_many_candidates_gives_the_same_sums(given, seed):
    scores, truth, sample = given
    replicates = sample.replicates(2, np.random.default_rng(seed))
    with pytest.MonkeyPatch.context() as patch:
        few = found_pairs(count_pairs(scores, truth, sample, weights=replicates))
        patch.setattr("anglenas.ranking._pairs._MANY", 0)
        patch.setattr("anglenas.ranking._pairs._BLOCK", 2)
        many = found_pairs(count_pairs(scores, truth, sample, weights=replicates))
        each = np.tile(scores, (2, 1))
        sorted_each = found_pairs(count_pairs(each, truth, sample, weights=replicates))
        patch.setattr("anglenas.ranking._pairs._FEW", 3)
        sorted_one = found_pairs(count_pairs(scores, truth, sample, weights=replicates))
    np.testing.assert_allclose(sorted_each, np.broadcast_to(few, (4, 2)), rtol=1e-5, atol=1e-3)
    for found in (many, sorted_one):
        np.testing.assert_allclose(found, few, rtol=1e-5, atol=1e-3)


@given(drawn())
def test_pairs_among_some_are_those_of_the_some(given):
    scores, truth, sample = given
    among = truth > 0
    found = count_pairs(scores, truth, sample, among=among)
    expected = naive_pairs(scores, truth, sample, sample.weights, among)
    np.testing.assert_allclose(found_pairs(found)[:, 0], expected, rtol=1e-12, atol=1e-12)


@given(columns(2, finite, finite))
def test_of_a_whole_population_tau_is_that_of_scipy(table):
    scores, truth = table
    pairs = count_pairs(scores, truth, Sample.census(len(truth)))
    np.testing.assert_allclose(pairs.tau_b[0], stats.kendalltau(scores, truth).statistic)
    total = sum(
        np.sign((a - b) * (c - d))
        for (a, c), (b, d) in combinations(zip(scores, truth, strict=True), 2)
    )
    np.testing.assert_allclose(pairs.tau_a[0], total / (len(truth) * (len(truth) - 1) / 2))


@pytest.fixture(scope="module")
def population():
    """600 candidates, of whom the best 60 are ordered otherwise than all are; many ties."""
    rng = np.random.default_rng(5)
    truth = rng.normal(size=600).round(2)
    scores = (truth + rng.normal(size=600)).round(1)
    best = np.argsort(-truth)[:60]
    scores[best] = (rng.normal(size=60) - 0.5 * truth[best] + 2).round(1)
    strata = np.ones(600, dtype=int)
    strata[best] = 0
    return scores, truth, strata


def draw_sample(strata, counts, rng):
    return np.concatenate([
        rng.choice(np.flatnonzero(strata == number), count, replace=False)
        for number, count in enumerate(counts)
    ])  # fmt: skip


def test_sums_from_samples_are_unbiased_for_the_population(population):
    scores, truth, strata = population
    whole = found_pairs(count_pairs(scores, truth, Sample.census(600)))[:, 0]
    rng, sums = np.random.default_rng(0), []
    for _ in range(200):
        chosen = draw_sample(strata, (20, 40), rng)
        sample = Sample.of(strata[chosen], [60, 540])
        sums.append(found_pairs(count_pairs(scores[chosen], truth[chosen], sample))[:, 0])
    error = np.std(sums, axis=0, ddof=1) / np.sqrt(len(sums))
    assert (np.abs(np.mean(sums, axis=0) - whole) <= 4 * error + 1e-6).all()


@pytest.mark.slow
@pytest.mark.parametrize(("counts", "among"), [((30, 60), None), ((30, 60), 0), ((15, 200), None)])
def test_intervals_cover_the_population_as_often_as_they_say(population, counts, among):
    """Of 300 intervals of 95 %, 273 to 297 hold the truth: the 99.9 % range of a binomial.

    The last one knows a third of the population: that the rest is all that varies must count.
    """
    scores, truth, strata = population
    part = None if among is None else strata == among
    target = count_pairs(scores, truth, Sample.census(600), among=part).tau_b[0]
    rng, covered = np.random.default_rng(1), 0
    for _ in range(300):
        chosen = draw_sample(strata, counts, rng)
        sample = Sample.of(strata[chosen], [60, 540])
        replicates = count_pairs(
            scores[chosen], truth[chosen], sample, weights=sample.replicates(400, rng),
            among=None if part is None else part[chosen],
        ).tau_b  # fmt: skip
        low, high = np.quantile(replicates, [0.025, 0.975])
        covered += low <= target <= high
    low, high = stats.binom.interval(0.999, 300, 0.95)
    assert low <= covered <= high


def test_replicates_keep_totals_on_average_and_vary_as_the_theory_says():
    """The total of a stratum of n from N has the variance N^2 (1 - n / N) s^2 / n."""
    sample = Sample.of([0] * 12 + [1] * 5 + [2], sizes=[40, 5, 1])
    values = np.random.default_rng(2).normal(size=18)
    replicates = sample.replicates(200_000, np.random.default_rng(3))
    assert (replicates > 0).all()
    assert (replicates[:, 12:] == 1).all()
    np.testing.assert_allclose(replicates.sum(axis=1), 46)
    variance = 40**2 * (1 - 12 / 40) * values[:12].var(ddof=1) / 12
    np.testing.assert_allclose((replicates @ values).var(), variance, rtol=0.02)
    np.testing.assert_allclose((replicates @ values).mean(), sample.weights @ values, atol=0.1)


def test_a_sample_knows_what_it_covers():
    sample = Sample.of([0, 0, 1, 2], sizes=[10, 1, 10, 4])
    assert sample.covers([0, 1])
    assert not sample.covers([2])
    assert not sample.covers([0, 3])
    assert not sample.is_census
    assert Sample.census(3).is_census
    with pytest.raises(UsageError, match="a candidate is drawn once"):
        Sample.of([0, 0], sizes=[1])


def test_pairs_refuse_what_does_not_fit():
    with pytest.raises(UsageError, match="A sample of 3 candidates needs as many"):
        count_pairs([1, 2], [1, 2, 3], Sample.census(3))
    sample = Sample.of([0, 0, 0], sizes=[9])
    with pytest.raises(UsageError, match="2 rows of scores need as many rows of weights"):
        count_pairs(np.ones((2, 3)), [1, 2, 3], sample, weights=np.ones((4, 3)))


@given(columns(1, few, few, copies))
def test_spearman_counts_a_weight_like_as_many_equal_candidates(table):
    x, y, weights = table
    expected = spearman(np.repeat(x, weights), np.repeat(y, weights))
    found = spearman(x, y, weights)
    x, y = (np.where(np.isnan(one), -np.inf, one) for one in (x, y))
    found_of = [spearman(x, y, weights), spearman(x, y), spearman(-x, y, weights)]
    each = spearman(np.stack([x, x, -x]), y, np.stack([weights, np.ones(len(x)), weights]))
    np.testing.assert_allclose(each, found_of, atol=1e-9)
    if len(x) > 1:
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@given(columns(1, few, copies), st.data())
def test_shares_of_the_top_are_means_over_all_orders_of_ties(table, data):
    scores, weights = table
    population = np.repeat(np.where(np.isnan(scores), -np.inf, scores), weights)
    count = data.draw(st.integers(1, len(population)))
    cut = np.sort(population)[-count]
    inside, level = (population > cut).sum(), (population == cut).sum()
    expected = [
        1.0 if value > cut else (count - inside) / level if value == cut else 0.0
        for value in np.where(np.isnan(scores), -np.inf, scores)
    ]
    for place, value in enumerate(expected):
        only = np.arange(len(scores)) == place
        share = precision_at(scores, only, count, weights) * count / weights[place]
        assert share == pytest.approx(value, abs=1e-12)


def test_precision_is_the_part_of_the_chosen_that_is_best():
    rng = np.random.default_rng(0)
    scores, truth = rng.normal(size=50), rng.normal(size=50)
    best = truth >= np.sort(truth)[-10]
    chosen = np.argsort(-scores)[:10]
    assert precision_at(scores, best, 10) == pytest.approx(best[chosen].mean())
    with pytest.raises(UsageError, match="The best 51 of 50 candidates cannot be chosen"):
        precision_at(scores, best, 51)


def test_guarded_columns_are_the_guard_s_pair_by_pair():
    columns = {
        "angle": np.array([0.8, 0.99, np.nan, 0.5]), "loss": np.array([1.0, 2.0, 3.0, 0.5]),
        "angle@60": np.array([0.96, 0.9, 0.9, 0.5]), "loss@60": np.array([2.0, 2.0, 3.0, 0.5]),
        "angle@49": np.array([0.96, 0.9, 0.9, 0.5]), "loss@49": np.array([2.0, 2.0, 3.0, 0.5]),
        "angle@5": np.array([0.99] * 4), "params": np.arange(4.0),
    }  # fmt: skip
    trivial = np.array([False, False, False, True])
    guarded, hit = guard_columns(columns, trivial)
    assert hit.tolist() == [True, True, False, True]
    for name in ("angle@5", "params"):
        assert guarded[name] is columns[name]
    known = np.array([True, True, False, True])
    caught = trivial | ~(columns["angle"] < 0.95)  # the released rule
    released = (("angle", np.where(caught, 0.0, columns["angle"])),
                ("loss", -np.where(caught, 100.0, columns["loss"])))  # fmt: skip
    for name, all_of_it in released:
        published = all_of_it[known]
        ours = guarded[name][known] * (-1 if name == "loss" else 1)
        np.testing.assert_array_equal(
            ranks(ours, higher_is_better=True), ranks(published, higher_is_better=True)
        )
    assert np.isnan(guarded["angle"][2])
    # Of fewer iterations than the threshold was published for, structure alone is the guard.
    np.testing.assert_allclose(guarded["angle@60"], [0.9, 0.9, 0.9, 0.9])
    assert (guarded["angle@60"] < 0.9).tolist() == [True, False, False, True]
    assert (guarded["angle@49"] < 0.9).tolist() == [False, False, False, True]
    short, hit = guard_columns({**columns, "angle@60": columns["angle"]}, trivial, iterations=10)
    np.testing.assert_allclose(short["angle"], [0.8, 0.99, np.nan, 0.8])
    np.testing.assert_allclose(short["angle@60"], guarded["angle"])
    only, hit = guard_columns(columns, trivial, threshold=np.inf)
    assert hit.tolist() == [False, False, False, True]
    np.testing.assert_array_equal(only["angle"], short["angle"])


@given(st.integers(2, 40), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_guarded_columns_leave_the_others_as_they_are_to_each_other(size, trivial, seed):
    """With z() the others differ by as much as if the trivial ones had never been there."""
    rng = np.random.default_rng(seed)
    columns = {name: rng.normal(size=size + trivial) for name in GUARDED}
    caught = np.arange(size + trivial) >= size
    guarded, hit = guard_columns(columns, caught, threshold=np.inf)
    assert hit.tolist() == caught.tolist()
    directions = {"angle": True, "loss": False, "tse": False, "tse_e": False}
    for name in columns:
        np.testing.assert_array_equal(guarded[name][:size], columns[name][:size])
        score = parse(name).evaluate(guarded, directions)
        assert (score[size:] < score[:size].min()).all()
        spread = np.ptp(guarded[name])
        assert spread == pytest.approx(np.ptp(columns[name][:size]), abs=1e-9)


def test_combinations_in_samples_come_near_those_of_the_population(population):
    """Ranks formed from a sample are those of the population, so that re-ranked sums agree."""
    scores, truth, strata = population
    size = np.random.default_rng(4).integers(0, 5, 600).astype(float) + truth
    directions = {"angle": True, "params": True}
    expression = parse("2*(angle+params)+params")
    whole = expression.evaluate({"angle": scores, "params": size}, directions)
    chosen = draw_sample(strata, (30, 270), np.random.default_rng(6))
    sample = Sample.of(strata[chosen], [60, 540])
    part = expression.evaluate(
        {"angle": scores[chosen], "params": size[chosen]}, directions, weights=sample.weights
    )
    assert kendall_tau(part, whole[chosen]) > 0.98
    assert np.abs(part - whole[chosen]).max() < 0.1 * np.ptp(whole)
