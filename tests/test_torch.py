"""What is expected of torch beyond its promises; a release that changes it fails here first.

Each test tells where the expectation is used, and with that what has to be mended.
"""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import flop_registry

from anglenas import _torch
from anglenas._blocks import memory_format_of

CONVOLUTIONS = [nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d]
BATCH_NORMS = [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm]
INSTANCE_NORMS = [nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d]


def test_layers_have_a_class_in_common() -> None:
    """Weights are drawn, counted and watched by these classes."""
    assert all(issubclass(layer, _torch.CONVOLUTIONS) for layer in CONVOLUTIONS)
    assert not issubclass(nn.Linear, _torch.CONVOLUTIONS)
    assert all(issubclass(layer, _torch.BATCH_NORMS) for layer in BATCH_NORMS)
    assert not any(issubclass(layer, _torch.BATCH_NORMS) for layer in INSTANCE_NORMS)
    norms = BATCH_NORMS + INSTANCE_NORMS
    assert all(issubclass(layer, _torch.STATISTICAL_NORMS) for layer in norms)
    assert not issubclass(nn.GroupNorm, _torch.STATISTICAL_NORMS)


def test_batchnorm_says_that_a_channel_has_a_single_value() -> None:
    """By these words a network that needs more images is told from one that fails."""
    with pytest.raises(ValueError, match="per channel") as caught:
        nn.BatchNorm2d(2)(torch.zeros(1, 2, 1, 1))
    assert _torch.lacks_variance(caught.value)
    assert not _torch.lacks_variance(ValueError("of something else"))


def test_a_view_knows_what_it_looks_at() -> None:
    """Rectifiers that work in place on a view are found in the autograd graph by it."""
    tensor = torch.zeros(4, requires_grad=True).clone()
    view = tensor[1:]
    assert _torch.owner_of(view) is tensor
    assert _torch.owner_of(view[1:]) is tensor
    assert _torch.owner_of(tensor) is tensor
    view.relu_()
    assert "CopySlices" in str(tensor.grad_fn)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_tensors_that_share_memory_have_one_number(device: str) -> None:
    """Memory that trainings need is forecast by counting each storage once."""
    tensor, other = torch.zeros(4, device=device), torch.zeros(4, device=device)
    assert _torch.storage_id(tensor) == _torch.storage_id(tensor[1:].view(3, 1))
    assert _torch.storage_id(tensor) != _torch.storage_id(other)


def test_what_changes_a_network_is_seen() -> None:
    """The conformance suite of probes watches for writing in place, and for hooks left behind."""
    layer = nn.Linear(2, 2)
    before = _torch.version_of(layer.weight)
    with torch.no_grad():
        layer.weight.add_(1)
    assert _torch.version_of(layer.weight) == before + 1
    assert _torch.hooks_of(layer) == (0, 0, 0)
    layer.register_forward_pre_hook(lambda *_: None)
    layer.register_forward_hook(lambda *_: None)
    layer.register_forward_hook(lambda *_: None)
    layer.register_full_backward_hook(lambda *_: None)
    assert _torch.hooks_of(layer) == (1, 2, 1)


def test_many_small_tensors_change_at_once() -> None:
    """Running statistics of a supernet's BatchNorms move together."""
    tensors = [torch.tensor([1.0, 2.0]), torch.tensor([[4.0]])]
    _torch.lerp_each(tensors, [torch.tensor([3.0, 2.0]), torch.tensor([[0.0]])], 0.25)
    assert [tensor.tolist() for tensor in tensors] == [[1.5, 2.0], [[3.0]]]
    counts = [torch.tensor(1), torch.tensor(5)]
    _torch.add_to_each(counts, 2)
    assert [int(count) for count in counts] == [3, 7]


def test_a_mode_sees_every_operator_and_formulas_are_by_operator() -> None:
    """Operations are counted so."""
    seen = []

    class Watch(_torch.DispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            seen.append(func.overloadpacket)
            return func(*args, **(kwargs or {}))

    with torch.no_grad(), Watch():
        nn.Conv2d(1, 1, 1)(torch.zeros(1, 1, 2, 2))
        torch.einsum("ij,jk->ik", torch.ones(2, 3), torch.ones(3, 4))
    assert torch.ops.aten.convolution in seen
    assert torch.ops.aten.bmm in seen
    assert flop_registry[torch.ops.aten.mm](torch.ones(2, 3), torch.ones(3, 4)) == 2 * 2 * 3 * 4


def test_fused_sgd_is_sgd() -> None:
    """Short trainings take the fused step: a release in which it differs changes all scores."""
    start = torch.randn(5, generator=torch.Generator().manual_seed(1))
    ends = []
    for fused in (True, False):
        weight = nn.Parameter(start.clone())
        optimiser = torch.optim.SGD(
            [weight], lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01, fused=fused
        )
        for _ in range(3):
            optimiser.zero_grad()
            (weight**3).sum().backward()
            optimiser.step()
        ends.append(weight.detach())
    torch.testing.assert_close(*ends)


def test_networks_that_onednn_would_harm_are_known() -> None:
    """Were this mended in torch, all networks could compute in ``channels_last``."""
    harmed = [nn.Conv2d(8, 8, 1, stride=2), nn.Conv2d(64, 64, 1, stride=(1, 2), groups=8)]
    safe = [nn.Conv2d(16, 8, 1, stride=2), nn.Conv2d(8, 8, 3, stride=2), nn.Conv2d(8, 8, 1)]
    assert {memory_format_of(nn.Sequential(layer)) for layer in harmed} == {torch.contiguous_format}
    assert {memory_format_of(nn.Sequential(layer)) for layer in safe} == {torch.channels_last}
