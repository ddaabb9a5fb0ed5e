"""The short training against a plain implementation, written as the paper tells it."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from anglenas import Recipe
from anglenas._numerics import derive
from anglenas.data import Augmenter, draw_few_shot, open_source, standard_padding
from anglenas.errors import NetworkError
from anglenas.probes import Undefined, find_metric, short_training
from anglenas.probes._initialise import initialise
from anglenas.probes._short_training import SHORT_TRAINING, _descent, cosine
from anglenas.spaces import NASBENCH201, NetworkConfig

CELL = NASBENCH201.parse(
    "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_3x3~1|none~2|"
)
TINY = Recipe(name="tiny", resolution=8, channels=4, cells=1, iterations=6, images_per_class=3)


@pytest.fixture(scope="module")
def batch():
    return draw_few_shot(
        open_source("digits"), classes=10, images_per_class=3, sampling="random", resolution=8,
        seed=7,
    )  # fmt: skip


def network_of(cell=CELL, **changes):
    config = NetworkConfig(num_classes=10, channels=4, cells=1, in_channels=1)
    return NASBENCH201.build(NASBENCH201.canonical(cell), config)


def small_module(outputs=10):
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, outputs))


def plain_training(network, classifier, batch, recipe, seed):
    """Nesterov SGD by hand, one tensor at a time, in the default memory layout."""
    initialise(network, seed)
    network.train()
    parameters = list(network.parameters())
    velocities = [torch.zeros_like(parameter) for parameter in parameters]
    start = classifier.weight.detach().clone().flatten()
    augmenter = Augmenter(batch, standard_padding(batch.images.shape[-1]))
    losses, cosines = [], []
    for iteration in range(recipe.iterations):
        generator = torch.Generator().manual_seed(derive(seed, "augmentation", iteration))
        logits = network(augmenter(generator).contiguous())
        log_probabilities = logits - logits.logsumexp(dim=1, keepdim=True)
        loss = -log_probabilities[torch.arange(len(batch.labels)), batch.labels].mean()
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, velocity, gradient in zip(
                parameters, velocities, gradients, strict=True
            ):
                step = gradient + recipe.weight_decay * parameter
                velocity.mul_(recipe.momentum).add_(step)
                parameter -= recipe.lr * (step + recipe.momentum * velocity)
        end = classifier.weight.detach().flatten()
        cosines.append(float((start @ end) / (start.norm() * end.norm())))
    return losses, cosines


def test_trajectories_equal_those_of_a_plain_training(batch):
    network = network_of()
    record = SHORT_TRAINING.measure(network, batch, TINY, seed=3)
    losses, cosines = plain_training(network, network.classifier, batch, TINY, seed=3)
    assert record["loss"] == pytest.approx(losses, rel=2e-3)
    assert record["cosine"] == pytest.approx(cosines, rel=1e-4)
    assert losses[-1] < losses[0]  # it does learn


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_each_step_is_that_of_torchs_optimiser_bit_for_bit(momentum):
    recipe = Recipe(lr=0.1, momentum=momentum, weight_decay=0.01)
    start = [torch.randn(5, generator=torch.Generator().manual_seed(k)) for k in range(3)]
    ours, theirs = ([nn.Parameter(tensor.clone()) for tensor in start] for _ in range(2))
    step = _descent(ours, recipe)
    optimiser = torch.optim.SGD(
        theirs, lr=0.1, momentum=momentum, nesterov=momentum > 0, weight_decay=0.01, fused=True
    )
    for iteration in range(4):
        for always, sometimes, never in (ours, theirs):
            always.grad = sometimes.grad = never.grad = None
            ((always**3).sum() + ((sometimes**2).sum() if iteration != 1 else 0)).backward()
        step()
        optimiser.step()
        assert all(map(torch.equal, ours, theirs))
    assert torch.equal(ours[2], start[2])
    assert not torch.equal(ours[1], start[1])


def test_metrics_are_read_from_the_trajectories(batch):
    record = SHORT_TRAINING.measure(network_of(), batch, TINY, seed=3)
    assert find_metric("loss").read(record) == record["loss"][5]
    assert find_metric("angle").read(record) == record["cosine"][5]
    assert find_metric("tse").read(record) == pytest.approx(sum(record["loss"]))
    assert find_metric("tse_e").read(record) == pytest.approx(sum(record["loss"][-2:]))


@pytest.mark.parametrize("iteration", [1, 3])
def test_earlier_iterations_are_those_of_a_shorter_training(batch, iteration):
    whole = SHORT_TRAINING.measure(network_of(), batch, TINY, seed=3)
    shorter = Recipe(**{**vars(TINY), "iterations": iteration})
    record = SHORT_TRAINING.measure(network_of(), batch, shorter, seed=3)
    for name in ("angle", "loss", "tse"):
        assert find_metric(f"{name}@{iteration}").read(whole) == find_metric(name).read(record)


def test_iterations_that_were_not_run_are_undefined(batch):
    record = SHORT_TRAINING.measure(network_of(), batch, TINY, seed=3)
    with pytest.raises(Undefined, match="has 6 iterations, not 7"):
        find_metric("angle@7").read(record)


def test_same_seed_same_record_and_other_seed_another(batch):
    first, second, other = (
        SHORT_TRAINING.measure(network_of(), batch, TINY, seed=seed) for seed in (3, 3, 4)
    )
    assert first == second
    assert first != other


def test_cells_with_the_same_form_get_the_same_record(batch):
    dead = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|nor_conv_1x1~2|"
    lean = "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"
    constant, single = (NASBENCH201.parse(text) for text in (dead, lean))
    assert NASBENCH201.canonical(constant) != NASBENCH201.canonical(single)
    twin = NASBENCH201.parse("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|")
    records = [SHORT_TRAINING.measure(network_of(one), batch, TINY, 3) for one in (twin, single)]
    assert records[0] == records[1]


def test_divergence_is_told_with_its_iteration(batch):
    wild = Recipe(**{**vars(TINY), "lr": 1e20})
    record = SHORT_TRAINING.measure(network_of(), batch, wild, seed=3)
    done = len(record["loss"])
    assert done < TINY.iterations
    with pytest.raises(Undefined, match=f"not finite at iteration {done + 1}"):
        find_metric("loss").read(record)
    assert math.isfinite(find_metric(f"loss@{done}").read(record))


def test_network_and_random_state_stay_as_they_were(batch):
    network = small_module()
    network.eval()
    network[0].weight.requires_grad_(False)
    before, state = copy.deepcopy(network.state_dict()), torch.random.get_rng_state()
    SHORT_TRAINING.measure(network, batch, TINY, seed=3)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert torch.equal(state, torch.random.get_rng_state())
    assert not network.training
    assert not network[0].weight.requires_grad
    assert network[3].weight.grad is None


class Wrapped(nn.Module):
    """Features and logits, a linear layer that comes later in the module than it runs."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(16, 10)
        self.body = nn.Linear(64, 16)

    def forward(self, images):
        features = F.relu(self.body(images.flatten(1)))
        return features, {"unused": None} and self.head(features)


