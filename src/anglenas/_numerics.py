"""What arithmetic depends on besides the numbers: random streams, threads, torch and CPU."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from operator import index
from typing import SupportsIndex

from anglenas.errors import SettingError


def derive(seed: SupportsIndex, *position: str | SupportsIndex) -> int:
    """A seed of 63 bits for one stream of random numbers, independent of all other streams.

    Args:
        seed: Any whole number; NumPy's give the same as Python's.
        position: What the stream is for: words and whole numbers.

    Raises:
        SettingError: The seed is no whole number.

    >>> derive(1, "weights", "stem.conv") == derive(1, "weights", "stem.conv")
    True
    >>> derive(1, "weights", "stem.conv") == derive(1, "augmentation", 0)
    False
    """
    try:
        start = int(index(seed))
    except TypeError as error:
        raise SettingError(f"A seed is a whole number, not {seed!r}.") from error
    # NumPy's words and numbers print otherwise than Python's, and would be other streams.
    parts = (str(part) if isinstance(part, str) else int(index(part)) for part in position)
    text = repr((start, *parts)).encode()
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
