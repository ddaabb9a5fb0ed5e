"""Canonical forms: equal exactly for cells that compute the same function, also while trained.

The judge knows nothing of forms. It computes cells as written in float64 and looks for a matching
of their convolutions under which both give the same output, by trying all of them.
"""

from collections import defaultdict
from functools import cache
from itertools import permutations, product

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from anglenas.errors import ArchitectureError
from anglenas.spaces import NASBENCH201, NasBench201Architecture, NetworkConfig, form_of
from anglenas.spaces._nasbench201.forms import parse_form
from anglenas.spaces._nasbench201.network import Cell, FormCell
from anglenas.spaces._nasbench201.values import EDGES, OPERATIONS

WIDTH, STEPS = 4, 3
CONVOLUTIONS = ("nor_conv_1x1", "nor_conv_3x3")
cells = st.tuples(*[st.sampled_from(list(OPERATIONS))] * len(EDGES)).map(NasBench201Architecture)


@cache
def members():
    groups = defaultdict(list)
    for cell in NASBENCH201.enumerate():
        groups[form_of(cell)].append(cell)
    return groups


@st.composite
def equal_pairs(draw):
    first = draw(cells)
    return first, draw(st.sampled_from(members()[form_of(first)]))


@st.composite
def near_pairs(draw):
    """Two cells that differ by one operation, or by the order of the operations."""
    first = draw(cells)
    if draw(st.booleans()):
        second = NasBench201Architecture(tuple(draw(st.permutations(first.operations))))
    else:
        second = NASBENCH201.mutate(first, np.random.default_rng(draw(st.integers(0, 2**20))))
    return first, second


def data():
    generator = torch.Generator().manual_seed(3)
    shape = (4, WIDTH, 5, 5)
    return (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))


def cell_with_random_weights(cell, seed):
    generator = torch.Generator().manual_seed(seed)
    module = Cell(cell, WIDTH).double()
    for name, parameter in module.named_parameters():
        drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        if name.endswith("norm.weight"):  # positive, so that ReLU never silences a whole map
            drawn = 0.5 + drawn.abs()
        elif name.endswith("norm.bias"):
            drawn = 0.3 * drawn
        parameter.data.copy_(drawn)
    return module


def after(module, steps):
    """The output of a cell after some steps of SGD towards a random target."""
    x, target = data()
    output = module(x)
    for _ in range(steps if output.requires_grad else 0):
        ((module(x) - target) ** 2).sum().backward()
        with torch.no_grad():
            for parameter in module.parameters():
                if parameter.grad is not None:
                    parameter -= 0.01 * parameter.grad
                    parameter.grad = None
    with torch.no_grad():
        return module(x)


def live_edges(cell, module):
    """Edges with a convolution whose BatchNorm bias moves the cell's output."""
    start, live = after(module, 0), []
    for number, (operation, edge) in enumerate(zip(cell.operations, module.edges, strict=True)):
        if operation in CONVOLUTIONS:
            edge.norm.bias.data += 1.0
            if (after(module, 0) - start).abs().max() > 1e-6:
                live.append(number)
            edge.norm.bias.data -= 1.0
    return live


def sorts(cell, module):
    """Live edges by what their output shows: a constant map, or the kind of convolution."""
    x, _ = data()
    outputs = {}
    hooks = [
        edge.register_forward_hook(lambda _m, _i, out, number=number: outputs.update({number: out}))
        for number, edge in enumerate(module.edges)
    ]
    with torch.no_grad():
        module(x)
    for hook in hooks:
        hook.remove()
    groups = defaultdict(list)
    for number in live_edges(cell, module):
        flat = outputs[number].transpose(0, 1).flatten(1)
        constant = bool((flat - flat[:, :1]).abs().max() < 1e-9)
        groups["constant" if constant else cell.operations[number]].append(number)
    return groups


def matchings(first, second):
    """All ways to give the second cell's live convolutions the weights of the first one's."""
    if {k: len(v) for k, v in first.items()} != {k: len(v) for k, v in second.items()}:
        return
    for orders in product(*(permutations(second[sort]) for sort in first)):
        yield [
            pair
            for sort, order in zip(first, orders, strict=True)
            for pair in zip(first[sort], order, strict=True)
        ]


