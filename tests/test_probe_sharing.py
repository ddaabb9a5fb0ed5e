"""Metrics that can share a computation do; every metric is there, with its source and direction."""

from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from anglenas import Recipe, Store
from anglenas._measuring.executors import InProcess
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.scores import score_architectures
from anglenas._plugins import names
from anglenas.probes import find_metric, find_probe, metric_names
from anglenas.probes._regions import measure_regions
from anglenas.ranking import parse
from anglenas.spaces import NASBENCH201, NetworkConfig
from anglenas.testing._networks import images_of

RECIPE = Recipe(resolution=8, channels=4, cells=1, iterations=4)

DIRECTIONS = {
    "params": 1, "flops": 1, "layers": 1, "latency": -1,
    "angle": 1, "loss": -1, "tse": -1, "tse_e": -1,
    "grad_norm": 1, "snip": 1, "plain": 1, "fisher": 1, "fisher_per_weight": 1,
    "grasp": 1, "synflow": 1, "l2_norm": 1, "jacob_cov": 1, "epe_nas": 1,
    "ntk": -1, "ntk_frozen_bn": -1, "regions": 1,
    "naswot": 1, "swap": 1, "swap_reg": 1,
    "zen": 1, "zico": 1, "gradsign": 1, "meco": 1, "vkdnw": 1,
    "az_expressivity": 1, "az_progressivity": 1, "az_trainability": 1, "az_complexity": 1,
}  # fmt: skip


def test_every_metric_is_there_with_its_direction_and_source():
    assert set(metric_names()) == set(DIRECTIONS)
    for name, direction in DIRECTIONS.items():
        metric = find_metric(name)
        assert metric.higher_is_better == (direction > 0), name
        assert any(sign in metric.source for sign in ("20", "torch.utils")), name


def test_each_metric_belongs_to_one_probe():
    counts = Counter(m.name for probe in names("probe") for m in find_probe(probe).metrics)
    assert set(counts.values()) == {1}


@pytest.mark.parametrize(
    "rank",
    [
        "ntk + regions",
        "tenas",
        "logrank(az_expressivity) + logrank(az_progressivity) + logrank(az_trainability)"
        " + logrank(az_complexity)",
    ],
)
def test_combinations_of_papers_rank_by_metrics_that_are_there(rank):
    expression = parse(rank)
    assert set(expression.metrics) <= set(metric_names(variants=True))
    # Candidate 0 is the better one by each of the metrics.
    better = {name: find_metric(name).higher_is_better for name in expression.metrics}
    columns = {name: [1.0 if higher else -1.0, 0.0] for name, higher in better.items()}
    first, second = expression.evaluate(columns, better)
    assert first > second


class Measuring:
    """Computes in this process and counts what it computes."""

    def __init__(self):
        self.probes = Counter()

    def run(self, tasks, batches):
        self.probes.update(task.context.probe for task in tasks)
        return InProcess().run(tasks, batches)


def test_all_metrics_of_a_candidate_take_one_run_of_each_probe():
    executor = Measuring()
    with Store.memory() as store:
        scorer = Scorer(store, executor)
        batch = images_of()
        _, channels, side, _ = batch.images.shape
        target = NetworkConfig(num_classes=3, in_channels=channels, side=side)
        arguments = (target, [batch], metric_names(), RECIPE, 1, scorer)
        cell = NASBENCH201.at(1462)
        (first,) = score_architectures([cell], "nasbench201", *arguments)
        probes = {name: find_probe(name) for name in names("probe")}
        # Times are measured by the scorer itself.
        measured = [name for name, one in probes.items() if not one.variant | one.machine_bound]
        assert executor.probes == dict.fromkeys(measured, 1)
        (again,) = score_architectures([cell], "nasbench201", *arguments)
    assert executor.probes == dict.fromkeys(measured, 1)
    assert first == again
    assert set(first.values) == set(metric_names())
    assert first.reasons == {}


class Watched(nn.Module):
    """Tells how many images pass forward, and how many times something passes backward."""

    forwards: list[int] = []  # noqa: RUF012 - shared by all copies
    backwards: list[int] = []  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.head = nn.Linear(6, 3)

    def forward(self, images):
        self.forwards.append(len(images))
        x = F.relu(self.norm(self.conv(images)))
        logits = self.head(x.mean((2, 3)))
        if logits.requires_grad:
            logits.register_hook(lambda gradient: self.backwards.append(len(gradient)))
        return logits


# Probes that feed several metrics, and how often all the images pass in each direction.
PASSES = {"backward": (1, 1), "activations": (1, 0), "jacob_cov": (1, 1), "short_training": (4, 4)}


@pytest.mark.parametrize("name", PASSES)
def test_metrics_of_one_probe_share_its_passes(name):
    images = images_of()
    Watched.forwards.clear()
    Watched.backwards.clear()
    probe = find_probe(name)
    record = probe.measure(Watched(), images, RECIPE, 1)
    assert len({metric.read(record) for metric in probe.metrics}) > 1
    passes = Watched.forwards.count(len(images.images)), Watched.backwards.count(len(images.images))
    assert passes == PASSES[name]


@pytest.mark.parametrize(
    ("module", "names_of_metrics"),
    [
        ("backward", {"grad_norm", "snip", "plain", "fisher"}),
        ("activations", {"naswot", "swap"}),
        ("short_training", {"angle", "loss", "tse"}),
    ],
)
def test_metrics_that_can_share_a_probe_do(module, names_of_metrics):
    assert names_of_metrics <= {metric.name for metric in find_probe(module).metrics}


def test_regions_count_dead_rectifiers_and_need_little_memory():
    """One batch is held at a time, so that ten times the samples take no more memory."""
    texts = (
        "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",
        "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|nor_conv_3x3~0|none~1|none~2|",
    )
    cells = [NASBENCH201.parse(text) for text in texts]
    assert len({NASBENCH201.canonical(cell) for cell in cells}) == 1  # but for dead edges
    counts, peaks = [], []
    for batches in (1, 10):
        for cell in cells:
            network = _nasbench201(cell)
            with _Largest() as largest:
                counts.append(measure_regions(network, images_of(), RECIPE, 1, batches=batches))
            peaks.append(largest.numbers)
    assert counts[0]["regions"] < counts[1]["regions"] <= 1000
    assert counts[3]["samples"] == 10_000
    assert peaks[:2] == peaks[2:]


def _nasbench201(cell):
    return NASBENCH201.build(str(cell), NetworkConfig(num_classes=3))


class _Largest(torch.overrides.TorchFunctionMode):
    """Remembers the most numbers that one tensor holds while it is entered."""

    numbers = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        if isinstance(output, torch.Tensor):
            self.numbers = max(self.numbers, output.numel())
        return output
