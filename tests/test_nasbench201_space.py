"""The NAS-Bench-201 space against the published table, the benchmark's facts and properties."""

import csv
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anglenas.errors import ArchitectureError, SettingError
from anglenas.spaces import NASBENCH201, NasBench201Architecture, index_of
from anglenas.spaces._nasbench201.values import EDGES, OPERATIONS

cells = st.tuples(*[st.sampled_from(list(OPERATIONS))] * len(EDGES)).map(NasBench201Architecture)


@given(cells)
def test_text_and_index_round_trip(cell):
    assert NASBENCH201.parse(str(cell)) == cell
    assert NASBENCH201.at(index_of(cell)) == cell


def test_published_index_of_known_cells():
    best_on_cifar100 = NASBENCH201.at(9930)
    assert set(NASBENCH201.at(1462).operations) == {"nor_conv_3x3"}
    assert str(NASBENCH201.at(0)) == (
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+"
        "|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    )
    assert index_of(best_on_cifar100) == 9930


def test_every_index_of_the_published_table(dev_data):
    with (dev_data / "nasbench201.csv").open() as file:
        published = [row["arch_str"] for row in csv.DictReader(file)]
    assert [str(cell) for cell in NASBENCH201.enumerate()] == published


def test_enumeration_holds_every_cell_once():
    assert len(set(NASBENCH201.enumerate())) == 5**6 == NASBENCH201.size


def test_sampling_is_uniform_and_repeatable():
    rng = np.random.default_rng(0)
    drawn = [NASBENCH201.sample(rng) for _ in range(2000)]
    counts = Counter(operation for cell in drawn for operation in cell.operations)
    # 12 000 draws of 5 operations: five standard deviations of a count are about 220.
    assert all(abs(counts[name] - 2400) < 220 for name in OPERATIONS)
    assert NASBENCH201.sample(np.random.default_rng(0)) == drawn[0]


@given(cells, st.integers(0, 2**32))
def test_mutation_changes_exactly_one_edge(cell, seed):
    neighbour = NASBENCH201.mutate(cell, np.random.default_rng(seed))
    pairs = zip(cell.operations, neighbour.operations, strict=True)
    assert sum(old != new for old, new in pairs) == 1


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("nor_conv_3x3~0", 0),
        ("|nor_conv_5x5~0|+|none~0|none~1|+|none~0|none~1|none~2|", 1),
        ("|none~0|+|none~0|none~0|+|none~0|none~1|none~2|", 22),
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2", 46),
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|x", 47),
        ("|none~0||none~0|none~1|+|none~0|none~1|none~2|", 8),
    ],
)
def test_malformed_text_points_at_the_place(text, position):
    with pytest.raises(ArchitectureError) as caught:
        NASBENCH201.parse(text)
    assert caught.value.position == position
    assert str(caught.value).splitlines()[-1] == "  " + " " * position + "^"


def test_unknown_operations_and_indices_are_refused():
    with pytest.raises(SettingError, match="6 operations"):
        NasBench201Architecture(("none",) * 5)
    with pytest.raises(SettingError, match="0 to 15624"):
        NASBENCH201.at(15625)


def test_cells_without_a_convolution_on_a_way_through_are_trivial():
    assert sum(map(NASBENCH201.is_trivial, NASBENCH201.enumerate())) == 1983


def test_graph_shows_the_cell_as_written():
    cell = NASBENCH201.at(0)
    (graph,) = NASBENCH201.drawings(cell)
    assert [operation.name for _, _, operation in graph.edges] == list(cell.operations)
