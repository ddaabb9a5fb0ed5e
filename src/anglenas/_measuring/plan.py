"""What has to be measured for some metrics, and the values read from what was measured."""

import math
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from anglenas._measuring.task import Context, Outcome, Task, status_of
from anglenas._numerics import derive
from anglenas._plugins import load
from anglenas._recipe import Recipe
from anglenas.data import FewShot, ImageSource, draw_few_shot
from anglenas.errors import NetworkError, SettingError
from anglenas.probes import Metric, Record, Undefined, find_metric, find_probe
from anglenas.spaces import NetworkConfig, Space

_MISFIT = f"failed: {NetworkError.__name__}: "

Measurement = Record | str
"""What a probe measured, or the status that says why it did not."""


@dataclass(frozen=True)
class Measured:
    """The values of one candidate.

    Attributes:
        values: By metric: the mean over the repeats; ``None`` where it is undefined.
        spreads: By metric: the standard deviation over the repeats; 0 for one repeat.
        reasons: By metric, for those without a value: why.
        notices: What a user should know about the images, a sentence each.
        seconds: By metric: how long its probe took, over all repeats, whenever that was. Nothing
            is compared by it.
    """

    values: Mapping[str, float | None]
    spreads: Mapping[str, float | None]
    reasons: Mapping[str, str]
    notices: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)

    @property
    def status(self) -> str:
        """``"ok"``, or the first reason why a metric has no value."""
        return next(iter(self.reasons.values()), "ok")


@dataclass(frozen=True)
class Plan:
    """The measurements of every candidate of a run.

    Attributes:
        space: Name of the space, for :func:`anglenas._plugins.load`.
        metrics: What is read.
        contexts: By probe, the context of each repeat (one for probes that use no images).
        batches: The images of each repeat, by fingerprint.
    """

    space: str
    metrics: tuple[Metric, ...]
    contexts: Mapping[str, tuple[Context, ...]]
    batches: Mapping[str, FewShot]

    def tasks(self, architecture: object) -> tuple[Task, ...]:
        """All measurements of one candidate, cheap ones first."""
        subjects: dict[str, str] = {}  # as in Task.of, but one canonical form for all probes
        tasks: list[Task] = []
        for probe, contexts in self.contexts.items():
            kind = find_probe(probe).subject
            if kind not in subjects:
                subjects[kind] = (
                    load("space", self.space).canonical(architecture)
                    if kind == "function"
                    else str(architecture)
                )
            tasks += [Task(context, subjects[kind]) for context in contexts]
        return tuple(tasks)

    def read(self, architecture: object, outcomes: Mapping[Task, Outcome]) -> Measured:
        """The values of a candidate all of whose measurements are there."""
        seconds: defaultdict[str, float] = defaultdict(float)
        for task in self.tasks(architecture):
            seconds[task.context.probe] += outcomes[task].seconds
        measured = read_metrics(self.metrics, self._measurements(architecture, outcomes))
        return replace(
            measured, seconds={metric.name: seconds[metric.probe] for metric in self.metrics}
        )

    def read_repeats(
        self, architecture: object, outcomes: Mapping[Task, Outcome]
    ) -> tuple[Measured, ...]:
        """The values of each repeat; of a probe without images, all of them have the same."""
        by_probe = self._measurements(architecture, outcomes)
        repeats = max(map(len, by_probe.values()))
        return tuple(
            read_metrics(self.metrics, {probe: [one[min(k, len(one) - 1)]]
                                        for probe, one in by_probe.items()})
            for k in range(repeats)
        )  # fmt: skip

    def _measurements(
        self, architecture: object, outcomes: Mapping[Task, Outcome]
    ) -> dict[str, list[Measurement]]:
        by_probe: dict[str, list[Measurement]] = {}
        for task in self.tasks(architecture):
            outcome = outcomes[task]
            measurement = outcome.status if outcome.record is None else outcome.record
            by_probe.setdefault(task.context.probe, []).append(measurement)
        return by_probe


def read_metrics(
    metrics: Iterable[Metric], by_probe: Mapping[str, Sequence[Measurement]]
) -> Measured:
    """The values of one candidate.

    Args:
        metrics: What to read.
        by_probe: By probe, its record of each repeat, or the status that says why there is none.
    """
    values: dict[str, float | None] = {}
    spreads: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for metric in metrics:
        try:
            repeats = [_value(metric, measurement) for measurement in by_probe[metric.probe]]
        except Undefined as reason:
            values[metric.name] = spreads[metric.name] = None
            reasons[metric.name] = str(reason)
        else:
            values[metric.name] = statistics.fmean(repeats) if repeats[1:] else repeats[0]
            spreads[metric.name] = statistics.stdev(repeats) if repeats[1:] else 0.0
    return Measured(values, spreads, reasons)


