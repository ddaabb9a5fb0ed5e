"""Rank expressions: what they score, how they print, and where they point when they are wrong."""

import re
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from anglenas.errors import ExpressionError, UnknownNameError, UsageError
from anglenas.ranking import check_metrics, order, parse

DIRECTIONS = {"angle": True, "loss": False, "params": True, "ntk": False}
METRICS = tuple(DIRECTIONS)

values = st.sampled_from([0.0, 0.25, 1.0, 3.0, 8.0, np.inf, np.nan]) | st.floats(
    -1e308, 1e308, allow_subnormal=True
)
tables = st.integers(0, 9).flatmap(
    lambda n: st.fixed_dictionaries(
        {name: arrays(np.float64, n, elements=values) for name in METRICS}
    )
)
defined_tables = st.integers(1, 12).flatmap(
    lambda n: st.fixed_dictionaries(
        {
            name: arrays(np.float64, n, elements=st.integers(0, 5).map(lambda v: v / 4))
            for name in METRICS
        }
    )
)

metrics = st.sampled_from(METRICS)
weights = st.floats(0, 1e9, exclude_min=True).map(repr) | st.sampled_from(["2", ".5", "3.", "1e3"])
leaves = (
    metrics | st.just("angle_loss") | metrics.map("z({})".format) | metrics.map("z(log({}))".format)
)


def _sums(factors):
    terms = factors | st.builds("{}*{}".format, weights, factors)
    sums = st.lists(terms, min_size=1, max_size=3).map(" + ".join)
    return sums.map("({})".format) | sums.map("logrank( {} )".format)


factors = st.recursive(leaves, _sums, max_leaves=8)
texts = st.lists(factors | st.builds("{}*{}".format, weights, factors), min_size=1, max_size=3).map(
    "+".join
)


def naive_ranks(numbers):
    return [sum(b < a for b in numbers) + (sum(b == a for b in numbers) - 1) / 2 for a in numbers]


@given(texts)
def test_print_and_parse_round_trip(text):
    expression = parse(text)
    assert parse(str(expression)) == expression
    assert str(parse(str(expression))) == str(expression)


@pytest.mark.parametrize(
    ("text", "printed", "names"),
    [
        ("angle_loss+params", "(angle+loss)+params", ("angle", "loss", "params")),
        (" ( angle + loss )+ params", "(angle+loss)+params", ("angle", "loss", "params")),
        ("loss+angle+loss", "loss+angle+loss", ("loss", "angle")),
        ("1*ntk+2.0*regions", "ntk+2*regions", ("ntk", "regions")),
        (".5*angle@20+loss.v2", "0.5*angle@20+loss.v2", ("angle@20", "loss.v2")),
        ("z(log(params))+1e-3*z(tse)", "z(log(params))+0.001*z(tse)", ("params", "tse")),
        (
            "z(log(my.own:PROBE.m_1))+b:C@5",
            "z(log(my.own:PROBE.m_1))+b:C@5",
            ("my.own:PROBE.m_1", "b:C@5"),
        ),
        ("logrank(angle_loss)", "logrank((angle+loss))", ("angle", "loss")),
        ("log+z+logrank", "log+z+logrank", ("log", "z", "logrank")),
    ],
)
def test_printed_form_and_metrics(text, printed, names):
    expression = parse(text)
    assert str(expression) == printed
    assert expression.metrics == names


def test_expressions_are_frozen_values():
    expression = parse("angle_loss")
    assert expression == parse("(angle+loss)")
    assert hash(expression) == hash(parse("(angle+loss)"))
    with pytest.raises(FrozenInstanceError):
        expression.terms = ()


@given(defined_tables)
def test_angle_loss_params_equals_a_naive_evaluation(table):
    angle = naive_ranks(table["angle"].tolist())
    loss = naive_ranks((-table["loss"]).tolist())
    params = naive_ranks(table["params"].tolist())
    again = naive_ranks([a + b for a, b in zip(angle, loss, strict=True)])
    found = parse("angle_loss+params").evaluate(table, DIRECTIONS)
    assert found.tolist() == [a + b for a, b in zip(again, params, strict=True)]


