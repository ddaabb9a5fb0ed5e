"""Metrics of one network, or of a few architectures."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from anglenas.data import FewShot, ImageSource
from anglenas.errors import AnglenasError
from anglenas.networks import NetworkConfig
from anglenas.numerics import single_thread
from anglenas.plugins import load
from anglenas.probes import Probe, Record, Undefined, find_metric, find_probe
from anglenas.probes.short_training import ShortTraining
from anglenas.recipe import Recipe
from anglenas.scoring import InProcess, Scorer, Store
from anglenas.searching._plan import (
    Measured,
    draw_repeats,
    make_plan,
    notices_of,
    read_metrics,
    repeat_seed,
)
from anglenas.searching._setup import choose_recipe, choose_space, open_data, open_store

__all__ = ["score", "score_architectures"]

DEFAULT_METRICS = ("angle", "loss", "params")


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
    source = open_data(data, flip)
    recipe = choose_recipe(recipe, source)
    batches = draw_repeats(source, recipe, seed, strict=strict)
    if isinstance(subject, nn.Module):
        measured = _score_module(subject, batches, tuple(metrics), recipe, seed, classifier)
        return replace(measured, notices=notices_of(batches))
    name = choose_space(space)
    parsed = load("space", name).parse(subject) if isinstance(subject, str) else subject
    with open_store(store) as opened:
        measured = score_architectures(
            [parsed], name, len(source.class_names), batches, metrics, recipe, seed,
            Scorer(opened, InProcess()),
        )[0]  # fmt: skip
    return replace(measured, notices=notices_of(batches))


def score_architectures(
    architectures: Sequence[Any],
    space: str,
    num_classes: int,
    batches: Sequence[FewShot],
    metrics: Iterable[str],
    recipe: Recipe,
    seed: int,
    scorer: Scorer,
) -> list[Measured]:
    """The metrics of some architectures, in their order."""
    target = NetworkConfig(
        num_classes=num_classes,
        in_channels=batches[0].images.shape[1],
        side=batches[0].images.shape[-1],
    )
    plan = make_plan(space, metrics, batches, target, recipe, seed)
    tasks = [task for one in architectures for task in plan.tasks(one)]
    outcomes = {outcome.task: outcome for outcome in scorer.outcomes(tasks, plan.batches)}
    return [plan.read(one, outcomes) for one in architectures]


def _score_module(
    network: nn.Module,
    batches: Sequence[FewShot],
    names: Sequence[str],
    recipe: Recipe,
    seed: int,
    classifier: str | None,
) -> Measured:
    metrics = [find_metric(name) for name in names]
    by_probe = {}
    for name in dict.fromkeys(metric.probe for metric in metrics):
        probe = find_probe(name)
        if isinstance(probe, ShortTraining):
            probe = replace(probe, classifier=classifier)
        repeats = batches if probe.uses_images else batches[:1]
        by_probe[name] = [
            _measure(probe, network, batch, recipe, repeat_seed(seed, repeat))
            for repeat, batch in enumerate(repeats)
        ]
    return read_metrics(metrics, by_probe)


def _measure(
    probe: Probe, network: nn.Module, batch: FewShot, recipe: Recipe, seed: int
) -> Record | str:
    try:
        with single_thread():
            return probe.measure(network, batch, recipe, seed)
    except Undefined as reason:
        return f"undefined: {reason}"
    except AnglenasError:
        raise
    except Exception as error:  # the module is the caller's: it can raise anything
        first = (str(error).strip().splitlines() or [""])[0]
        return f"failed: {type(error).__name__}: {first}"
