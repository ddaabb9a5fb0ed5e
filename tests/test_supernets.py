"""Supernets: their texts, their means of operations, and what pruning leaves of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from anglenas._blocks.layers import compute_together
from anglenas.errors import ArchitectureError, SettingError
from anglenas.probes._initialise import initialise
from anglenas.probes._parameters import count_parameters
from anglenas.spaces import (
    DARTS,
    DARTS_SUPERNET,
    DARTS_SUPERNET_DEEP,
    DARTS_SUPERNET_IMAGENET,
    NASBENCH201,
    NASBENCH201_SUPERNET,
    NetworkConfig,
    Supernet,
    Supernets,
    live_operations,
)
from anglenas.spaces._darts import network as darts_networks
from anglenas.spaces._nasbench201.values import EDGES
from anglenas.testing import SpaceConformance

SPACES = [NASBENCH201_SUPERNET, DARTS_SUPERNET, DARTS_SUPERNET_DEEP]
SMALL = NetworkConfig(num_classes=3, channels=2, cells=1, side=8)


class TestNasBench201Conformance(SpaceConformance):
    space = NASBENCH201_SUPERNET


class TestDartsConformance(SpaceConformance):
    space = DARTS_SUPERNET
    samples = 8


class TestDartsForImageNetConformance(SpaceConformance):
    space = DARTS_SUPERNET_IMAGENET
    samples = 3


class TestDeepConformance(SpaceConformance):
    space = DARTS_SUPERNET_DEEP
    config = SMALL
    samples = 5


def drawn(space: Supernets, seed: int) -> Supernet:
    return space.sample(np.random.default_rng(seed))


def only(space: Supernets, choose) -> Supernet:
    """The supernet that holds what ``choose(edge)`` names."""
    return Supernet(space.topology, tuple(choose(edge) for edge in space.topology.edges))


@given(st.sampled_from(SPACES), st.integers(0, 10**6), st.integers(0, 100))
def test_texts_round_trip_with_edges_that_hold_nothing(space, seed, edge):
    supernet = drawn(space, seed)
    place = edge % len(supernet.operations)
    for operation in supernet.operations[place]:
        supernet = supernet.without(place, operation)
    assert supernet.operations[place] == ()
    assert space.parse(str(supernet)) == supernet


def test_texts_look_like_those_of_cells():
    supernet = only(NASBENCH201_SUPERNET, lambda edge: ("nor_conv_3x3",))
    assert str(supernet) == str(NASBENCH201.at(1462))
    text = "|nor_conv_3x3+skip_connect~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|avg_pool_3x3~2|"
    assert NASBENCH201_SUPERNET.parse(text).operations == (
        ("skip_connect", "nor_conv_3x3"), (), ("nor_conv_1x1",), (), (), ("avg_pool_3x3",)
    )  # fmt: skip
    assert str(DARTS_SUPERNET.full()).startswith("normal=|skip_connect+sep_conv_3x3+")
    assert "max_pool_3x3~4|; reduce=|skip_connect" in str(DARTS_SUPERNET.full())


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("|nor_conv_3x3+none~0|", 14),
        ("|none+nor_conv_3x3~0|", 1),
        ("|nor_conv_3x3+nor_conv_3x3~0|", 14),
        ("|skip_connect+sep_conv_3x3~0|", 14),
        ("|skip_connect+~0|", 14),
        ("|skip_connect~1|", 14),
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|x", 47),
    ],
)
def test_malformed_text_points_at_the_place(text, position):
    with pytest.raises(ArchitectureError) as caught:
        NASBENCH201_SUPERNET.parse(text)
    assert caught.value.position == position


def test_supernets_are_too_many_to_go_through_and_sets_have_to_fit():
    assert NASBENCH201_SUPERNET.enumerate is NASBENCH201_SUPERNET.size is None
    topology = NASBENCH201_SUPERNET.topology
    with pytest.raises(SettingError, match="There are 6 edges"):
        Supernet(topology, ())
    with pytest.raises(SettingError, match="in this order and each once"):
        Supernet(topology, (("nor_conv_3x3", "skip_connect"),) * 6)


def masked_forward(cell, x, supernet):
    """TE-NAS's way: all operations, weighted by a softmax over numbers of which some are -1000."""
    names = supernet.topology.names
    nodes = [x]
    for target in (1, 2, 3):
        total = 0
        for place, (source, other) in enumerate(EDGES):
            if other != target:
                continue
            held = supernet.operations[place]
            alpha = torch.tensor([0.0 if name in held else -1000.0 for name in names])
            weights = alpha.softmax(0)
            operations = cell.nodes.edges[place].operations
            total = total + sum(
                weight * operations[name](nodes[source])
                for name, weight in zip(names, weights, strict=True)
                if weight > 0.01
            )
        nodes.append(total)
    return nodes[3]


