"""The networks of DARTS (Liu, Simonyan & Yang, ICLR 2019, arXiv 1806.09055; quark0/darts).

Three stages of normal cells with a reduction cell between them, global average pooling and a linear
classifier. Shapes are written for images ``(B, I, S, S)``, width ``C`` and ``K`` classes; a cell of
width ``C`` puts out ``4 C`` channels. A reduction cell doubles the width.

:func:`build` makes the paper's networks for small and for large images, and those that TE-NAS was
evaluated with, in which BatchNorm without parameters follows each pooling
(chenwydj/DARTS_evaluation).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import nn

from anglenas._blocks.layers import (
    Average,
    BatchNorm,
    DilatedDepthwise,
    Rectifying,
    ReluConvBn,
)
from anglenas._blocks.together import (
    Rectified,
    depthwise,
    each,
    normalised,
    pointwise,
    stacked,
)
from anglenas.errors import SettingError
from anglenas.spaces._config import NetworkConfig
from anglenas.spaces._darts.values import INPUTS, NODES, Choice, Genotype


class _Depthwise(Rectifying):
    """ReLU, depthwise convolution, 1x1 convolution, BatchNorm."""

    def __init__(self, channels: int, kernel: int, stride: int, dilated: bool = False) -> None:
        super().__init__()
        self.depthwise = (
            DilatedDepthwise(channels, kernel, stride)
            if dilated
            else nn.Conv2d(
                channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False
            )
        )
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm = BatchNorm(channels)

    def activated(self, x: torch.Tensor) -> torch.Tensor:
        """All but the ReLU."""
        return self.norm(self.pointwise(self.depthwise(x)))  # type: ignore[no-any-return]

    @classmethod
    def together(cls, operations: Sequence[Self | None], x: Rectified) -> torch.Tensor:
        """``(B, C, S, S) -> (B, n C, S / stride, S / stride)`` and padding."""
        return cls._normalised(
            operations, depthwise(each(lambda part: part.depthwise, operations), x)
        )

    @classmethod
    def apart(cls, operations: Sequence[Self | None], x: torch.Tensor) -> torch.Tensor:
        """All but the ReLU, each of channels of its own, of stride 1: padded, same shape."""
        weight = stacked(each(lambda part: part.depthwise.weight, operations))
        wide = F.conv2d(x, weight, padding=weight.shape[-1] // 2, groups=len(weight))
        return cls._normalised(operations, wide)

    @classmethod
    def _normalised(cls, operations: Sequence[Self | None], x: torch.Tensor) -> torch.Tensor:
        mixed = pointwise(each(lambda part: part.pointwise, operations), x)
        return normalised(each(lambda part: part.norm, operations), mixed)


class _Separable(Rectifying):
    """Two depthwise separable convolutions, the stride in the first."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.first = _Depthwise(channels, kernel, stride)
        self.second = _Depthwise(channels, kernel, 1)

    def activated(self, x: torch.Tensor) -> torch.Tensor:
        """All but the first ReLU."""
        return self.second(self.first.activated(x))  # type: ignore[no-any-return]

    @classmethod
    def together(cls, operations: Sequence[Self | None], x: Rectified) -> torch.Tensor:
        """``(B, C, S, S) -> (B, n C, S / stride, S / stride)`` and padding."""
        first = _Depthwise.together(each(lambda part: part.first, operations), x)
        return _Depthwise.apart(each(lambda part: part.second, operations), F.relu(first))


