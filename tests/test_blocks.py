"""Parts of networks that are computed another way than torch computes them, beside torch's."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from anglenas.networks._blocks import BatchNorm, DilatedDepthwise

LAYOUTS = (torch.contiguous_format, torch.channels_last)
layouts = st.sampled_from(LAYOUTS)


def passed(module, images):
    """The output, and the gradients of the weights and of the input."""
    images = images.detach().requires_grad_()
    output = module(images)
    upstream = torch.randn(output.shape, generator=torch.Generator().manual_seed(1)).to(output)
    return output, *torch.autograd.grad(output, [images, *module.parameters()], upstream)


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
