"""Gradient probes leave no trace, are reproducible, and say why a metric has no value."""

import json
import math
import random
from contextlib import nullcontext

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from anglenas import Recipe
from anglenas._numerics import single_thread
from anglenas.data import FewShot
from anglenas.errors import NetworkError
from anglenas.probes import Probe, Undefined, find_metric, isolated
from anglenas.probes._backward import BACKWARD
from anglenas.probes._gradsign import GRADSIGN
from anglenas.probes._grasp import GRASP
from anglenas.probes._jacob_cov import JACOB_COV
from anglenas.probes._jacobian import finite
from anglenas.probes._meco import MECO
from anglenas.probes._norms import NORMS
from anglenas.probes._ntk import NTK, NTK_FROZEN_BN
from anglenas.probes._synflow import SYNFLOW
from anglenas.probes._zico import ZICO
from anglenas.spaces import NASBENCH201, NetworkConfig

RECIPE = Recipe()
ALL: tuple[Probe, ...] = (
    NTK, NTK_FROZEN_BN, BACKWARD, GRASP, SYNFLOW, JACOB_COV, ZICO, GRADSIGN, NORMS, MECO,
)  # fmt: skip
EVERY = pytest.mark.parametrize("probe", ALL, ids=lambda probe: probe.name)
CELL = "|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|none~0|nor_conv_1x1~1|skip_connect~2|"


@pytest.fixture(autouse=True)
def _as_in_a_worker():
    with single_thread():
        yield


def few_shot(count: int = 6, side: int = 8, classes: int = 3, channels: int = 3) -> FewShot:
    generator = torch.Generator().manual_seed(3)
    shape = (count, channels, side, side)
    return FewShot(
        images=torch.randint(0, 256, shape, generator=generator).to(torch.uint8),
        labels=torch.arange(count) % classes,
        class_names=tuple("abcdefghij"[:classes]),
        mean=(0.5,) * channels,
        std=(0.25,) * channels,
        flip=True,
    )


class Dropping(nn.Module):
    """BatchNorm, Dropout, in-place ReLU after a convolution, and features beside the logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 1)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = F.relu(self.second(self.norm(self.conv(x))), inplace=True)
        features = self.drop(x.mean((2, 3)))
        return features, self.head(features)


class Flattening(nn.Module):
    """Works in the plain memory layout alone."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4 * 36, 3)

    def forward(self, x):
        return self.head(self.conv(x).view(len(x), -1))


def nasbench201() -> nn.Module:
    return NASBENCH201.build(CELL, NetworkConfig(num_classes=3, channels=4, cells=1))


MADE = pytest.mark.parametrize("make", [Dropping, Flattening, nasbench201])


def traces(network: nn.Module) -> list[object]:
    """Everything that a probe could leave behind, in values that compare."""
    return [
        {name: value.clone().numpy().tobytes() for name, value in network.state_dict().items()},
        [None if p.grad is None else p.grad.numpy().tobytes() for p in network.parameters()],
        [(id(p), p.requires_grad, p._version, p.stride()) for p in network.parameters()],
        [(m.training, sorted(vars(m))) for m in network.modules()],
        [
            (list(m._forward_hooks), list(m._forward_pre_hooks), list(m._backward_hooks))
            for m in network.modules()
        ],
        torch.get_rng_state().numpy().tobytes(),
        random.getstate(),
        repr(np.random.get_state()),  # noqa: NPY002 - the global state is what is watched
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
    ]


@MADE
@EVERY
def test_nothing_is_left_behind(probe, make):
    network = make()
    network.requires_grad_(False)
    next(network.children()).eval()
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, 0.25)
    next(network.modules()).register_forward_hook(lambda *_: None)
    batch = few_shot()
    before, images = traces(network), batch.images.clone()
    probe.measure(network, batch, RECIPE, seed=1)
    assert traces(network) == before
    assert torch.equal(batch.images, images)


@MADE
@EVERY
def test_records_are_json_and_depend_on_the_seed_alone(probe, make):
    network = make()
    first = probe.measure(network, few_shot(), RECIPE, seed=1)
    torch.manual_seed(99)
    with torch.no_grad():
        next(network.parameters()).add_(1.0)
    again = probe.measure(network.eval(), few_shot(), RECIPE, seed=1)
    other = probe.measure(network, few_shot(), RECIPE, seed=2)
    assert json.loads(json.dumps(first)) == first == again
    assert other != first


@EVERY
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, nullcontext])
def test_the_callers_gradient_mode_does_not_matter(probe, mode):
    expected = probe.measure(nasbench201(), few_shot(), RECIPE, seed=1)
    with mode():
        assert probe.measure(nasbench201(), few_shot(), RECIPE, seed=1) == expected


def test_traces_are_removed_after_a_failure():
    network = Dropping()
    before = traces(network)
    with pytest.raises(Undefined, match="not finite"):
        _fail_inside(network)
    assert traces(network) == before