def test_angle_loss_params_equals_the_released_double_argsort_where_nothing_ties():
    rng = np.random.default_rng(3)
    angle, params = rng.permutation(25) / 25, rng.permutation(25) / 3
    loss = 1 - angle / 7

    def published(scores):
        return np.argsort(np.argsort(scores))

    released = published(published(angle) + published(-loss)) + published(params)
    table = {"angle": angle, "loss": loss, "params": params}
    for ties in ("average", "broken"):
        found = parse("angle_loss+params").evaluate(
            table, DIRECTIONS, ties=ties, rng=np.random.default_rng(0)
        )
        assert found.tolist() == released.tolist()


def test_a_sum_in_parentheses_weighs_as_much_as_one_metric():
    table = {"angle": [0.1, 0.2, 0.3], "loss": [3.0, 2.0, 1.0], "params": [9.0, 5.0, 1.0]}
    assert parse("angle+loss+params").evaluate(table, DIRECTIONS).tolist() == [2, 3, 4]
    assert parse("angle_loss+params").evaluate(table, DIRECTIONS).tolist() == [2, 2, 2]
    assert parse("angle_loss+2*params").evaluate(table, DIRECTIONS).tolist() == [4, 3, 2]


@given(defined_tables)
def test_logrank_is_the_published_aggregation(table):
    found = parse("logrank(angle)+logrank(loss)").evaluate(table, DIRECTIONS)
    count = len(found)
    expected = np.log(stats.rankdata(table["angle"]) / count)
    expected += np.log(stats.rankdata(-table["loss"]) / count)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@given(defined_tables)
def test_z_is_the_standard_score_with_the_sign_turned(table):
    found = parse("z(loss)").evaluate(table, DIRECTIONS)
    constant = np.ptp(table["loss"]) == 0
    expected = np.zeros(len(found)) if constant else -stats.zscore(table["loss"])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_z_of_a_logarithm_equals_the_formula_by_hand():
    table = {"params": [1.0, np.e**2], "ntk": [0.1, 0.1], "angle": [0.5, 0.7]}
    found = parse("z(log(params))+z(ntk)+2*z(angle)").evaluate(table, DIRECTIONS)
    np.testing.assert_allclose(found, [-3, 3])


def test_z_of_a_constant_column_is_zero_although_its_mean_is_rounded():
    column = np.full(3, 0.1)
    assert np.std(column) > 0
    assert parse("z(angle)").evaluate({"angle": column}, DIRECTIONS).tolist() == [0.0] * 3


@given(texts, tables)
def test_scores_are_never_nan_and_undefined_candidates_share_the_lowest(text, table):
    expression = parse(text)
    scores = expression.evaluate(table, DIRECTIONS)
    undefined = np.any([np.isnan(table[name]) for name in expression.metrics], axis=0)
    assert not np.isnan(scores).any()
    assert np.isneginf(scores[undefined]).all()
    if "z(" not in text:
        assert np.isfinite(scores[~undefined]).all()


@given(texts, tables)
def test_undefined_candidates_do_not_change_the_other_scores(text, table):
    scores = parse(text).evaluate(table, DIRECTIONS)
    kept = np.isfinite(scores)
    alone = parse(text).evaluate({k: v[kept] for k, v in table.items()}, DIRECTIONS)
    assert alone.tolist() == scores[kept].tolist()


@given(texts.filter(lambda text: "z(" not in text), tables, st.randoms(use_true_random=False))
def test_scores_move_with_the_candidates(text, table, random):
    count = len(table["angle"])
    shuffle = random.sample(range(count), count)
    scores = parse(text).evaluate(table, DIRECTIONS)[shuffle]
    moved = parse(text).evaluate({k: v[shuffle] for k, v in table.items()}, DIRECTIONS)
    assert moved.tolist() == scores.tolist()


@given(texts.filter(lambda text: "z(" not in text), defined_tables)
def test_rank_scores_do_not_change_under_monotone_transforms(text, table):
    moved = {"angle": np.exp, "loss": np.sqrt, "params": lambda v: v**3, "ntk": np.arctan}
    changed = {name: transform(table[name]) for name, transform in moved.items()}
    scores = parse(text).evaluate(table, DIRECTIONS)
    assert parse(text).evaluate(changed, DIRECTIONS).tolist() == scores.tolist()


