"""Counting operations: torch's own counter, run on the whole network, is the reference."""

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from anglenas._recipe import Recipe
from anglenas.probes._counting import COUNTING, count_operations
from anglenas.spaces import NetworkConfig
from anglenas.spaces._build import build_network
from anglenas.spaces._nasbench201.values import NASBENCH201


def reference(network: nn.Module, shape: tuple[int, int, int]) -> int:
    twin = copy.deepcopy(network).eval().requires_grad_(False)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        twin(torch.zeros(1, *shape))
    return int(counter.get_total_flops())


@pytest.mark.parametrize("index", [0, 1462, 7, 4321, 9999, 13714])
@pytest.mark.parametrize("side", [8, 12])
def test_networks_of_the_space(index: int, side: int) -> None:
    config = NetworkConfig(channels=4, cells=3, side=side)
    architecture = NASBENCH201.at(index)
    for text in (str(architecture), NASBENCH201.canonical(architecture)):
        network = build_network(NASBENCH201, text, config)
        assert count_operations(network, (3, side, side)) == reference(network, (3, side, side))


class Attention(nn.Module):
    """Matrix products without a module of their own, and two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.flatten(2).transpose(1, 2)
        mixed, _ = self.mix(rows, rows, rows, need_weights=False)
        return F.scaled_dot_product_attention(mixed, rows, rows) @ rows.transpose(1, 2)


class Scaled(nn.Module):
    """A convolution whose kernel is chosen by an attribute."""

    def __init__(self, kernel: Any) -> None:
        super().__init__()
        self.kernel = kernel
        self.weight = nn.Parameter(torch.zeros(16, 16, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size = self.kernel["size"] if isinstance(self.kernel, dict) else self.kernel
        return F.conv2d(x, self.weight[..., :size, :size], padding=size // 2)


class Indirect(nn.Module):
    """Uses a child by its weight, not by calling it, and one child twice on two shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(16, 16, 3, padding=1)
        self.same = nn.Conv2d(16, 16, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        small = self.conv(F.avg_pool2d(x, 2))
        return self.same(x).mean() + F.conv2d(small, self.same.weight).mean() + self.conv(x)


NETWORKS = {
    "attention": nn.Sequential(nn.Conv2d(3, 16, 3), Attention()),
    "attributes": nn.Sequential(nn.Conv2d(3, 16, 1), Scaled(3), Scaled(1), Scaled(3)),
    "hidden attributes": nn.Sequential(
        nn.Conv2d(3, 16, 1), Scaled({"size": 3}), Scaled({"size": 1})
    ),
    "indirect": nn.Sequential(nn.Conv2d(3, 16, 1), Indirect(), Indirect()),
    "strides": nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3, stride=2), nn.Conv2d(16, 16, 1)
    ),
    "groups": nn.Sequential(nn.Conv2d(3, 6, 3, groups=3), nn.ConvTranspose2d(6, 4, 3)),
}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_modules_of_all_kinds(name: str) -> None:
    expected = reference(NETWORKS[name], (3, 8, 8))
    assert count_operations(NETWORKS[name], (3, 8, 8)) == expected > 0


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_scripted_modules() -> None:
    network = nn.Sequential(torch.jit.trace(nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 8, 8)))
    assert count_operations(network, (3, 8, 8)) == 2 * (3 * 3 * 3) * 4 * (6 * 6)


def test_a_module_with_a_hook_is_counted_by_itself() -> None:
    network = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(3)))
    extra = nn.Linear(8, 8)
    network[1].register_forward_hook(lambda module, inputs, result: extra(result))
    assert count_operations(network, (3, 8, 8)) == reference(network, (3, 8, 8))


class Counter(nn.Module):
    """Changes itself, and its buffers, whenever it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.register_buffer("seen", torch.zeros(1))
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.seen += 1
        self.scale.data.mul_(2)
        return x * self.scale


def test_the_network_and_the_callers_modes_stay_as_they_were() -> None:
    network = nn.Sequential(Counter(), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout())
    before = copy.deepcopy(network.state_dict())
    state = torch.get_rng_state()
    with torch.inference_mode():
        assert count_operations(network, (3, 8, 8)) == reference(network[1], (3, 8, 8))
        assert torch.is_inference_mode_enabled()
    assert network[0].calls == 0
    assert network.training
    assert network[1].training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert "forward" not in vars(network[1])


class Shared(nn.Module):
    """A network, itself once more, tied weights and a missing bias."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.one, self.again = network, network
        self.unused, self.tied = nn.Linear(4, 4, bias=False), nn.Linear(4, 4)
        self.tied.weight = self.unused.weight

    def forward(self, images: torch.Tensor) -> Any:
        return self.one(images)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_parameters_are_those_that_torch_lists_each_once(name: str) -> None:
    network = Shared(NETWORKS[name])
    blank = SimpleNamespace(images=torch.zeros(1, 3, 8, 8))
    record = COUNTING.measure(network, blank, Recipe(), seed=0)  # type: ignore[arg-type]
    assert record["params"] == sum(one.numel() for one in network.parameters())
    assert record["flops"] == reference(network, (3, 8, 8))
