"""Gradient-based metrics against naive implementations, closed forms and each other."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from anglenas import Recipe
from anglenas._numerics import single_thread
from anglenas.data import FewShot, normalised
from anglenas.probes import Undefined
from anglenas.probes._backward import BACKWARD, channel_saliency
from anglenas.probes._gradsign import GRADSIGN, gradsign
from anglenas.probes._grasp import grasp
from anglenas.probes._initialise import initialise
from anglenas.probes._jacob_cov import JACOB_COV, class_scores, epe_nas
from anglenas.probes._jacobian import gram
from anglenas.probes._meco import MECO, smallest_eigenvalue
from anglenas.probes._norms import NORMS
from anglenas.probes._ntk import NTK, NTK_FROZEN_BN, condition_number, frozen_ntk, ntk
from anglenas.probes._synflow import SYNFLOW, linearise, log_synflow
from anglenas.probes._zico import ZICO

RECIPE = Recipe()
SEED = 5


class Block(nn.Module):
    """A residual block whose ReLUs are functions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + x, inplace=True)


class ResNet(nn.Module):
    def __init__(self, width: int = 6, classes: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.block = Block(width)
        self.fc = nn.Linear(width, classes)

    def forward(self, x):
        x = self.block(F.relu(self.bn(self.stem(x))))
        return self.fc(F.avg_pool2d(x, 2).mean((2, 3)))


class Plain(nn.Module):
    """No BatchNorm; ReLU in place right after a convolution; flattened by view."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 5, 3), nn.ReLU(inplace=True)
        )
        self.fc = nn.Linear(5 * 4 * 4, 3)

    def forward(self, x):
        x = self.features(x)
        return self.fc(x.view(x.size(0), -1))


@pytest.fixture(autouse=True)
def _as_in_a_worker():
    with single_thread():
        yield


def few_shot(count: int = 12, side: int = 8, classes: int = 3) -> FewShot:
    """Images sorted by class."""
    generator = torch.Generator().manual_seed(3)
    return FewShot(
        images=torch.randint(0, 256, (count, 3, side, side), generator=generator).to(torch.uint8),
        labels=torch.arange(count) * classes // count,
        class_names=tuple("abcdefghij"[:classes]),
        mean=(0.4, 0.5, 0.6),
        std=(0.2, 0.25, 0.3),
        flip=True,
    )


BATCH = few_shot()


def fresh(network: nn.Module) -> nn.Module:
    """What a probe measures, made by hand."""
    twin = copy.deepcopy(network).train()
    initialise(twin, SEED)
    return twin


def value(probe, metric: str, network: nn.Module, batch: FewShot = BATCH) -> float:
    return probe.metric(metric).read(probe.measure(network, batch, RECIPE, SEED))


def conv_and_linear(network: nn.Module) -> list[nn.Module]:
    return [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]


def loss_backward(network: nn.Module, images, labels) -> None:
    network.zero_grad()
    F.cross_entropy(network(images), labels).backward()


NETWORKS = pytest.mark.parametrize("network", [ResNet(), Plain()], ids=["resnet", "plain"])


# The neural tangent kernel


def naive_ntk(network: nn.Module, images) -> np.ndarray:
    """The published loop: one batched forward pass, one backward pass for each image."""
    logits = network(images)
    rows = []
    for index in range(len(images)):
        network.zero_grad()
        logits[index : index + 1].backward(
            torch.ones_like(logits[index : index + 1]), retain_graph=True
        )
        rows.append(
            np.concatenate(
                [
                    parameter.grad.numpy().astype(np.float64).ravel()
                    for name, parameter in network.named_parameters()
                    if "weight" in name
                ]
            )
        )
    return np.stack(rows) @ np.stack(rows).T


@NETWORKS
def test_ntk_equals_the_published_loop(network):
    eigenvalues = np.linalg.eigvalsh(naive_ntk(fresh(network), normalised(BATCH)))
    measured = value(NTK, "ntk", network)
    assert measured == pytest.approx(eigenvalues[-1] / eigenvalues[0], rel=1e-3)


def test_ntk_is_that_of_the_batch_not_of_single_images():
    network = fresh(ResNet())
    images = normalised(BATCH)
    coupled = ntk(network, images)
    uncoupled = frozen_ntk(network, images)
    assert not torch.allclose(coupled, uncoupled, rtol=0.05)


def test_frozen_ntk_equals_ntk_without_batchnorm():
    network = fresh(Plain())
    images = normalised(BATCH)
    torch.testing.assert_close(
        ntk(network, images), frozen_ntk(network, images), rtol=1e-5, atol=1e-3
    )


@pytest.mark.parametrize("tracked", [True, False])
def test_frozen_ntk_has_constant_statistics_of_the_batch(tracked):
    images = normalised(BATCH).flatten(2).mean(2)  # (N, 3)
    network = nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4, track_running_stats=tracked), nn.Linear(4, 2)
    )
    first, norm, last = network
    hidden = first(images).detach()
    deviation = (hidden.var(0) + norm.eps).sqrt()
    scaled = (hidden - hidden.mean(0)) / deviation
    back = last.weight.detach().sum(0)  # of the summed logits, by the normalised activation
    gram_of = [
        (back / deviation).square().sum() * (images @ images.T),  # first.weight
        (scaled * back) @ (scaled * back).T,  # norm.weight
        2 * scaled @ scaled.T,  # last.weight
    ]
    expected = sum(gram_of).double()
    torch.testing.assert_close(frozen_ntk(network, images), expected, rtol=1e-5, atol=1e-5)


def test_gram_does_not_depend_on_how_much_is_kept():
    network, images = fresh(Plain()), normalised(BATCH)
    sums = network(images).sum(1)
    parameters = list(network.parameters())
    whole = gram(lambda i: sums[i], len(images), parameters)
    split = gram(lambda i: sums[i], len(images), parameters, numbers_at_once=1)
    torch.testing.assert_close(whole, split, rtol=1e-12, atol=0.0)


def test_ntk_takes_72_images_of_all_classes():
    batch = few_shot(count=100, side=3, classes=10)
    network = nn.Sequential(nn.Flatten(), nn.Linear(27, 200), nn.ReLU(), nn.Linear(200, 10))
    assert len(NTK.measure(network, batch, RECIPE, SEED)["eigenvalues"]) == 72
    chosen = torch.arange(72) * 100 // 72
    eigenvalues = np.linalg.eigvalsh(naive_ntk(fresh(network), normalised(batch)[chosen]))
    assert len(set(batch.labels[chosen].tolist())) == 10
    assert value(NTK, "ntk", network, batch) == pytest.approx(
        eigenvalues[-1] / eigenvalues[0], rel=1e-3
    )


def test_singular_ntk_is_undefined():
    batch = few_shot()
    twice = FewShot(batch.images[:1].repeat(4, 1, 1, 1), batch.labels[:4], *_rest(batch))
    record = NTK_FROZEN_BN.measure(ResNet(), twice, RECIPE, SEED)
    with pytest.raises(Undefined, match="singular"):
        NTK_FROZEN_BN.metric("ntk_frozen_bn").read(record)


def _rest(batch: FewShot):
    return batch.class_names, batch.mean, batch.std, batch.flip


def test_condition_number_of_a_diagonal():
    assert condition_number([0.5, 3.0, 8.0]) == 16.0
    with pytest.raises(Undefined, match="singular"):
        condition_number([-1e-9, 1.0])


# One backward pass


@NETWORKS
def test_sums_over_weights_equal_a_loop_over_layers(network):
    twin = fresh(network)
    loss_backward(twin, normalised(BATCH), BATCH.labels)
    layers = conv_and_linear(twin)
    products = [(layer.weight * layer.weight.grad).detach() for layer in layers]
    record = BACKWARD.measure(network, BATCH, RECIPE, SEED)
    assert record["grad_norm"] == pytest.approx(
        sum(layer.weight.grad.norm().item() for layer in layers), rel=1e-4
    )
    assert record["snip"] == pytest.approx(sum(p.abs().sum().item() for p in products), rel=1e-4)
    assert record["plain"] == pytest.approx(
        sum(p.sum().item() for p in products), rel=1e-4, abs=1e-5
    )


@NETWORKS
def test_fisher_equals_a_loop_over_channels(network):
    twin = fresh(network)
    kept = []
    for layer in conv_and_linear(twin):
        layer.register_forward_hook(
            lambda m, i, out: kept.append((m, out.detach().clone(), _retained(out))) or out.clone()
        )
    F.cross_entropy(twin(normalised(BATCH)), BATCH.labels).backward()
    fisher = per_weight = 0.0
    for layer, activation, output in kept:
        for channel in range(activation.shape[1]):
            terms = [
                float((a[channel] * g[channel]).sum()) ** 2
                for a, g in zip(activation, output.grad, strict=True)
            ]
            fisher += sum(terms) / len(terms) / 2
            per_weight += sum(terms) / len(terms) / 2 * layer.weight[channel].numel()
    assert value(BACKWARD, "fisher", network) == pytest.approx(fisher, rel=1e-3)
    assert value(BACKWARD, "fisher_per_weight", network) == pytest.approx(per_weight, rel=1e-3)


def _retained(output):
    output.retain_grad()
    return output


def test_channel_saliency_of_tokens_sums_over_positions():
    activation, gradient = torch.randn(2, 4, 5, 3, generator=torch.Generator().manual_seed(0))
    by_channel = (activation * gradient).sum(1).square().mean(0) / 2
    torch.testing.assert_close(channel_saliency(activation, gradient, -1), by_channel.double())


def test_backward_by_hand():
    """Softmax regression: dL/dW = mean_n (p - y) x^T."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 3))
    weight = fresh(network)[1].weight.detach().numpy().astype(np.float64)
    images = normalised(BATCH).flatten(1).numpy().astype(np.float64)
    logits = images @ weight.T
    errors = np.exp(logits) / np.exp(logits).sum(1, keepdims=True) - np.eye(3)[BATCH.labels]
    gradient = errors.T @ images / len(images)
    record = BACKWARD.measure(network, BATCH, RECIPE, SEED)
    assert record["grad_norm"] == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
    assert record["snip"] == pytest.approx(np.abs(gradient * weight).sum(), rel=1e-5)
    assert record["plain"] == pytest.approx((gradient * weight).sum(), rel=1e-4)
    fisher = ((logits * errors / len(images)) ** 2).mean(0).sum() / 2
    assert record["fisher"] == pytest.approx(fisher, rel=1e-4)


# GraSP


def test_grasp_equals_the_whole_hessian():
    network = nn.Sequential(nn.Flatten(), nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    images, labels = normalised(BATCH).flatten(2).mean(2).double(), BATCH.labels
    names = ["1.weight", "3.weight"]
    parameters = dict(network.named_parameters())
    shapes = [parameters[name].shape for name in names]
    flat = torch.cat([parameters[name].detach().flatten() for name in names])

    def loss(values):
        parts = torch.split(values, [shape.numel() for shape in shapes])
        weights = {n: p.view(s) for n, p, s in zip(names, parts, shapes, strict=True)}
        return F.cross_entropy(torch.func.functional_call(network, weights, (images,)), labels)

    hessian = torch.autograd.functional.hessian(loss, flat)
    gradient = torch.func.grad(loss)(flat)
    expected = -(flat @ hessian @ gradient).item()
    assert grasp(network, images, labels) == pytest.approx(expected, rel=1e-9)


def test_grasp_before_batchnorm_is_the_squared_gradient():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, eps=1e-30), nn.AdaptiveAvgPool2d(2), nn.Flatten()
    ).double()
    images = normalised(BATCH).double()
    labels = torch.arange(len(images))
    loss_backward(network, images, labels)
    expected = network[0].weight.grad.square().sum().item()
    assert grasp(network, images, labels) == pytest.approx(expected, rel=1e-6)


