"""Small parts that networks of several spaces are made of."""

from collections.abc import Mapping, Sequence
from functools import cached_property, reduce

import torch
import torch.nn.functional as F
from torch import nn

__all__ = [
    "Average",
    "BatchNorm",
    "DilatedDepthwise",
    "Mixture",
    "MixtureCell",
    "Rectifying",
    "ReluConvBn",
    "average",
]

_NARROW = 8
"""Channels below which torch's BatchNorm leaves most of a register empty in channels_last."""


class BatchNorm(nn.BatchNorm2d):
    """BatchNorm that is quicker on a CPU where channels are few (benchmarks/speed_blocks.py)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C, S, S)``, same shape and layout."""
        is_last = not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
        if not (x.is_cpu and is_last and x.shape[1] < _NARROW):
            return super().forward(x)
        # Channels first, a register holds pixels, of which there are many.
        return super().forward(x.contiguous()).contiguous(memory_format=torch.channels_last)


class DilatedDepthwise(nn.Conv2d):
    """A depthwise convolution of dilation 2 that keeps the side (or halves it), without bias.

    Its taps lie two pixels apart, so it never mixes pixels of even and odd rows or columns: the
    four maps of every second pixel are convolved as usual, by the same kernel. On a CPU the
    gradient of the kernel is quicker that way, since oneDNN has nothing quick for dilation
    (benchmarks/speed_blocks.py).

    Args:
        channels: How many.
        kernel: Side of the kernel, odd.
        stride: 1 or 2.
    """

    def __init__(self, channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            channels, channels, kernel, stride, kernel - 1, 2, groups=channels, bias=False
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C, S, S) -> (B, C, S / stride, S / stride)``; odd sides are rounded up."""
        if not (x.is_cpu and torch.is_grad_enabled()):
            return super().forward(x)
        if self.stride[0] == 2:
            return self._undilated(x[:, :, ::2, ::2])
        height, width = x.shape[2:]
        even = F.pad(x, (0, width % 2, 0, height % 2))
        phases = torch.cat([even[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)])
        return _woven(self._undilated(phases))[:, :, :height, :width]

    def _undilated(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.weight, padding=self.kernel_size[0] // 2, groups=self.groups)


def _woven(phases: torch.Tensor) -> torch.Tensor:
    """Four maps of every second pixel, row by row, as one: ``(4 B, C, S, S) -> (B, C, 2S, 2S)``."""
    channels, height, width = phases.shape[1:]
    parts = phases.permute(0, 2, 3, 1).view(2, 2, -1, height, width, channels)
    pixels = parts.permute(2, 3, 0, 4, 1, 5).reshape(-1, 2 * height, 2 * width, channels)
    return pixels.permute(0, 3, 1, 2)


class Rectifying(nn.Module):
    """An operation that begins with a ReLU, which several operations can share."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, inputs, S, S) -> (B, outputs, S / stride, S / stride)``."""
        return self.activated(F.relu(x))

    def activated(self, x: torch.Tensor) -> torch.Tensor:
        """The same for an input that the ReLU was already applied to."""
        raise NotImplementedError


class ReluConvBn(Rectifying):
    """ReLU, convolution without bias that keeps the side (or halves it), BatchNorm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = BatchNorm(outputs)

    def activated(self, x: torch.Tensor) -> torch.Tensor:
        """Convolution and BatchNorm."""
        return self.norm(self.conv(x))  # type: ignore[no-any-return]


def average(x: torch.Tensor) -> torch.Tensor:
    """3x3 average pooling of stride 1 that counts no padding: ``(B, C, S, S)``, same shape."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class Average(nn.Module):
    """:func:`average` as a module."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C, S, S)``, same shape."""
        return average(x)


class State:
    """A map in a supernet's cell, and what all edges that leave it have in common.

    The ReLU, poolings and skips are computed once, however many edges need them.
    """

    def __init__(self, value: torch.Tensor) -> None:
        self.value = value
        self._results: dict[str, torch.Tensor] = {}

    @cached_property
    def _relu(self) -> torch.Tensor:
        return F.relu(self.value)

    def apply(self, name: str, operation: nn.Module) -> torch.Tensor:
        """The result of an operation; one without weights is computed once for its name."""
        if isinstance(operation, Rectifying):
            return operation.activated(self._relu)
        if name not in self._results:
            self._results[name] = operation(self.value)
        return self._results[name]


class Mixture(nn.Module):
    """The mean of some operations; those that are not there are neither held nor computed.

    Their modules have the operations' names, so that a random weight is the same whatever else
    is there.

    Args:
        operations: By name.
    """

    def __init__(self, operations: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.operations = nn.ModuleDict(operations)

    def forward(self, state: State) -> torch.Tensor:
        """``(B, C, S, S) -> (B, C, S / stride, S / stride)``."""
        results = (state.apply(name, operation) for name, operation in self.operations.items())
        return reduce(torch.add, results) / len(self.operations)


class MixtureCell(nn.Module):
    """The nodes of a supernet's cell; each is the sum of the mixtures on the edges that enter it.

    Args:
        edges: By target and source: ``(source, target)`` and the operations on the edge.
        halves: Whether edges that leave an input halve the side.
    """

    def __init__(
        self, edges: Sequence[tuple[tuple[int, int], Mapping[str, nn.Module]]], halves: bool = False
    ) -> None:
        super().__init__()
        self.places = tuple(place for place, _ in edges)
        self.edges = nn.ModuleList(Mixture(operations) for _, operations in edges)
        self.halves = halves

    def forward(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        """The inputs ``(B, C, S, S)`` and all nodes; a node that nothing enters is zero."""
        states = [State(x) for x in inputs]
        for node in range(len(inputs), self.places[-1][1] + 1):
            entering = [
                edge(states[source])
                for (source, target), edge in zip(self.places, self.edges, strict=True)
                if target == node and len(edge.operations)  # type: ignore[arg-type]
            ]
            states.append(State(reduce(torch.add, entering) if entering else self._zero(inputs[0])))
        return [state.value for state in states]

    def _zero(self, x: torch.Tensor) -> torch.Tensor:
        step = 2 if self.halves else 1
        return torch.zeros_like(x[:, :, ::step, ::step])
