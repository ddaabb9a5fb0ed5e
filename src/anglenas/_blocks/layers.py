"""Small parts that networks of several spaces are made of."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, reduce
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import nn

from anglenas._blocks.together import (
    Rectified,
    box_average,
    each,
    first_of,
    in_format,
    normalised,
    padded,
    phases,
    placed,
    stacked,
    woven,
)

_NARROW = 8
"""Channels below which torch's BatchNorm leaves most of a register empty in channels_last."""


class BatchNorm(nn.BatchNorm2d):
    """BatchNorm that is quicker on a CPU where channels are few (benchmarks/speed_blocks.py)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C, S, S)``, same shape and memory format."""
        if not (self.training and x.is_cpu and x.shape[1] < _NARROW):
            return super().forward(x)
        if x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last):
            return super().forward(x)
        # Channels first, a register holds pixels, of which there are many.
        first, last = torch.contiguous_format, torch.channels_last
        return in_format(super().forward(in_format(x, first, last)), last, first)


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
        return woven(self._undilated(phases(x)))[:, :, :height, :width]

    def _undilated(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.weight, padding=self.kernel_size[0] // 2, groups=self.groups)


class Rectifying(nn.Module):
    """An operation that begins with a ReLU, which several operations can share."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, inputs, S, S) -> (B, outputs, S / stride, S / stride)``."""
        return self.activated(F.relu(x))

    def activated(self, x: torch.Tensor) -> torch.Tensor:
        """The same for an input that the ReLU was already applied to."""
        raise NotImplementedError

    @classmethod
    def together(cls, operations: Sequence[Self | None], x: Rectified) -> torch.Tensor:
        """What alike operations make of one map: ``(B, E outputs, ...)``, and padding.

        Args:
            operations: One for each edge that leaves the map; zeros come where there is none.
            x: The map, the ReLU applied.
        """
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

    @classmethod
    def together(cls, operations: Sequence[Self | None], x: Rectified) -> torch.Tensor:
        """Their kernels one behind another: ``(B, E outputs, ...)``, and padding."""
        conv = first_of(operations).conv
        weight = stacked(each(lambda operation: operation.conv.weight, operations))
        wide = F.conv2d(x.value, weight, None, conv.stride, conv.padding)
        return normalised(each(lambda operation: operation.norm, operations), wide)


def average(x: torch.Tensor) -> torch.Tensor:
    """3x3 average pooling of stride 1 that counts no padding: ``(B, C, S, S)``, same shape."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class Average(nn.Module):
    """3x3 average pooling that counts no padding.

    Args:
        stride: 1 or 2.
    """

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C, S, S) -> (B, C, S / stride, S / stride)``."""
        return F.avg_pool2d(x, 3, self.stride, padding=1, count_include_pad=False)

    def summed(self, x: torch.Tensor) -> torch.Tensor:
        """The same by sums of rows, which is quicker for few channels."""
        return box_average(x)[:, :, :: self.stride, :: self.stride]


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
        if _has_state(operation):
            return operation(self.value)  # type: ignore[no-any-return]
        if name not in self._results:
            self._results[name] = operation(self.value)
        return self._results[name]


def _has_state(operation: nn.Module) -> bool:
    """Whether it is not the same for every edge."""
    return any(True for _ in (*operation.parameters(), *operation.buffers()))


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

    Attributes:
        together: Whether in training mode alike operations on one map are computed at once, rather
            than one after another. It is quicker, and hooks of single operations do not run. Values
            of one pass are the same but for rounding, from which long trainings drift apart.
    """

    def __init__(
        self, edges: Sequence[tuple[tuple[int, int], Mapping[str, nn.Module]]], halves: bool = False
    ) -> None:
        super().__init__()
        self.places = tuple(place for place, _ in edges)
        self.edges = nn.ModuleList(Mixture(operations) for _, operations in edges)
        self.halves = halves
        self.together = False

    def forward(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        """The inputs ``(B, C, S, S)`` and all nodes; a node that nothing enters is zero."""
        last = self.places[-1][1]
        nodes = dict(enumerate(inputs))
        for source in range(last + 1):
            if source not in nodes:
                nodes[source] = self._zero(inputs[0])
            for target, mean in self._means(source, nodes[source]):
                nodes[target] = nodes[target] + mean if target in nodes else mean
        return [nodes[number] for number in range(last + 1)]

    def _means(self, source: int, value: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """What the edges that leave a node add to others, and to which."""
        leaving = [
            (target, edge)
            for (start, target), edge in zip(self.places, self.edges, strict=True)
            if start == source and len(edge.operations)  # type: ignore[arg-type]
        ]
        if not leaving:
            return
        targets, edges = zip(*leaving, strict=True)
        if self.together and self.training:
            yield from zip(targets, _means_together(value, edges), strict=True)
            return
        state = State(value)
        for target, edge in leaving:
            yield target, edge(state)

    def _zero(self, x: torch.Tensor) -> torch.Tensor:
        step = 2 if self.halves else 1
        return torch.zeros_like(x[:, :, ::step, ::step])


def _means_together(x: torch.Tensor, edges: Sequence[Mixture]) -> Iterator[torch.Tensor]:
    """The mixtures ``(B, C, S', S')`` of some edges that leave one map."""
    rectified, channels = Rectified(F.relu(x), len(edges)), x.shape[1]
    wide: list[torch.Tensor] = []  # blocks of channels of all edges, in their order, and padding
    alone: list[list[torch.Tensor]] = [[] for _ in edges]
    shared: list[tuple[torch.Tensor, list[int]]] = []
    for operations in _by_name(edges):
        held = [place for place, module in enumerate(operations) if module is not None]
        first = operations[held[0]]
        if not isinstance(first, Rectifying) and _has_state(first):
            for place in held:
                alone[place].append(operations[place](x))
        elif not isinstance(first, Rectifying):  # the same for each edge
            shared.append((first.summed(x) if isinstance(first, Average) else first(x), held))
        elif len(held) == 1:
            alone[held[0]].append(first.activated(rectified.value))
        else:
            wide.append(type(first).together(operations, rectified))
    if shared:
        wide.append(placed(shared, padded(len(edges) * channels)))
    if wide:
        for results, total in zip(alone, _split(reduce(torch.add, wide), channels), strict=False):
            results.insert(0, total)  # what is left over is padding
    for edge, results in zip(edges, alone, strict=True):
        yield reduce(torch.add, results) / len(edge.operations)


def _by_name(edges: Sequence[Mixture]) -> Iterator[list[Any]]:
    """For the name of each operation, what every edge holds under it, or None."""
    held: list[dict[str, nn.Module]] = [dict(edge.operations.items()) for edge in edges]
    for name in dict.fromkeys(name for operations in held for name in operations):
        yield [operations.get(name) for operations in held]


def _split(x: torch.Tensor, channels: int) -> list[torch.Tensor]:
    """Blocks of channels, in such a way that their gradients come together with channels last."""
    blocks = torch.split(x.permute(0, 2, 3, 1), channels, dim=3)
    return [block.permute(0, 3, 1, 2) for block in blocks]


def compute_together(network: nn.Module) -> nn.Module:
    """Let the supernet's cells in a network compute together what can be, for training.

    Returns:
        The network itself, changed in place; one without such cells as it is.
    """
    for module in network.modules():
        if isinstance(module, MixtureCell):
            module.together = True
    return network
