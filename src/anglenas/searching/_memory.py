"""How much memory a training takes, before it takes it."""

from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch
from distributed.system import MEMORY_LIMIT
from torch import nn

from anglenas.errors import AnglenasError, SettingError
from anglenas.networks import NetworkConfig, build_network, compute_together
from anglenas.spaces import SearchSpace

__all__ = ["check_memory", "training_memory"]

_COPIES = 4  # of each weight: the network's own, and the trained copy's with gradient and momentum
_MOST = 2**63  # bytes: more than PyTorch can count
# Gradients on their way, the operations' own buffers, and the copies in which operations that are
# computed together stand side by side: 1.3 to 2.5 were measured, the most of NAS-Bench-201.
_MORE = 2.5


def training_memory(space: SearchSpace, text: str, config: NetworkConfig, images: int) -> int:
    """About how many bytes a training takes.

    The weights, and what the forward pass saves for the backward one, are counted on a network
    without memory (PyTorch's device ``meta``), so that it does not matter how large it is. That is
    multiplied by 2.5 for what comes and goes.

    Args:
        space: Any search space.
        text: The text of an architecture.
        config: Size of its network.
        images: Images in a batch; 0 if nothing is trained, but weights are there and copied.

    Returns:
        0 if it cannot be told: the network does not run like this. Measuring says what it is.

    >>> from anglenas.plugins import load
    >>> space = load("space", "nasbench201_supernet")
    >>> small = training_memory(space, str(space.full()), NetworkConfig(channels=4, cells=1), 10)
    >>> large = training_memory(space, str(space.full()), NetworkConfig(channels=8, cells=1), 10)
    >>> 1.9 < large / small < 4
    True
    """
    try:
        with torch.device("meta"):
            network = build_network(space, text, config).train()
        saved = _saved_by(network, images, config) if images else 0
    except AnglenasError:
        raise
    except Exception as error:  # the network can be the user's: its code can raise anything
        return _MOST if "overflow" in str(error) else 0
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    return round((_MORE if images else 1) * (_COPIES * weights + saved))


def _saved_by(network: nn.Module, images: int, config: NetworkConfig) -> int:
    """Bytes that the forward pass of a network on ``meta`` saves for the backward one."""
    with torch.device("meta"):
        together = compute_together(network)
        batch = torch.zeros(images, config.in_channels, config.side, config.side)
    with _saved() as sizes:
        kept = together(batch)  # noqa: F841 - what is saved lives as long as the result
    return sum(sizes.values())


@contextmanager
def _saved() -> Iterator[dict[int, int]]:
    """Bytes of every storage that is saved for a backward pass inside, each counted once."""
    sizes: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if not tensor.is_leaf or not tensor.requires_grad:
            sizes[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield sizes


def check_memory(needed: int, workers: int, what: str, less: str) -> None:
    """Make sure that a measurement fits into the memory of this machine, once for each worker.

    Args:
        needed: Bytes of one.
        workers: How many run at once.
        what: What it does with the supernet, in words.
        less: A recipe that takes less.

    Raises:
        SettingError: It does not; tells which settings to change.
    """
    free = min(psutil.virtual_memory().available, MEMORY_LIMIT)
    if needed * workers > free:
        raise SettingError(
            f"To {what} takes about {_gigabytes(needed)}"
            f"{f' in each of {workers} workers' if workers > 1 else ''}, and {_gigabytes(free)} "
            "are free; give the recipe fewer channels, cells or images, or a smaller resolution, "
            f"such as --recipe {less}{', or use fewer workers' if workers > 1 else ''}."
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.3g} GB"
