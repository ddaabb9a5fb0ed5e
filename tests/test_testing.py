"""Every built-in probe and space conforms; what does not conform is found."""

import random
import re
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from anglenas._plugins import names
from anglenas.data import normalised
from anglenas.errors import NetworkError
from anglenas.probes import Metric, Probe, find_probe, isolated, metric_names
from anglenas.spaces import NASBENCH201
from anglenas.testing import ProbeConformance, SpaceConformance
from anglenas.testing._networks import EXAMPLES, images_of
from anglenas.testing._probe import _readings

# Metrics of rectifiers and of feature maps have no value where there are none.
WITHOUT_VALUE = {
    "transformer": {"naswot", "swap", "swap_reg", "regions", "regions_as_released", "zen"}
}


def suite_of(probe):
    return type(f"Test_{probe.name}", (ProbeConformance,), {"probe": probe})


globals().update({f"Test_{name}": suite_of(find_probe(name)) for name in names("probe")})


class TestNasBench201(SpaceConformance):
    space = NASBENCH201


def test_every_registered_probe_and_space_is_tested():
    tested = {suite.probe.name for key, suite in globals().items() if key.startswith("Test_")}
    assert tested == {find_probe(name).name for name in names("probe")}
    texts = [file.read_text() for file in Path(__file__).parent.glob("test_*.py")]
    suites = [text for text in texts if "(SpaceConformance)" in text]
    spaces = {name for text in suites for name in re.findall(r"^    space = (\w+)$", text, re.M)}
    assert {point.attr for point in entry_points(group="anglenas.spaces")} <= spaces


@pytest.mark.parametrize("kind", EXAMPLES)
def test_metrics_have_values_on_every_kind_of_network(kind):
    network, images = EXAMPLES[kind].make(), images_of(channels=EXAMPLES[kind].channels)
    readings = {}
    for name in names("probe"):
        suite = suite_of(find_probe(name))()
        readings |= _readings(suite.probe.metrics, suite._outcome(network, images))
    assert set(readings) == set(metric_names(variants=True))
    without = {name for name, reading in readings.items() if isinstance(reading, str)}
    assert without == WITHOUT_VALUE.get(kind, set())


# What does not conform.


def measure(network, batch, recipe, seed):
    with isolated(network, batch, seed, "sound") as specimen:
        total = specimen.network(specimen.images).sum().item()
    return {"sum": total if np.isfinite(total) else 0.0}


METRIC = Metric("sound", True, lambda record: record["sum"], "a test")
SOUND = Probe("sound", (METRIC,), measure)  # the sum of the logits; it conforms


def writing(network, batch, recipe, seed):
    network.train()
    return measure(network, batch, recipe, seed)


def hooking(network, batch, recipe, seed):
    network.register_forward_hook(lambda *_: None)
    return measure(network, batch, recipe, seed)


def drawing(network, batch, recipe, seed):  # from Python's global stream
    return {"sum": measure(network, batch, recipe, seed)["sum"] + random.random()}


def counting_modules(network, batch, recipe, seed):
    found = sum(isinstance(module, nn.ReLU) for module in network.modules())
    return {"sum": measure(network, batch, recipe, seed)["sum"] * 0 + found}


def keeping_a_tensor(network, batch, recipe, seed):
    return {"sum": torch.tensor(measure(network, batch, recipe, seed)["sum"])}


def bare(network, batch, recipe, seed):  # runs a network by itself, and wants labels
    with torch.no_grad():
        loss = F.cross_entropy(network(normalised(batch)), batch.labels)
    return {"sum": loss.item()}


def silent(network, batch, recipe, seed):  # about a network that fails
    try:
        return measure(network, batch, recipe, seed)
    except NetworkError:
        return {"sum": 0.0}


