"""A network that may be changed at will: a copy with fresh weights, measured without a trace."""

import copy
import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from anglenas._blocks import memory_format_of
from anglenas._numerics import derive
from anglenas._recipe import Recipe
from anglenas._torch import lacks_variance
from anglenas.data import FewShot, normalised
from anglenas.errors import AnglenasError, DataError, NetworkError
from anglenas.probes._base import Measure, Record, Undefined
from anglenas.probes._initialise import Initialiser, fan_in_normal, initialise
from anglenas.probes._outputs import find_classifier, logits_of


@dataclass(frozen=True)
class Specimen:
    """What a probe works on.

    Attributes:
        network: Module from images to logits ``(N, K)``, in training mode, every parameter
            requiring gradients; nobody else holds its tensors.
        images: ``(N, C, H, W)`` float32, normalised.
        labels: ``(N,)`` int64.
        memory_format: What the network computes in; images of one channel do not show it.
    """

    network: nn.Module
    images: torch.Tensor
    labels: torch.Tensor
    memory_format: torch.memory_format


class Logits(nn.Module):
    """A network of which nothing but the logits is returned.

    Args:
        network: The network.
        classes: How many logits there are at least.
        width: How many there are, for a network that returns other tensors too.
    """

    def __init__(self, network: nn.Module, classes: int, width: int | None) -> None:
        super().__init__()
        self.network = network
        self.classes = classes
        self.width = width

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """``(N, C, H, W) -> (N, K)``.

        Raises:
            Undefined: So few images give a BatchNorm a single value a channel.
        """
        return logits_of(_output(self.network, images), self.classes, self.width)


def on_copy(
    probe: str,
    compute: Callable[[Specimen], Record],
    initialiser: Initialiser = fan_in_normal,
) -> Measure:
    """A probe's ``measure``, from what it computes of a freshly initialised copy and the images.

    Where a number of the record is infinite or NaN, the network has no value, and this is why.

    Args:
        probe: Name of the probe; what messages call it.
        compute: From an :func:`isolated` copy to the record.
        initialiser: How weights are drawn.
    """

    def measure(network: nn.Module, batch: FewShot, recipe: Recipe, seed: int) -> Record:
        with isolated(network, batch, seed, probe, initialiser=initialiser) as specimen:
            record = compute(specimen)
        for name, value in record.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise Undefined(f"{name} is not finite")
        return record

    return measure


@contextmanager
def fresh_copy(network: nn.Module, seed: int) -> Iterator[nn.Module]:
    """A freshly initialised copy in training mode; when the block ends nothing has changed.

    The network's parameters, buffers, gradients, modes and hooks are never written to. Random
    numbers drawn inside (by Dropout, say; from PyTorch, NumPy or Python) come from streams of
    their own, and the caller's gradient and inference modes do not matter.

    Args:
        network: Any module.
        seed: Where the weights and all other random numbers come from.

    Raises:
        NetworkError: It cannot be copied.
    """
    with _untouched_state():
        twin = _trainable(network)
        _refresh(twin, seed)
        yield twin


@contextmanager
def isolated(
    network: nn.Module,
    batch: FewShot,
    seed: int,
    probe: str,
    classifier: str | None = None,
    initialiser: Initialiser = fan_in_normal,
) -> Iterator[Specimen]:
    """A :func:`fresh_copy` that returns logits, and the images to run it on.

    The copy computes in ``channels_last`` where it can: on CPUs a backward pass of a
    convolutional network is about 1.7 times as fast. A network that flattens feature maps by
    ``view`` cannot, and keeps the usual memory format.

    Args:
        network: Any module that maps images to logits, alone or among other tensors.
        batch: The images.
        seed: Where the weights and all other random numbers come from.
        probe: Who measures; what messages call it.
        classifier: Name of the layer that yields the logits, where a network returns several
            tensors; by default the last linear layer that runs.
        initialiser: How weights are drawn.

    Raises:
        DataError: A label is none of the classes.
        NetworkError: It cannot be copied, fails on such images, or has too few outputs.
        Undefined: So few images give a BatchNorm a single value a channel.
    """
    classes, labels = len(batch.class_names), batch.labels
    if not len(labels) == len(batch.images) > 0:
        raise DataError(
            f"There are {len(batch.images)} images and {len(labels)} labels; give one each."
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"Labels run from {labels.min()} to {labels.max()}, but there are {classes} classes; "
            f"number them from 0 to {classes - 1}."
        )
    with _untouched_state():
        twin = _trainable(network)
        images = normalised(batch).to(device_of(twin))
        # A first pass of two images: one alone cannot pass through BatchNorm, and all take longer.
        # Of a copy of them, since a network may write on its input.
        channels_last = _runs_in_channels_last(twin, images[:2].clone())
        memory_format = torch.channels_last if channels_last else torch.contiguous_format
        twin.to(memory_format=memory_format)  # type: ignore[call-overload]
        images = images.contiguous(memory_format=memory_format)
        width = _width(twin, images[:2].clone(), probe, classifier)
        # After these first passes, which leave running statistics and may draw random numbers.
        _refresh(twin, seed, initialiser)
        yield Specimen(
            Logits(twin, classes, width), images, labels.clone().to(images.device), memory_format
        )