def matched(first_module, second, matching):
    module = cell_with_random_weights(second, seed=99)
    for mine, theirs in matching:
        source, target = first_module.edges[mine], module.edges[theirs]
        target.norm.load_state_dict(source.norm.state_dict())
        if source.conv.weight.shape == target.conv.weight.shape:
            target.conv.load_state_dict(source.conv.state_dict())
    return module


def equal_under_some_matching(first, second, steps, tolerance=1e-8):
    module = cell_with_random_weights(first, seed=1)
    groups = sorts(first, module), sorts(second, cell_with_random_weights(second, seed=2))
    start = after(module, 0)
    for matching in matchings(*groups):
        if torch.allclose(after(matched(module, second, matching), 0), start, atol=tolerance):
            end = after(matched(module, second, matching), steps)
            return bool(torch.allclose(after(module, steps), end, atol=tolerance))
    return False


@settings(max_examples=150)
@given(equal_pairs())
def test_equal_forms_compute_the_same_also_while_trained(pair):
    assert equal_under_some_matching(*pair, steps=STEPS)


@settings(max_examples=150)
@given(near_pairs())
def test_different_forms_compute_different_functions(pair):
    first, second = map(form_of, pair)
    assume(first != second)
    assume(first.unscaled() != second.unscaled())
    assert not equal_under_some_matching(*pair, steps=STEPS)


@pytest.mark.slow
@settings(max_examples=3000)
@given(st.one_of(equal_pairs(), near_pairs()))
def test_forms_are_equal_exactly_for_equal_functions(pair):
    first, second = map(form_of, pair)
    assume(first == second or first.unscaled() != second.unscaled())
    assert equal_under_some_matching(*pair, steps=STEPS) == (first == second)


def test_a_constant_that_a_pointwise_convolution_hides_is_not_part_of_the_form():
    hidden = "|none~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|nor_conv_1x1~2|"
    alone = "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|"
    pair = NASBENCH201.parse(hidden), NASBENCH201.parse(alone)
    assert NASBENCH201.canonical(pair[0]) == NASBENCH201.canonical(pair[1])
    assert equal_under_some_matching(*pair, steps=STEPS)


def test_scale_pairs_differ_by_the_epsilon_of_batchnorm_alone():
    doubled = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|none~0|none~1|nor_conv_3x3~2|"
    plain = "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"
    pair = NASBENCH201.parse(doubled), NASBENCH201.parse(plain)
    first, second = map(form_of, pair)
    assert first != second
    assert first.unscaled() == second.unscaled()
    assert not equal_under_some_matching(*pair, steps=0)
    assert equal_under_some_matching(*pair, steps=0, tolerance=1e-3)


def test_number_of_forms():
    forms = members()
    assert len(forms) == 5224
    assert len({form.unscaled() for form in forms}) == 5134


def test_texts_of_all_forms_are_read_back():
    assert all(parse_form(str(form)) == form for form in members())


@pytest.mark.parametrize("text", ["", "out=", "a=conv5x5(x); out=a", "out=x + x; ", "out=a + x"])
def test_text_that_is_no_form_is_refused(text):
    with pytest.raises(ArchitectureError, match="canonical"):
        parse_form(text)


@settings(max_examples=60)
@given(cells)
def test_network_of_a_form_computes_what_the_cell_as_written_computes(cell):
    torch.manual_seed(0)
    written, formed = (
        cell_with_random_weights(cell, seed=5),
        FormCell(form_of(cell), WIDTH),
    )
    formed.double()
    assert any(
        torch.allclose(after(with_weights(formed, written, order), 0), after(written, 0), atol=1e-8)
        for order in permutations(live_edges(cell, written), len(formed.atoms))
    )


def with_weights(formed, written, edges):
    for atom, edge in zip(formed.atoms, edges, strict=True):
        source = written.edges[edge]
        with torch.no_grad():
            if not hasattr(atom, "conv"):
                atom.bias.copy_(source.norm.bias)
            elif atom.conv.weight.shape == source.conv.weight.shape:
                atom.conv.weight.copy_(source.conv.weight)
                atom.norm.load_state_dict(source.norm.state_dict())
    return formed


def test_disconnected_cells_leave_logits_that_ignore_the_images():
    dead = NASBENCH201.parse("|none~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|skip_connect~2|")
    network = NASBENCH201.build(str(dead), NetworkConfig(channels=4, cells=1))
    logits = network(torch.randn(5, 3, 8, 8))
    torch.testing.assert_close(logits, logits[:1].expand_as(logits))
