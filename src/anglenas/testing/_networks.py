"""Small networks of many kinds, and images for them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from anglenas.data import FewShot

CLASSES = 3
SIDE = 8

Rectify = Callable[[torch.Tensor], torch.Tensor]


def images_of(count: int = 6, channels: int = 3) -> FewShot:
    """Random images of three classes, one after the other, 8 x 8 pixels."""
    generator = torch.Generator().manual_seed(7)
    shape = (count, channels, SIDE, SIDE)
    return FewShot(
        images=torch.randint(256, shape, generator=generator, dtype=torch.uint8),
        labels=torch.arange(count) % CLASSES,
        class_names=("one", "two", "three"),
        mean=(0.5,) * channels,
        std=(0.25,) * channels,
        flip=True,
    )


def vgg(channels: int = 3) -> nn.Module:
    """Convolutions and pooling in a row, without normalisation."""
    return nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, CLASSES),
    )


class ResNet(nn.Module):
    """One residual block; its rectifiers are modules or functions, as ``rectify`` makes them."""

    def __init__(self, rectify: Callable[[], Rectify], channels: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, 6, 3, padding=1, bias=False))
        self.norms = nn.ModuleList(nn.BatchNorm2d(6) for _ in range(3))
        self.convolutions = nn.ModuleList(
            nn.Conv2d(6, 6, 3, padding=1, bias=False) for _ in range(2)
        )
        self.rectify = [rectify() for _ in range(3)]
        self.modules_among_them = nn.ModuleList(r for r in self.rectify if isinstance(r, nn.Module))
        self.classifier = nn.Linear(6, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """``(N, C, H, W) -> (N, 3)``."""
        x = self.norms[0](self.stem(images))
        y = self.norms[1](self.convolutions[0](self.rectify[0](x.clone())))
        x = x + self.norms[2](self.convolutions[1](self.rectify[1](y)))
        return self.classifier(self.rectify[2](x).mean((2, 3)))  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """A vision transformer with one block: attention, GELU, LayerNorm; no rectifier."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 2, stride=2)
        self.position = nn.Parameter(torch.linspace(-1, 1, 16 * 8).view(1, 16, 8))
        self.norm = nn.LayerNorm(8)
        self.queries = nn.Linear(8, 24)
        self.mix = nn.Linear(8, 8)
        self.mlp = nn.Sequential(
            nn.LayerNorm(8), nn.Linear(8, 16), nn.GELU(), nn.Dropout(0.1), nn.Linear(16, 8)
        )
        self.head = nn.Linear(8, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """``(N, 3, 8, 8) -> (N, 3)``."""
        x = self.patches(images).flatten(2).transpose(1, 2) + self.position  # (N, 16, 8)
        query, key, value = self.queries(self.norm(x)).chunk(3, dim=-1)
        x = x + self.mix(F.scaled_dot_product_attention(query, key, value))
        return self.head((x + self.mlp(x)).mean(1))  # type: ignore[no-any-return]


class TwoHeaded(nn.Module):
    """Logits and an embedding in a mapping, the embedding first."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.Conv2d(6, 6, 1),
        )
        self.embed = nn.Linear(6, 5)
        self.head = nn.Linear(5, CLASSES)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """``(N, 3, H, W)`` to ``(N, 5)`` and ``(N, 3)``."""
        embedding = self.embed(self.body(images).mean((2, 3)))
        return {"embedding": embedding, "logits": self.head(embedding)}


class Narrow(nn.Module):
    """BatchNorm of a map of one pixel: one image alone cannot pass in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, SIDE)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """``(N, 3, 8, 8) -> (N, 3)``."""
        return self.head(F.relu(self.norm(self.conv(images))).flatten(1))  # type: ignore[no-any-return]


class Infinite(Narrow):
    """Logits that are not finite."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """``(N, 3, 8, 8) -> (N, 3)``."""
        return super().forward(images) * float("inf")


class Broken(Narrow):
    """A forward pass that fails.

    Attributes:
        runs: How often one was tried, of all copies: some probes never run a network.
    """

    runs: ClassVar[int] = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Nothing.

        Raises:
            ArithmeticError: Always.
        """
        Broken.runs += 1
        super().forward(images)
        raise ArithmeticError("broken on purpose")


@dataclass(frozen=True)
class Example:
    """A network of one kind.

    Attributes:
        make: Builds one.
        channels: Channels of its images.
    """

    make: Callable[[], nn.Module]
    channels: int = 3


EXAMPLES = {
    "plain VGG": Example(vgg),
    "ResNet": Example(lambda: ResNet(lambda: F.relu)),
    "transformer": Example(Transformer),
    "two-headed": Example(TwoHeaded),
    "grey images": Example(lambda: ResNet(nn.ReLU, channels=1), channels=1),
}
