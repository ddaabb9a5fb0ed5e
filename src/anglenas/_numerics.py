"""What arithmetic depends on besides the numbers: random streams, threads, torch and CPU."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["derive", "platform", "single_thread"]


def derive(seed: int, *position: str | int) -> int:
    """A seed of 63 bits for one stream of random numbers, independent of all other streams.

    >>> derive(1, "weights", "stem.conv") == derive(1, "weights", "stem.conv")
    True
    >>> derive(1, "weights", "stem.conv") == derive(1, "augmentation", 0)
    False
    """
    text = repr((seed, *position)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


@contextmanager
def single_thread() -> Iterator[None]:
    """Compute with one torch thread, so that sums are always added in the same order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def platform() -> str:
    """What the bits of a score depend on besides its inputs: torch and the CPU's instructions."""
    import torch

    return f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}"
