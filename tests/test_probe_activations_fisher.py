"""VKDNW against explicit gradients and NumPy; all published scores that can be compared with."""

import csv
import math
import random
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from torch import nn

from anglenas import Recipe
from anglenas.data import FewShot, draw_few_shot, load_npz, normalised
from anglenas.probes import Undefined
from anglenas.probes._activations import ACTIVATIONS
from anglenas.probes._initialise import initialise
from anglenas.probes._vkdnw import VKDNW, decile_entropy, fisher_information, measure_vkdnw
from anglenas.probes._zen import ZEN
from anglenas.spaces import NASBENCH201, NetworkConfig


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


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip


def test_fisher_information_is_the_expected_square_of_the_score() -> None:
    generator = torch.Generator().manual_seed(1)
    jacobian = torch.randn(5, 3, 4, generator=generator).double()
    logits = torch.randn(5, 3, generator=generator).double()
    expected = np.zeros((4, 4))
    for j, p in zip(jacobian.numpy(), logits.softmax(1).numpy(), strict=True):
        for k in range(3):
            score = j[k] - sum(p[c] * j[c] for c in range(3))  # gradient of log p_k
            expected += p[k] * np.outer(score, score) / 5
    np.testing.assert_allclose(fisher_information(jacobian, logits, 0.0), expected, rtol=1e-10)


def test_smoothing_mixes_in_the_uniform_distribution() -> None:
    logits = torch.tensor([[2.0, 0.0, 1.0]])
    p = 0.8 * logits[0].double().softmax(0).numpy() + 0.2 / 3
    expected = np.diag(p) - np.outer(p, p)
    got = fisher_information(torch.eye(3)[None], logits, smoothing=0.2)
    np.testing.assert_allclose(got, expected, rtol=1e-10)


def test_decile_entropy_equals_numpy_and_scipy() -> None:
    values = torch.rand(37, generator=torch.Generator().manual_seed(1)).double()
    deciles = np.quantile(values.numpy(), np.linspace(0.1, 0.9, 9))
    assert decile_entropy(values) == pytest.approx(scipy.stats.entropy(deciles))


def test_the_probe_takes_the_first_entry_of_each_parameter_tensor(batch: FewShot) -> None:
    measured = network()
    record = measure_vkdnw(measured, batch, Recipe(), 1, images=4, chunk=3)

    initialise(measured, 1)
    measured.eval()
    images = normalised(batch)[[0, 1, 3, 4]]
    parameters = list(measured.parameters())
    rows = []
    for image in images:
        logits = measured(image[None])[0]
        gradients = [torch.autograd.grad(v, parameters, retain_graph=True) for v in logits]
        rows.append([[float(g.flatten()[0]) for g in row] for row in gradients])
    fisher = fisher_information(torch.tensor(rows), measured(images).detach())
    assert record["tensors"] == len(parameters) == 10
    eigenvalues = np.linalg.eigvalsh(fisher.numpy()).clip(0)
    deciles = np.quantile(eigenvalues, np.linspace(0.1, 0.9, 9))
    assert record["entropy"] == pytest.approx(scipy.stats.entropy(deciles), rel=1e-4)
    assert VKDNW.metric("vkdnw").read(record) == 10 + record["entropy"]


def test_a_network_of_no_information_is_undefined(batch: FewShot) -> None:
    class Deaf(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.head(images.mean(dim=(2, 3))) * 0

    with pytest.raises(Undefined, match="too few directions"):
        VKDNW.metric("vkdnw").read(VKDNW.measure(Deaf(), batch, Recipe(), 1))


def test_a_forward_pass_that_asks_for_values_is_undefined(batch: FewShot) -> None:
    class Asking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            means = self.head(images.mean(dim=(2, 3)))
            return means if means.sum().item() > 0 else -means

    with pytest.raises(Undefined, match="cannot be differentiated image by image"):
        VKDNW.measure(Asking(), batch, Recipe(), 1)


def test_vkdnw_leaves_no_trace(batch: FewShot) -> None:
    measured = network().train()
    before = {name: value.clone() for name, value in measured.state_dict().items()}
    rng = torch.get_rng_state()
    with torch.no_grad():
        first = VKDNW.measure(measured, batch, Recipe(), 1)
    assert VKDNW.measure(measured, batch, Recipe(), 1) == first
    assert torch.equal(torch.get_rng_state(), rng)
    assert all(torch.equal(before[name], v) for name, v in measured.state_dict().items())
    assert measured.training
    assert all(p.requires_grad and p.grad is None for p in measured.parameters())


@pytest.mark.slow
def test_naswot_and_zen_rank_networks_as_the_published_scores_do(dev_data: Path) -> None:
    with (dev_data / "nasbench201_published_proxies_cifar10.csv").open() as file:
        published = [row for row in csv.DictReader(file) if row["nwot"] and row["zen"]]
    source = load_npz(dev_data / "cifar10_subset.npz")
    images = draw_few_shot(
        source, classes=10, images_per_class=10, sampling="random", resolution=32, seed=1
    )
    chosen = random.Random(0).sample(published, 12)
    naswot, zen = [], []
    for row in chosen:
        measured = NASBENCH201.build(str(NASBENCH201.at(int(row["index"]))), NetworkConfig())
        record = ACTIVATIONS.measure(measured, images, Recipe(), 1)
        naswot.append(ACTIVATIONS.metric("naswot").read(record))
        zen.append(ZEN.metric("zen").read(ZEN.measure(measured, images, Recipe(), 1)))
    assert scipy.stats.spearmanr(naswot, [float(r["nwot"]) for r in chosen])[0] > 0.97
    assert scipy.stats.spearmanr(zen, [float(r["zen"]) for r in chosen])[0] > 0.9
    assert all(map(math.isfinite, zen))
