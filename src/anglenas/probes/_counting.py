"""What a network costs: parameters, operations, layers; counted from shapes."""

import copy
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Literal

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from anglenas._recipe import Recipe
from anglenas.data import FewShot
from anglenas.probes._base import Metric, Record
from anglenas.probes._isolation import explained

__all__ = ["COUNTING", "Counting", "count_operations", "count_parameters"]


def count_parameters(network: nn.Module) -> int:
    """Trainable numbers of a network; dead parts count.

    >>> count_parameters(nn.Linear(64, 10))
    650
    """
    return sum(parameter.numel() for parameter in network.parameters())


def count_operations(network: nn.Module, shape: tuple[int, int, int]) -> int:
    """Floating-point operations of one image's forward pass; a multiply-add is two.

    Convolutions and matrix products count, by the formulas of ``torch.utils.flop_counter``, and
    nothing else does. The network stays as it is. Parts that are alike, such as the cells of a
    stage, are run once: operations depend on shapes, not on weights.

    Args:
        network: Any module that maps ``(1, C, H, W)`` images to whatever.
        shape: ``(C, H, W)``.

    >>> count_operations(nn.Conv2d(3, 8, 3, padding=1), (3, 4, 4)) == 2 * (3 * 3 * 3) * 8 * (4 * 4)
    True
    """
    device = next((tensor.device for tensor in network.parameters()), torch.device("cpu"))
    operations = _Operations()
    with torch.inference_mode(False), torch.no_grad(), operations:
        _Twins(operations).of(network)(torch.zeros(1, *shape, device=device))
    return operations.total


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the operations of whatever is computed inside.

    ``torch.utils.flop_counter.FlopCounterMode`` gives the same total and follows modules too,
    which takes most of its time.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total: int = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if formula := flop_registry.get(func.overloadpacket):
            self.total += formula(*args, **(kwargs or {}), out_val=result)
        return result


class _Twins:
    """Copies of modules in evaluation mode, one for all that are alike.

    Two modules are alike if they have the same class, plain attributes, shapes and twins of
    children. A module with any other attribute, or with a hook, is like no other.
    """

    def __init__(self, operations: _Operations) -> None:
        self._operations = operations
        self._known: dict[Hashable, nn.Module] = {}

    def of(self, module: nn.Module) -> nn.Module:
        """The twin of a module."""
        if isinstance(module, torch.jit.ScriptModule):
            return copy.deepcopy(module).eval()
        children = {name: child and self.of(child) for name, child in module._modules.items()}
        look = _look(module, children)
        if look is None:
            return _twin(module, children)
        if look not in self._known:
            twin = self._known[look] = _twin(module, children)
            twin.forward = self._once(twin.forward)
        return self._known[look]

    def _once(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        """A forward pass that is run once for each shape of its one input."""
        known: dict[Hashable, tuple[int, torch.Tensor]] = {}

        def remembered(*args: Any, **kwargs: Any) -> Any:
            if kwargs or len(args) != 1 or not isinstance(args[0], torch.Tensor):
                return forward(*args, **kwargs)
            key = (args[0].shape, args[0].dtype)
            if key not in known:
                before = self._operations.total
                result = forward(*args)
                if not isinstance(result, torch.Tensor):
                    return result
                known[key] = (self._operations.total - before, result)
                return result
            operations, result = known[key]
            self._operations.total += operations
            return result

        return remembered


_Children = dict[str, nn.Module | None]
_INNER = frozenset(vars(nn.Module()))
_PLAIN = frozenset({bool, int, float, str, NoneType, torch.dtype, torch.device, torch.Size})


def _look(module: nn.Module, children: _Children) -> Hashable:
    """What modules that are alike have in common; ``None`` for one that is like no other."""
    state = vars(module)
    own = tuple([item for item in state.items() if item[0] not in _INNER])
    if state["_forward_hooks"] or state["_forward_pre_hooks"]:
        return None
    if not all([_is_plain(value) for _, value in own]):
        return None
    shapes = tuple(
        [
            (name, None if tensor is None else (tensor.shape, tensor.dtype))
            for group in (state["_parameters"], state["_buffers"])
            for name, tensor in group.items()
        ]
    )
    return type(module), own, shapes, tuple(children.items())


def _is_plain(value: object) -> bool:
    return type(value) in _PLAIN or (type(value) is tuple and all(map(_is_plain, value)))


def _twin(module: nn.Module, children: _Children) -> nn.Module:
    twin: nn.Module = object.__new__(type(module))
    state = vars(module)
    twin.__dict__.update(
        {
            name: value if name in _INNER or _is_plain(value) else copy.deepcopy(value)
            for name, value in state.items()
        }
    )
    twin.__dict__.update(
        training=False,
        _parameters={name: _cloned(tensor) for name, tensor in state["_parameters"].items()},
        _buffers={name: _cloned(tensor) for name, tensor in state["_buffers"].items()},
        _modules=children,
    )
    return twin


def _cloned(tensor: torch.Tensor | None) -> torch.Tensor | None:
    return None if tensor is None else tensor.detach().clone()


_METRICS = (
    Metric(
        "params", "counting", True, lambda record: record["params"],
        "Yang et al., WACV 2023, arXiv 2211.08666: #Param as a metric",
        formula="number of trainable numbers, dead parts included",
    ),
    Metric(
        "flops", "counting", True, lambda record: record["flops"],
        "torch.utils.flop_counter: convolutions and matrix products of one forward pass",
        unit="FLOP of one image; a multiply-add is two",
        formula="operations of the convolutions and matrix products of one forward pass",
    ),
    Metric(
        "layers", "counting", True, lambda record: record["layers"],
        "Ning et al., NeurIPS 2021, arXiv 2008.03064: baselines by size",
        unit="convolutions and linear layers",
        formula="number of convolutions and linear layers, dead ones included",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Counting:
    """The probe; counts the network as written, on the shape of the images alone."""

    name: str = "counting"
    version: int = 1
    subject: Literal["function", "network"] = "network"
    uses_images: bool = False
    metrics: dict[str, Metric] = field(
        default_factory=lambda: {metric.name: metric for metric in _METRICS}
    )

    def measure(self, network: nn.Module, batch: FewShot, recipe: Recipe, seed: int) -> Record:
        """``params``, ``flops`` (of one image) and ``layers`` of a network.

        Raises:
            NetworkError: The network does not take images of this shape.
        """
        channels, height, width = batch.images.shape[1:]
        with explained(network, (channels, height, width), self.name):
            flops = count_operations(network, (channels, height, width))
        layers = (nn.modules.conv._ConvNd, nn.Linear)
        modules = list(network.modules())  # walking through them takes a while
        own = {parameter for one in modules for parameter in one._parameters.values()}
        return {
            "params": sum(parameter.numel() for parameter in own if parameter is not None),
            "flops": flops,
            "layers": sum(isinstance(module, layers) for module in modules),
        }


COUNTING = Counting()
"""The probe, as ``anglenas.probes`` entry point ``counting``."""
