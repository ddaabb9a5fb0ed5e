"""Small parts that networks of several spaces are made of."""

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["Average", "ReluConvBn", "average"]


class ReluConvBn(nn.Module):
    """ReLU, convolution without bias that keeps the side (or halves it), BatchNorm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, inputs, S, S) -> (B, outputs, S / stride, S / stride)``."""
        return self.activated(F.relu(x))

    def activated(self, x: torch.Tensor) -> torch.Tensor:
        """The same for an input that the ReLU was already applied to."""
        return self.norm(self.conv(x))  # type: ignore[no-any-return]


def average(x: torch.Tensor) -> torch.Tensor:
    """3x3 average pooling of stride 1 that counts no padding: ``(B, C, S, S)``, same shape."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class Average(nn.Module):
    """:func:`average` as a module."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C, S, S)``, same shape."""
        return average(x)
