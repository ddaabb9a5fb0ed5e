"""From a task to its outcome, in whatever process it is called."""

import gc
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache

import torch
from torch import nn

from anglenas._json import json_safe
from anglenas._measuring.task import Outcome, Task, status_of
from anglenas._numerics import derive, single_thread
from anglenas._plugins import load
from anglenas._recipe import Recipe
from anglenas.data import FewShot
from anglenas.errors import NetworkError, SettingError, UsageError, WorkersError
from anglenas.probes import Probe, Record, find_probe
from anglenas.spaces import NetworkConfig


def compute(task: Task, batch: FewShot | None, device: torch.device | str = "cpu") -> Outcome:
    """Build the network of a task, measure it with one thread, and say what came of it.

    What goes wrong with one candidate is its status, so that a run goes on: ``Undefined`` gives
    ``"undefined: ..."``, and every other exception (also ``NetworkError``, ``MemoryError`` and
    ``SystemExit``) gives ``"failed: ..."``. What was asked wrongly is raised, because it would hit
    every candidate.

    Args:
        task: The task.
        batch: The images that the context names; ``None`` for a probe that uses none.
        device: Where the network is put; probes bring the images there.

    Raises:
        UsageError: The space, its builder or the probe does not exist, the subject is no
            architecture, or the probe or builder says that its settings do not fit.
        WorkersError: The probe or the space has another version here than where the task was made.
    """
    started = time.perf_counter()
    context, device = task.context, torch.device(device)
    probe, space = find_probe(context.probe), load("space", context.space)
    _check_version("probe", context.probe, probe.version, context.version)
    _check_version("space", context.space, space.version, context.space_version)
    images = batch if probe.uses_images else _blank(context.network)
    if images is None or (probe.uses_images and images.fingerprint != context.images):
        raise SettingError(f"The task asks for the images {context.images}; pass these.")

    def make() -> nn.Module:
        network: nn.Module = space.build(task.subject, context.network)
        return network if device.type == "cpu" else network.to(device)

    # Without images there are no settings and no seed either: what the probe gets does not matter.
    recipe = Recipe(**dict(context.settings))  # type: ignore[arg-type]
    status, record = run_probe(probe, make, images, recipe, context.seed or 0)
    return Outcome(task, status, record, time.perf_counter() - started, socket.gethostname())


def run_probe(
    probe: Probe, make: Callable[[], nn.Module], batch: FewShot, recipe: Recipe, seed: int
) -> tuple[str, Record | None]:
    """What a probe measures of a network: all that is ever measured, passes through here.

    Args:
        probe: The probe.
        make: Makes the network, or hands over one that is there.
        batch: The images.
        recipe: How to measure.
        seed: Where all randomness comes from.

    Returns:
        ``"ok"`` and the record as the store gives it back, or a status and nothing; see
        :func:`compute` for what is a status and what is raised.
    """
    try:
        with single_thread(), torch.random.fork_rng(devices=[]):
            # For weights that no probe draws anew, such as a user's own parameters.
            torch.manual_seed(derive(seed, "build"))
            return "ok", json_safe(probe.measure(make(), batch, recipe, seed))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a user's code may raise anything, SystemExit too
        if isinstance(error, UsageError) and not isinstance(error, NetworkError):
            raise
        return status_of(error), None


def compute_all(
    chunk: Iterable[Task], batches: Mapping[str, FewShot], device: torch.device | str
) -> list[Outcome]:
    """What a worker does with a chunk of tasks, the images of which it has by fingerprint."""
    outcomes = [compute(task, batches.get(task.context.images), device) for task in chunk]
    _pass_by_what_stays()
    return outcomes


@cache
def _pass_by_what_stays() -> None:
    """Once, when probes have imported all that they need: let the garbage collector pass it by.

    It stays anyway, and looking through it takes longer than a cheap measurement.
    """
    gc.collect()
    gc.freeze()


def _check_version(kind: str, name: str, here: int, asked: int) -> None:
    if here != asked:
        raise WorkersError(
            f"The {kind} {name!r} has version {here} on {socket.gethostname()}, and {asked} is "
            "asked for; install the same release, or the same file, on both machines."
        )


def _blank(config: NetworkConfig) -> FewShot:
    """One black image, for a probe that looks at the shape alone."""
    channels = config.in_channels
    return FewShot(
        images=torch.zeros(1, channels, config.side, config.side, dtype=torch.uint8),
        labels=torch.zeros(1, dtype=torch.int64),
        class_names=("blank",),
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
        flip=False,
    )
