"""NAS-Bench-201 networks and their cost against published tables and closed forms."""

import csv

import pytest
import torch
from torch import nn

from anglenas import Recipe
from anglenas.data import FewShot
from anglenas.errors import SettingError
from anglenas.probes import find_probe
from anglenas.spaces import NASBENCH201, NasBench201Architecture, NetworkConfig

# Every pair (3x3 convolutions, 1x1 convolutions) that six edges can hold: 28 parameter counts.
COUNTS = [(n3, n1) for n3 in range(7) for n1 in range(7 - n3)]


def cell_with(n3, n1):
    names = ["nor_conv_3x3"] * n3 + ["nor_conv_1x1"] * n1 + ["avg_pool_3x3"] * (6 - n3 - n1)
    return NasBench201Architecture(tuple(names))


def parameters_of(network):
    return sum(parameter.numel() for parameter in network.parameters())


def blank(channels=3, side=32):
    images = torch.zeros(1, channels, side, side, dtype=torch.uint8)
    return FewShot(
        images, torch.zeros(1).long(), ("a",), (0.0,) * channels, (1.0,) * channels, False
    )


@pytest.mark.parametrize(("classes", "more"), [(10, 0), (100, 5850), (120, 7150)])
def test_all_parameter_counts(classes, more):
    """73 306 + 243 040 n3 + 28 000 n1 for 10 classes: equal to the benchmark's own table."""
    for n3, n1 in COUNTS:
        with torch.device("meta"):
            network = NASBENCH201.build(str(cell_with(n3, n1)), NetworkConfig(num_classes=classes))
        assert parameters_of(network) == 73_306 + 243_040 * n3 + 28_000 * n1 + more


def test_published_parameter_counts(dev_data):
    with (dev_data / "nasbench201.csv").open() as file:
        rows = list(csv.DictReader(file))[::521]
    for row in rows:
        with torch.device("meta"):
            network = NASBENCH201.build(row["arch_str"], NetworkConfig())
        assert parameters_of(network) == round(1e6 * float(row["params_M"]))


def multiply_adds_by_hooks(network, image):
    total = 0

    def count(module, inputs, output):
        nonlocal total
        total += output[0].numel() * module.weight[0].numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    network.eval()(image)
    return total


@pytest.mark.parametrize("index", [0, 1462, 9930])
def test_operations_are_two_for_each_multiply_add(index):
    network = NASBENCH201.build(str(NASBENCH201.at(index)), NetworkConfig())
    record = find_probe("flops").measure(network, blank(), Recipe(), seed=0)
    assert record["flops"] == 2 * multiply_adds_by_hooks(network, torch.zeros(1, 3, 32, 32))
    record = find_probe("parameters").measure(network, blank(), Recipe(), seed=0)
    assert record["layers"] == sum(isinstance(m, nn.Conv2d | nn.Linear) for m in network.modules())
    assert record["params"] == parameters_of(network)


def test_published_operations_differ_by_a_constant_share(dev_data):
    """The published figures also count BatchNorm and pooling, so they are a little larger."""
    with (dev_data / "nasbench201.csv").open() as file:
        rows = {int(row["index"]): float(row["flops_M"]) for row in csv.DictReader(file)}
    for index in (0, 1, 1462, 9930):
        network = NASBENCH201.build(str(NASBENCH201.at(index)), NetworkConfig())
        ours = find_probe("flops").measure(network, blank(), Recipe(), seed=0)["flops"] / 2e6
        assert ours == pytest.approx(rows[index], rel=0.01)


@pytest.mark.parametrize("subject", ["as written", "canonical"])
def test_any_size(subject):
    cell = NASBENCH201.at(9930)
    text = str(cell) if subject == "as written" else NASBENCH201.canonical(cell)
    config = NetworkConfig(num_classes=7, channels=6, cells=2, in_channels=1)
    network = NASBENCH201.build(text, config)
    assert network(torch.randn(3, 1, 12, 12)).shape == (3, 7)
    assert [len(stage) for stage in network.stages] == [2, 2, 2]


def test_input_is_not_changed_in_place():
    network = NASBENCH201.build(str(NASBENCH201.at(1462)), NetworkConfig(channels=4, cells=1))
    cell = network.stages[0][0]
    x = torch.randn(2, 4, 8, 8)
    before = x.clone()
    cell(x)
    assert torch.equal(x, before)


def test_sizes_below_one_are_refused():
    with pytest.raises(SettingError, match="channels is a whole number of at least 1, not 0"):
        NetworkConfig(channels=0)
