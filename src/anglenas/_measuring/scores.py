"""Metrics of one network, or of a few architectures."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from anglenas._measuring.computing import run_probe
from anglenas._measuring.plan import (
    Measured,
    Measurement,
    draw_repeats,
    make_plan,
    notices_of,
    read_metrics,
    refuse_if_none_fits,
    repeat_seed,
    target_config,
)
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.setup import choose_recipe, choose_space, open_data, open_scorer
from anglenas._measuring.store import Store
from anglenas._measuring.task import Outcome, Task
from anglenas._measuring.workers import Workers
from anglenas._plugins import load
from anglenas._recipe import Recipe
from anglenas._settings import checked
from anglenas.data import FewShot, ImageSource
from anglenas.probes import find_metric, find_probe, short_training
from anglenas.spaces import NetworkConfig

DEFAULT_METRICS = ("angle", "loss", "params")


@checked
def score(
    subject: nn.Module | str | Any,
    data: str | Path | ImageSource = "digits",
    *,
    metrics: Iterable[str] = DEFAULT_METRICS,
    space: Any = "nasbench201",
    recipe: str | Recipe | None = None,
    seed: int = 1,
    flip: bool | None = None,
    strict: bool = False,
    store: str | Path | Store | None = None,
    classifier: str | None = None,
) -> Measured:
    """The metrics of one network.

    Args:
        subject: Any ``torch.nn.Module`` from ``(B, C, S, S)`` images to ``(B, K)`` logits, which
            stays as it is; or an architecture of the space, or its text.
        data: As in :func:`anglenas.search`.
        metrics: Names of the metrics.
        space: The space that an architecture is of.
        recipe: As in :func:`anglenas.search`.
        seed: Where all randomness comes from.
        flip: As in :func:`anglenas.search`.
        strict: As in :func:`anglenas.search`.
        store: Where scores of architectures are kept; modules have no address and no store.
        classifier: Name of a module's prediction layer, whose turning is the angle; by default
            its last linear layer that runs.

    Returns:
        ``values`` and ``spreads`` by metric, the ``reasons`` why one has no value, and notices.

    Raises:
        UsageError: Something asked for does not fit; its subclasses say what.
        StoreError: The store cannot be used.

    >>> module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    >>> score(module, metrics=["params"]).values
    {'params': 1490}
    """
    if not isinstance(subject, nn.Module):
        return score_many(
            [subject], data, metrics=metrics, space=space, recipe=recipe, seed=seed, flip=flip,
            strict=strict, store=store, workers=0,
        )[0]  # fmt: skip
    source = open_data(data, flip)
    recipe = choose_recipe(recipe)
    batches = draw_repeats(source, recipe, seed, strict=strict)
    measured = _score_module(subject, batches, tuple(metrics), recipe, seed, classifier)
    refuse_if_none_fits([measured])
    return replace(measured, notices=(*notices_of(batches), *recipe.caution))


@checked
def score_many(
    architectures: Iterable[object],
    data: str | Path | ImageSource = "digits",
    *,
    metrics: Iterable[str] = DEFAULT_METRICS,
    space: Any = "nasbench201",
    recipe: str | Recipe | None = None,
    seed: int = 1,
    flip: bool | None = None,
    strict: bool = False,
    workers: Workers | int | None = None,
    store: str | Path | Store | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Measured]:
    """The metrics of many architectures; those that compute the same function share one training.

    Args:
        architectures: Architectures of the space, or their texts.
        data: As in :func:`anglenas.search`, like all that is not named here.
        metrics: Names of the metrics.
        space: The space that the architectures are of.
        recipe: How to measure.
        seed: Where all randomness comes from.
        flip: Whether a mirrored image is still one of its class.
        strict: Whether an unreadable image is an error.
        workers: Who measures and where; a number stands for so many processes on this machine, 0
            for this one.
        store: Where scores are kept.
        on_progress: Called after every measurement with how many are done, and with how many
            there are.

    Returns:
        What was measured of each, in their order.

    Raises:
        UsageError: Something asked for does not fit; its subclasses say what. A network that cannot
            be measured is one of them only if none can.
        StoreError: The store cannot be used.
        WorkersError: The workers cannot be used.

    >>> smallest, *_ = score_many(["|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"],
    ...                           metrics=["params"], workers=0, store=":memory:")
    >>> smallest.values
    {'params': 73018}
    """
    workers = Workers.of(workers)
    source = open_data(data, flip)
    recipe = choose_recipe(recipe)
    name = choose_space(space)
    parse = load("space", name).parse
    parsed = [parse(str(one)) for one in architectures]
    batches = draw_repeats(source, recipe, seed, strict=strict)
    target = target_config(name, source, batches[0])
    with open_scorer(store, workers) as scorer:
        measured = score_architectures(
            parsed, name, target, batches, metrics, recipe, seed,
            scorer, device=workers.device, on_progress=on_progress,
        )  # fmt: skip
    notices = (*notices_of(batches), *recipe.caution)
    return [replace(one, notices=notices) for one in measured]


def score_architectures(
    architectures: Sequence[object],
    space: str,
    target: NetworkConfig,
    batches: Sequence[FewShot],
    metrics: Iterable[str],
    recipe: Recipe,
    seed: int,
    scorer: Scorer,
    *,
    device: str = "cpu",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Measured]:
    """The metrics of some architectures, in their order; see :func:`score_many`."""
    plan = make_plan(space, metrics, batches, target, recipe, seed, device)
    tasks = dict.fromkeys(task for one in architectures for task in plan.tasks(one))
    outcomes: dict[Task, Outcome] = {}
    for outcome in scorer.outcomes(tasks, plan.batches):
        outcomes[outcome.task] = outcome
        on_progress(len(outcomes), len(tasks))
    measured = [plan.read(one, outcomes) for one in architectures]
    refuse_if_none_fits(measured)
    return measured


def _score_module(
    network: nn.Module,
    batches: Sequence[FewShot],
    names: Sequence[str],
    recipe: Recipe,
    seed: int,
    classifier: str | None,
) -> Measured:
    metrics = [find_metric(name) for name in names]
    by_probe: dict[str, list[Measurement]] = {}
    for name in dict.fromkeys(metric.probe for metric in metrics):
        # A module may have several linear layers; that of a space's network needs no name.
        probe = short_training(classifier) if name == "short_training" else find_probe(name)
        for repeat, batch in enumerate(batches if probe.uses_images else batches[:1]):
            status, record = run_probe(
                probe, lambda: network, batch, recipe, repeat_seed(seed, repeat)
            )
            by_probe.setdefault(name, []).append(status if record is None else record)
    return read_metrics(metrics, by_probe)
