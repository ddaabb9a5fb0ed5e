"""Counting operations: torch's own counter, run on the whole network, is the reference."""

import copy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from anglenas import Recipe, search
from anglenas.errors import SettingError
from anglenas.probes import Undefined
from anglenas.probes._flops import FLOPS, count_operations
from anglenas.probes._parameters import PARAMETERS
from anglenas.spaces import NASBENCH201, NetworkConfig
from anglenas.testing._networks import images_of


def reference(network: nn.Module, shape: tuple[int, int, int]) -> int:
    # With gradients, torch takes no kernel that hides the products of attention from its counter.
    twin = copy.deepcopy(network).eval()
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        twin(torch.zeros(1, *shape))
    return int(counter.get_total_flops())


@pytest.mark.parametrize("index", [0, 1462, 7, 4321, 9999, 13714])
@pytest.mark.parametrize("side", [8, 12])
def test_networks_of_the_space(index: int, side: int) -> None:
    config = NetworkConfig(channels=4, cells=3, side=side)
    architecture = NASBENCH201.at(index)
    for text in (str(architecture), NASBENCH201.canonical(architecture)):
        network = NASBENCH201.build(text, config)
        counted = count_operations(network, (3, side, side))
        assert counted == (reference(network, (3, side, side)), ())


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
    assert count_operations(NETWORKS[name], (3, 8, 8)) == (expected, ())
    assert expected > 0


class Loop(nn.Module):
    """One convolution, run as often as a buffer says."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.register_buffer("times", torch.tensor(times))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(int(self.times)):
            x = self.conv(x)
        return x


def test_modules_that_differ_in_the_values_of_a_buffer_alone() -> None:
    once = 2 * (4 * 3 * 3) * 4 * (8 * 8)
    network = nn.Sequential(Loop(1), Loop(3))
    assert count_operations(network, (4, 8, 8)) == (4 * once, ())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_networks_of_any_data_type(dtype: torch.dtype) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    expected = reference(network, (3, 8, 8))
    network.to(dtype)
    assert count_operations(network, (3, 8, 8)) == (expected, ())
    record = FLOPS.measure(network, images_of(), Recipe(), seed=0)
    assert record["flops"] == expected
    assert network[0].weight.dtype == dtype


ROWS, WIDTH = 8, 8  # an image of one channel, as a sequence


class Sequences(nn.Module):
    """Runs a module of sequences on the rows of an image."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: torch.Tensor) -> Any:
        rows = images[:, 0]  # (1, ROWS, WIDTH)
        return self.inner(rows, rows, rows) if self.inner_is_attention else self.inner(rows)

    @property
    def inner_is_attention(self) -> bool:
        return isinstance(self.inner, nn.MultiheadAttention)


# Products by hand: attention projects three inputs and an output, and multiplies twice.
ATTENTION = 2 * (4 * ROWS * WIDTH * WIDTH + 2 * ROWS * ROWS * WIDTH)


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        (nn.MultiheadAttention(WIDTH, 2, batch_first=True), ATTENTION),
        (
            nn.TransformerEncoderLayer(WIDTH, 2, dim_feedforward=16, batch_first=True),
            ATTENTION + 2 * (2 * ROWS * WIDTH * 16),
        ),
        (nn.LSTM(WIDTH, 4, batch_first=True), 2 * ROWS * (WIDTH + 4) * 16),
        (nn.LSTM(WIDTH, 4, batch_first=True, bidirectional=True), 4 * ROWS * (WIDTH + 4) * 16),
        (nn.GRU(WIDTH, 4, batch_first=True), 2 * ROWS * (WIDTH + 4) * 12),
    ],
    ids=["attention", "encoder", "lstm", "both ways", "gru"],
)
def test_operators_that_hide_matrix_products(inner: nn.Module, expected: int) -> None:
    assert torch.backends.mha.get_fastpath_enabled()
    assert count_operations(Sequences(inner), (1, ROWS, WIDTH)) == (expected, ())
    assert torch.backends.mha.get_fastpath_enabled()


