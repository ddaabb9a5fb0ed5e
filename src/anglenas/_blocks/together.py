"""Operations that leave one map of a supernet's cell, computed together, in few steps.

A supernet for pruning is narrow and has hundreds of small operations, so most of its time goes into
starting them, and into registers that hold few channels. Here, the operations of one kind that read
one map are one wide operation: their kernels stand one behind another, those of 1x1 convolutions
along a diagonal, and BatchNorm normalises each channel by itself anyway. What is as wide as a
register is quickest, so widths are padded with channels of zeros.
(``benchmarks/speed_blocks.py`` compares it with one operation after another.)
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import nn

from anglenas._torch import add_to_each, lerp_each

_REGISTER = 8
"""Numbers in a register of AVX2."""

T = TypeVar("T")
R = TypeVar("R")


def padded(channels: int) -> int:
    """The next multiple of a register's width.

    >>> padded(9), padded(16)
    (16, 16)
    """
    return -(-channels // _REGISTER) * _REGISTER


def each(read: Callable[[T], R], operations: Sequence[T | None]) -> list[R | None]:
    """What is read of each one that is there."""
    return [None if operation is None else read(operation) for operation in operations]


def first_of(operations: Sequence[T | None]) -> T:
    """The first one that is there."""
    return next(operation for operation in operations if operation is not None)


def stacked(tensors: Iterable[torch.Tensor | None]) -> torch.Tensor:
    """Tensors of one shape one behind another in their first dimension, padded with zeros.

    Zeros also stand in for those that are missing.

    >>> stacked([torch.ones(2), None, torch.ones(2)])
    tensor([1., 1., 0., 0., 1., 1., 0., 0.])
    """
    parts = [*tensors]
    first = first_of(parts)
    zeros = torch.zeros_like(first)
    missing = padded(len(first) * len(parts)) - len(first) * len(parts)
    padding = [first.new_zeros(missing, *first.shape[1:])] if missing else []
    return torch.cat([zeros if part is None else part for part in parts] + padding)


def phases(x: torch.Tensor) -> torch.Tensor:
    """The four maps of every second pixel, row by row: ``(B, C, S, S) -> (4 B, C, S / 2, S / 2)``.

    Odd sides are padded first.
    """
    height, width = x.shape[2:]
    even = F.pad(x, (0, width % 2, 0, height % 2))
    return torch.cat([even[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)])


def woven(parts: torch.Tensor) -> torch.Tensor:
    """:func:`phases` undone: ``(4 B, C, S, S) -> (B, C, 2S, 2S)``."""
    channels, height, width = parts.shape[1:]
    split = parts.permute(0, 2, 3, 1).view(2, 2, -1, height, width, channels)
    pixels = split.permute(2, 3, 0, 4, 1, 5).reshape(-1, 2 * height, 2 * width, channels)
    return pixels.permute(0, 3, 1, 2)


class _InFormat(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: torch.Tensor, form: torch.memory_format, back: torch.memory_format
    ) -> torch.Tensor:
        return x.contiguous(memory_format=form)

    @staticmethod
    def setup_context(context: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        _, form, back = inputs
        context.forms = back, form

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return in_format(gradient, *context.forms), None, None

    @staticmethod
    def jvp(context: Any, tangent: torch.Tensor, *_: None) -> torch.Tensor:
        back, form = context.forms
        return in_format(tangent, form, back)


def in_format(
    x: torch.Tensor, form: torch.memory_format, back: torch.memory_format
) -> torch.Tensor:
    """The same numbers in another memory format, and their gradient in the former one.

    A plain copy leaves its gradient as it comes, and BatchNorm of two formats at once is slow.
    """
    return _InFormat.apply(x, form, back)  # type: ignore[no-any-return, no-untyped-call]


class Rectified:
    """A map behind its ReLU, and what several operations make of it first, made once.

    Args:
        value: ``(B, C, S, S)``, the ReLU applied.
        edges: How many edges leave it.
    """

    def __init__(self, value: torch.Tensor, edges: int) -> None:
        self.value, self.edges = value, edges

    @cached_property
    def halved(self) -> torch.Tensor:
        """Every second pixel, from the first on: ``(B, C, S / 2, S / 2)``, rounded up."""
        return self.value[:, :, ::2, ::2].contiguous(memory_format=torch.channels_last)

    @cached_property
    def both(self) -> torch.Tensor:
        """:attr:`halved`, and every second pixel from the second on: ``(B, 2 C, S / 2, S / 2)``."""
        shifted = F.pad(self.value, (0, 1, 0, 1))[:, :, 1::2, 1::2]
        return torch.cat([self.halved, shifted], dim=1)

    @cached_property
    def wide(self) -> torch.Tensor:
        """The map, its channels once for each edge, and padding."""
        return self._repeated(self.value)

    @cached_property
    def wide_halved(self) -> torch.Tensor:
        """The same of :attr:`halved`."""
        return self._repeated(self.halved)

    @cached_property
    def wide_phases(self) -> torch.Tensor:
        """The same of its :func:`phases`."""
        return self._repeated(phases(self.value))

    def _repeated(self, x: torch.Tensor) -> torch.Tensor:
        pixels = x.permute(0, 2, 3, 1).unsqueeze(3)
        wide = pixels.expand(-1, -1, -1, self.edges, -1).flatten(3)
        wide = F.pad(wide, (0, padded(wide.shape[3]) - wide.shape[3]))
        return wide.permute(0, 3, 1, 2)


def depthwise(convolutions: Sequence[nn.Conv2d | None], x: Rectified) -> torch.Tensor:
    """Depthwise convolutions of one map: ``(B, E C, S, S)`` and padding.

    Args:
        convolutions: One for each edge, alike but for their weights; of stride 1 or 2 and dilation
            1 or 2, and of such padding that the side is kept or halved.
        x: The map, ``(B, C, S, S)``.
    """
    first, weight = first_of(convolutions), stacked(each(_weight, convolutions))
    dilated, halves = first.dilation[0] == 2, first.stride[0] == 2

    def convolved(wide: torch.Tensor, stride: int = 1) -> torch.Tensor:
        padding = first.kernel_size[0] // 2
        return F.conv2d(wide, weight, None, stride, padding, 1, len(weight))

    if dilated and halves:  # taps that lie two pixels apart, of every second pixel
        return convolved(x.wide_halved)
    if dilated:
        return woven(convolved(x.wide_phases))[:, :, : x.value.shape[2], : x.value.shape[3]]
    return convolved(x.wide, first.stride[0])


def _weight(module: nn.Conv2d | nn.BatchNorm2d) -> torch.Tensor:
    return module.weight


def pointwise(convolutions: Sequence[nn.Conv2d | None], x: torch.Tensor) -> torch.Tensor:
    """1x1 convolutions, each of channels of its own: ``(B, E C, S, S)`` and padding, same shape.

    Args:
        convolutions: One for each edge, of as many inputs as outputs, without bias.
        x: What :func:`depthwise` gives.
    """
    weight = first_of(convolutions).weight
    zeros = torch.zeros_like(weight)
    weights = [zeros if conv is None else conv.weight for conv in convolutions]
    if len(weight) % _REGISTER == 0:
        return F.conv2d(x, torch.cat(weights), groups=len(weights))
    diagonal: torch.Tensor = torch.block_diag(*(kernel.flatten(1) for kernel in weights))  # type: ignore[no-untyped-call]
    missing = x.shape[1] - len(diagonal)
    return F.conv2d(x, F.pad(diagonal, (0, missing, 0, missing))[:, :, None, None])


def normalised(norms: Sequence[nn.BatchNorm2d | None], x: torch.Tensor) -> torch.Tensor:
    """BatchNorms in training mode, each of channels of its own: same shape; zero where none is.

    Their running statistics are moved as if each had run.
    """
    first, there = first_of(norms), [norm for norm in norms if norm is not None]
    weight = stacked(each(_weight, norms))
    bias = stacked(each(lambda norm: norm.bias, norms))
    mean, variance = torch.zeros_like(weight), torch.ones_like(weight)
    result = F.batch_norm(x, mean, variance, weight, bias, True, 1.0, first.eps)
    assert first.momentum is not None
    for name, moved in (("running_mean", mean), ("running_var", variance)):
        parts = moved[: len(norms) * first.num_features].view(len(norms), -1)
        now = [parts[place] for place, norm in enumerate(norms) if norm is not None]
        lerp_each([norm.get_buffer(name) for norm in there], now, first.momentum)
    add_to_each([norm.get_buffer("num_batches_tracked") for norm in there], 1)
    return result


def placed(parts: Sequence[tuple[torch.Tensor, Sequence[int]]], width: int) -> torch.Tensor:
    """A sum of maps, each put to some places: ``(B, C, S, S)`` to ``(B, width, S, S)``.

    Args:
        parts: Each map, and the numbers of the blocks of ``C`` channels that it is added to.
        width: Channels of the sum, padding included.
    """
    x = torch.cat([part for part, _ in parts], dim=1)
    channels = parts[0][0].shape[1]
    weight = x.new_zeros(width, x.shape[1])
    same = torch.eye(channels, dtype=x.dtype, device=x.device)
    for number, (_, places) in enumerate(parts):
        columns = weight[:, number * channels : (number + 1) * channels]
        for place in places:
            columns[place * channels : (place + 1) * channels] = same
    return F.conv2d(x, weight[:, :, None, None])


class _Box(torch.autograd.Function):
    """Sums over the 3x3 neighbours, which are their own adjoint."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = x.shape
        # A row of pixels and channels is one run of numbers, whose neighbours lie C apart.
        runs = x.permute(0, 2, 3, 1).reshape(batch, height, width * channels)
        rows = runs.clone()
        rows[..., channels:] += runs[..., :-channels]
        rows[..., :-channels] += runs[..., channels:]
        sums = rows.clone()
        sums[:, 1:] += rows[:, :-1]
        sums[:, :-1] += rows[:, 1:]
        return sums.view(batch, height, width, channels).permute(0, 3, 1, 2)

    @staticmethod
    def setup_context(context: Any, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        pass

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
        return _Box.apply(gradient)  # type: ignore[no-any-return, no-untyped-call]

    @staticmethod
    def jvp(context: Any, tangent: torch.Tensor) -> torch.Tensor:
        return _Box.apply(tangent)  # type: ignore[no-any-return, no-untyped-call]


def box_average(x: torch.Tensor) -> torch.Tensor:
    """3x3 average pooling of stride 1 that counts no padding, by sums of whole rows."""
    ones = torch.ones(1, 1, *x.shape[2:], dtype=x.dtype, device=x.device)
    counts = F.avg_pool2d(ones, 3, stride=1, padding=1, divisor_override=1)
    return _Box.apply(x) / counts  # type: ignore[no-any-return, no-untyped-call]
