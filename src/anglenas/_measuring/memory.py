"""How much memory a measurement takes, before it takes it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import psutil
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from anglenas._blocks.layers import compute_together
from anglenas._recipe import PRESETS, Recipe
from anglenas._torch import storage_id
from anglenas.errors import AnglenasError, SettingError
from anglenas.probes._jacobian import NUMBERS_AT_ONCE
from anglenas.spaces import NetworkConfig, Space

_COPIES = 4  # of each weight: the network's own, and the trained copy's with gradient and momentum
_MOST = 2**63  # bytes: more than PyTorch can count
# Gradients on their way, the operations' own buffers, and the copies in which operations that are
# computed together stand side by side: 1.3 to 2.5 were measured, the most of NAS-Bench-201.
_MORE = 2.5
_PROCESS = 0.4e9  # bytes of a worker that has imported PyTorch and measured something tiny


def training_memory(space: Space[Any], text: str, config: NetworkConfig, images: int) -> int:
    """About how many bytes a training takes.

    The weights and what the forward pass saves (see :func:`bytes_of_pass`), times 2.5 for what
    comes and goes.

    Args:
        space: Any search space.
        text: The text of an architecture.
        config: Size of its network.
        images: Images in a batch; 0 if nothing is trained, but weights are there and copied.

    Returns:
        0 if it cannot be told: the network does not run like this. Measuring says what it is.

    >>> from anglenas._plugins import load
    >>> space = load("space", "nasbench201_supernet")
    >>> small = training_memory(space, str(space.full()), NetworkConfig(channels=4, cells=1), 10)
    >>> large = training_memory(space, str(space.full()), NetworkConfig(channels=8, cells=1), 10)
    >>> 1.9 < large / small < 4
    True
    """
    weights, saved = _counted(space, text, config, images)
    return round((_MORE if images else 1) * (_COPIES * weights + saved))


def gradients_memory(
    space: Space[Any], text: str, config: NetworkConfig, images: int, rows: int
) -> int:
    """About how many bytes metrics of gradients take, such as the NTK.

    Twice what :func:`training_memory` estimates, since gradients can be differentiated again, and
    twice the gradients that are kept side by side.

    Args:
        space: Any search space.
        text: The text of an architecture.
        config: Size of its network.
        images: Images in a batch.
        rows: Of how many images gradients by all weights are kept side by side.

    Returns:
        0 if it cannot be told.
    """
    weights, saved = _counted(space, text, config, images)
    jacobian = min(rows * weights, 4 * NUMBERS_AT_ONCE)
    return 2 * (round(_MORE * (_COPIES * weights + saved)) + jacobian)


def _counted(space: Space[Any], text: str, config: NetworkConfig, images: int) -> tuple[int, int]:
    """Bytes of the weights, and of what a forward pass saves; none if the network does not run."""
    try:
        with torch.device("meta"):
            network = space.build(text, config).train()
            together = compute_together(network)
            batch = torch.zeros(images, config.in_channels, config.side, config.side)
        return bytes_of_pass(network, lambda: together(batch) if images else None)
    except AnglenasError:
        raise
    except Exception as error:  # the network can be the user's: its code can raise anything
        return (_MOST if "overflow" in str(error) else 0), 0


def bytes_of_pass(network: nn.Module, forward: Callable[[], object]) -> tuple[int, int]:
    """How much memory a network takes, and a pass of it; all forecasts are multiples of the two.

    Nothing is computed, since the network is on PyTorch's device ``meta``, so it does not matter
    how large it is.

    Args:
        network: The network, on ``meta``.
        forward: A forward pass of it, or of what computes with its weights.

    Returns:
        Bytes of the weights, and of all else that the pass saves for the backward one.
    """
    weights = {storage_id(parameter) for parameter in network.parameters()}
    saved: dict[int, int] = {}  # a storage can be saved through many views, and counts once

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        saved[storage_id(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.enable_grad(), saved_tensors_hooks(keep, lambda tensor: tensor):
        result = forward()  # noqa: F841 - what is saved lives as long, and no storage's number returns
    size = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
    return size, sum(number for key, number in saved.items() if key not in weights)


def free_memory() -> int:
    """Bytes that are free for this process and what it starts, within the limits of a container.

    ``psutil`` tells what is free on the machine, which may be far more than its control groups let
    a container have.

    >>> 0 < free_memory() <= psutil.virtual_memory().total
    True
    """
    free: int = psutil.virtual_memory().available
    for folder, limit, used, cache in _control_groups():
        try:
            most = int((folder / limit).read_text())
            taken = int((folder / used).read_text())
            details = (folder / "memory.stat").read_text()
        except (OSError, ValueError):  # no such group here, or "max": no limit
            continue
        # Files that were read are kept until their memory is needed.
        kept = re.search(rf"^{cache} (\d+)$", details, re.MULTILINE)
        free = min(free, most - taken + int(kept[1] if kept else 0))
    return max(free, 0)


def _control_groups() -> Iterator[tuple[Path, str, str, str]]:
    """Folders that may limit this process, from its own up, and their files of limit and use."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if not controllers:
            root, files = Path("/sys/fs/cgroup"), ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            root = Path("/sys/fs/cgroup/memory")
            files = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        own = PurePosixPath(path)
        for above in (own, *own.parents):
            yield (root / above.relative_to("/"), *files)