class Applied(nn.Module):
    """A function of an image, and a convolution."""

    def __init__(self, function: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.function, self.conv = function, nn.Conv2d(1, 2, 1)

    def forward(self, images: torch.Tensor) -> Any:
        return self.conv(images), self.function(images)


CONV = 2 * 2 * 8 * 8


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x[0, 0] @ x[0, 0, 0], 2 * 8 * 8),
        (lambda x: x[0, 0, 0] @ x[0, 0, 0], 2 * 8),
        (lambda x: torch.addmv(x[0, 0, 0], x[0, 0], x[0, 0, 0]), 2 * 8 * 8),
        (lambda x: torch.addbmm(x[0, 0], x[0], x[0]), 2 * 8 * 8 * 8),
        (lambda x: torch.baddbmm(x[0], x[0], x[0]), 2 * 8 * 8 * 8),
        (lambda x: torch.einsum("bchw,bcvw->bchv", x, x), 2 * 8 * 8 * 8),
        (lambda x: F.max_pool2d(F.interpolate(x.softmax(-1), scale_factor=2), 2), 0),
        (lambda x: F.grid_sample(x, x.new_zeros(1, 8, 8, 2), align_corners=False), 0),
    ],
    ids=["matrix x vector", "dot", "addmv", "addbmm", "baddbmm", "einsum", "pooling", "sampling"],
)
def test_matrix_products_of_every_kind_count_and_light_work_does_not(
    function: Callable[[torch.Tensor], Any], expected: int
) -> None:
    assert count_operations(Applied(function), (1, 8, 8)) == (CONV + expected, ())


@pytest.mark.parametrize(
    ("function", "operator"),
    [
        (lambda x: torch.fft.fft2(x), "aten._fft_c2c"),
        (lambda x: torch.linalg.svdvals(x), "aten._linalg_svd"),
        (lambda x: torch.cdist(x, x), "aten._cdist_forward"),
        (lambda x: torch.ops.anglenas_tests.twice(x), "anglenas_tests.twice"),
    ],
    ids=["fft", "svd", "cdist", "custom"],
)
def test_heavy_operators_without_a_formula_are_told(
    function: Callable[[torch.Tensor], Any], operator: str
) -> None:
    network, images = Applied(function), images_of(channels=1)
    total, uncounted = count_operations(network, (1, 8, 8))
    assert total == CONV
    assert operator in uncounted
    record = FLOPS.measure(network, images, Recipe(), seed=0)
    with pytest.raises(Undefined, match=f"no formula is known for FLOPs of .*{operator}"):
        FLOPS.metric("flops").read(record)


FOURIER = """
import torch
from torch import nn
from anglenas.spaces import ChoiceSpace
class Net(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.head = nn.Linear(config.side, config.num_classes)
    def forward(self, images):
        return self.head(torch.fft.fft2(images).abs().mean((1, 2)))
def build(choices, config):
    return Net(config)
SPACE = ChoiceSpace("fourier", {"width": (1, 2)}, build)
"""


def test_a_limit_of_operations_that_cannot_be_counted_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fourier_space.py").write_text(FOURIER)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SettingError, match=r"max_flops cannot be kept: .*aten\._fft_c2c"):
        search(space="fourier_space:SPACE", max_flops=10**9, workers=0, store=":memory:")


@torch.library.custom_op("anglenas_tests::twice", mutates_args=())
def twice(x: torch.Tensor) -> torch.Tensor:
    return 2 * x


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_scripted_modules() -> None:
    network = nn.Sequential(torch.jit.trace(nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 8, 8)))
    assert count_operations(network, (3, 8, 8)).total == 2 * (3 * 3 * 3) * 4 * (6 * 6)


def test_a_module_with_a_hook_is_counted_by_itself() -> None:
    network = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(3)))
    extra = nn.Linear(8, 8)
    network[1].register_forward_hook(lambda module, inputs, result: extra(result))
    assert count_operations(network, (3, 8, 8)).total == reference(network, (3, 8, 8))


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
        assert count_operations(network, (3, 8, 8)).total == reference(network[1], (3, 8, 8))
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
    record = PARAMETERS.measure(network, blank, Recipe(), seed=0)  # type: ignore[arg-type]
    assert record["params"] == sum(one.numel() for one in network.parameters())
    record = FLOPS.measure(network, blank, Recipe(), seed=0)  # type: ignore[arg-type]
    assert record["flops"] == reference(network, (3, 8, 8))
