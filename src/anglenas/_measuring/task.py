"""What is to be measured, and what came of it: values that travel between processes."""

import hashlib
import json
import socket
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Self

from anglenas._measuring.devices import platform_of
from anglenas._plugins import load
from anglenas._recipe import Recipe
from anglenas.probes import Record, Undefined, find_probe
from anglenas.spaces import NetworkConfig


@dataclass(frozen=True)
class Context:
    """Everything of a score's address but the architecture.

    Two measurements with equal contexts and subjects give the same record, bit for bit. What a
    probe does not depend on is absent, so that its records are shared: a probe that uses no images
    has no recipe, no images and no seed.

    Attributes:
        space: Name that :func:`anglenas._plugins.load` finds the space under.
        probe: Name that it finds the probe under.
        version: The probe's version.
        network: Size of the network.
        platform: Release of torch, and instructions of the CPU or kind of the device; for times,
            the name of the machine too.
        recipe: Fingerprint of the recipe; empty if absent.
        settings: The recipe's settings, sorted by name; empty if absent.
        images: Fingerprint of the images; empty if absent.
        seed: Where all randomness of the measurement comes from; ``None`` if absent.
        space_version: The space's version.
    """

    space: str
    probe: str
    version: int
    network: NetworkConfig
    platform: str
    recipe: str = ""
    settings: tuple[tuple[str, int | float | str], ...] = ()
    images: str = ""
    seed: int | None = None
    space_version: int = 1

    @classmethod
    def of(
        cls,
        space: str,
        probe: str,
        network: NetworkConfig,
        *,
        recipe: Recipe,
        images: str,
        seed: int,
        device: str = "cpu",
    ) -> Self:
        """The context of a measurement on this kind of CPU, or on a kind of device.

        What the probe does not use is left out.

        Raises:
            UnknownNameError: No such probe is registered.
            SettingError: There is no such device.
        """
        measure = find_probe(probe)
        platform = platform_of(device)
        if measure.machine_bound:
            platform += f", {socket.gethostname()}"
        context = cls(
            space, probe, measure.version, network, platform,
            space_version=load("space", space).version,
        )  # fmt: skip
        if not measure.uses_images:
            return context
        return replace(
            context,
            recipe=recipe.fingerprint,
            settings=tuple(sorted(recipe.settings().items())),
            images=images,
            seed=seed,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The context that :attr:`json` describes."""
        values = json.loads(text)
        values["network"] = NetworkConfig(**values["network"])
        values["settings"] = tuple((name, value) for name, value in values["settings"])
        return cls(**values)

    def __hash__(self) -> int:
        return hash(self.digest)  # which is computed once, however often a task is looked up

    @cached_property
    def json(self) -> str:
        """One line of JSON, the same for equal contexts."""
        return json.dumps(asdict(self), sort_keys=True)

    @cached_property
    def digest(self) -> str:
        """Thirty-two hexadecimal digits, the same for equal contexts."""
        return digest_of(self.json)


@dataclass(frozen=True)
class Task:
    """One measurement to be made.

    Attributes:
        context: What is measured, on what, and how.
        subject: The canonical text of the architecture for a probe that measures the function,
            its own text for a probe that measures the network as written.
    """

    context: Context
    subject: str

    @classmethod
    def of(cls, context: Context, architecture: object) -> Self:
        """The task that measures an architecture, the same for two that the probe sees as one."""
        if find_probe(context.probe).subject == "network":
            return cls(context, str(architecture))
        return cls(context, load("space", context.space).canonical(architecture))


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    Attributes:
        task: The task.
        status: ``"ok"``, ``"undefined: reason"`` or ``"failed: reason"``.
        record: What the probe measured; ``None`` unless the status is ``"ok"``.
        seconds: How long it took; outside every comparison, like ``host``.
        host: Name of the machine.

    Raises:
        ValueError: The status is none of the three, or does not fit the record.
    """

    task: Task
    status: str
    record: Record | None = field(default=None, hash=False)
    seconds: float = field(default=0.0, compare=False)
    host: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.status != "ok" and not self.status.startswith(("undefined: ", "failed: ")):
            raise ValueError(f"A status is ok, undefined or failed, not {self.status!r}.")
        if (self.status == "ok") != (self.record is not None):
            raise ValueError("A record belongs to the status ok, and to no other.")

    @property
    def final(self) -> bool:
        """Whether measuring again would give the same; a failure may be the machine's."""
        return not self.status.startswith("failed: ")


def digest_of(text: str) -> str:
    """Thirty-two hexadecimal digits that stand for the JSON of a context."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def status_of(error: BaseException) -> str:
    """The status that tells of an exception, in one line that is short enough for a table."""
    first = (str(error).strip().splitlines() or [""])[0][:300]
    # A message may hold half a character, which UTF-8 and so the store have no bytes for.
    line = first.encode("utf-8", "replace").decode()
    if isinstance(error, Undefined):
        return f"undefined: {line}"
    return f"failed: {type(error).__name__}: {line}"