def check_memory(
    estimate: Callable[[NetworkConfig], int],
    config: NetworkConfig,
    workers: int,
    what: str,
    recipe: Recipe,
) -> None:
    """Make sure that a measurement fits into the memory of this machine, once for each worker.

    Args:
        estimate: Bytes of one, by the size of the network; 0 if they cannot be told.
        config: The size.
        workers: Processes that measure at once, which take memory of their own; 0 for this one.
        what: What it does with the supernet, in words.
        recipe: Where the size comes from.

    Raises:
        SettingError: It does not; tells which settings to change.
    """
    free = free_memory()
    own = _PROCESS if workers else 0

    def fit(needed: int) -> bool:
        return bool((needed + own) * max(workers, 1) <= free)

    needed = estimate(config)
    if fit(needed):
        return
    less = _smaller(recipe, config, lambda one: (known := estimate(one)) > 0 and fit(known))
    raise SettingError(
        f"To {what} takes about {_gigabytes(needed + own)}"
        f"{f' in each of {workers} workers' if workers > 1 else ''}, and {_gigabytes(free)} "
        "are free; give the recipe fewer channels, cells or images, or a smaller resolution"
        f"{f', such as --recipe {less}' if less else ''}"
        f"{', or use fewer workers' if workers > 1 else ''}."
    )


def _smaller(
    recipe: Recipe, config: NetworkConfig, fits: Callable[[NetworkConfig], bool]
) -> str | None:
    """The text of the largest recipe that fits: of fewer channels, then of one and fewer pixels.

    ``None`` if there is none, or no preset that it is a change of.
    """
    base = PRESETS.get(recipe.name.removesuffix("*"))
    widths = list(_halves(config.channels, least=1))
    narrow = widths[-1] if widths else config.channels
    # Smaller images are never enlarged, so that the side to begin with is theirs.
    sides = _halves(config.side, least=4)
    sizes = [(one, recipe.resolution, replace(config, channels=one)) for one in widths]
    sizes += [(narrow, one, replace(config, channels=narrow, side=one)) for one in sides]
    fitting = (one for one in sizes if fits(one[-1]))
    if base is None or (found := next(fitting, None)) is None:
        return None
    return replace(recipe, channels=found[0], resolution=found[1]).text


def _halves(number: int, least: int) -> Iterator[int]:
    while (number := number // 2) >= least:
        yield number


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.3g} GB"