@pytest.mark.parametrize("seed", range(5))
def test_edges_are_softmax_weighted_sums_of_what_is_left(seed):
    """Pruned for good, or merely masked in the full supernet: the same weights and values."""
    supernet = drawn(NASBENCH201_SUPERNET, seed)
    pruned, full = (
        NASBENCH201_SUPERNET.build(str(one), SMALL).stages[0][0]
        for one in (supernet, NASBENCH201_SUPERNET.full())
    )
    for network in (pruned, full):
        initialise(network, seed=seed)
    x = torch.randn(4, 2, 8, 8)
    torch.testing.assert_close(pruned(x), masked_forward(full, x, supernet))


@pytest.mark.parametrize("space", SPACES)
def test_weights_do_not_depend_on_what_else_is_left(space):
    full = space.build(str(space.full()), SMALL)
    pruned = space.build(str(drawn(space, 1)), SMALL)
    for network in (pruned, full):
        initialise(network, seed=5)
    weights, others = full.state_dict(), pruned.state_dict()
    assert others.keys() < weights.keys()
    assert all(torch.equal(value, weights[name]) for name, value in others.items())


class Kernels(TorchDispatchMode):
    """Notes the shapes of the weights of all convolutions that run."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten.convolution.default:
            self.shapes.append(tuple(args[1].shape))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(
    ("space", "side", "pruned"),
    [(NASBENCH201_SUPERNET, 3, "nor_conv_3x3"), (DARTS_SUPERNET, 5, "5x5")],
)
def test_what_is_pruned_is_neither_held_nor_computed(space, side, pruned, together):
    """Without an operation on all edges, none of its kernels is convolved with; nor on one edge."""
    full = space.full()
    supernets = {
        "full": full,
        "without": only(
            space, lambda edge: tuple(n for n in space.topology.names if pruned not in n)
        ),
    }
    counts = {}
    for name, supernet in supernets.items():
        network = space.build(str(supernet), SMALL)
        if together:
            compute_together(network)
        with Kernels() as kernels:
            network(torch.randn(4, 3, 8, 8))
        counts[name] = sum(shape[-1] == side for shape in kernels.shapes)
    others = 5 if space is NASBENCH201_SUPERNET else 0  # stem and reductions
    assert counts["without"] == others < counts["full"]
    less = space.build(str(supernets["without"]), SMALL)
    assert count_parameters(less) < count_parameters(space.build(str(full), SMALL))


@pytest.mark.parametrize("edge", range(6))
def test_an_operation_less_is_so_many_multiplications_less(edge):
    def flops(supernet):
        network = NASBENCH201_SUPERNET.build(str(supernet), SMALL)
        with FlopCounterMode(display=False) as counter:
            network(torch.randn(4, 3, 8, 8))
        return counter.get_total_flops()

    full = NASBENCH201_SUPERNET.full()
    saved = flops(full) - flops(full.without(edge, "nor_conv_3x3"))
    assert saved == sum(2 * 9 * (2 * k) ** 2 * (8 // k) ** 2 * 4 for k in (1, 2, 4))


@pytest.mark.parametrize("index", [0, 1462, 9930])
def test_with_one_operation_an_edge_it_is_the_cell_as_written(index):
    cell = NASBENCH201.at(index)
    supernet = NASBENCH201_SUPERNET.parse(str(cell))
    assert NASBENCH201_SUPERNET.read(supernet) == cell
    ours, plain = (
        NASBENCH201_SUPERNET.build(str(supernet), SMALL),
        NASBENCH201.build(str(cell), SMALL),
    )
    pairs = zip(ours.parameters(), plain.parameters(), strict=True)
    assert [p.shape for p, _ in pairs] == [p.shape for p in plain.parameters()]
    plain.load_state_dict(dict(zip(plain.state_dict(), ours.state_dict().values(), strict=True)))
    images = torch.randn(3, 3, 8, 8)
    torch.testing.assert_close(ours(images), plain(images))


def single_path(genotype) -> Supernet:
    wanted = {
        (name, source, place // 2 + 2): operation
        for name in ("normal", "reduce")
        for place, (operation, source) in enumerate(getattr(genotype, name))
    }
    return only(DARTS_SUPERNET, lambda edge: tuple(filter(None, [wanted.get(tuple(edge))])))


@pytest.mark.parametrize("seed", range(4))
def test_a_genotype_is_read_off_and_its_cells_compute_what_is_left(seed):
    genotype = DARTS.sample(np.random.default_rng(seed))
    supernet = single_path(genotype)
    assert DARTS_SUPERNET.read(supernet) == genotype
    ours = DARTS_SUPERNET.build(str(supernet), SMALL)
    for place, halves in enumerate((False, True)):
        cell = ours.cells[place]
        before = (2, 2) if place == 0 else (2, 8)
        plain = darts_networks.Cell(
            genotype.reduce if halves else genotype.normal, before, 4 if halves else 2,
            halves=halves, halved=False, operations=darts_networks.OPERATIONS,
        )  # fmt: skip
        plain.load_state_dict(
            dict(zip(plain.state_dict(), cell.state_dict().values(), strict=True))
        )
        inputs = [torch.randn(3, channels, 8, 8) for channels in before]
        torch.testing.assert_close(cell(*inputs), plain(*inputs))


@pytest.mark.parametrize(
    ("space", "supernet"),
    [
        (NASBENCH201_SUPERNET, NASBENCH201_SUPERNET.full()),
        (DARTS_SUPERNET, DARTS_SUPERNET.full()),
        (DARTS_SUPERNET, only(DARTS_SUPERNET, lambda edge: ("skip_connect",))),
        (
            DARTS_SUPERNET,
            only(
                DARTS_SUPERNET, lambda e: DARTS_SUPERNET.topology.names[:2] if e.source == 0 else ()
            ),
        ),
    ],
)
def test_unfinished_supernets_are_no_architectures(space, supernet):
    with pytest.raises(SettingError, match="can be read off when"):
        space.read(supernet)


def test_shapes_of_the_darts_supernets():
    """TE-NAS: stem as wide as a cell, one normal and one reduction cell, head of 8 inputs."""
    tenas = DARTS_SUPERNET.build(str(DARTS_SUPERNET.full()), NetworkConfig(10, 1, 1))
    assert tenas.stem[0].out_channels == 1
    assert tenas.halves == (False, True)
    assert tenas.classifier.in_features == 8
    deep = DARTS_SUPERNET_DEEP.build(str(DARTS_SUPERNET.full()), NetworkConfig(10, 2, 2))
    assert deep.stem[0].out_channels == 6
    assert [k for k, halves in enumerate(deep.halves) if halves] == [2, 5]  # 8 cells, as in DARTS
    assert deep.classifier.in_features == 2 * 4 * 4


@pytest.mark.parametrize("space", SPACES)
def test_thin_supernets_have_width_one_and_no_stem(space):
    network = space.build(str(space.full()), NetworkConfig(10, 3, 1)).thin()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert convolutions[0].in_channels == convolutions[0].out_channels == 1
    assert network(torch.randn(6, 1, 3, 3)).shape == (6, 10)


@pytest.mark.slow
def test_parameters_of_the_supernets_follow_from_those_of_the_operations():
    edge = {"sep_conv_3x3": lambda c: 2 * (9 * c + c * c + 2 * c),
            "sep_conv_5x5": lambda c: 2 * (25 * c + c * c + 2 * c),
            "dil_conv_3x3": lambda c: 9 * c + c * c + 2 * c,
            "dil_conv_5x5": lambda c: 25 * c + c * c + 2 * c}  # fmt: skip

    def count(supernet):
        with torch.device("meta"):
            return count_parameters(DARTS_SUPERNET.build(str(supernet), NetworkConfig(10, 4, 1)))

    full = DARTS_SUPERNET.full()
    for place, of in list(enumerate(DARTS_SUPERNET.topology.edges))[::9]:
        for name, parameters in edge.items():
            left = count(full.without(place, name))
            assert count(full) - left == parameters(4 if of.cell == "normal" else 8)


def test_training_reaches_every_weight():
    network = DARTS_SUPERNET.build(str(DARTS_SUPERNET.full()), replace(SMALL, channels=4))
    images, labels = torch.randn(6, 3, 8, 8), torch.arange(6) % 3
    F.cross_entropy(network(images), labels).backward()
    still = {name for name, p in network.named_parameters() if p.grad is None}
    assert still == set()


def test_drawings_show_every_operation_that_is_left():
    supernet = drawn(DARTS_SUPERNET, 3)
    normal, reduction = DARTS_SUPERNET.drawings(supernet)
    shown = sorted((a, b, one.name) for a, b, one in normal.edges + reduction.edges if one)
    held = zip(supernet.topology.edges, supernet.operations, strict=True)
    assert shown == sorted((e.source, e.target, name) for e, names in held for name in names)
    assert (normal.title, reduction.title) == ("normal cell", "reduction cell")


def test_every_node_of_a_drawn_darts_cell_leads_to_its_output():
    """A node that no other one takes is live all the same, unlike in NAS-Bench-201."""
    genotype = DARTS.sample(np.random.default_rng(0))
    held = {
        (cell, place // 2 + 2, source): (name,)
        for cell in ("normal", "reduce")
        for place, (name, source) in enumerate(getattr(genotype, cell))
    }
    layout = DARTS_SUPERNET.topology
    last = Supernet(layout, tuple(held.get((e.cell, e.target, e.source), ()) for e in layout.edges))
    assert DARTS_SUPERNET.read(last) == genotype
    for graph, same in zip(DARTS_SUPERNET.drawings(last), DARTS.drawings(genotype), strict=True):
        assert live_operations(graph) == live_operations(same)
        passing = [edge for edge in graph.edges if edge[2] is None or edge[2].kind != "none"]
        assert sorted(passing, key=str) == sorted(same.edges, key=str)
        assert (graph.inputs, graph.output) == (same.inputs, same.output)
