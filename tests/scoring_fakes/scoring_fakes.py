"""A tiny space, and probes that do what candidates do to workers; imported by the workers too."""

import math
import os
import resource
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from anglenas._measuring.task import Context, Task
from anglenas._recipe import Recipe
from anglenas.data import FewShot
from anglenas.errors import ArchitectureError, DataError, NetworkError
from anglenas.probes import Probe, Undefined
from anglenas.spaces import NetworkConfig, Space


def parse(text: str) -> str:
    if not text.isprintable():
        raise ArchitectureError("A word is printable.", text, 0)
    return text


def build(text: str, config: Any) -> nn.Module:
    subject = parse(text)
    network = nn.Linear(config.in_channels, config.num_classes)
    network.word = subject  # type: ignore[assignment]
    if subject == "too wide":
        raise MemoryError("no room for the weights")
    return network


def _obey(network: Any, batch: Any, recipe: Any, seed: int) -> dict[str, Any]:
    verb, _, rest = network.word.partition(" ")
    return _VERBS[verb](rest) or {
        "word": network.word,
        "value": math.sin(len(network.word) + seed) * recipe.lr,
        "mean": float(batch.images.float().mean()),
    }


def _die_until(rest: str) -> None:
    """Die unless the file says that it was tried so often already."""
    file, times = rest.rsplit(" ", 1)
    tries = len(Path(file).read_text()) if Path(file).exists() else 0
    with Path(file).open("a") as log:
        log.write("x")
    if tries < int(times):
        os._exit(3)


def _die(rest: str) -> None:
    time.sleep(float(rest or 0))
    os._exit(3)


def _undefined(rest: str) -> None:
    raise Undefined(f"loss is not finite {rest}")


def _break(rest: str) -> None:
    raise RuntimeError(f"shapes do not match\n{rest}")


def _misfit(rest: str) -> None:
    raise NetworkError("The network has fewer outputs than there are classes.")


def _mislabel(rest: str) -> None:
    raise DataError("Labels run from 1 to 2, but there are 2 classes; number them from 0 to 1.")


def _exit(rest: str) -> None:
    raise SystemExit(rest)


def _devour(rest: str) -> None:
    """Allocate past a limit of address space, which is set for this call alone."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**33, before[1]))
    try:
        torch.zeros(2**34, dtype=torch.uint8)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _gorge(rest: str) -> None:
    """Take so many megabytes, and touch them all."""
    taken = []
    for _ in range(0, int(rest), 50):
        taken.append(torch.ones(50 * 250_000))
        time.sleep(0.05)


def _tell(rest: str) -> dict[str, Any]:
    return {"threads": torch.get_num_threads(), "omp": os.environ.get("OMP_NUM_THREADS"),
            "pid": os.getpid()}  # fmt: skip


def _strange(rest: str) -> dict[str, Any]:
    return {"curve": (1.0, math.nan, math.inf), "tiny": 5e-324, "zero": -0.0, "third": 1 / 3}


_VERBS: dict[str, Any] = {
    "be": lambda rest: None,
    "break": _break,
    "devour": _devour,
    "die": _die,
    "die_until": _die_until,
    "exit": _exit,
    "gorge": _gorge,
    "misfit": _misfit,
    "mislabel": _mislabel,
    "sleep": lambda rest: time.sleep(float(rest.split()[0])),
    "strange": _strange,
    "tell": _tell,
    "undefined": _undefined,
}

# The network of a word is a linear layer that carries it.
SPACE = Space(
    name="words", parse=parse, sample=lambda rng: "be", mutate=lambda word, rng: word + "!",
    build=build, drawings=lambda word: (), canonical=str.lower, fixed_version=1,
)  # fmt: skip
OBEY = Probe("obey", (), _obey)  # the word
SHAPE = Probe(
    "shape",
    (),
    lambda network, batch, *_: {"word": network.word, "shape": list(batch.images.shape)},
    subject="network",
    uses_images=False,
)
WHERE = Probe("where", (), lambda network, *_: {"device": str(network.weight.device)})

BATCH = FewShot(
    images=torch.arange(96, dtype=torch.uint8).reshape(2, 3, 4, 4),
    labels=torch.tensor([0, 1]),
    class_names=("even", "odd"),
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    flip=False,
)
BATCHES = {BATCH.fingerprint: BATCH}


def context(probe: str = "OBEY", seed: int = 3, **changes: Any) -> Context:
    network = NetworkConfig(num_classes=2, channels=1, cells=1)
    made = Context.of("scoring_fakes:SPACE", f"scoring_fakes:{probe}", network,
                      recipe=Recipe(), images=BATCH.fingerprint, seed=seed)  # fmt: skip
    return replace(made, **changes)


def task(word: str, **changes: Any) -> Task:
    return Task(context(**changes), word)