def copied(network: nn.Module) -> nn.Module:
    """A copy of a network, whatever its mode and its data type.

    Raises:
        NetworkError: It cannot be copied.
    """
    try:
        return copy.deepcopy(network)
    except (RuntimeError, TypeError) as error:
        raise NetworkError(
            f"The network {type(network).__name__} cannot be copied ({error}); keep tensors that "
            "were computed, and open files, out of its attributes."
        ) from error


def run(network: nn.Module, inputs: torch.Tensor, probe: str) -> object:
    """What a network returns.

    Args:
        network: The network.
        inputs: ``(N, C, H, W)``.
        probe: Who runs it.

    Raises:
        NetworkError: It fails; its own error is the cause.
        Undefined: So few inputs give a BatchNorm a single value a channel.
    """
    with explained(network, inputs.shape[1:], probe):
        return _output(network, inputs)


@contextmanager
def explained(network: nn.Module, shape: Sequence[int], probe: str) -> Iterator[None]:
    """Turn whatever a network raises into a :class:`NetworkError` with that as its cause.

    Args:
        network: The network that runs inside.
        shape: ``(C, H, W)`` of its images.
        probe: Who runs it.
    """
    try:
        yield
    except (AnglenasError, Undefined, MemoryError):
        raise
    except Exception as error:  # the network is the user's: it can raise anything
        raise NetworkError(
            f"The network {type(network).__name__} does not take images of shape {tuple(shape)}, "
            f"as {probe!r} runs it ({type(error).__name__}: {error}); build it for such images, "
            "or repair its forward pass."
        ) from error


def device_of(network: nn.Module) -> torch.device:
    """Where a network computes; the CPU if it has no parameters."""
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))


def blank_image(network: nn.Module, shape: Sequence[int]) -> torch.Tensor:
    """Zeros ``(1, C, H, W)`` where a network computes, in the data type that it computes in."""
    dtypes = (p.dtype for p in network.parameters() if p.is_floating_point())
    return torch.zeros(1, *shape, device=device_of(network), dtype=next(dtypes, torch.float32))


def spread(count: int, total: int) -> torch.Tensor:
    """Up to ``count`` of the indices 0 to ``total - 1``, spread evenly.

    Of images sorted by class they belong to all classes.

    >>> spread(3, 10), spread(3, 2)
    (tensor([0, 3, 6]), tensor([0, 1]))
    """
    count = min(count, total)
    return torch.arange(count) * total // count


@contextmanager
def _untouched_state() -> Iterator[None]:
    """Inside, gradients are recorded and arithmetic is exact, whatever the caller has set.

    Afterwards all global state is as it was.
    """
    # Forking the streams of every GPU of a machine would start a context on each.
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - networks may use it
    precision = torch.get_float32_matmul_precision()
    try:
        # On GPUs, TF32 would give other scores than the CPU's by far more than rounding.
        torch.set_float32_matmul_precision("highest")
        with (
            torch.random.fork_rng(devices),
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast("cpu", enabled=False),
            torch.autocast("cuda", enabled=False),
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def _trainable(network: nn.Module) -> nn.Module:
    # Whatever a network is stored in and whichever of its layers are frozen, it is measured alike.
    return copied(network).to(torch.float32).train().requires_grad_(True)


def _refresh(network: nn.Module, seed: int, initialiser: Initialiser = fan_in_normal) -> None:
    """Fresh weights, and global random streams of the seed for whatever else the network draws."""
    initialise(network, seed, initialiser)
    stream = derive(seed, "network")
    torch.manual_seed(stream)
    random.seed(stream)
    np.random.seed(stream % 2**32)  # noqa: NPY002


@torch.no_grad()
def _runs_in_channels_last(network: nn.Module, images: torch.Tensor) -> bool:
    if memory_format_of(network) is not torch.channels_last:
        return False
    try:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        network(images.contiguous(memory_format=torch.channels_last))
    except MemoryError:
        raise
    except Exception:  # whatever it is, the usual format is tried next, and tells it
        return False
    return True


@torch.no_grad()
def _width(network: nn.Module, images: torch.Tensor, probe: str, name: str | None) -> int | None:
    """Outputs of the classifier, looked up only where more than the logits is returned."""
    if isinstance(run(network, images, probe), torch.Tensor):
        return None
    classifier = network.get_submodule(find_classifier(network, images, name))
    return int(classifier.out_features)  # type: ignore[arg-type]


def _output(network: nn.Module, images: torch.Tensor) -> object:
    try:
        return network(images)
    except ValueError as error:
        if not lacks_variance(error):
            raise
        raise Undefined(
            f"{len(images)} images alone cannot pass in training mode: {error}"
        ) from error
