"""What holds for every probe."""

import copy
import json
import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from anglenas._recipe import Recipe
from anglenas._torch import hooks_of, version_of
from anglenas.data import FewShot
from anglenas.errors import DataError, NetworkError
from anglenas.probes import Metric, Probe, Record, Undefined
from anglenas.testing._networks import (
    EXAMPLES,
    Broken,
    Example,
    Infinite,
    Narrow,
    ResNet,
    images_of,
)

Values = dict[str, float | str]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NEEDS = frozenset({"batch", "batchnorm", "gradients", "labels", "relu"})


class ProbeConformance:
    """Tests of a probe; subclass it, set ``probe``, and let pytest run it.

    A probe passes if it

    * says what it is: names that rank expressions can hold, direction and source of each metric;
    * gives a record that JSON can hold, or raises ``Undefined`` with a reason, for a VGG without
      BatchNorm, a ResNet with functional ReLU, a vision transformer, a network with two outputs,
      and grey images; and reads a finite number from each record, or raises ``Undefined``;
    * depends on nothing but network, images, recipe and seed: two runs give the same record, unless
      it says that it is bound to its machine;
    * leaves no trace: parameters, buffers, gradients, modes, hooks, global random states and
      thread counts are as they were, also after a failure;
    * does not care how a ReLU is spelled: module or function, in place or not;
    * meets bad input with an error that helps: a forward pass that fails (``NetworkError`` that
      names probe and network, with the original error as its cause), labels that are no class
      (``DataError``), a single image and logits that are not finite (``Undefined``, or a number).

    :func:`anglenas.probes.isolated` does most of that for a probe that uses it.

    Attributes:
        probe: The probe under test.
        recipe: What it is measured with; a small one by default.
    """

    probe: Probe
    recipe = Recipe(name="conformance", resolution=8, channels=4, cells=1, iterations=3)

    def test_it_says_what_it_is(self) -> None:
        """Name, version, subject, and metrics that are its own."""
        probe = self.probe
        assert _NAME.fullmatch(probe.name)
        assert isinstance(probe.version, int)
        assert probe.version >= 1
        assert probe.subject in ("function", "network")
        assert isinstance(probe.uses_images, bool)
        assert probe.metrics, "a probe without metrics measures for nobody"

    def test_its_metrics_say_what_they_are(self) -> None:
        """Name, probe, direction, source and needs of each."""
        for metric in self.probe.metrics:
            assert isinstance(metric.higher_is_better, bool)
            assert metric.source.strip(), "say which paper and formula it is, or whose own"
            assert metric.needs <= _NEEDS
            assert callable(metric.read)

    @pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
    def test_it_measures_networks_of_every_kind(self, example: Example) -> None:
        """A record that JSON holds with finite values, or a reason why there is none."""
        _readings(
            self.probe.metrics, self._outcome(example.make(), images_of(channels=example.channels))
        )

    @pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
    def test_it_leaves_no_trace(self, example: Example) -> None:
        """The network, and all global state, are as they were."""
        network = _lived_in(example.make())
        before = _traces(network)
        self._outcome(network, images_of(channels=example.channels))
        assert _traces(network) == before

    @pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
    def test_it_depends_on_nothing_else(self, example: Example) -> None:
        """The same twice, whatever the caller's random state, gradient mode and module's mode."""
        self._skip_if_machine_bound()
        network, images = example.make(), images_of(channels=example.channels)
        first = self._outcome(copy.deepcopy(network), images)
        with _other_random_state(), torch.inference_mode():
            assert self._outcome(copy.deepcopy(network).eval(), images) == first

    @pytest.mark.parametrize(
        "rectify",
        [
            lambda: nn.ReLU(),
            lambda: nn.ReLU(inplace=True),
            lambda: lambda x: F.relu(x, inplace=True),
            lambda: torch.Tensor.relu_,
        ],
        ids=["module", "module in place", "function in place", "method in place"],
    )
    def test_it_does_not_care_how_a_relu_is_spelled(
        self, rectify: Callable[[], Callable[[torch.Tensor], torch.Tensor]]
    ) -> None:
        """Equal records."""
        self._skip_if_machine_bound()
        outcomes = [
            self._outcome(_seeded(lambda r=spelled: ResNet(r)), images_of())  # type: ignore[misc]
            for spelled in (lambda: F.relu, rectify)
        ]
        assert outcomes[0] == outcomes[1]

    def test_a_single_image_has_a_value_or_a_reason(self) -> None:
        """Also where BatchNorm would be given a single value a channel."""
        for make in (
            Narrow,
            *(example.make for example in EXAMPLES.values() if example.channels == 3),
        ):
            _readings(self.probe.metrics, self._outcome(make(), images_of(count=1)))

    def test_logits_that_are_not_finite_have_a_reason_or_do_not_matter(self) -> None:
        """No metric reads as infinity or NaN."""
        _readings(self.probe.metrics, self._outcome(Infinite(), images_of()))

    def test_labels_that_are_no_class_are_refused(self) -> None:
        """By a probe that looks at labels."""
        if not any("labels" in metric.needs for metric in self.probe.metrics):
            pytest.skip("the probe does not look at labels")
        images = images_of()
        for wrong in (images.labels + 1, images.labels - 1):
            with pytest.raises(DataError, match="Labels run from"):
                self.probe.measure(Narrow(), replace(images, labels=wrong), self.recipe, 1)

    def test_a_forward_pass_that_fails_is_told(self) -> None:
        """By a probe that runs one: the network's own error as cause, both names, no trace left."""
        network = _lived_in(Broken())
        before, runs = _traces(network), Broken.runs
        told: NetworkError | None = None
        try:
            self.probe.measure(network, images_of(), self.recipe, 1)
        except NetworkError as error:
            told = error
        assert _traces(network) == before
        if Broken.runs == runs:
            pytest.skip("the probe does not run the network")
        assert told is not None, "raise NetworkError where the forward pass fails"
        assert isinstance(told.__cause__, ArithmeticError)
        for part in ("broken on purpose", self.probe.name, "Broken"):
            assert part in str(told)

    def _skip_if_machine_bound(self) -> None:
        if self.probe.machine_bound:
            pytest.skip("what the probe measures depends on the moment")

    def _outcome(self, network: nn.Module, images: FewShot) -> Record | str:
        """The record as a store gives it back, or the reason why there is none."""
        try:
            record = self.probe.measure(network, images, self.recipe, 1)
        except Undefined as undefined:
            return _reason(undefined)
        return dict(json.loads(json.dumps(record, allow_nan=False)))