# Synaptic flow


def test_synflow_equals_the_sum_over_all_paths():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.Linear(2, 3))
    initialise(network, SEED)
    first, second, third = (abs(network[i].weight.detach().double().numpy()) for i in (0, 2, 3))
    paths = sum(
        first[j, i] * second[k, j] * third[m, k]
        for i, j, k, m in itertools.product(range(3), range(4), range(2), range(3))
    )
    linearise(network)
    flow = log_synflow(network, torch.ones(1, 3, dtype=torch.float64))
    assert flow == pytest.approx(math.log(3 * paths), rel=1e-12)  # each path has three weights


def test_synflow_leaves_batchnorm_out():
    network = ResNet()
    twin = fresh(network).double().eval()
    for parameter in twin.parameters():
        parameter.data.abs_()
    twin.bn = twin.block.bn1 = twin.block.bn2 = nn.Identity()
    twin.zero_grad()
    twin(torch.ones(1, 3, 8, 8, dtype=torch.float64)).sum().backward()
    expected = sum((m.weight * m.weight.grad).sum().item() for m in conv_and_linear(twin))
    assert value(SYNFLOW, "synflow", network) == pytest.approx(math.log(expected), rel=1e-9)


def chain(depth: int, middle: nn.Module, weight: float) -> nn.Module:
    layers = [layer for _ in range(depth) for layer in (nn.Linear(2, 2, bias=False), middle)]
    network = nn.Sequential(*layers)
    for parameter in network.parameters():
        nn.init.constant_(parameter, weight)
    linearise(network)
    return network


