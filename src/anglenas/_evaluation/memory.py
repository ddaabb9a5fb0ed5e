"""Whether a batch fits into memory, told before hours are lost to finding out."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from anglenas._evaluation.heads import logits_and_auxiliary
from anglenas._measuring.memory import bytes_of_pass, free_memory
from anglenas.errors import SettingError

# What is allocated at once besides the tensors that a backward pass waits for: 1.6 times as much
# was taken by the NAS-Bench-201 network of 3x3 convolutions at 32 x 32 (torch 2.13, CPU).
_OVERHEAD = 1.6
_COPIES = 3  # of the weights: themselves, gradients, momentum
_SPARE = 0.9  # share of what is free that a proposed batch may take


@dataclass(frozen=True)
class Need:
    """The memory that a training takes.

    Attributes:
        fixed: Bytes that do not depend on the batch.
        per_image: Bytes for each image of a batch.
    """

    fixed: int
    per_image: int

    def of(self, batch: int) -> int:
        """Bytes for a batch."""
        return self.fixed + batch * self.per_image

    def fitting(self, available: int) -> int:
        """The largest batch that fits, a multiple of 8 where it can be; 0 if none does."""
        most = max(int((_SPARE * available - self.fixed) // self.per_image), 0)
        return most - most % 8 if most >= 8 else most


def measure_need(network: nn.Module, shape: tuple[int, int, int]) -> Need:
    """What training a network takes, from the shapes of all tensors; nothing is computed.

    Args:
        network: The network.
        shape: ``(C, H, W)`` of its images.

    >>> measure_need(nn.Sequential(nn.Flatten(), nn.Linear(12, 5)), (3, 2, 2)).fixed
    780
    """
    twin = copy.deepcopy(network).to("meta").train()
    images = torch.zeros(2, *shape, device="meta")
    weights, saved = bytes_of_pass(twin, lambda: logits_and_auxiliary(twin, images))
    return Need(_COPIES * weights, int(_OVERHEAD * saved / 2))


def available_bytes(device: torch.device) -> int:
    """Memory that is free on a device, within the limits of this process."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return free_memory()


def too_little(need: Need, batch: int, available: int) -> SettingError:
    """The error that says which batch fits."""
    fits = need.fitting(available)
    way = f"a batch of {fits} fits: add 'batch={fits}' to the recipe"
    none = "not even one image fits: make images or network smaller"
    return SettingError(
        f"A batch of {batch} images needs about {_gigabytes(need.of(batch))} of memory, and "
        f"{_gigabytes(available)} are free; {way if fits else none}."
    )


def ran_out(batch: int) -> SettingError:
    """The error where a batch was thought to fit, and did not: it says to try half of it."""
    way = f"try half of it: add 'batch={batch // 2}' to the recipe"
    none = "make images or network smaller"
    return SettingError(
        f"Memory ran out with a batch of {batch} images; {way if batch > 1 else none}."
    )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2g} GB"


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception says that memory ran out, on whatever device."""
    words = ("out of memory", "not enough memory", "can't allocate memory")
    kinds: Any = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or any(word in str(error).lower() for word in words)
