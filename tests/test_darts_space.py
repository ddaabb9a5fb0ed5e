"""The DARTS space: its text form, its neighbours, and which genotypes are one."""

import json
from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anglenas.errors import ArchitectureError, SettingError
from anglenas.spaces import (
    DARTS,
    DARTS_IMAGENET,
    DARTS_TENAS,
    DARTS_TENAS_IMAGENET,
    Genotype,
    NetworkConfig,
)
from anglenas.spaces._darts.values import OPERATIONS
from anglenas.testing import SpaceConformance

# The second-order cell of the paper, in the form in which quark0/darts prints it.
DARTS_V2 = """Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0),
    ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0),
    ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0),
    ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0),
    ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"""


class TestConformance(SpaceConformance):
    space = DARTS


class TestTenasConformance(SpaceConformance):
    space = DARTS_TENAS


class TestImageNetConformance(SpaceConformance):
    space = DARTS_IMAGENET
    config = NetworkConfig(num_classes=3, channels=2, cells=1, side=32)


class TestTenasImageNetConformance(SpaceConformance):
    space = DARTS_TENAS_IMAGENET
    config = NetworkConfig(num_classes=3, channels=2, cells=1, side=32)


genotypes = st.integers(0, 2**32).map(lambda seed: DARTS.sample(np.random.default_rng(seed)))


def pairs(cell):
    return [cell[k : k + 2] for k in range(0, 8, 2)]


@given(genotypes)
def test_what_python_itself_reads_of_the_text_is_the_genotype(genotype):
    read = eval(str(genotype), {"Genotype": dict})
    assert read["normal"] == list(genotype.normal)
    assert read["reduce"] == list(genotype.reduce)
    assert list(read["normal_concat"]) == list(read["reduce_concat"]) == [2, 3, 4, 5]


@given(genotypes, st.data())
def test_spaces_quotes_and_lists_do_not_matter(genotype, data):
    text = str(genotype)
    for old, new in [
        (" ", ""), (" ", "\n  "), ("'", '"'), ("range(2, 6)", "[2, 3, 4, 5]"),
        ("range(2, 6)", "(2, 3, 4, 5)"), ("],", ",],"), ("=", " = "),
    ]:  # fmt: skip
        if data.draw(st.booleans()):
            text = text.replace(old, new)
    assert DARTS.parse(text) == genotype


def test_published_genotypes(dev_data):
    for facts in json.loads((dev_data / "darts_genotypes.json").read_text()).values():
        concat = f"normal_concat={facts['normal_concat']}"
        cells = {name: [tuple(choice) for choice in facts[name]] for name in ("normal", "reduce")}
        text = f"Genotype(normal={cells['normal']}, {concat}, reduce={cells['reduce']}, "
        genotype = DARTS.parse(text + f"reduce_concat={facts['reduce_concat']})")
        assert list(genotype.normal) == cells["normal"]
        assert list(genotype.reduce) == cells["reduce"]


FLAT = " ".join(DARTS_V2.split())


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 0, "Expected 'Genotype'"),
        ("|none~0|", 0, "Expected 'Genotype'"),
        (FLAT.replace("sep_conv_3x3", "sep_conv_7x7", 1), 18, "no operation 'sep_conv_7x7'"),
        (FLAT.replace("sep_conv_3x3", "none", 1), 18, "no operation 'none'"),
        (FLAT.replace("'sep_conv_3x3'", "sep_conv_3x3", 1), 18, "in quotes"),
        (FLAT.replace(", 0)", ", 2)", 1), 34, "Node 2 takes inputs from 0 to 1, not 2"),
        (FLAT.replace(", 0)", ", -1)", 1), 34, "number of an input"),
        (FLAT.replace(", 0)", ", x)", 1), 34, "number of an input"),
        (FLAT.replace(", 0)", ", 1)", 1), 55, "Node 2 has 1 as an input already"),
        (FLAT.replace("[2, 3, 4, 5]", "[3, 4, 5]", 1), FLAT.index("[2, 3") + 1, "Expected '2'"),
        (FLAT.replace("[2, 3, 4, 5]", "range(2, 5)", 1), FLAT.index("[2, 3") + 9, "Expected '6'"),
        (FLAT.replace("reduce=", "reduction="), FLAT.index("reduce="), "Expected 'reduce'"),
        (FLAT.replace(", ('dil_conv_3x3', 2)", ""), FLAT.index(", ('dil"), "Expected ','"),
        (FLAT[:-1], len(FLAT) - 1, r"Expected '\)'"),
        (FLAT + " x", len(FLAT) + 1, "Expected the end"),
    ],
)
def test_malformed_text_points_at_the_place(text, position, message):
    with pytest.raises(ArchitectureError, match=message) as caught:
        DARTS.parse(text)
    assert caught.value.position == position
    *_, shown, caret = str(caught.value).splitlines()
    assert caret.endswith("^")
    assert max(map(len, (shown, caret))) <= 80
    if position < len(text):
        assert shown[len(caret) - 1] == text[position]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ((("skip_connect", 0), ("skip_connect", 1)) * 3, "has 8 choices, not 6"),
        ((("skip_connect", 0), ("nor_conv_3x3", 1)) * 4, "Choice 1 of 'normal' .* no operation"),
        ((("skip_connect", 0), ("skip_connect", 2)) * 4, "node 2 takes inputs from 0 to 1, not 2"),
        ((("skip_connect", 1), ("skip_connect", 1)) * 4, "two inputs differ"),
    ],
)
def test_cells_that_the_space_does_not_have_are_refused(cell, message):
    with pytest.raises(SettingError, match=message):
        Genotype(cell, (("skip_connect", 0), ("skip_connect", 1)) * 4)