@given(metrics, tables)
def test_a_flipped_direction_with_a_flipped_sign_is_the_same(name, table):
    flipped = {**DIRECTIONS, name: not DIRECTIONS[name]}
    turned = {**table, name: -table[name]}
    expression = parse(f"{name}+z({name})")
    scores = expression.evaluate(table, DIRECTIONS)
    assert expression.evaluate(turned, flipped).tolist() == scores.tolist()


def test_undefined_inside_z_and_log():
    table = {"params": [1.0, 0.0, np.inf, 2.0, -1.0, np.nan]}
    infinite = np.isneginf(parse("z(params)").evaluate(table, DIRECTIONS))
    assert infinite.tolist() == [False, False, True, False, False, True]
    infinite = np.isneginf(parse("z(log(params))").evaluate(table, DIRECTIONS))
    assert infinite.tolist() == [False, True, True, False, True, True]


def test_broken_ties_come_from_the_generator_alone():
    table = {"angle": np.zeros(50), "loss": np.ones(50)}

    def draw(seed):
        rng = np.random.default_rng(seed)
        return parse("angle_loss").evaluate(table, DIRECTIONS, ties="broken", rng=rng)

    assert draw(1).tolist() == draw(1).tolist()
    assert draw(1).tolist() != draw(2).tolist()
    assert sorted(draw(1)) == list(range(50))


def test_te_nas_sum_picks_a_low_condition_number_and_many_regions():
    table = {"ntk": [10.0, 100.0, np.inf], "regions": [50.0, 60.0, 70.0]}
    scores = parse("ntk+2*regions").evaluate(table, {"ntk": False, "regions": True})
    assert scores.tolist() == [2, 3, 4]
    assert order(parse("ntk").evaluate(table, {"ntk": False})).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 0, "The expression is empty; write one such as angle_loss+params"),
        ("   ", 3, "The expression is empty"),
        ("angle-loss", 5, "Unexpected character '-'"),
        ("angle + $loss", 8, "Unexpected character '$'"),
        ("@angle", 0, "Unexpected character '@'"),
        ("(angle+loss", 11, "A ')' is missing here for the '(' at character 1"),
        ("params+z(log(params)", 20, "A ')' is missing here for the '(' at character 9"),
        ("(angle loss)", 7, "A ')' is missing here for the '(' at character 1"),
        ("angle)+loss", 5, "This ')' closes nothing"),
        ("angle loss", 6, "Expected '+' or the end here"),
        ("angle*2", 5, "a weight comes first, as in 2*angle"),
        ("angle+", 6, "Expected the name of a metric here"),
        ("angle++loss", 6, "Expected the name of a metric here"),
        ("()", 1, "Expected the name of a metric here"),
        ("2*", 2, "Expected the name of a metric here"),
        ("2*3*angle", 2, "Expected the name of a metric here"),
        ("2angle", 1, "Expected '*' after a weight, as in 2*angle"),
        ("0*angle", 0, "A weight is a number above 0 and up to 1e+09"),
        ("loss+1e999*angle", 5, "A weight is a number above 0"),
        ("rank(angle)", 0, "There is no function named 'rank'; did you mean logrank?"),
        ("loss + zz(angle)", 7, "There is no function named 'zz'; did you mean z?"),
        ("loss+sqrt(angle)", 5, "known: log, logrank, z"),
        ("angle+log(params)", 6, "log stands inside z only, as in z(log(params))"),
        ("z(logrank(angle))", 2, "z takes a metric or its logarithm"),
        ("z(angle_loss)", 2, "angle_loss is a sum of ranks"),
        ("z(log(angle_loss))", 6, "angle_loss is a sum of ranks"),
        ("z(angle+loss)", 7, "A ')' is missing here for the '(' at character 2"),
        ("z((angle))", 2, "Expected the name of a metric here"),
        ("(" * 5000 + "angle" + ")" * 5000, 32, "More than 32 parentheses are open"),
    ],
)
def test_errors_point_at_the_place(text, position, message):
    with pytest.raises(ExpressionError, match=re.escape(message)) as caught:
        parse(text)
    assert caught.value.position == position
    shown, caret = str(caught.value).splitlines()[-2:]
    if len(text) < 50:
        assert (shown, caret) == (f"  {text}", f"  {' ' * position}^")
    else:  # a part of it
        assert len(shown) < 100
        assert shown[caret.index("^")] == text[position]


