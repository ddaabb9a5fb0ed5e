"""Networks of the DARTS space: published counts, and an implementation written down plainly."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from anglenas.errors import SettingError
from anglenas.probes._parameters import count_parameters
from anglenas.spaces import (
    DARTS,
    DARTS_IMAGENET,
    DARTS_TENAS,
    DARTS_TENAS_IMAGENET,
    Genotype,
    NetworkConfig,
    make_network,
)
from anglenas.spaces._darts.network import DropPath, build

CIFAR = NetworkConfig(num_classes=10, channels=36, cells=6)
IMAGENET = NetworkConfig(num_classes=1000, channels=48, cells=4, side=224)


def published(dev_data) -> Iterator[tuple[Genotype, dict[str, int]]]:
    for facts in json.loads((dev_data / "darts_genotypes.json").read_text()).values():
        cells = (tuple(map(tuple, facts[name])) for name in ("normal", "reduce"))
        yield Genotype(*cells), facts["parameters"]


@pytest.mark.parametrize(
    ("space", "config", "key", "head"),
    [
        (DARTS, CIFAR, "cifar_C36_L20", 476_426),
        (DARTS_TENAS, CIFAR, "cifar_C36_L20", 476_426),
        (DARTS_IMAGENET, IMAGENET, "imagenet_C48_L14", 1_260_776),
        (DARTS_TENAS_IMAGENET, IMAGENET, "imagenet_C48_L14", 1_260_776),
    ],
)
def test_published_parameter_counts(dev_data, space, config, key, head):
    for genotype, counts in published(dev_data):
        with torch.device("meta"):
            network = space.build(str(genotype), config)
            assert count_parameters(network) == counts[key]
            network.attach_auxiliary()
        assert count_parameters(network) == counts[key] + head


class Plain:
    """The network's forward pass once more, from the papers' text and a list of its weights."""

    def __init__(self, network, genotype, config, *, large, normalised):
        self.weights = iter(network.state_dict().items())
        self.genotype, self.config = genotype, config
        self.large, self.normalised = large, normalised

    def weight(self):
        name, value = next(self.weights)
        assert name.endswith(".weight"), name
        assert value.ndim in (2, 4)
        return value

    def norm(self, x, affine=True):
        """Batch statistics; skips the running ones."""
        scale, shift = (next(self.weights)[1], next(self.weights)[1]) if affine else (1.0, 0.0)
        for ending in ("running_mean", "running_var", "num_batches_tracked"):
            assert next(self.weights)[0].endswith(ending)
        mean = x.mean((0, 2, 3), keepdim=True)
        variance = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
        x = (x - mean) / (variance + 1e-5).sqrt()
        return x * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1) if affine else x

    def reduce(self, x):
        even, odd = self.weight(), self.weight()
        x = x.relu()
        return self.norm(torch.cat([F.conv2d(x, even, stride=2),
                                    F.conv2d(x[:, :, 1:, 1:], odd, stride=2)], 1))  # fmt: skip

    def depthwise(self, x, kernel, stride, dilation):
        depthwise, pointwise = self.weight(), self.weight()
        padding = {(3, 1): 1, (5, 1): 2, (3, 2): 2, (5, 2): 4}[kernel, dilation]
        x = F.conv2d(x.relu(), depthwise, None, stride, padding, dilation, groups=x.shape[1])
        return self.norm(F.conv2d(x, pointwise))

    def operation(self, name, x, stride):
        kernel = int(name[-1]) if name[-1].isdigit() else 0
        if name == "skip_connect":
            return x if stride == 1 else self.reduce(x)
        if name.startswith("sep_conv"):
            return self.depthwise(self.depthwise(x, kernel, stride, 1), kernel, 1, 1)
        if name.startswith("dil_conv"):
            return self.depthwise(x, kernel, stride, 2)
        pool = {
            "avg_pool_3x3": nn.AvgPool2d(3, stride, 1, count_include_pad=False),
            "max_pool_3x3": nn.MaxPool2d(3, stride, 1),
        }[name]
        return self.norm(pool(x), affine=False) if self.normalised else pool(x)

    def cell(self, s0, s1, choices, halves, halved):
        s0 = self.reduce(s0) if halved else self.norm(F.conv2d(s0.relu(), self.weight()))
        states = [s0, self.norm(F.conv2d(s1.relu(), self.weight()))]
        for node in range(4):
            total = 0
            for name, source in choices[2 * node : 2 * node + 2]:
                stride = 2 if halves and source < 2 else 1
                total = total + self.operation(name, states[source], stride)
            states.append(total)
        return torch.cat(states[2:], 1)

    def __call__(self, x):
        def halving(x):
            return self.norm(F.conv2d(x, self.weight(), stride=2, padding=1))

        if self.large:
            s0 = halving(halving(x).relu())
            s1 = halving(s0.relu())
        else:
            s0 = s1 = self.norm(F.conv2d(x, self.weight(), padding=1))
        layers, halved = 3 * self.config.cells + 2, self.large
        for place in range(layers):
            halves = place in (layers // 3, 2 * layers // 3)
            choices = self.genotype.reduce if halves else self.genotype.normal
            s0, s1 = s1, self.cell(s0, s1, choices, halves, halved)
            halved = halves
        logits = F.linear(s1.mean((2, 3)), self.weight(), next(self.weights)[1])
        assert not list(self.weights)
        return logits


@pytest.mark.parametrize("space", [DARTS, DARTS_TENAS, DARTS_IMAGENET, DARTS_TENAS_IMAGENET])
@pytest.mark.parametrize("seed", range(3))
def test_logits_are_those_of_a_plain_implementation(space, seed):
    genotype = DARTS.sample(np.random.default_rng(seed))
    large = "imagenet" in space.name
    config = NetworkConfig(num_classes=5, channels=4, cells=1, side=64 if large else 16)
    torch.manual_seed(seed)
    network = space.build(str(genotype), config).double().train()
    images = torch.randn(3, 3, config.side, config.side, dtype=torch.float64)
    plain = Plain(network, genotype, config, large=large, normalised="tenas" in space.name)
    torch.testing.assert_close(network(images), plain(images))


@pytest.mark.parametrize(("large", "side"), [(False, 13), (False, 7), (True, 47)])
def test_odd_sides(large, side):
    genotype = DARTS.sample(np.random.default_rng(3))
    config = NetworkConfig(num_classes=4, channels=2, cells=1, in_channels=1)
    network = build(genotype, config, large=large)
    assert network(torch.randn(2, 1, side, side)).shape == (2, 4)


def test_isomorphic_genotypes_compute_alike():
    """Their weights in the same places, up to the order of the output's channels."""
    first = (("sep_conv_3x3", 0), ("max_pool_3x3", 1))
    second = (("dil_conv_5x5", 0), ("avg_pool_3x3", 1))
    rest = (("skip_connect", 2), ("skip_connect", 3)), (("skip_connect", 2), ("sep_conv_3x3", 3))
    swapped = (("skip_connect", 3), ("skip_connect", 2)), (("sep_conv_3x3", 2), ("skip_connect", 3))
    cells = [(*first, *second, *rest[0], *rest[1]), (*second, *first, *swapped[0], *swapped[1])]
    assert DARTS.canonical(Genotype(cells[0], cells[0])) == DARTS.canonical(
        Genotype(cells[1], cells[1])
    )
    one, other = (
        build(Genotype(cell, cell), NetworkConfig(channels=4, cells=1)).cells[0] for cell in cells
    )
    for name in ("first", "second"):
        getattr(other, name).load_state_dict(getattr(one, name).state_dict())
    for old, new in ((0, 2), (2, 0), (7, 6)):
        other.operations[new].load_state_dict(one.operations[old].state_dict())
    x = torch.randn(3, 12, 8, 8)
    a, b = one(x, x).unflatten(1, (4, 4)), other(x, x).unflatten(1, (4, 4))
    torch.testing.assert_close(a[:, [1, 0, 2, 3]], b)