def _readings(metrics: Sequence[Metric], outcome: Record | str) -> Values:
    """The value of each metric, or the reason why it has none."""
    if isinstance(outcome, str):
        return dict.fromkeys([metric.name for metric in metrics], outcome)
    return {metric.name: _reading(metric, outcome) for metric in metrics}


def _reading(metric: Metric, record: Record) -> float | str:
    try:
        value = metric.read(record)
    except Undefined as undefined:
        return _reason(undefined)
    assert isinstance(value, int | float)
    assert math.isfinite(value), "raise Undefined with a reason instead"
    return value


def _reason(undefined: Undefined) -> str:
    assert str(undefined).strip(), "say why it is undefined"
    return str(undefined)


def _seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """A network whose own weights are always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def _lived_in(network: nn.Module) -> nn.Module:
    """With a gradient here, a frozen parameter there, and parts in different modes."""
    first, *_, last = network.parameters()
    first.grad = torch.ones_like(first)
    last.requires_grad_(False)
    next(network.children()).eval()
    return network


class _other_random_state:  # noqa: N801 - used like a function
    """Elsewhere in all global random streams while it is entered."""

    def __enter__(self) -> None:
        self._states = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
        torch.manual_seed(99)
        random.seed(99)
        np.random.seed(99)  # noqa: NPY002

    def __exit__(self, *_: object) -> None:
        torch.set_rng_state(self._states[0])
        random.setstate(self._states[1])
        np.random.set_state(self._states[2])  # noqa: NPY002


def _traces(network: nn.Module) -> list[object]:
    """Everything that a probe could leave behind, in values that compare."""
    return [
        {name: value.numpy().tobytes() for name, value in network.state_dict().items()},
        [None if p.grad is None else p.grad.numpy().tobytes() for p in network.parameters()],
        [(id(p), p.requires_grad, version_of(p), p.stride()) for p in network.parameters()],
        [(module.training, sorted(vars(module))) for module in network.modules()],
        [hooks_of(module) for module in network.modules()],
        torch.get_rng_state().numpy().tobytes(),
        random.getstate(),
        repr(np.random.get_state()),  # noqa: NPY002 - the global state is what is watched
        (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_default_dtype()),
        (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()),
    ]