def test_logits_are_found_in_a_tuple_and_the_classifier_is_the_last_that_runs(batch):
    network = Wrapped()
    record = SHORT_TRAINING.measure(network, batch, TINY, seed=3)
    bare = nn.Sequential()
    bare.body, bare.head = copy.deepcopy(network.body), copy.deepcopy(network.head)
    bare.forward = lambda x: bare.head(F.relu(bare.body(x.flatten(1))))
    losses, cosines = plain_training(bare, bare.head, batch, TINY, seed=3)
    assert record["cosine"] == pytest.approx(cosines, rel=1e-4)
    assert record["loss"] == pytest.approx(losses, rel=2e-3)


class Idle(nn.Module):
    """Its linear layer does not run."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 8)
        self.unused = nn.Linear(10, 10)

    def forward(self, images):
        return self.conv(images).flatten(1)


def test_without_a_linear_layer_losses_are_told_and_the_angle_is_undefined(batch):
    network = nn.Sequential(nn.Conv2d(1, 10, 8), nn.Flatten())
    record = SHORT_TRAINING.measure(network, batch, TINY, seed=3)
    losses, _ = plain_training(copy.deepcopy(network), network[0], batch, TINY, seed=3)
    assert record["loss"] == pytest.approx(losses, rel=1e-4)
    assert SHORT_TRAINING.metric("tse").read(record) == pytest.approx(sum(losses))
    with pytest.raises(Undefined, match="no linear layer, whose turning"):
        SHORT_TRAINING.metric("angle").read(record)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (small_module(outputs=7), "7 outputs, but the images have 10 classes"),
        (Idle(), "No linear layer runs"),
        (nn.Linear(8, 10), r"no logits of shape \(N, classes\)"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 10)), "for such images"),
    ],
)
def test_networks_that_cannot_be_measured_are_refused(batch, network, message):
    with pytest.raises(NetworkError, match=message):
        SHORT_TRAINING.measure(network, batch, TINY, seed=3)


def test_fresh_weights_have_the_spread_of_kaiming_and_streams_of_their_own():
    wide = nn.Sequential(nn.Conv2d(64, 64, 3), nn.BatchNorm2d(64), nn.Linear(64, 64))
    nn.init.constant_(wide[1].weight, 3.0)
    initialise(wide, seed=1)
    assert wide[0].weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.02)
    assert wide[2].weight.std().item() == pytest.approx(math.sqrt(2 / 64), rel=0.05)
    assert wide[0].bias.abs().max() == 0
    assert bool((wide[1].weight == 1).all())
    longer = nn.Sequential(*wide, nn.Linear(64, 64))
    kept = wide[0].weight.clone()
    initialise(longer, seed=1)
    assert torch.equal(longer[0].weight, kept)
    assert not torch.equal(longer[2].weight, longer[3].weight)


def test_cosine_against_a_known_angle():
    v = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    w = torch.tensor([[math.cos(0.3), math.sin(0.3)], [0.0, 0.0]])
    assert cosine(v, w) == pytest.approx(math.cos(0.3), abs=1e-7)
    assert math.isnan(cosine(v, torch.zeros(2, 2)))


class TwoHeads(nn.Module):
    """Logits of a main and of an auxiliary head, the latter running last."""

    def __init__(self, aux=10):
        super().__init__()
        self.main = nn.Linear(64, 12)
        self.aux = nn.Linear(64, aux)

    def forward(self, images):
        flat = images.flatten(1)
        return self.main(flat), self.aux(flat)


def test_a_head_that_is_too_narrow_may_not_be_the_one_that_is_meant(batch):
    with pytest.raises(NetworkError, match=r"3 outputs.* or name the layer of its logits with "):
        SHORT_TRAINING.measure(TwoHeads(aux=3), batch, TINY, seed=3)
    named = short_training("main").measure(TwoHeads(aux=3), batch, TINY, seed=3)
    assert len(named["loss"]) == TINY.iterations


@pytest.mark.parametrize(("name", "other"), [("main", "aux"), ("aux", "main")])
def test_the_named_head_is_the_one_that_is_trained(batch, name, other):
    network = TwoHeads()
    record = short_training(name).measure(network, batch, TINY, seed=3)
    alone = copy.deepcopy(network)
    alone.forward = lambda images: getattr(alone, name)(images.flatten(1))
    delattr(alone, other)
    losses, cosines = plain_training(alone, getattr(alone, name), batch, TINY, seed=3)
    assert record["loss"] == pytest.approx(losses, rel=2e-3)
    assert record["cosine"] == pytest.approx(cosines, rel=1e-4)


class Viewing(nn.Module):
    """Flattens by ``view``, which feature maps in channels_last do not allow."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.head = nn.Linear(256, 10)

    def forward(self, images):
        return self.head(F.relu(self.conv(images)).view(len(images), -1))


def test_networks_that_flatten_by_view_are_trained_on_images_of_one_channel(batch):
    network = Viewing()
    record = SHORT_TRAINING.measure(network, batch, TINY, seed=3)
    losses, _ = plain_training(network, network.head, batch, TINY, seed=3)
    assert record["loss"] == pytest.approx(losses, rel=2e-3)


class Shifting(nn.Module):
    """Adds 1 to its input, on the spot or in a copy."""

    def __init__(self, *, in_place):
        super().__init__()
        self.in_place = in_place
        self.head = nn.Linear(64, 10)

    def forward(self, images):
        images = images.add_(1) if self.in_place else images + 1
        return self.head(images.flatten(1))


def test_an_input_that_is_changed_in_place_is_fresh_in_every_iteration(batch):
    still = Recipe(**{**vars(TINY), "augment": False})
    on_the_spot, in_a_copy = (
        SHORT_TRAINING.measure(Shifting(in_place=in_place), batch, still, seed=3)
        for in_place in (True, False)
    )
    assert on_the_spot["loss"] == pytest.approx(in_a_copy["loss"], rel=1e-6)