def _fail_inside(network: nn.Module) -> None:
    with isolated(network, few_shot(), 1, "mine") as specimen:
        specimen.network(specimen.images).sum().backward()
        finite(math.inf, "it")


def test_logits_are_told_from_features():
    with isolated(Dropping(), few_shot(), 1, "mine") as specimen:
        assert specimen.network(specimen.images).shape == (6, 3)


def strided(channels: int) -> nn.Module:
    """A shortcut that halves the side; oneDNN corrupts memory where it has few channels."""
    return nn.Sequential(
        nn.Conv2d(3, channels, 3, padding=1), nn.Conv2d(channels, 4, 1, 2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("make", "fast"),
    [
        (Flattening, False), (lambda: strided(4), False), (lambda: strided(16), True),
        (nasbench201, True),
    ],
)  # fmt: skip
def test_the_fast_memory_layout_is_used_where_it_can_be(make, fast):
    with isolated(make(), few_shot(), 1, "mine") as specimen:
        assert specimen.images.is_contiguous(memory_format=torch.channels_last) is fast


def test_metrics_are_of_their_probe():
    names = [metric.name for probe in ALL for metric in probe.metrics]
    assert len(set(names)) == len(names)
    for probe in ALL:
        assert {find_metric(metric.name).probe for metric in probe.metrics} == {probe.name}
    assert [m.name for p in ALL for m in p.metrics if not m.higher_is_better] == [
        "ntk",
        "ntk_frozen_bn",
    ]


# What has no value, and why


class Constant(nn.Module):
    def __init__(self, value: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((3, 3), value))

    def forward(self, x):
        return self.weight[0].expand(len(x), 3)


class Infinite(Constant):
    def forward(self, x):
        return super().forward(x) * torch.inf


class Bare(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


@pytest.mark.parametrize("probe", [BACKWARD, GRASP, SYNFLOW, ZICO, GRADSIGN, NORMS])
def test_a_network_without_weights_is_undefined(probe):
    with pytest.raises(Undefined, match="no weights"):
        probe.measure(Bare(), few_shot(), RECIPE, 1)


@pytest.mark.parametrize("probe", [NTK, NTK_FROZEN_BN])
def test_no_kernel_without_parameters(probe):
    with pytest.raises(Undefined, match="no parameter"):
        probe.measure(Bare(), few_shot(), RECIPE, 1)


@pytest.mark.parametrize("probe", [NTK, NTK_FROZEN_BN])
def test_a_constant_network_has_a_singular_kernel(probe):
    record = probe.measure(Constant(), few_shot(), RECIPE, 1)
    with pytest.raises(Undefined, match="singular"):
        probe.metric(probe.name).read(record)


def test_a_constant_network_has_no_gradient_by_images():
    with pytest.raises(Undefined, match="do not depend on an image"):
        JACOB_COV.measure(Constant(), few_shot(), RECIPE, 1)


@pytest.mark.parametrize("probe", [NTK, NTK_FROZEN_BN, BACKWARD, GRASP, JACOB_COV, ZICO, GRADSIGN])
def test_infinite_logits_are_undefined(probe):
    with pytest.raises(Undefined, match="not finite"):
        probe.measure(Infinite(), few_shot(), RECIPE, 1)


def test_zico_needs_gradients_that_vary():
    same = few_shot(count=4)
    same = FewShot(same.images[:1].repeat(4, 1, 1, 1), same.labels * 0, *_rest(same))
    with pytest.raises(Undefined, match="do not vary"):
        ZICO.measure(nasbench201(), same, RECIPE, 1)


def _rest(batch: FewShot):
    return batch.class_names, batch.mean, batch.std, batch.flip


def test_meco_needs_feature_maps():
    with pytest.raises(Undefined, match="no layer"):
        MECO.measure(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), few_shot(), RECIPE, 1)


@pytest.mark.parametrize("probe", [MECO, GRADSIGN])
def test_one_value_a_channel_cannot_be_normalised(probe):
    network = nn.Sequential(nn.Conv2d(3, 4, 8), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 3))
    with pytest.raises(Undefined, match="1 images alone"):
        probe.measure(network, few_shot(), RECIPE, 1)


def test_a_network_for_other_images_is_refused():
    with pytest.raises(NetworkError, match=r"does not take images of shape \(1, 8, 8\)"):
        BACKWARD.measure(nasbench201(), few_shot(channels=1), RECIPE, 1)


def test_a_network_with_too_few_outputs_is_refused():
    with pytest.raises(NetworkError, match="3 outputs, but the images have 5 classes"):
        BACKWARD.measure(nasbench201(), few_shot(count=10, classes=5), RECIPE, 1)


def test_a_network_that_cannot_be_copied_is_refused():
    network = nasbench201()
    network.cache = next(network.parameters()) * 2
    with pytest.raises(NetworkError, match="cannot be copied"):
        NORMS.measure(network, few_shot(), RECIPE, 1)
