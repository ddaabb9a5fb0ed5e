"""The on-off patterns of rectifiers against loops, sets and hooks; how every spelling is seen."""

import copy
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from anglenas import Recipe
from anglenas.data import FewShot, normalised
from anglenas.errors import NetworkError
from anglenas.probes import Undefined
from anglenas.probes._activations import ACTIVATIONS, measure_activations, reachable, regularised
from anglenas.probes._initialise import initialise
from anglenas.probes._rectifiers import (
    Rectifiers,
    agreements,
    by_sample,
    log_determinant,
    row_codes,
)

RECIPE = Recipe()


def few_shot(images: int = 12, channels: int = 3, side: int = 8, classes: int = 3) -> FewShot:
    generator = torch.Generator().manual_seed(5)
    shape = (images, channels, side, side)
    return FewShot(
        images=torch.randint(256, shape, generator=generator, dtype=torch.uint8),
        labels=torch.arange(images) % classes,
        class_names=tuple(f"class {number}" for number in range(classes)),
        mean=(0.5,) * channels,
        std=(0.25,) * channels,
        flip=False,
    )


class ResNet(nn.Module):
    """A small residual network whose rectifiers are modules or functions."""

    def __init__(self, rectify: Callable[[], Callable[[torch.Tensor], torch.Tensor]]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.first = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.second = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.last = nn.BatchNorm2d(6)
        self.head = nn.Linear(6, 3)
        self.rectify = [rectify() for _ in range(3)]
        self.modules_too = nn.ModuleList(r for r in self.rectify if isinstance(r, nn.Module))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.rectify[0](self.norm(self.stem(images)))
        x = self.rectify[2](self.last(x + self.second(self.rectify[1](self.first(x)))))
        return self.head(x.mean(dim=(2, 3)))


SPELLINGS = {
    "module": nn.ReLU,
    "module in place": lambda: nn.ReLU(inplace=True),
    "F.relu": lambda: F.relu,
    "F.relu in place": lambda: lambda x: F.relu(x, inplace=True),
    "torch.relu": lambda: torch.relu,
    "Tensor.relu_": lambda: lambda x: x.relu_(),
    "clamp_min": lambda: lambda x: x.clamp_min(0),
    "clamp": lambda: lambda x: torch.clamp(x, min=0.0),
    "clip_": lambda: lambda x: x.clip_(0),
    "threshold": lambda: lambda x: F.threshold(x, 0, 0),
    "aten": lambda: torch.ops.aten.relu,
}


def by_hooks(network: nn.Module, batch: FewShot, seed: int) -> list[np.ndarray]:
    """The inputs of all ``nn.ReLU`` modules as 0/1 matrices, read by hooks."""
    network = copy.deepcopy(network).train()
    initialise(network, seed)
    codes: list[np.ndarray] = []
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_pre_hook(
                lambda _, args: codes.append((args[0].flatten(1) > 0).numpy().astype(float))
            )
    with torch.no_grad():
        network(normalised(batch))
    return codes


def values(network: nn.Module, batch: FewShot, seed: int = 1) -> tuple[float, ...]:
    record = ACTIVATIONS.measure(network, batch, RECIPE, seed)
    return tuple(metric.read(record) for metric in ACTIVATIONS.metrics)


def test_naswot_is_the_published_sum_of_matrix_products() -> None:
    network, batch = ResNet(nn.ReLU), few_shot()
    kernel = sum(x @ x.T + (1 - x) @ (1 - x.T) for x in by_hooks(network, batch, seed=1))
    naswot, _, _ = values(network, batch)
    assert naswot == pytest.approx(np.linalg.slogdet(kernel)[1], rel=1e-9)


def test_swap_counts_the_distinct_columns_of_all_codes() -> None:
    network, batch = ResNet(nn.ReLU), few_shot(images=12)
    columns = np.concatenate(by_hooks(network, batch, seed=1), axis=1).T
    for images, chosen in ((16, range(12)), (12, range(12)), (5, (0, 2, 4, 7, 9)), (1, (0,))):
        expected = len({tuple(column) for column in columns[:, chosen].tolist()})
        record = measure_activations(network, batch, RECIPE, 1, swap_images=images)
        assert record["swap"] == expected


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_relu_gives_the_same_values(spelling: str) -> None:
    batch = few_shot()
    assert values(ResNet(SPELLINGS[spelling]), batch) == values(ResNet(nn.ReLU), batch)


@pytest.mark.parametrize(
    "rectifier", [nn.ReLU6(), nn.LeakyReLU(0.1), nn.PReLU(), nn.RReLU(), nn.Hardtanh(0, 1)]
)
def test_other_rectifiers_are_seen_at_their_kink(rectifier: nn.Module) -> None:
    seen: list[torch.Tensor] = []
    inputs = torch.linspace(-2, 2, 8).view(2, 4)
    with Rectifiers(lambda positive, output: seen.append(positive)):
        rectifier(inputs)
    assert len(seen) == 1
    assert torch.equal(seen[0], inputs > 0)


@pytest.mark.parametrize(
    "smooth", [F.gelu, F.silu, torch.sigmoid, lambda x: x.clamp(max=0), lambda x: x.clamp(-1, 1)]
)
def test_what_has_no_kink_at_zero_is_no_rectifier(smooth: Callable[..., torch.Tensor]) -> None:
    seen: list[torch.Tensor] = []
    with Rectifiers(lambda positive, output: seen.append(positive)):
        smooth(torch.randn(3, 3))
    assert seen == []


def test_a_network_called_through_torch_func_is_seen_as_well() -> None:
    network = ResNet(nn.ReLU)
    seen: list[torch.Tensor] = []
    with Rectifiers(lambda positive, output: seen.append(positive)):
        torch.func.functional_call(
            network, dict(network.named_parameters()), (torch.randn(2, 3, 8, 8),)
        )
    assert len(seen) == 3


class WithDeadBranch(ResNet):
    """Computes a rectifier that leads nowhere, as the edge to an unused node of a cell does."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        F.relu(self.stem(images))
        return super().forward(images)


def test_naswot_leaves_out_rectifiers_that_get_no_gradient() -> None:
    batch = few_shot()
    dead, alive = (
        ACTIVATIONS.measure(kind(nn.ReLU), batch, RECIPE, 1) for kind in (WithDeadBranch, ResNet)
    )
    assert (dead["rectifiers"], dead["live"]) == (4, 3)
    assert dead["log_determinant"] == alive["log_determinant"]


def test_a_detached_or_ungraded_rectifier_is_dead() -> None:
    class Detached(ResNet):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                shift = F.relu(self.stem(images)).mean()
            return super().forward(images) + shift + F.relu(self.stem(images)).detach().mean()

    record = ACTIVATIONS.measure(Detached(nn.ReLU), few_shot(), RECIPE, 1)
    assert (record["rectifiers"], record["live"]) == (5, 3)


@pytest.mark.parametrize("use_base", [True, False])
def test_a_rectifier_in_place_of_a_view_is_live(use_base: bool) -> None:
    class OfView(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            x = self.conv(images)
            half = x[:, :2].relu_()
            return self.head((x if use_base else torch.cat([half, half], 1)).mean(dim=(2, 3)))

    assert ACTIVATIONS.measure(OfView(), few_shot(), RECIPE, 1)["live"] == 1


def test_reachable_agrees_with_what_autograd_reaches() -> None:
    x = torch.randn(3, requires_grad=True)
    used, unused = (x * 2).relu(), (x * 3).relu()
    nodes = reachable((used.sum() + x.sum()) * 1)
    gradients = torch.autograd.grad((used.sum() + x.sum()) * 1, [used, unused], allow_unused=True)
    assert [used.grad_fn in nodes, unused.grad_fn in nodes] == [g is not None for g in gradients]


class Transformer(nn.Module):
    """A small ViT: patches, one encoder layer with ReLU, mean over tokens."""

    def __init__(self, activation: str = "relu", batch_first: bool = True) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.encoder = nn.TransformerEncoderLayer(
            8, 2, 16, dropout=0.1, activation=activation, batch_first=batch_first
        )
        self.head = nn.Linear(8, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        if not self.batch_first:
            tokens = tokens.transpose(0, 1)
        return self.head(self.encoder(tokens).mean(dim=1 if self.batch_first else 0))


@pytest.mark.parametrize("batch_first", [True, False])
def test_a_transformer_has_a_value_whatever_dimension_its_samples_are_in(
    batch_first: bool,
) -> None:
    record = ACTIVATIONS.measure(Transformer(batch_first=batch_first), few_shot(), RECIPE, 1)
    assert record["live"] == 1
    assert math.isfinite(ACTIVATIONS.metric("naswot").read(record))


@pytest.mark.parametrize("pack", [tuple, list, lambda pair: dict(zip("ab", pair, strict=True))])
def test_a_network_with_two_outputs_is_measured_through_its_logits(
    pack: Callable[..., object],
) -> None:
    class TwoHeads(ResNet):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            auxiliary = F.relu(self.stem(images))  # of the second output alone
            return pack([super().forward(images), auxiliary.mean(dim=(2, 3))])  # type: ignore[return-value]

    record = ACTIVATIONS.measure(TwoHeads(nn.ReLU), few_shot(), RECIPE, 1)
    assert (record["rectifiers"], record["live"]) == (4, 3)


def test_a_network_that_changes_its_input_or_has_no_batchnorm_is_measured() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.head = nn.Linear(3 * 8 * 8, 40), nn.Linear(40, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.head(self.layer(images.sub_(0.1).flatten(1)).relu())

    assert all(math.isfinite(value) for value in values(Plain(), few_shot()))


def test_without_rectifiers_all_is_undefined() -> None:
    with pytest.raises(Undefined, match="runs no rectifier"):
        ACTIVATIONS.measure(Transformer("gelu"), few_shot(), RECIPE, 1)


def test_identical_images_leave_naswot_undefined_but_not_swap() -> None:
    batch = few_shot()
    batch.images[1] = batch.images[0]
    record = ACTIVATIONS.measure(ResNet(nn.ReLU), batch, RECIPE, 1)
    with pytest.raises(Undefined, match="same pattern"):
        ACTIVATIONS.metric("naswot").read(record)
    assert ACTIVATIONS.metric("swap").read(record) > 1


def test_without_a_live_rectifier_naswot_is_undefined() -> None:
    class AllDead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            F.relu(images)
            return self.head(images.mean(dim=(2, 3)))

    record = ACTIVATIONS.measure(AllDead(), few_shot(), RECIPE, 1)
    with pytest.raises(Undefined, match="no rectifier of the network gets a gradient"):
        ACTIVATIONS.metric("naswot").read(record)


def test_features_that_are_returned_before_the_logits_are_not_taken_for_them() -> None:
    class FeaturesFirst(ResNet):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            features = F.relu(self.stem(images)).mean(dim=(2, 3))  # (N, 6), as wide as no head
            return features, super().forward(images)  # type: ignore[return-value]

    record = ACTIVATIONS.measure(FeaturesFirst(nn.ReLU), few_shot(), RECIPE, 1)
    assert (record["rectifiers"], record["live"]) == (4, 3)


def test_a_network_that_does_not_take_the_images_or_cannot_be_copied_is_refused() -> None:
    with pytest.raises(NetworkError, match=r"does not take images of shape \(1, 8, 8\)"):
        ACTIVATIONS.measure(ResNet(nn.ReLU), few_shot(channels=1), RECIPE, 1)
    network = ResNet(nn.ReLU)
    network.computed = network.head.weight * 2
    with pytest.raises(NetworkError, match="cannot be copied"):
        ACTIVATIONS.measure(network, few_shot(), RECIPE, 1)


def test_inference_mode_outside_does_not_matter() -> None:
    network, batch = ResNet(nn.ReLU), few_shot()
    expected = values(network, batch)
    with torch.inference_mode():
        assert values(network, batch) == expected


def test_fewer_outputs_than_classes_are_refused() -> None:
    with pytest.raises(NetworkError, match="3 outputs"):
        ACTIVATIONS.measure(ResNet(nn.ReLU), few_shot(classes=4), RECIPE, 1)


def test_regularised_swap_follows_its_formula() -> None:
    expected = 50 * math.exp(-((123.456 - 200) ** 2) / 3000)
    assert regularised(50, 123_456, mu=200, sigma=3000) == pytest.approx(expected)
    record = {"swap": 50, "params": 123_456}
    assert ACTIVATIONS.metric("swap_reg").read(record) == regularised(50, 123_456)


def state(network: nn.Module) -> list[object]:
    tensors = [*network.named_parameters(), *network.named_buffers()]
    return [
        [(name, t.tolist(), t.requires_grad, t.grad is None) for name, t in tensors],
        [(m.training, len(m._forward_hooks), len(m._backward_hooks)) for m in network.modules()],
    ]


def test_measuring_leaves_no_trace() -> None:
    network = ResNet(nn.ReLU).eval()
    network.stem.requires_grad_(False)
    before, rng, python_rng = state(network), torch.get_rng_state(), np.random.get_state()[1].sum()  # noqa: NPY002
    ACTIVATIONS.measure(network, few_shot(), RECIPE, 1)
    assert state(network) == before
    assert torch.equal(torch.get_rng_state(), rng)
    assert np.random.get_state()[1].sum() == python_rng  # noqa: NPY002


def test_values_depend_on_the_seed_alone_not_on_the_weights_or_the_global_state() -> None:
    network, batch = Transformer(), few_shot()  # with Dropout
    first = values(network, batch, seed=1)
    torch.nn.init.ones_(network.head.weight)
    torch.rand(7)
    with torch.no_grad():
        assert values(network, batch, seed=1) == first
    assert values(network, batch, seed=2) != first


@given(st.integers(2, 6), st.integers(1, 40), st.integers(0, 2**32))
def test_agreements_and_row_codes_equal_loops(samples: int, units: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    codes = torch.rand(samples, units, generator=generator) > 0.5
    rows = codes.tolist()
    expected = [[sum(a == b for a, b in zip(x, y, strict=True)) for y in rows] for x in rows]
    assert agreements(codes).tolist() == expected
    assert len(set(row_codes(codes))) == len({tuple(row) for row in rows})


def test_agreements_are_added_up_over_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = torch.rand(5, 100) > 0.5
    whole = agreements(codes)
    monkeypatch.setattr("anglenas.probes._rectifiers._BLOCK", 7)
    assert torch.equal(agreements(codes), whole)


def test_log_determinant_of_a_low_rank_matrix_is_none() -> None:
    factor = torch.randn(6, 3, dtype=torch.float64)
    assert log_determinant(factor @ factor.T) is None
    assert log_determinant(torch.diag(torch.tensor([2.0, 4.0]))) == pytest.approx(math.log(8))


def test_samples_are_found_in_their_dimension() -> None:
    positive = torch.rand(5, 4, 3) > 0.5
    assert torch.equal(by_sample(positive, 5), positive.reshape(5, 12))
    assert torch.equal(by_sample(positive, 4), positive.transpose(0, 1).reshape(4, 15))
    folded = positive.reshape(20, 3)
    assert torch.equal(by_sample(folded, 5), positive.reshape(5, 12))
    with pytest.raises(Undefined, match="does not tell 7 samples apart"):
        by_sample(positive, 7)
