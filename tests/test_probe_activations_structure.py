"""Linear regions, Zen-Score and AZ-NAS against hooks, loops and SciPy."""

import copy
import math

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
import torch.nn.functional as F
from torch import nn

from anglenas import Recipe
from anglenas._numerics import derive
from anglenas.data import FewShot, normalised
from anglenas.probes import Probe, Thinnable, Undefined
from anglenas.probes._az_nas import AZ_NAS, entropy, find_blocks, measure_az_nas, spectral_norm
from anglenas.probes._initialise import initialise
from anglenas.probes._regions import (
    REGIONS,
    count_regions,
    crops,
    measure_regions,
    random_channels,
)
from anglenas.probes._zen import ZEN, measure_zen
from anglenas.ranking import parse

RECIPE = Recipe()


@pytest.fixture
def batch() -> FewShot:
    generator = torch.Generator().manual_seed(5)
    return FewShot(
        images=torch.randint(256, (6, 3, 8, 8), generator=generator, dtype=torch.uint8),
        labels=torch.arange(6) % 3,
        class_names=("a", "b", "c"),
        mean=(0.5, 0.4, 0.3),
        std=(0.25, 0.2, 0.3),
        flip=False,
    )


class Edge(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.edge = Edge(channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.edge(x)


class Pass(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Network(nn.Module):
    """Stem, a cell, a reduction, a cell; each ReLU a module."""

    def __init__(self, cell: type[nn.Module] | None = None) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4))
        middle = Residual(4) if cell is None else cell()
        self.cells = nn.ModuleList([middle, Edge(4, 8, stride=2), Residual(8)])
        self.last = nn.Sequential(nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Linear(8, 3)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        x = self.stem(images)
        for cell in self.cells:
            x = cell(x)
        return self.last(x)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(F.adaptive_avg_pool2d(self.features(images), 1).flatten(1))


class Thin(nn.Module):
    """One cell of one channel with a dead edge, without stem, for one channel of the images."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.dead, self.last = Residual(1), Edge(1, 1), nn.BatchNorm2d(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.dead(x)
        return F.relu(self.last(self.cell(x))).mean(dim=(2, 3))


class WithThinForm(Network, Thinnable):
    def thin(self) -> nn.Module:
        return Thin()


def published_count(codes: np.ndarray) -> float:
    """TE-NAS: ``sum_i 1 / (number of samples with the code of i)``, by matrix products."""
    differences = codes @ (1 - codes).T
    equal = 1 - np.sign(differences + differences.T)
    return float((1 / equal.sum(axis=1)).sum())


def relu_outputs(network: nn.Module, inputs: torch.Tensor) -> np.ndarray:
    outputs: list[torch.Tensor] = []
    hooks = [
        module.register_forward_hook(lambda _, args, output: outputs.append(output.flatten(1)))
        for module in network.modules()
        if isinstance(module, nn.ReLU)
    ]
    with torch.no_grad():
        network(inputs)
    for hook in hooks:
        hook.remove()
    return np.sign(torch.cat(outputs, dim=1).numpy())


def test_regions_are_the_published_count_over_all_batches() -> None:
    network = nn.Sequential(Edge(1, 2), nn.ReLU(), nn.Conv2d(2, 1, 3, padding=1), nn.ReLU()).train()
    generator = torch.Generator().manual_seed(1)
    # Few different samples, so that codes come again within and between the batches.
    batches = list(torch.randint(-1, 2, (2, 60, 1, 2, 2), generator=generator).float())
    codes = np.concatenate([relu_outputs(copy.deepcopy(network), inputs) for inputs in batches])
    assert count_regions(network, batches) == pytest.approx(published_count(codes))
    assert count_regions(network, batches) < 120


def test_the_probe_counts_the_thin_form_with_dead_edges_on_one_channel(batch: FewShot) -> None:
    thin = Thin().train()
    initialise(thin, 1)
    codes: set[bytes] = set()
    thin.cell.edge[0].register_forward_hook(lambda *_: None)
    generator = torch.Generator().manual_seed(derive(1, "crops"))
    for _ in range(2):
        inputs = random_channels(crops(normalised(batch), 3, 50, generator), generator)
        x = thin.cell(inputs)
        signs = [inputs, inputs, thin.last(x)]  # the live edge, the dead edge, the last ReLU
        rows = torch.cat([s.flatten(1) > 0 for s in signs], dim=1).numpy()
        codes.update(row.tobytes() for row in rows)
    record = measure_regions(WithThinForm(), batch, RECIPE, 1, batches=2, batch_size=50)
    assert record == {"regions": len(codes), "samples": 100}


def test_a_dead_edge_adds_regions_of_its_own(batch: FewShot) -> None:
    class DeadConv(Thin):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            F.relu(self.dead(x))
            return super().forward(x)

    class WithDeadConv(Network, Thinnable):
        def thin(self) -> nn.Module:
            return DeadConv()

    counts = [
        measure_regions(network, batch, RECIPE, 1, batches=1, batch_size=500)["regions"]
        for network in (WithThinForm(), WithDeadConv())
    ]
    assert counts[0] < counts[1]


def test_a_network_without_thin_form_is_counted_as_it_is(batch: FewShot) -> None:
    record = measure_regions(Network(), batch, RECIPE, 1, batches=1, batch_size=40)
    assert 1 < record["regions"] <= 40


def test_a_network_that_takes_no_small_patches_has_no_regions(batch: FewShot) -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3 * 8 * 8, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return F.relu(self.layer(images.flatten(1)))

    with pytest.raises(Undefined, match="fails on patches of 3 x 3 pixels"):
        REGIONS.measure(Flat(), batch, RECIPE, 1)


def test_without_rectifiers_there_are_no_regions(batch: FewShot) -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.GELU(), nn.Flatten())
    with pytest.raises(Undefined, match="runs no rectifier"):
        REGIONS.measure(network, batch, RECIPE, 1)


def test_crops_are_parts_of_the_images_at_all_places() -> None:
    images = torch.arange(2 * 1 * 4 * 5).view(2, 1, 4, 5)
    parts = crops(images, 3, 400, torch.Generator().manual_seed(1))
    expected = {
        tuple(image[0, top : top + 3, left : left + 3].flatten().tolist())
        for image in images
        for top in range(2)
        for left in range(3)
    }
    assert {tuple(part.flatten().tolist()) for part in parts} == expected


def test_one_channel_is_taken_from_each_image() -> None:
    images = torch.rand(300, 3, 2, 2)
    taken = random_channels(images, torch.Generator().manual_seed(1))
    matches = (images == taken).all(dim=(2, 3))
    assert matches.sum(dim=1).tolist() == [1] * 300
    assert (matches.sum(dim=0) > 60).all()


@pytest.mark.parametrize("pool", ["adaptive", "mean", "flatten"])
def test_zen_is_its_formula_on_hooked_features_and_batchnorms(batch: FewShot, pool: str) -> None:
    class Pooled(Network):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if pool == "mean":
                return self.head(self.features(images).mean((2, 3)))
            if pool == "flatten":
                return self.features(images).view(len(images), -1)
            return super().forward(images)

    network = Pooled()
    record = measure_zen(network, batch, RECIPE, 1, batch_size=7)

    initialise(network, 1)
    for layer in (m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)):
        layer.weight.data *= math.sqrt(layer.weight[0].numel() / 2)  # from N(0, 2 / fan_in)
    scales: list[float] = []
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    hooks = [
        m.register_forward_pre_hook(
            lambda _, args: scales.append(
                math.log(math.sqrt(np.mean(np.var(args[0].numpy(), axis=(0, 2, 3)))))
            )
        )
        for m in norms
    ]
    with torch.no_grad():
        generator = torch.Generator().manual_seed(derive(1, "inputs"))
        first, noise = torch.randn(2, 7, *batch.images.shape[1:], generator=generator)
        second = first + 0.01 * noise
        features = network.features(first)
        for hook in hooks:
            hook.remove()
        difference = (features - network.features(second)).numpy()
    distance = np.mean([np.linalg.norm(d) for d in difference])
    assert record["zen"] == pytest.approx(math.log(distance) + sum(scales), rel=1e-5)
    assert record["batchnorms"] == len(norms) == len(scales)


def test_zen_draws_its_weights_from_the_standard_normal_distribution(batch: FewShot) -> None:
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    class Watched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 64, 3), nn.Linear(64, 100)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen[:] = [(layer.weight.clone(), layer.bias) for layer in (self.conv, self.head)]
            return self.head(self.conv(images).mean((2, 3)))

    ZEN.measure(Watched(), batch, RECIPE, 1)
    for weight, bias in seen:
        assert scipy.stats.kstest(weight.detach().flatten(), "norm").pvalue > 0.01
        assert bias.count_nonzero() == 0


def test_zen_does_not_need_batchnorm(batch: FewShot) -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    record = ZEN.measure(network, batch, RECIPE, 1)
    assert record["batchnorms"] == 0
    assert math.isfinite(ZEN.metric("zen").read(record))


def test_zen_ignores_squeezing_in_the_middle(batch: FewShot) -> None:
    class Squeezed(nn.Module):
        def __init__(self, gate: bool) -> None:
            super().__init__()
            self.gate, self.conv, self.head = gate, nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            x = self.conv(images)
            scale = F.adaptive_avg_pool2d(x, 1)
            return self.head((x * scale if self.gate else x).mean((2, 3)))

    with_gate, without = (ZEN.measure(Squeezed(g), batch, RECIPE, 1)["zen"] for g in (True, False))
    assert with_gate != pytest.approx(without, rel=1e-3)


def test_zen_of_a_network_without_feature_map_is_undefined(batch: FewShot) -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches, self.head = nn.Conv2d(3, 8, 4, stride=4), nn.Linear(8, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.head(self.patches(images).flatten(2).mean(dim=2))

    with pytest.raises(Undefined, match="turns no feature map"):
        ZEN.measure(Tokens(), batch, RECIPE, 1)


def test_zen_of_features_that_ignore_the_input_is_undefined(batch: FewShot) -> None:
    class Zeros(Network):
        def features(self, images: torch.Tensor) -> torch.Tensor:
            return super().features(images) * 0

    with pytest.raises(Undefined, match="do not depend on the input"):
        ZEN.metric("zen").read(ZEN.measure(Zeros(), batch, RECIPE, 1))


def test_entropy_is_that_of_the_principal_components() -> None:
    features = torch.randn(5, 4, 3, 3, generator=torch.Generator().manual_seed(1)).double()
    rows = features.permute(0, 2, 3, 1).reshape(-1, 4).numpy()
    eigenvalues = scipy.linalg.eigvalsh(np.cov(rows.T))
    expected = scipy.stats.entropy(eigenvalues)  # of eigenvalues divided by their sum
    assert entropy(features) == pytest.approx(expected)
    assert entropy(features.flatten(2).transpose(1, 2)) == pytest.approx(expected)
    assert math.isnan(entropy(torch.ones(2, 3, 2, 2)))


def test_spectral_norm_finds_the_scale_of_a_pointwise_linear_block() -> None:
    matrix = torch.tensor([[3.0, 0.0], [0.0, 0.5]])
    signs = torch.randint(2, (64, 2, 16, 16), generator=torch.Generator().manual_seed(1)) * 2.0 - 1
    gradient = torch.einsum("oi,bohw->bihw", matrix, signs)
    assert spectral_norm(gradient, signs) == pytest.approx(3.0, rel=0.05)


def test_spectral_norm_of_a_reduction_takes_positions_as_channels() -> None:
    gradient, signs = torch.randn(3, 2, 4, 4), torch.randn(3, 5, 2, 2)
    total = np.zeros((8, 5))
    for n in range(3):
        for y in range(2):
            for x in range(2):
                patch = gradient[n, :, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].flatten()
                total += np.outer(patch, signs[n, :, y, x])
    expected = scipy.linalg.svdvals(total / 12)[0]
    assert spectral_norm(gradient, signs) == pytest.approx(expected, rel=1e-5)


def test_spectral_norm_of_a_block_that_enlarges_is_undefined() -> None:
    with pytest.raises(Undefined, match="enlarges"):
        spectral_norm(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 4, 4))


def test_spectral_norm_of_odd_sides_fills_up_with_zeros() -> None:
    gradient, signs = torch.randn(2, 3, 7, 7), torch.randn(2, 4, 4, 4)
    filled = F.pad(gradient, (0, 1, 0, 1))
    assert spectral_norm(gradient, signs) == spectral_norm(filled, signs)


def test_blocks_are_stem_cells_and_head() -> None:
    network = Network()
    assert find_blocks(network) == [network.stem, *network.cells, network.head]
    assert find_blocks(nn.ModuleList([network])) == find_blocks(network)


def test_a_network_of_backbone_and_head_has_the_blocks_of_its_backbone(batch: FewShot) -> None:
    class Headed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.head = Network(), nn.Linear(3, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.head(self.backbone(images))

    record = AZ_NAS.measure(Headed(), batch, RECIPE, 1)
    assert (len(record["entropies"]), len(record["spectral_norms"])) == (4, 3)


def test_az_nas_is_that_of_hooked_blocks(batch: FewShot) -> None:
    record = measure_az_nas(Network(), batch, RECIPE, 1, batch_size=9)
    entropies, norms = record["entropies"], record["spectral_norms"]
    assert (len(entropies), len(norms)) == (4, 3)
    read = {metric.name: metric.read(record) for metric in AZ_NAS.metrics}
    assert read["az_expressivity"] == pytest.approx(sum(entropies))
    assert read["az_progressivity"] == min(np.diff(entropies))
    expected = np.mean([-norm - 1 / (norm + 1e-6) + 2 for norm in norms])
    assert read["az_trainability"] == pytest.approx(expected)
    # Multiply-adds by hand: stem, two residual convolutions, the reduction, the head.
    products = 64 * 27 * 4 + 64 * 36 * 4 + 16 * 36 * 8 + 16 * 72 * 8 + 24
    assert read["az_complexity"] == 2 * products


def test_a_block_that_passes_its_input_on_cannot_be_trained(batch: FewShot) -> None:
    record = AZ_NAS.measure(Network(Pass), batch, RECIPE, 1)
    with pytest.raises(Undefined, match="unchanged"):
        AZ_NAS.metric("az_trainability").read(record)
    assert AZ_NAS.metric("az_progressivity").read(record) <= 0


def test_a_constant_block_has_no_expressivity(batch: FewShot) -> None:
    class Nothing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 0

    record = AZ_NAS.measure(Network(Nothing), batch, RECIPE, 1)
    with pytest.raises(Undefined, match="block 2 has a constant"):
        AZ_NAS.metric("az_expressivity").read(record)


def test_az_nas_of_tokens_is_defined(batch: FewShot) -> None:
    class Vit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, 8, 4, stride=4)
            self.layers = nn.Sequential(
                *(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True) for _ in range(2))
            )
            self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            tokens = self.patches(images).flatten(2).transpose(1, 2)
            return self.head(self.norm(self.layers(tokens)).mean(dim=1))

    record = AZ_NAS.measure(Vit(), batch, RECIPE, 1)
    assert len(record["entropies"]) == 3
    assert all(math.isfinite(metric.read(record)) for metric in AZ_NAS.metrics)


def test_spectral_norm_where_the_number_of_tokens_changes_is_undefined() -> None:
    with pytest.raises(Undefined, match="number of tokens"):
        spectral_norm(torch.ones(1, 4, 3), torch.ones(1, 5, 3))


def test_blocks_that_are_not_in_a_row_are_undefined(batch: FewShot) -> None:
    class Parallel(Network):
        def features(self, images: torch.Tensor) -> torch.Tensor:
            self.cells[0](self.stem(images))
            return super().features(images)

    with pytest.raises(Undefined, match="does not depend on the one before"):
        AZ_NAS.measure(Parallel(), batch, RECIPE, 1)


def test_one_block_is_too_few(batch: FewShot) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(Undefined, match="fewer than two blocks"):
        AZ_NAS.measure(network, batch, RECIPE, 1)


def test_the_rank_expression_of_az_nas_can_be_read() -> None:
    text = "+".join(f"logrank({metric.name})" for metric in AZ_NAS.metrics)
    assert str(parse(text)) == text


@pytest.mark.parametrize("probe", [REGIONS, ZEN, AZ_NAS])
def test_probes_leave_no_trace_and_repeat_themselves(probe: Probe, batch: FewShot) -> None:
    network = WithThinForm().eval()
    before = copy.deepcopy(network.state_dict())
    rng = torch.get_rng_state()
    first = probe.measure(network, batch, RECIPE, 1)
    assert torch.equal(torch.get_rng_state(), rng)
    torch.rand(3)
    with torch.no_grad():
        assert probe.measure(network, batch, RECIPE, 1) == first
    assert any(probe.measure(network, batch, RECIPE, seed) != first for seed in range(2, 6))
    assert all(torch.equal(before[name], t) for name, t in network.state_dict().items())
    assert not network.training
    assert all(p.grad is None and p.requires_grad for p in network.parameters())
    assert not any(m._forward_hooks for m in network.modules())
