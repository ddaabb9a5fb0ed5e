"""Every rectifier that a forward pass runs, however it is spelled."""

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["Observe", "Rectifiers", "is_rectifier", "name_of"]

Observe = Callable[[torch.Tensor, torch.Tensor], None]
"""Takes where the input was positive (bool, its shape) and the output of one rectifier."""

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