def test_synflow_beyond_float64_is_exact():
    image = torch.ones(1, 2, dtype=torch.float64)
    flow = log_synflow(chain(400, nn.ReLU(), 4.0), image)  # 2 * 8^400, times 400 layers
    assert flow == pytest.approx(math.log(2) + 400 * math.log(8) + math.log(400), rel=1e-12)


def test_synflow_that_overflows_in_a_curved_network_is_undefined():
    class Square(nn.Module):
        def forward(self, x):
            return x * x

    with pytest.raises(Undefined, match="overflows"):
        log_synflow(chain(20, Square(), 4.0), torch.ones(1, 2, dtype=torch.float64))


def test_synflow_without_a_path_is_undefined():
    with pytest.raises(Undefined, match="no path"):
        log_synflow(chain(2, nn.ReLU(), 0.0), torch.ones(1, 2, dtype=torch.float64))


# Gradients by the images


def naive_rows(network: nn.Module) -> np.ndarray:
    images = normalised(BATCH).requires_grad_()
    output = fresh(network)(images)
    output.backward(torch.ones_like(output))
    return images.grad.flatten(1).numpy().astype(np.float64)


@NETWORKS
def test_jacob_cov_equals_numpy(network):
    eigenvalues, _ = np.linalg.eig(np.corrcoef(naive_rows(network)))
    shifted = eigenvalues.real + 1e-5
    expected = -np.sum(np.log(shifted) + 1 / shifted)
    assert value(JACOB_COV, "jacob_cov", network) == pytest.approx(expected, rel=1e-3)


