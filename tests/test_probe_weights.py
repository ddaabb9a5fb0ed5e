"""How fresh weights are drawn, against PyTorch's own initialisation."""

import math

import pytest
import torch
from torch import nn

from anglenas import Recipe
from anglenas.probes import find_metric, find_probe, metric_names
from anglenas.probes._initialise import fan_in_normal, fan_out_normal, initialise, torch_uniform
from anglenas.testing._networks import EXAMPLES, images_of

LAYERS = [
    nn.Conv2d(30, 50, 3, bias=False), nn.Conv2d(40, 40, 5, groups=40), nn.Linear(64, 100),
]  # fmt: skip


def kaiming(mode):
    return lambda weight: nn.init.kaiming_normal_(weight, mode=mode, nonlinearity="relu")


def own(weight):
    """What PyTorch does as a module is made."""
    return nn.init.kaiming_uniform_(weight, a=math.sqrt(5))


@pytest.mark.parametrize(
    ("draw", "torchs"),
    [
        (fan_in_normal, kaiming("fan_in")), (fan_out_normal, kaiming("fan_out")),
        (torch_uniform, own),
    ],
)  # fmt: skip
@pytest.mark.parametrize("layer", LAYERS, ids=["convolution", "depthwise", "linear"])
def test_weights_are_distributed_as_pytorch_draws_them(draw, torchs, layer):
    ours = draw(layer.weight, torch.Generator().manual_seed(0))
    torch.manual_seed(1)
    theirs = torchs(torch.empty_like(layer.weight))
    count = ours.numel()
    # A standard deviation has one of its own of at most its share 1 / sqrt(2 n).
    assert float(ours.std() / theirs.std()) == pytest.approx(1, abs=5 * math.sqrt(2 / (2 * count)))
    assert abs(float(ours.mean())) < 5 * float(ours.std()) / math.sqrt(count)
    # Uniform values end at their bound, normal ones do not.
    assert (ours.abs().max() < 2 * ours.std()) == (theirs.abs().max() < 2 * theirs.std())


def test_a_weight_depends_on_its_name_alone():
    one = nn.ModuleDict({"a": nn.Linear(4, 3), "b": nn.Conv2d(2, 2, 3)})
    other = nn.ModuleDict({"b": nn.Conv2d(2, 2, 3), "c": nn.Linear(4, 3)})
    for network in (one, other):
        initialise(network, 7, fan_out_normal)
    assert torch.equal(one["b"].weight, other["b"].weight)
    assert not torch.equal(one["a"].weight, other["c"].weight)
    assert not one["a"].bias.any()


@pytest.mark.parametrize("name", ["ntk_fan_out", "ntk_as_released", "regions_as_released"])
def test_tenas_has_weights_of_its_own(name):
    metric, plain = find_metric(name), name.partition("_")[0]
    assert (metric.name, metric.probe) == (name, name)
    assert find_probe(name).variant
    assert name not in metric_names()
    assert metric.higher_is_better == find_metric(plain).higher_is_better
    network = EXAMPLES["ResNet"].make() if plain == "ntk" else nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(6, 3),
    )  # fmt: skip
    batch, recipe = images_of(), Recipe()
    values = [
        find_metric(one).read(find_probe(find_metric(one).probe).measure(network, batch, recipe, 1))
        for one in (name, plain)
    ]
    if plain == "ntk":
        assert values[0] != pytest.approx(values[1], rel=1e-3)
    else:  # no BatchNorm: signs depend on the directions of weights, which differ
        assert all(value > 1 for value in values)