def test_siblings_do_not_add_up_to_depth():
    assert len(parse("+".join(["(angle)", "z(log(params))"] * 100)).terms) == 200


@given(st.text(alphabet="azlog+*()2.e @_-", max_size=20))
def test_any_text_parses_or_points_at_a_place_inside_it(text):
    try:
        expression = parse(text)
    except ExpressionError as error:
        assert 0 <= error.position <= len(text)  # noqa: PT017 - either outcome is right
    else:
        assert parse(str(expression)) == expression


def test_unknown_metrics_are_named_with_the_nearest():
    expression = parse("angle+z(parms)")
    check_metrics(expression, ["angle", "parms"])
    with pytest.raises(UnknownNameError, match="no metric named 'parms'; did you mean params"):
        check_metrics(expression, DIRECTIONS)
    with pytest.raises(UnknownNameError, match="no metric named 'loss'"):
        parse("loss").evaluate({"angle": [1.0]}, DIRECTIONS)
    with pytest.raises(UnknownNameError, match="no metric named 'angle'"):
        parse("angle").evaluate({"angle": [1.0]}, {})


def test_evaluate_refuses_columns_that_do_not_fit():
    with pytest.raises(UsageError, match=r"shapes are angle \(2,\), loss \(3,\)"):
        parse("angle+loss").evaluate({"angle": [1, 2], "loss": [1, 2, 3]}, DIRECTIONS)
    with pytest.raises(UsageError, match=r"shapes are angle \(1, 2\)"):
        parse("z(angle)").evaluate({"angle": [[1, 2]]}, DIRECTIONS)
    with pytest.raises(UsageError, match="needs rng"):
        parse("angle").evaluate({"angle": [1, 1]}, DIRECTIONS, ties="broken")


counts = st.integers(1, 4)
texts_of_sums = st.sampled_from(
    ["angle", "angle_loss+params", "z(angle)+z(log(params))", "logrank(angle+2*ntk)+loss"]
)


@given(defined_tables, texts_of_sums, st.data())
def test_a_weight_counts_like_as_many_equal_candidates(table, text, data):
    size = len(table["angle"])
    copies = data.draw(arrays(np.int64, size, elements=counts))
    repeated = {name: np.repeat(column, copies) for name, column in table.items()}
    first = np.cumsum(copies) - copies
    expected = parse(text).evaluate(repeated, DIRECTIONS)[first]
    found = parse(text).evaluate(table, DIRECTIONS, weights=copies)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@given(defined_tables, st.data())
def test_broken_ties_of_weighted_candidates_are_ranks_of_blocks(table, data):
    size = len(table["angle"])
    copies = data.draw(arrays(np.int64, size, elements=counts))
    rng = np.random.default_rng(0)
    found = parse("angle").evaluate(table, DIRECTIONS, ties="broken", rng=rng, weights=copies)
    worst_first = np.argsort(found)
    assert (np.diff(table["angle"][worst_first]) >= 0).all()
    blocks = np.split(np.arange(copies.sum()), np.cumsum(copies[worst_first])[:-1])
    assert found[worst_first].tolist() == [block.mean() for block in blocks]


@given(st.sampled_from(["angle", "angle_loss+params", "z(angle)+loss", "logrank(loss)"]),
       defined_tables, st.sampled_from(["average", "dense"]), st.data())  # fmt: skip
def test_several_populations_score_as_each_alone(text, table, ties, data):
    shape = (3, len(table["angle"]))
    populations = data.draw(arrays(np.float64, shape, elements=st.floats(0.5, 9)))
    found = parse(text).evaluate(table, DIRECTIONS, ties=ties, weights=populations)
    alone = [parse(text).evaluate(table, DIRECTIONS, ties=ties, weights=one) for one in populations]
    np.testing.assert_allclose(found, np.stack(alone), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "weights", [[1.0], [1.0, 0.0], [[[1.0, 2.0]]], [[1.0], [2.0]], [1.0, float("nan")]]
)
def test_evaluate_refuses_weights_that_do_not_fit(weights):
    with pytest.raises(UsageError, match="2 candidates need 2 weights above 0"):
        parse("z(angle)").evaluate({"angle": [1, 2]}, DIRECTIONS, weights=weights)