class FactorizedReduce(Rectifying):
    """ReLU, two 1x1 convolutions of every second pixel, from the first and from the second on.

    BatchNorm follows. (As convolutions with a stride they would be the same, but oneDNN, as of
    torch 2.13, corrupts memory in the backward pass of those with few channels.)
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.even = nn.Conv2d(inputs, half, 1, bias=False) if half else None
        self.odd = nn.Conv2d(inputs, outputs - half, 1, bias=False)
        self.norm = BatchNorm(outputs)

    def activated(self, x: torch.Tensor) -> torch.Tensor:
        """All but the ReLU; odd sides are rounded up."""
        shifted = self.odd(F.pad(x, (0, 1, 0, 1))[:, :, 1::2, 1::2])
        parts = [shifted] if self.even is None else [self.even(x[:, :, ::2, ::2]), shifted]
        return self.norm(torch.cat(parts, dim=1))  # type: ignore[no-any-return]

    @classmethod
    def together(cls, operations: Sequence[Self | None], x: Rectified) -> torch.Tensor:
        """``(B, inputs, S, S) -> (B, E outputs, S / 2, S / 2)``, and padding."""
        kernel = stacked(each(cls._kernel, operations))
        wide = F.conv2d(x.both, kernel[:, :, None, None])
        return normalised(each(lambda part: part.norm, operations), wide)

    def _kernel(self) -> torch.Tensor:
        """Of one convolution of the pixels that both read: ``(outputs, 2 inputs)``."""
        odd = self.odd.weight.flatten(1)
        if self.even is None:
            return F.pad(odd, (odd.shape[1], 0))
        return torch.block_diag(self.even.weight.flatten(1), odd)  # type: ignore[no-any-return, no-untyped-call]


class _Maximum(nn.Module):
    """3x3 maximum pooling."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C, S, S) -> (B, C, S / stride, S / stride)``."""
        return F.max_pool2d(x, 3, self.stride, padding=1)


def _skip(channels: int, stride: int) -> nn.Module:
    return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)


def _normalised(pooling: nn.Module, channels: int) -> nn.Module:
    return nn.Sequential(pooling, nn.BatchNorm2d(channels, affine=False))


Operations = Mapping[str, Callable[[int, int], nn.Module]]
"""From the name of an operation to a function of width and stride."""

OPERATIONS: Operations = {
    "skip_connect": _skip,
    "sep_conv_3x3": lambda channels, stride: _Separable(channels, 3, stride),
    "sep_conv_5x5": lambda channels, stride: _Separable(channels, 5, stride),
    "dil_conv_3x3": lambda channels, stride: _Depthwise(channels, 3, stride, dilated=True),
    "dil_conv_5x5": lambda channels, stride: _Depthwise(channels, 5, stride, dilated=True),
    "avg_pool_3x3": lambda channels, stride: Average(stride),
    "max_pool_3x3": lambda channels, stride: _Maximum(stride),
}
"""The operations of DARTS: a module for a width and a stride."""

TENAS_OPERATIONS: Operations = {
    **OPERATIONS,
    "avg_pool_3x3": lambda channels, stride: _normalised(Average(stride), channels),
    "max_pool_3x3": lambda channels, stride: _normalised(_Maximum(stride), channels),
}
"""The same with BatchNorm after each pooling."""


class DropPath(nn.Module):
    """Leaves out whole maps of single images while training (Larsson et al., ICLR 2017).

    What is kept is divided by the chance that it is kept, so that the expected sum stays.

    Attributes:
        probability: The chance that the map of an image is left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.probability = 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C, S, S)``, same shape; as it is outside of training."""
        if not self.training or self.probability == 0:
            return x
        keep = 1 - self.probability
        return x * (x.new_empty(len(x), 1, 1, 1).bernoulli_(keep) / keep)