def test_the_space_is_too_large_to_go_through():
    assert DARTS.size is DARTS.enumerate is None


def test_sampling_is_uniform():
    rng = np.random.default_rng(0)
    drawn = [DARTS.sample(rng) for _ in range(2000)]
    operations = Counter(name for one in drawn for name, _ in one.normal + one.reduce)
    # 32 000 draws of 7 operations: five standard deviations of a count are about 310.
    assert all(abs(operations[name] - 32_000 / 7) < 310 for name in OPERATIONS)
    inputs = Counter(tuple(s for _, s in pairs(one.normal)[3]) for one in drawn)
    # 2000 draws of 10 pairs: five standard deviations are about 67.
    assert len(inputs) == 10
    assert all(abs(count - 200) < 67 for count in inputs.values())


@given(genotypes, st.integers(0, 2**32))
def test_a_mutation_changes_one_operation_or_one_input(genotype, seed):
    changed = DARTS.mutate(genotype, np.random.default_rng(seed))
    before, after = genotype.normal + genotype.reduce, changed.normal + changed.reduce
    [(old, new)] = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert (old[0] == new[0]) != (old[1] == new[1])


def test_every_neighbour_can_be_reached():
    genotype = DARTS.parse(DARTS_V2)
    rng = np.random.default_rng(0)
    found = {DARTS.mutate(genotype, rng) for _ in range(5000)}
    # 16 operations have 6 others; the inputs of nodes 3, 4 and 5 have 1, 2 and 3 others.
    assert len(found) == 16 * 6 + 2 * 2 * (1 + 2 + 3)


def graph_of(cell):
    """Edges ``(input, node, operation)``."""
    return [(source, place // 2 + 2, name) for place, (name, source) in enumerate(cell)]


def isomorphic(one, other):
    """Whether two cells are one, by trying every numbering of the nodes."""
    edges = sorted(graph_of(one))
    for order in permutations(range(2, 6)):
        new = {0: 0, 1: 1} | dict(zip(range(2, 6), order, strict=True))
        if sorted((new[s], new[t], name) for s, t, name in graph_of(other)) == edges:
            return True
    return False


@given(genotypes, st.permutations(range(4)), st.lists(st.booleans(), min_size=4, max_size=4))
def test_renumbered_and_reordered_genotypes_are_one(genotype, order, swaps):
    nodes, new = [], {0: 0, 1: 1}
    todo = list(order)
    while todo:  # the first node in this order all of whose inputs are there
        node = next(n for n in todo if all(s in new for _, s in pairs(genotype.normal)[n]))
        todo.remove(node)
        nodes.append([(name, new[source]) for name, source in pairs(genotype.normal)[node]])
        new[node + 2] = len(nodes) + 1
    mixed = [choice for pair, swap in zip(nodes, swaps, strict=True)
             for choice in (pair[::-1] if swap else pair)]  # fmt: skip
    other = Genotype(tuple(mixed), genotype.reduce)
    assert DARTS.canonical(other) == DARTS.canonical(genotype)
    assert isomorphic(DARTS.parse(DARTS.canonical(genotype)).normal, genotype.normal)


@given(genotypes, st.integers(0, 2**32))
def test_forms_are_equal_for_isomorphic_cells_alone(genotype, seed):
    other = DARTS.mutate(genotype, np.random.default_rng(seed))
    one = isomorphic(genotype.normal, other.normal) and isomorphic(genotype.reduce, other.reduce)
    assert (DARTS.canonical(genotype) == DARTS.canonical(other)) == one


def test_graphs_hold_all_edges_and_outputs():
    genotype = DARTS.parse(DARTS_V2)
    normal, reduction = DARTS.drawings(genotype)
    assert (normal.title, reduction.title) == ("normal cell", "reduction cell")
    shown = [(start, end, operation.name) for start, end, operation in normal.edges[:8]]
    assert shown == graph_of(genotype.normal)
    assert list(reduction.edges[8:]) == [(node, 6, None) for node in range(2, 6)]


def test_trivial_are_cells_in_which_nothing_learns():
    skips = (("skip_connect", 0), ("skip_connect", 1)) * 4
    pools = (("max_pool_3x3", 0), ("avg_pool_3x3", 1)) * 4
    learning = (*pools[:7], ("dil_conv_3x3", 4))
    for space in (DARTS, DARTS_TENAS):
        assert space.is_trivial(Genotype(skips, skips))
        assert space.is_trivial(Genotype(skips, pools))
        assert not space.is_trivial(Genotype(skips, learning))
        assert not space.is_trivial(Genotype(learning, pools))
