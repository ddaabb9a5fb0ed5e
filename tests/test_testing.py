"""Every built-in probe and space conforms; what does not conform is found."""

import pytest

from anglenas.plugins import load, names
from anglenas.probes import find_probe, metric_names
from anglenas.spaces.nasbench201 import NASBENCH201
from anglenas.testing import ProbeConformance, SpaceConformance
from anglenas.testing._networks import KINDS, images_of
from anglenas.testing._probe import _readings

# Where a built-in metric has no value for a network that is none of its kind, and why.
WITHOUT_VALUE = {
    "plain VGG": {},
    "ResNet": {},
    "two-headed": {},
    "grey images": {},
    "transformer": {
        "naswot": "no rectifier",
        "swap": "no rectifier",
        "swap_reg": "no rectifier",
        "regions": "no rectifier|fails on patches",
        "zen": "no feature map",
    },
}


def _suite(probe):
    return type(f"Test_{probe.name}", (ProbeConformance,), {"probe": probe})


globals().update({f"Test_{name}": _suite(find_probe(name)) for name in names("probe")})


class TestNasBench201(SpaceConformance):
    space = NASBENCH201


def test_every_registered_probe_and_space_is_tested():
    tested = {suite.probe.name for key, suite in globals().items() if key.startswith("Test_")}
    assert tested == {find_probe(name).name for name in names("probe")}
    assert {load("space", name) for name in names("space")} == {TestNasBench201.space}


@pytest.mark.parametrize("kind", KINDS)
def test_metrics_have_values_on_every_kind_of_network(kind):
    network, images = KINDS[kind].make(), images_of(channels=KINDS[kind].channels)
    readings = {}
    for name in names("probe"):
        suite = _suite(find_probe(name))()
        readings |= _readings(suite.probe.metrics, suite._outcome(network, images))
    assert set(readings) == set(metric_names())
    assert {n: r for n, r in readings.items() if isinstance(r, str)}.keys() == set(
        WITHOUT_VALUE[kind]
    ), readings
