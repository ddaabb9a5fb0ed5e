"""A tiny space, and a probe that does what candidates do to workers, who import them from here."""

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from anglenas._measuring.task import Context, Task
from anglenas._recipe import Recipe
from anglenas.data import FewShot
from anglenas.errors import ArchitectureError, DataError
from anglenas.probes import Probe, Undefined
from anglenas.spaces import NetworkConfig, Space


def parse(text: str) -> str:
    """The word, if it is one."""
    if not text.isprintable():
        raise ArchitectureError("A word is printable.", text, 0)
    return text


def build(text: str, config: NetworkConfig) -> nn.Module:
    """A linear layer that carries a word."""
    network = nn.Linear(config.in_channels, config.num_classes)
    network.word = parse(text)  # type: ignore[assignment]
    return network


def _obey(network: Any, batch: FewShot, recipe: Recipe, seed: int) -> dict[str, Any]:
    """What the verb gives, or numbers that depend on all that a record may depend on."""
    verb, _, rest = network.word.partition(" ")
    return VERBS[verb](rest) or {
        "word": network.word,
        "value": math.sin(len(network.word) + seed) * recipe.lr,
        "mean": float(batch.images.float().mean()),
    }


def _die(rest: str) -> None:
    time.sleep(float(rest or 0))
    os._exit(3)


def _die_until(rest: str) -> None:
    """Die unless the file says that it was tried so often already."""
    file, times = rest.rsplit(" ", 1)
    tries = len(Path(file).read_text()) if Path(file).exists() else 0
    with Path(file).open("a") as log:
        log.write("x")
    if tries < int(times):
        os._exit(3)


def _raise(error: Callable[[str], BaseException]) -> Callable[[str], None]:
    def verb(rest: str) -> None:
        raise error(rest)

    return verb


VERBS: dict[str, Callable[[str], dict[str, object] | None]] = {
    "be": lambda rest: None,
    "break": _raise(lambda rest: RuntimeError(f"shapes do not match\n{rest}")),
    "cancel": _raise(GeneratorExit),
    "die": _die,
    "die_until": _die_until,
    "exit": _raise(SystemExit),
    "mislabel": _raise(
        lambda rest: DataError(
            "Labels run from 1 to 2, but there are 2 classes; number them from 0 to 1."
        )
    ),
    "sleep": lambda rest: time.sleep(float(rest.split()[0])),
    "strange": lambda rest: {
        "curve": (1.0, math.nan, math.inf), "tiny": 5e-324, "zero": -0.0, "third": 1 / 3,
    },
    "tell": lambda rest: {
        "threads": torch.get_num_threads(), "omp": os.environ.get("OMP_NUM_THREADS"),
        "pid": os.getpid(),
    },
    "undefined": _raise(lambda rest: Undefined(f"loss is not finite {rest}")),
}  # fmt: skip
"""What the first part of a word makes the probe do."""

SPACE = Space(
    name="words", parse=parse, sample=lambda rng: "be", mutate=lambda word, rng: word + "!",
    build=build, drawings=lambda word: (), canonical=str.lower, fixed_version=1,
)  # fmt: skip
"""Words, whose case tells nothing."""
OBEY = Probe("obey", (), _obey)
"""A probe that does what the first part of a word says."""

BATCH = FewShot(
    images=torch.arange(96, dtype=torch.uint8).reshape(2, 3, 4, 4),
    labels=torch.tensor([0, 1]),
    class_names=("even", "odd"),
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    flip=False,
)
BATCHES = {BATCH.fingerprint: BATCH}


def task(word: str, batch: FewShot = BATCH, seed: int = 3) -> Task:
    """The task that measures a word."""
    network = NetworkConfig(num_classes=2, channels=1, cells=1)
    place = "anglenas.testing._orders"
    context = Context.of(f"{place}:SPACE", f"{place}:OBEY", network, recipe=Recipe(),
                         images=batch.fingerprint, seed=seed)  # fmt: skip
    return Task(context, word)