LABELLED = replace(METRIC, needs=frozenset({"labels"}))
UNSOUND = {
    "nameless": replace(SOUND, name="no name+"),
    "sourceless": replace(SOUND, metrics=(replace(METRIC, source=" "),)),
    "infinite": replace(SOUND, metrics=(replace(METRIC, read=lambda record: float("inf")),)),
    "writing": replace(SOUND, measure=writing),
    "hooking": replace(SOUND, measure=hooking),
    "drawing": replace(SOUND, measure=drawing),
    "modules": replace(SOUND, measure=counting_modules),
    "tensor": replace(SOUND, measure=keeping_a_tensor),
    "silent": replace(SOUND, measure=silent),
    "bare": replace(SOUND, measure=bare, metrics=(LABELLED,)),
}


def test_a_probe_that_conforms_passes():
    suite = suite_of(SOUND)()
    suite.test_it_says_what_it_is()
    suite.test_its_metrics_say_what_they_are()
    for kind in EXAMPLES.values():
        suite.test_it_measures_networks_of_every_kind(kind)
        suite.test_it_leaves_no_trace(kind)
        suite.test_it_depends_on_nothing_else(kind)
    suite.test_it_does_not_care_how_a_relu_is_spelled(nn.ReLU)
    suite.test_a_single_image_has_a_value_or_a_reason()
    suite.test_logits_that_are_not_finite_have_a_reason_or_do_not_matter()
    suite.test_a_forward_pass_that_fails_is_told()


@pytest.mark.parametrize(
    ("probe", "test", "arguments"),
    [
        ("nameless", "it_says_what_it_is", ()),
        ("sourceless", "its_metrics_say_what_they_are", ()),
        ("tensor", "it_measures_networks_of_every_kind", (EXAMPLES["plain VGG"],)),
        ("infinite", "it_measures_networks_of_every_kind", (EXAMPLES["plain VGG"],)),
        ("bare", "it_measures_networks_of_every_kind", (EXAMPLES["two-headed"],)),
        ("writing", "it_leaves_no_trace", (EXAMPLES["ResNet"],)),
        ("hooking", "it_leaves_no_trace", (EXAMPLES["ResNet"],)),
        ("drawing", "it_leaves_no_trace", (EXAMPLES["ResNet"],)),
        ("drawing", "it_depends_on_nothing_else", (EXAMPLES["ResNet"],)),
        ("bare", "it_depends_on_nothing_else", (EXAMPLES["ResNet"],)),
        ("modules", "it_does_not_care_how_a_relu_is_spelled", (nn.ReLU,)),
        ("bare", "a_single_image_has_a_value_or_a_reason", ()),
        ("bare", "logits_that_are_not_finite_have_a_reason_or_do_not_matter", ()),
        ("bare", "labels_that_are_no_class_are_refused", ()),
        ("bare", "a_forward_pass_that_fails_is_told", ()),
        ("silent", "a_forward_pass_that_fails_is_told", ()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_probe_that_does_not_conform_is_found(probe, test, arguments):
    method = getattr(suite_of(UNSOUND[probe])(), f"test_{test}")
    state = random.getstate()
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the probe or the suite raises
        method(*arguments)
    random.setstate(state)


# It draws from the global stream, and mutates to the same.
CARELESS = replace(
    NASBENCH201,
    sample=lambda rng: NASBENCH201.at(random.randrange(15625)),
    mutate=lambda architecture, rng: architecture,
    enumerate=lambda: (NASBENCH201.at(0) for _ in range(15625)),
    canonical=lambda architecture: f"form {random.random()}",
    parse=lambda text: NASBENCH201.parse(text[:-1] if text.endswith("?") else text),
    source=lambda architecture, config: "class Network(nn.Linear): __init__ = nn.Module.__init__",
)


@pytest.mark.parametrize(
    "test",
    [
        "all_chance_comes_from_the_generator",
        "a_mutation_is_another_architecture",
        "enumeration_is_complete_or_refused",
        "the_canonical_form_is_a_text_of_its_own",
        "what_is_no_architecture_is_refused",
        "source_is_a_network_with_the_same_tensors",
    ],
)
def test_a_space_that_does_not_conform_is_found(test):
    suite = type("Test", (SpaceConformance,), {"space": CARELESS})()
    with pytest.raises((AssertionError, pytest.fail.Exception, ValueError, RuntimeError)):
        getattr(suite, f"test_{test}")()