class Cell(nn.Module):
    """A cell: each node is the sum of two operations; the output holds all nodes.

    Args:
        choices: The eight choices of the cell.
        before: Channels of its two inputs.
        channels: Its width ``C``.
        halves: Whether it halves the side of its maps.
        halved: Whether its first input has twice the side of the second.
        operations: The modules to choose from.
    """

    def __init__(
        self,
        choices: tuple[Choice, ...],
        before: tuple[int, int],
        channels: int,
        *,
        halves: bool,
        halved: bool,
        operations: Operations,
    ) -> None:
        super().__init__()
        self.first, self.second = _entrances(before, channels, halved)
        self.sources = tuple(source for _, source in choices)
        self.operations = nn.ModuleList(
            operations[name](channels, 2 if halves and source < INPUTS else 1)
            for name, source in choices
        )
        self.drop_path = DropPath()

    def forward(self, before: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        """Outputs of the two cells before to ``(B, 4 C, S', S')``."""
        states = [self.first(before), self.second(last)]
        for node in range(NODES):
            first, second = (self._applied(2 * node + place, states) for place in (0, 1))
            states.append(first + second)
        return torch.cat(states[INPUTS:], dim=1)

    def _applied(self, place: int, states: list[torch.Tensor]) -> torch.Tensor:
        operation = self.operations[place]
        value: torch.Tensor = operation(states[self.sources[place]])
        return value if isinstance(operation, nn.Identity) else self.drop_path(value)


def _entrances(before: tuple[int, int], channels: int, halved: bool) -> tuple[nn.Module, nn.Module]:
    """What brings both inputs of a cell to its width, and to the same side."""
    first = FactorizedReduce(before[0], channels) if halved else ReluConvBn(before[0], channels, 1)
    return first, ReluConvBn(before[1], channels, 1)


class SmallStem(nn.Module):
    """What stands before the first cell for images as small as those of CIFAR-10.

    Attributes:
        widths: Channels of its two outputs.
        halved: Whether the first of them has twice the side of the second.
        least_map: Side of the last stage's maps from which on an auxiliary head fits.
        window: Stride of the auxiliary head's pooling.
        normalised_head: Whether the auxiliary head's second convolution has BatchNorm.
    """

    halved = False
    least_map, window, normalised_head = 8, 3, True

    def __init__(self, images: int, channels: int) -> None:
        super().__init__()
        self.widths = (3 * channels, 3 * channels)
        self.conv = nn.Conv2d(images, 3 * channels, 3, padding=1, bias=False)
        self.norm = BatchNorm(3 * channels)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``(B, I, S, S)`` to twice ``(B, 3 C, S, S)``."""
        x = self.norm(self.conv(images))
        return x, x


class ImageNetStem(nn.Module):
    """What stands before the first cell for images as large as those of ImageNet.

    Attributes are those of :class:`SmallStem`.

    Raises:
        SettingError: The width is 1.
    """

    halved = True
    least_map, window, normalised_head = 7, 2, False

    def __init__(self, images: int, channels: int) -> None:
        super().__init__()
        if channels < 2:
            raise SettingError("Networks for large images need channels of at least 2.")
        self.widths = (channels, channels)
        self.first = nn.Sequential(
            nn.Conv2d(images, channels // 2, 3, 2, padding=1, bias=False),
            nn.BatchNorm2d(channels // 2),
            nn.ReLU(),
            nn.Conv2d(channels // 2, channels, 3, 2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.second = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``(B, I, S, S)`` to ``(B, C, S / 4, S / 4)`` and ``(B, C, S / 8, S / 8)``."""
        x = self.first(images)
        return x, self.second(x)


Stem = SmallStem | ImageNetStem
"""What stands before the first cell."""


class AuxiliaryHead(nn.Module):
    """A second classifier on the maps after the last reduction cell, for training alone.

    Args:
        inputs: Channels of the maps.
        classes: Outputs.
        stem: Tells which of the two published heads it is. The one for ImageNet lacks BatchNorm
            after its second convolution, as in the paper's own runs.
    """

    def __init__(self, inputs: int, classes: int, stem: Stem) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.ReLU(),
            nn.AvgPool2d(5, stem.window, count_include_pad=False),  # (B, 4 C, 2, 2)
            nn.Conv2d(inputs, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),  # (B, 768, 1, 1)
            *([nn.BatchNorm2d(768)] if stem.normalised_head else []),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(768, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, inputs, S, S) -> (B, K)``."""
        # The published maps leave one pixel here; those of larger images leave more.
        return self.classifier(self.features(x).mean(dim=(2, 3)))  # type: ignore[no-any-return]


class DartsNetwork(nn.Module):
    """The whole network: ``(B, I, S, S)`` images to ``(B, K)`` logits.

    Args:
        genotype: Both cells.
        config: Size of the network; ``channels=36, cells=6`` is the paper's for CIFAR-10,
            ``channels=48, cells=4`` that for ImageNet.
        stem: What stands before the first cell.
        operations: The modules that cells are made of.
    """

    def __init__(
        self, genotype: Genotype, config: NetworkConfig, stem: Stem, operations: Operations
    ) -> None:
        super().__init__()
        self.config = config
        self.stem = stem
        self.cells = nn.ModuleList()
        before, halved = stem.widths, stem.halved
        for place in range(3 * config.cells + 2):
            halves = place in (config.cells, self._last_reduction)
            channels = config.channels * 2 ** (
                (place >= config.cells) + (place >= self._last_reduction)
            )
            self.cells.append(
                Cell(
                    genotype.reduce if halves else genotype.normal, before, channels,
                    halves=halves, halved=halved, operations=operations,
                )
            )  # fmt: skip
            before, halved = (before[1], NODES * channels), halves
        self.classifier = nn.Linear(before[1], config.num_classes)
        self.auxiliary: AuxiliaryHead | None = None

    @property
    def _last_reduction(self) -> int:
        return 2 * self.config.cells + 1

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """``(B, I, S, S) -> (B, K)``."""
        x, _ = self._features(images)
        return self.classifier(x.mean(dim=(2, 3)))  # type: ignore[no-any-return]

    def with_auxiliary(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the classifier and of the auxiliary head, ``(B, K)`` each.

        Raises:
            SettingError: There is no auxiliary head; :meth:`attach_auxiliary` makes one.
        """
        if self.auxiliary is None:
            raise SettingError("The network has no auxiliary head; attach one before training.")
        x, reduced = self._features(images)
        return self.classifier(x.mean(dim=(2, 3))), self.auxiliary(reduced)

    def attach_auxiliary(self) -> None:
        """Give the network an auxiliary head, in place; counts of its parameters then hold it.

        Raises:
            SettingError: The images are so small that no head fits on the last stage's maps.
        """
        reduction = 4 * (8 if self.stem.halved else 1)
        if self.config.side < self.stem.least_map * reduction:
            raise SettingError(
                f"An auxiliary head needs images of at least {self.stem.least_map * reduction} "
                f"pixels, not {self.config.side}; train without it."
            )
        inputs = self.classifier.in_features
        self.auxiliary = AuxiliaryHead(inputs, self.config.num_classes, self.stem)

    def set_drop_path(self, probability: float) -> None:
        """From now on, leave out each operation's result with a chance, but not identities.

        Raises:
            SettingError: The chance is not in 0 to below 1.
        """
        if not 0 <= probability < 1:
            raise SettingError(f"A drop path probability is from 0 to below 1, not {probability}.")
        for cell in self.cells:
            cell.drop_path.probability = probability  # type: ignore[union-attr]

    def _features(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The last maps, and those after the last reduction cell; ``(B, 16 C, ., .)`` each."""
        before, last = self.stem(images)
        reduced = last
        for place, cell in enumerate(self.cells):
            before, last = last, cell(before, last)
            if place == self._last_reduction:
                reduced = last
        return last, reduced


def build(
    genotype: Genotype, config: NetworkConfig, *, large: bool = False, normalised: bool = False
) -> DartsNetwork:
    """The network of a genotype, with PyTorch's own initial weights.

    Args:
        genotype: Both cells.
        config: Size of the network.
        large: Whether it is for images as large as ImageNet's, which a stem reduces by 8.
        normalised: Whether BatchNorm follows each pooling, as in TE-NAS's evaluation.

    >>> cell = (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)) * 4
    >>> network = build(Genotype(cell, cell), NetworkConfig(channels=36, cells=6))
    >>> len(network.cells)
    20
    """
    stem = (ImageNetStem if large else SmallStem)(config.in_channels, config.channels)
    return DartsNetwork(genotype, config, stem, TENAS_OPERATIONS if normalised else OPERATIONS)
