"""Binary codes of rectifiers: on or off, for each sample and unit."""

import numpy as np
import torch

from anglenas.probes._base import Undefined

__all__ = ["agreements", "by_sample", "log_determinant", "row_codes"]

# Units that are compared at a time, 25 MiB of 100 images: one rectifier can have millions of units.
_BLOCK = 65_536


def by_sample(positive: torch.Tensor, samples: int) -> torch.Tensor:
    """The codes of one rectifier, a row for each sample.

    Args:
        positive: Bool, of the shape of the rectifier's input. Samples stand in its first
            dimension, alone or before what was folded into it (windows, tokens), or else in its
            second (sequence first).
        samples: How many samples ``N`` there are.

    Returns:
        ``(N, units)`` bool.

    Raises:
        Undefined: No dimension holds the samples.

    >>> by_sample(torch.ones(2, 3, 4, 4, dtype=torch.bool), samples=2).shape
    torch.Size([2, 48])
    """
    first, second = (*positive.shape, 0, 0)[:2]
    if first != samples and second == samples:
        return positive.movedim(1, 0).reshape(samples, -1)
    if first == 0 or first % samples:
        raise Undefined(
            f"a rectifier of shape {tuple(positive.shape)} does not tell {samples} samples apart"
        )
    return positive.reshape(samples, -1)


def agreements(codes: torch.Tensor) -> torch.Tensor:
    """In how many units each two samples agree: ``X X^T + (1 - X) (1 - X)^T``.

    Args:
        codes: ``(N, units)`` bool.

    Returns:
        ``(N, N)`` float64, exact; computed in blocks of units, so that memory stays small.

    >>> agreements(torch.tensor([[True, False, True], [True, True, True]]))
    tensor([[3., 2.],
            [2., 3.]], dtype=torch.float64)
    """
    total = torch.zeros(len(codes), len(codes), dtype=torch.float64, device=codes.device)
    for block in torch.split(codes, _BLOCK, dim=1):
        signs = torch.where(block, 1.0, -1.0)  # their products count agreements less differences
        total += (signs @ signs.T + block.shape[1]) / 2
    return total


def log_determinant(kernel: torch.Tensor) -> float | None:
    """``log |det K|`` of a symmetric matrix; ``None`` where it is singular.

    >>> log_determinant(torch.ones(2, 2)) is None
    True
    """
    kernel = kernel.double()
    if torch.linalg.matrix_rank(kernel, hermitian=True) < len(kernel):
        return None
    return float(torch.linalg.slogdet(kernel).logabsdet)


def row_codes(codes: torch.Tensor) -> list[bytes]:
    """The rows ``(R, B)`` of a bool matrix, packed to 8 bits a byte: equal exactly if they are.

    >>> len(set(row_codes(torch.tensor([[True, False], [False, True], [True, False]]))))
    2
    """
    packed = np.packbits(codes.cpu().numpy(), axis=1)
    rows: list[bytes] = np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").ravel().tolist()
    return rows
