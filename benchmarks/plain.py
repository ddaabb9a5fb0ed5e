"""The published way, written plainly: what the benchmarks compare anglenas with.

Networks of NAS-Bench-201 as modules edge by edge, dead edges included, in PyTorch's default memory
layout (D-X-Y/AutoDL-Projects); the short training with PIL transforms of each image in each
iteration (``evaluate_anglefc.py`` of taoyang1122/Revisit_TrainingFree_NAS, whose transforms are
torchvision's; these call the same Pillow functions); the tangent kernel with one backward pass a
sample, and the linear regions by the matrix product of all codes in one batch (VITA-Group/TENAS).
Nothing here comes from anglenas, but the texts of architectures.
"""

import random
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import nn

__all__ = ["Cell", "Network", "ntk", "regions", "short_training", "transformed"]

MEAN = np.array([125.3, 123.0, 113.9], dtype=np.float32) / 255
STD = np.array([63.0, 62.1, 66.7], dtype=np.float32) / 255


class Zero(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mul(0.0)


class ReluConvBn(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.op = nn.Sequential(
            nn.ReLU(inplace=False),
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.op(x)


def operation(name: str, channels: int) -> nn.Module:
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    if name == "skip_connect":
        return nn.Identity()
    if name == "none":
        return Zero()
    return ReluConvBn(channels, channels, int(name[-1]))


class Cell(nn.Module):
    def __init__(self, text: str, channels: int) -> None:
        super().__init__()
        self.nodes = nn.ModuleList()
        self.inputs: list[list[int]] = []
        for node in text.split("+"):
            edges = [edge.split("~") for edge in node.strip("|").split("|")]
            self.nodes.append(nn.ModuleList(operation(name, channels) for name, _ in edges))
            self.inputs.append([int(source) for _, source in edges])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = [x]
        for edges, sources in zip(self.nodes, self.inputs, strict=True):
            values.append(
                sum(edge(values[source]) for edge, source in zip(edges, sources, strict=True))
            )
        return values[-1]


class Reduction(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = ReluConvBn(inputs, outputs, 3, 2)
        self.second = ReluConvBn(outputs, outputs, 3)
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2), nn.Conv2d(inputs, outputs, 1, bias=False)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shortcut(x) + self.second(self.first(x))


class Network(nn.Module):
    """The whole network; ``channels=1`` and ``cells=0`` give the thin one of linear regions."""

    def __init__(self, text: str, channels: int = 16, cells: int = 5, classes: int = 10) -> None:
        super().__init__()
        if cells == 0:
            layers: list[nn.Module] = [Cell(text, channels)]
            width = channels
        else:
            layers = [nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)]
            width = 4 * channels
            for stage in range(3):
                if stage:
                    layers.append(Reduction(channels * 2 ** (stage - 1), channels * 2**stage))
                layers += [Cell(text, channels * 2**stage) for _ in range(cells)]
        self.layers = nn.ModuleList(layers)
        self.last = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        x = F.adaptive_avg_pool2d(self.last(x), 1).flatten(1)
        return self.classifier(x)


def transformed(image: Image.Image) -> torch.Tensor:
    """Flip, padded crop, tensor, normalisation: one image, ``(3, S, S)``."""
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    side = image.size[0]
    padding = side // 8
    image = ImageOps.expand(image, padding)
    left, top = random.randint(0, 2 * padding), random.randint(0, 2 * padding)
    image = image.crop((left, top, left + side, top + side))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
    mean, std = (torch.from_numpy(values)[:, None, None] for values in (MEAN, STD))
    return pixels.sub_(mean).div_(std)


def kaiming(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def short_training(
    text: str, images: Sequence[Image.Image], labels: Sequence[int], iterations: int
) -> tuple[float, float]:
    """Loss of the last batch, and cosine between the classifier's weights before and after."""
    network = Network(text)
    kaiming(network)
    network.train()
    optimiser = torch.optim.SGD(
        network.parameters(), lr=0.2, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    before = network.classifier.weight.detach().flatten().clone()
    value = 0.0
    for _ in range(iterations):
        order = random.sample(range(len(images)), len(images))
        batch = torch.stack([transformed(images[index]) for index in order])
        targets = torch.tensor([labels[index] for index in order])
        optimiser.zero_grad()
        loss = F.cross_entropy(network(batch), targets)
        value = loss.item()
        loss.backward()
        optimiser.step()
    after = network.classifier.weight.detach().flatten()
    return value, float(torch.dot(before, after) / (before.norm() * after.norm()))


def ntk(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The kernel of the summed logits by the weights, one backward pass a sample."""
    network.train()
    logits = network(images)
    rows = []
    for index in range(len(images)):
        logits[index : index + 1].backward(torch.ones_like(logits[:1]), retain_graph=True)
        rows.append(
            torch.cat(
                [
                    parameter.grad.flatten().clone()
                    for name, parameter in network.named_parameters()
                    if "weight" in name and parameter.grad is not None
                ]
            )
        )
        network.zero_grad()
    jacobian = torch.stack(rows)
    return torch.einsum("nc,mc->nm", jacobian, jacobian)


@torch.no_grad()
def regions(text: str, batches: Sequence[torch.Tensor]) -> int:
    """Distinct codes of all ReLUs, by the half-precision product of the codes."""
    network = Network(text, channels=1, cells=0)
    kaiming(network)
    network.train()
    outputs: list[torch.Tensor] = []
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda _, __, out: outputs.append(out.detach().clone()))
    codes = []
    for batch in batches:
        network(batch)
        codes.append(torch.cat([output.flatten(1) for output in outputs], dim=1))
        outputs.clear()
    active = torch.sign(torch.cat(codes)).half()
    different = active @ (1 - active).T
    different += different.clone().T
    same = 1 - torch.sign(different)
    return round(float((1 / same.float().sum(1)).sum()))