def test_drop_path_leaves_out_maps_of_images_in_training_alone():
    drop = DropPath()
    drop.probability = 0.25
    x = torch.ones(4000, 2, 3, 3)
    torch.manual_seed(0)
    y = drop(x)
    kept = y[:, 0, 0, 0] != 0
    assert torch.equal(y, kept.view(-1, 1, 1, 1) * x / 0.75)
    assert abs(kept.float().mean() - 0.75) < 5 * (0.25 * 0.75 / 4000) ** 0.5
    assert torch.equal(drop.eval()(x), x)


def test_drop_path_is_on_everything_but_identities():
    skips = (("skip_connect", 0), ("skip_connect", 1)) * 4
    network = build(Genotype(skips, skips), NetworkConfig(channels=2, cells=1))
    images = torch.randn(8, 3, 8, 8)
    torch.manual_seed(0)
    before = network.cells[0](*network.stem(images))
    network.set_drop_path(0.9)
    assert torch.equal(network.cells[0](*network.stem(images)), before)
    reduced = network.cells[1](*[network.stem(images)[0], before])
    assert (reduced.flatten(1).abs().sum(1) == 0).any()  # the halving skips are no identities
    with pytest.raises(SettingError, match="0 to below 1"):
        network.set_drop_path(1.0)


@pytest.mark.parametrize(
    ("large", "config"), [(False, CIFAR), (True, IMAGENET)], ids=["small", "large"]
)
def test_auxiliary_head_sees_the_maps_after_the_last_reduction(large, config):
    small = NetworkConfig(**{**vars(config), "channels": 4, "cells": 1})
    network = build(DARTS.sample(np.random.default_rng(0)), small, large=large)
    with pytest.raises(SettingError, match="attach one"):
        network.with_auxiliary(torch.zeros(2, 3, small.side, small.side))
    network.attach_auxiliary()
    seen = []
    network.cells[3].register_forward_hook(lambda module, inputs, output: seen.append(output))
    images = torch.randn(2, 3, small.side, small.side)
    logits, auxiliary = network.eval().with_auxiliary(images)
    assert torch.equal(logits, network(images))
    features = network.auxiliary.features(seen[0])
    assert features.shape == (2, 768, 1, 1)
    torch.testing.assert_close(auxiliary, network.auxiliary.classifier(features.flatten(1)))


def test_auxiliary_head_on_images_of_other_sizes():
    genotype = DARTS.sample(np.random.default_rng(0))
    larger = build(genotype, NetworkConfig(channels=2, cells=1, side=64))
    larger.attach_auxiliary()
    assert larger.with_auxiliary(torch.randn(2, 3, 64, 64))[1].shape == (2, 10)
    with pytest.raises(SettingError, match="at least 32 pixels, not 16"):
        build(genotype, NetworkConfig(channels=2, cells=1, side=16)).attach_auxiliary()


def test_networks_by_name_are_as_large_as_published():
    text = str(DARTS.sample(np.random.default_rng(0)))
    assert len(make_network(text, space="darts").cells) == 20
    assert len(make_network(text, space="darts_imagenet", channels=2).cells) == 14
    assert DARTS_IMAGENET.config() == NetworkConfig(channels=48, cells=4)
    with pytest.raises(SettingError, match="channels of at least 2"):
        make_network(text, space="darts_imagenet", channels=1)