def refuse_if_none_fits(measured: Collection[Measured]) -> None:
    """One network that does not fit is a failed candidate; if none does, it is what was asked for.

    Args:
        measured: The values of all candidates.

    Raises:
        NetworkError: There are candidates, and the first thing to say of each is such an error.
    """
    statuses = [one.status for one in measured]
    if statuses and all(status.startswith(_MISFIT) for status in statuses):
        raise NetworkError(statuses[0].removeprefix(_MISFIT))


def _value(metric: Metric, measurement: Measurement) -> float:
    """The value of one repeat.

    Raises:
        Undefined: There is none; the message is a status.
    """
    if isinstance(measurement, str):
        raise Undefined(measurement)
    try:
        value: float | None = metric.read(measurement)
        # A record holds no infinity and no NaN: they were stored as ``None``.
        if value is None or not math.isfinite(value):
            raise Undefined("the value is not finite")
        return value if isinstance(value, int) else float(value)
    except Exception as error:  # the metric can be a user's; one that fails takes no other with it
        raise Undefined(status_of(error)) from error


def repeat_seed(seed: int, repeat: int) -> int:
    """The seed of a repeat; the first one is the run's own."""
    return seed if repeat == 0 else derive(seed, "repeat", repeat)


def draw_repeats(
    source: ImageSource, recipe: Recipe, seed: int, *, strict: bool = False
) -> tuple[FewShot, ...]:
    """The images of each repeat of a recipe; see :func:`anglenas.data.draw_few_shot`."""
    return tuple(
        draw_few_shot(
            source,
            classes=recipe.classes,
            images_per_class=recipe.images_per_class,
            sampling=recipe.sampling,
            resolution=recipe.resolution,
            seed=repeat_seed(seed, repeat),
            strict=strict,
        )
        for repeat in range(recipe.repeats)
    )


def notices_of(batches: Iterable[FewShot]) -> tuple[str, ...]:
    """What a user should know about the images of all repeats, each sentence once."""
    return tuple(dict.fromkeys(notice for batch in batches for notice in batch.notices))


def make_plan(
    space: str,
    metrics: Iterable[str],
    batches: Sequence[FewShot],
    target: NetworkConfig,
    recipe: Recipe,
    seed: int,
    device: str = "cpu",
) -> Plan:
    """The plan of a run.

    Args:
        space: Name of the space.
        metrics: Names of the metrics, each once.
        batches: The images of each repeat.
        target: Size of the network that is looked for; what probes of the network as written
            (``params``, ``flops``) measure. Probes of its function measure it at the recipe's
            size, with one output for each class drawn.
        recipe: How to measure.
        seed: The run's seed.
        device: Kind of device that is measured on.

    Raises:
        UnknownNameError: A metric does not exist.
        SettingError: A metric is read at an iteration that the recipe does not reach.
    """
    found = tuple(find_metric(name) for name in dict.fromkeys(metrics))
    _check_iterations(found, recipe)
    probes = sorted(
        dict.fromkeys(metric.probe for metric in found),
        key=lambda probe: find_probe(probe).uses_images,
    )
    contexts = {}
    for probe in probes:
        repeats = batches if find_probe(probe).uses_images else batches[:1]
        contexts[probe] = tuple(
            Context.of(
                space,
                probe,
                target if find_probe(probe).subject == "network" else proxy_config(batch, recipe),
                recipe=recipe,
                images=batch.fingerprint,
                seed=repeat_seed(seed, repeat),
                device=device,
            )
            for repeat, batch in enumerate(repeats)
        )
    return Plan(space, found, contexts, {batch.fingerprint: batch for batch in batches})


def _check_iterations(metrics: Iterable[Metric], recipe: Recipe) -> None:
    for metric in metrics:
        _, _, iteration = metric.name.partition("@")
        if iteration and not 1 <= int(iteration) <= recipe.iterations:
            raise SettingError(
                f"{metric.name} is read after iteration {iteration}, but the recipe "
                f"{recipe.name!r} has {recipe.iterations}; give a smaller number."
            )


def proxy_config(batch: FewShot, recipe: Recipe) -> NetworkConfig:
    """Size of the networks that are trained for a moment: the recipe's, for the classes drawn."""
    return NetworkConfig(
        num_classes=len(batch.class_names),
        channels=recipe.channels,
        cells=recipe.cells,
        in_channels=batch.images.shape[1],
        side=batch.images.shape[-1],
    )


def target_config(
    space: str,
    source: ImageSource,
    batch: FewShot,
    *,
    channels: int | None = None,
    cells: int | None = None,
) -> NetworkConfig:
    """Size of the network that is looked for: the space's published one, or as given."""
    given = {"channels": channels, "cells": cells}
    sizes = {name: value for name, value in given.items() if value is not None}
    searched: Space[Any] = load("space", space)
    shape = {"in_channels": batch.images.shape[1], "side": batch.images.shape[-1]}
    return searched.config(num_classes=len(source.class_names), **shape, **sizes)
