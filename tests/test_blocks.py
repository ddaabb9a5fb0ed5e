"""Parts of networks that are computed another way than torch computes them, beside torch's."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from anglenas._blocks.layers import (
    Average,
    BatchNorm,
    DilatedDepthwise,
    MixtureCell,
    ReluConvBn,
    compute_together,
)
from anglenas.spaces import DARTS_SUPERNET, NASBENCH201_SUPERNET, NetworkConfig

LAYOUTS = (torch.contiguous_format, torch.channels_last)
layouts = st.sampled_from(LAYOUTS)


def passed(module, images):
    """The output, and the gradients of the weights and of the input."""
    images = images.detach().requires_grad_()
    output = module(images)
    upstream = torch.randn(output.shape, generator=torch.Generator().manual_seed(1)).to(output)
    leaves = [images, *module.parameters()]  # of which some may lead nowhere
    return output, *torch.autograd.grad(output, leaves, upstream, materialize_grads=True)


@given(
    kernel=st.sampled_from([3, 5, 7]),
    stride=st.sampled_from([1, 2]),
    channels=st.integers(1, 5),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    layout=layouts,
)
@settings(deadline=None)
def test_a_dilated_depthwise_convolution_is_torchs(kernel, stride, channels, height, width, layout):
    ours = DilatedDepthwise(channels, kernel, stride).double()
    torchs = nn.Conv2d(
        channels, channels, kernel, stride, kernel - 1, dilation=2, groups=channels, bias=False
    ).double()
    torchs.load_state_dict(ours.state_dict())
    images = torch.randn(2, channels, height, width).double().contiguous(memory_format=layout)
    for one, other in zip(passed(ours, images), passed(torchs, images), strict=True):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        assert torch.equal(ours(images), torchs(images))


@given(channels=st.integers(1, 10), side=st.integers(1, 6), layout=layouts, training=st.booleans())
@settings(deadline=None)
def test_batch_norm_is_torchs(channels, side, layout, training):
    ours = BatchNorm(channels).double().train(training)
    torchs = nn.BatchNorm2d(channels).double().train(training)
    images = 3 + torch.randn(4, channels, side, side).double().contiguous(memory_format=layout)
    for one, other in zip(passed(ours, images), passed(torchs, images), strict=True):
        torch.testing.assert_close(one, other)
    assert ours.eval()(images).stride() == images.stride()
    for name, value in torchs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)


@pytest.mark.parametrize("part", [DilatedDepthwise(3, 3), BatchNorm(3)])
def test_gradients_can_be_differentiated_again(part):
    images = torch.randn(2, 3, 4, 4).double().contiguous(memory_format=torch.channels_last)
    assert torch.autograd.gradgradcheck(part.double(), images.requires_grad_())


@pytest.mark.parametrize("channels", [1, 2, 3, 8])  # 8: 1x1 convolutions by groups
@pytest.mark.parametrize(
    "place", [NASBENCH201_SUPERNET, DARTS_SUPERNET], ids=["nasbench201", "darts"]
)
@given(seed=st.integers(0, 10**6), side=st.integers(5, 6), layout=layouts, empty=st.integers(0, 99))
@settings(deadline=None, max_examples=2)
def test_operations_computed_together_are_those_computed_one_by_one(
    place, channels, seed, side, layout, empty
):
    """Values, gradients and running statistics, also where an edge holds nothing."""
    supernet, edge = place.sample(np.random.default_rng(seed)), empty % len(place.topology.edges)
    for name in supernet.operations[edge]:
        supernet = supernet.without(edge, name)
    config = NetworkConfig(3, channels, 1, side=side)
    apart = place.build(str(supernet), config).double().to(memory_format=layout)
    with torch.no_grad():
        for parameter in apart.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # scales and biases that tell apart
    together = compute_together(copy.deepcopy(apart))
    images = torch.randn(4, 3, side, side).double().contiguous(memory_format=layout)
    for one, other in zip(passed(apart, images), passed(together, images), strict=True):
        torch.testing.assert_close(one, other)
    for name, value in apart.state_dict().items():
        torch.testing.assert_close(together.state_dict()[name], value)
    torch.testing.assert_close(apart.eval()(images), together.eval()(images))


def test_hooks_of_single_operations_do_not_run_while_they_are_computed_together():
    network = NASBENCH201_SUPERNET.build(
        str(NASBENCH201_SUPERNET.full()), NetworkConfig(3, 2, 1, side=8)
    )
    ran = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and "operations" in name:
            module.register_forward_hook(lambda *_, name=name: ran.append(name))
    network(torch.randn(4, 3, 8, 8))
    assert len(ran) == len(set(ran)) == 3 * 6 * 2  # stages, edges, convolutions
    # Alone on its kind are the two that leave the last node before the output.
    compute_together(network)(torch.randn(4, 3, 8, 8))
    assert len(ran) == 3 * 6 * 2 + 3 * 2


def passed_through(function, images):
    """The output, and the gradient of the input."""
    images = images.detach().requires_grad_()
    output = function(images)
    return output, *torch.autograd.grad(output.square().sum(), [images])


def test_poolings_with_weights_of_their_own_are_computed_for_each_edge():
    """One edge's BatchNorm must not serve another edge."""
    edges = [((0, 1), {"pool": pooling()}), ((0, 2), {"pool": pooling()}), ((1, 2), {})]
    cell = MixtureCell(edges)
    x = torch.randn(3, 2, 4, 4)
    expected = [cell.edges[place].operations["pool"](x) for place in (0, 1)]
    for together in (False, True):
        cell.together = together
        for value, wanted in zip(cell(x)[1:], expected, strict=True):
            torch.testing.assert_close(value, wanted)


def pooling():
    """Pooling and BatchNorm of random scales."""
    norm = nn.BatchNorm2d(2)
    nn.init.normal_(norm.weight)
    return nn.Sequential(Average(), norm)


@given(channels=st.integers(1, 5), height=st.integers(1, 6), width=st.integers(1, 6),
       stride=st.sampled_from([1, 2]), layout=layouts)  # fmt: skip
@settings(deadline=None)
def test_average_pooling_by_sums_of_rows_is_torchs(channels, height, width, stride, layout):
    images = torch.randn(2, channels, height, width).double().contiguous(memory_format=layout)
    module = Average(stride)
    ours, torchs = (passed_through(way, images) for way in (module.summed, module))
    for one, other in zip(ours, torchs, strict=True):
        torch.testing.assert_close(one, other)


def test_gradients_of_what_is_computed_together_can_be_differentiated_again():
    cell = MixtureCell([
        ((0, 1), {"pool": Average(), "conv": ReluConvBn(2, 2, 3)}),
        ((0, 2), {"pool": Average(), "conv": ReluConvBn(2, 2, 3)}),
        ((1, 2), {"conv": ReluConvBn(2, 2, 1)}),
    ]).double()  # fmt: skip
    cell.together = True
    x = torch.randn(3, 2, 4, 4).double().contiguous(memory_format=torch.channels_last)
    assert torch.autograd.gradgradcheck(lambda x: cell(x)[-1], x.requires_grad_())
