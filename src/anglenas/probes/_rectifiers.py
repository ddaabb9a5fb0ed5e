"""Every rectifier that a forward pass runs, however it is spelled, and its binary codes.

A code is on or off, for each sample and unit.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from anglenas.probes._base import Undefined

Observe = Callable[[torch.Tensor, torch.Tensor], None]
"""Takes where the input was positive (bool, its shape) and the output of one rectifier."""

# Units that are compared at a time, 25 MiB of 100 images: one rectifier can have millions of units.
_BLOCK = 65_536

_KINK_AT_ZERO = frozenset({"leaky_relu", "prelu", "relu", "relu6", "rrelu"})
_KINK_AT_BOUND = {
    "clamp": "min",
    "clamp_min": "min",
    "clip": "min",
    "hardtanh": "min_val",
    "threshold": "threshold",
}


def name_of(function: Any) -> str:
    """The name of a torch function without the marks of its variants.

    >>> [name_of(f) for f in (torch.relu_, torch.Tensor.relu_, torch.ops.aten.relu.default)]
    ['relu', 'relu', 'relu']
    """
    return getattr(function, "__name__", "").partition(".")[0].strip("_")


def is_rectifier(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a call is piecewise linear with a kink at 0.

    Those are ReLU, ReLU6, leaky, parametric and randomised ReLU, and clamps, thresholds and
    hardtanh whose lower bound is 0. Smooth activations (GELU, SiLU) have no linear regions.

    >>> is_rectifier(torch.clamp, (torch.ones(2),), {"min": 0})
    True
    >>> is_rectifier(torch.clamp, (torch.ones(2),), {"min": 1e-6})
    False
    """
    name = name_of(function)
    if name not in _KINK_AT_BOUND:
        return name in _KINK_AT_ZERO
    bound = args[1] if len(args) > 1 else kwargs.get(_KINK_AT_BOUND[name])
    return isinstance(bound, int | float) and bound == 0


class Rectifiers(TorchFunctionMode):
    """While it is entered, shows each rectifier that runs to an observer.

    Modules, functions, methods, and their in-place variants are seen alike, because all of them
    are torch functions in the end. Those inside of scripted modules are not.

    Args:
        observe: Called after each rectifier, in the order in which they run.

    >>> seen = []
    >>> with Rectifiers(lambda positive, output: seen.append(positive.tolist())):
    ...     _ = torch.nn.ReLU(inplace=True)(torch.tensor([-1.0, 2.0]))
    >>> seen
    [[False, True]]
    """

    def __init__(self, observe: Observe) -> None:
        super().__init__()
        self._observe = observe

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if not is_rectifier(func, args, kwargs):
            return func(*args, **kwargs)
        # The sign is taken first: an in-place rectifier leaves no input behind.
        positive = (args[0] if args else kwargs["input"]).detach() > 0
        output = func(*args, **kwargs)
        self._observe(positive, output)
        return output


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