@NETWORKS
def test_epe_nas_equals_numpy(network):
    rows, labels = naive_rows(network), BATCH.labels.numpy()
    scores = [
        np.sum(np.log(np.abs(np.corrcoef(rows[labels == label])) + 1e-5)) for label in (0, 1, 2)
    ]
    expected = np.abs(scores).sum()
    assert value(JACOB_COV, "epe_nas", network) == pytest.approx(expected, rel=1e-3)


def test_epe_nas_of_many_classes_compares_them():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(202, 7, generator=generator, dtype=torch.float64)
    labels = torch.arange(202) % 101
    scores = [
        np.sum(np.log(np.abs(np.corrcoef(rows[labels == c].numpy())) + 1e-5)) / 2
        for c in range(101)
    ]
    expected = sum(abs(a - b) for a in scores for b in scores) / 101
    assert epe_nas(class_scores(rows, labels)) == pytest.approx(expected, rel=1e-9)


def test_epe_nas_of_one_image_a_class():
    rows = torch.eye(4, dtype=torch.float64)
    assert class_scores(rows, torch.arange(4)) == pytest.approx([math.log1p(1e-5)] * 4)


# ZiCo


@NETWORKS
def test_zico_equals_numpy(network):
    twin, images = fresh(network), normalised(BATCH)
    gradients = []
    for half in (slice(0, None, 2), slice(1, None, 2)):
        loss_backward(twin, images[half], BATCH.labels[half])
        gradients.append([m.weight.grad.numpy().ravel().copy() for m in conv_and_linear(twin)])
    expected = 0.0
    for pair in zip(*gradients, strict=True):
        layer = np.stack(pair).astype(np.float64)
        deviation = layer.std(axis=0)
        varies = deviation != 0
        expected += np.log(np.sum(np.abs(layer).mean(axis=0)[varies] / deviation[varies]))
    assert value(ZICO, "zico", network) == pytest.approx(expected, rel=2e-2)


# GradSign


def test_gradsign_equals_a_vote_of_vectorised_gradients():
    network = fresh(Plain()).double()
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    weights = {n: p.detach() for n, p in network.named_parameters() if n.endswith("weight")}

    def loss(values, image, label):
        logits = torch.func.functional_call(network, values, (image[None],))
        return F.cross_entropy(logits, label[None])

    images = normalised(BATCH).double()
    each = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))(weights, images, BATCH.labels)
    expected = sum(g.sign().sum(0).abs().sum().item() for g in each.values())
    assert gradsign(network, images, BATCH.labels) == expected


def test_gradsign_of_the_same_image_counts_all_weights():
    same = FewShot(BATCH.images[:1].repeat(5, 1, 1, 1), BATCH.labels[:5] * 0, *_rest(BATCH))
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 3))
    assert value(GRADSIGN, "gradsign", network, same) == 5 * 3 * 3 * 8 * 8


# MeCo and norms


def test_meco_equals_numpy_over_the_layers():
    network = ResNet()
    twin = fresh(network)
    with torch.no_grad():
        x = normalised(BATCH)[:1]
        block = twin.block
        maps = [x := twin.stem(x), x := twin.bn(x)]
        x = F.relu(x)
        maps += [y := block.conv1(x), y := block.bn1(y)]
        maps += [y := block.conv2(F.relu(y)), block.bn2(y)]
    expected = sum(
        np.linalg.eigvalsh(np.corrcoef(m[0].flatten(1).double().numpy()))[0] for m in maps
    )
    assert value(MECO, "meco", network) == pytest.approx(expected, rel=1e-3)


def test_a_map_without_variance_has_no_correlation_even_with_itself():
    maps = torch.randn(4, 6, 6, generator=torch.Generator().manual_seed(0))
    assert smallest_eigenvalue(maps) > 0.1
    maps[2] = 0.7
    assert smallest_eigenvalue(maps) == pytest.approx(0.0, abs=1e-12)


@NETWORKS
def test_l2_norm_equals_a_loop_over_layers(network):
    expected = sum(m.weight.norm().item() for m in conv_and_linear(fresh(network)))
    assert value(NORMS, "l2_norm", network) == pytest.approx(expected, rel=1e-5)
