"""The networks of NAS-Bench-201 (Dong & Yang, ICLR 2020, arXiv 2001.00326, section 2).

Stem, then three stages of equal cells with a residual block between them that halves the side and
doubles the width, then BatchNorm, ReLU, global average pooling and a linear classifier. Shapes are
written for images ``(B, I, S, S)``, width ``C`` and ``K`` classes.

A network is built from an architecture *as written*, with all six edges, dead ones included, or
from its canonical :class:`~anglenas.spaces.Form`, which computes the same function and nothing
else. The network of a :class:`~anglenas.spaces.Supernet` has the mean of its operations
on each edge.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from anglenas._blocks import Thinnable
from anglenas._blocks.layers import Average, BatchNorm, MixtureCell, ReluConvBn, average
from anglenas.spaces._config import NetworkConfig
from anglenas.spaces._nasbench201.forms import Form, Term
from anglenas.spaces._nasbench201.values import EDGES, NasBench201Architecture
from anglenas.spaces._supernet import Supernet

Subject = NasBench201Architecture | Form | Supernet
"""What a network can be built from."""

_OUTPUT_NODE = 3


class _Zero(nn.Module):
    """Nothing: the operation ``none``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C, S, S)``, same shape."""
        return torch.zeros_like(x)


_OPERATIONS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda channels: _Zero(),
    "skip_connect": lambda channels: nn.Identity(),
    "nor_conv_1x1": lambda channels: ReluConvBn(channels, channels, 1),
    "nor_conv_3x3": lambda channels: ReluConvBn(channels, channels, 3),
    "avg_pool_3x3": lambda channels: Average(),
}


class Cell(nn.Module):
    """A cell as written: node ``j`` is the sum of its incoming edges' results."""

    def __init__(self, architecture: NasBench201Architecture, channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(
            _OPERATIONS[operation](channels) for operation in architecture.operations
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C, S, S)``, same shape."""
        nodes = {0: x}
        for (source, target), edge in zip(EDGES, self.edges, strict=True):
            value = edge(nodes[source])
            nodes[target] = nodes[target] + value if target in nodes else value
        return nodes[_OUTPUT_NODE]


class _Constant(nn.Module):
    """The BatchNorm bias that is left of a convolution of nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C, S, S)``, same shape, whatever the input."""
        return self.bias.view(1, -1, 1, 1).expand_as(x)


_ATOMS: dict[str, Callable[[int], nn.Module]] = {
    "conv1x1": lambda channels: ReluConvBn(channels, channels, 1),
    "conv3x3": lambda channels: ReluConvBn(channels, channels, 3),
    "constant": _Constant,
}


class FormCell(nn.Module):
    """A cell in its canonical form: live operations alone, each sum and pooling computed once."""

    def __init__(self, form: Form, channels: int) -> None:
        super().__init__()
        self.form = form
        self.atoms = nn.ModuleList(_ATOMS[atom.kind](channels) for atom in form.atoms)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C, S, S)``, same shape."""
        values = _Values(x)
        for number, (atom, module) in enumerate(zip(self.form.atoms, self.atoms, strict=True)):
            values.add(
                number,
                module.activated(values.relu(atom.inputs))
                if isinstance(module, ReluConvBn)
                else module(x),
            )
        return values.sum(self.form.output)


class _Values:
    """The values of one forward pass, each pooling, sum and ReLU of them computed once."""

    def __init__(self, x: torch.Tensor) -> None:
        self._pooled = {(-1, 0): x}
        self._relu: dict[tuple[Term, ...], torch.Tensor] = {}

    def add(self, source: int, value: torch.Tensor) -> None:
        self._pooled[source, 0] = value

    def pooled(self, source: int, pools: int) -> torch.Tensor:
        if (source, pools) not in self._pooled:
            self._pooled[source, pools] = average(self.pooled(source, pools - 1))
        return self._pooled[source, pools]

    def sum(self, terms: tuple[Term, ...]) -> torch.Tensor:
        if not terms:
            return torch.zeros_like(self._pooled[-1, 0])
        total: torch.Tensor | None = None
        for term in terms:
            value = self.pooled(term.source, term.pools)
            if total is None:
                total = value if term.coefficient == 1 else value * term.coefficient
            else:
                total = torch.add(total, value, alpha=term.coefficient)
        assert total is not None
        return total

    def relu(self, terms: tuple[Term, ...]) -> torch.Tensor:
        if terms not in self._relu:
            self._relu[terms] = F.relu(self.sum(terms))
        return self._relu[terms]


class SupernetCell(nn.Module):
    """A cell with the mean of some operations on each edge."""

    def __init__(self, supernet: Supernet, channels: int) -> None:
        super().__init__()
        self.nodes = MixtureCell(
            [
                (edge, {name: _OPERATIONS[name](channels) for name in held})
                for edge, held in zip(EDGES, supernet.operations, strict=True)
            ]
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C, S, S)``, same shape."""
        return self.nodes(x)[_OUTPUT_NODE]  # type: ignore[no-any-return]


class _Reduction(nn.Module):
    """The residual block between two stages: half the side, other width."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = ReluConvBn(inputs, outputs, 3, stride=2)
        self.second = ReluConvBn(outputs, outputs, 3)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, inputs, S, S) -> (B, outputs, S / 2, S / 2)``, odd sides rounded up."""
        return self.second(self.first(x)) + self.shortcut(F.avg_pool2d(x, 2, ceil_mode=True))  # type: ignore[no-any-return]


class NasBench201Network(Thinnable):
    """The whole network: ``(B, I, S, S)`` images to ``(B, K)`` logits.

    Args:
        subject: An architecture as written, a canonical form, or a supernet.
        config: Size of the network; ``channels=16, cells=5`` is the benchmark's.

    >>> from anglenas.spaces import NASBENCH201
    >>> network = NasBench201Network(NASBENCH201.at(1462), NetworkConfig(num_classes=10))
    >>> sum(parameter.numel() for parameter in network.parameters())
    1531546
    """

    def __init__(self, subject: Subject, config: NetworkConfig) -> None:
        super().__init__()
        self.subject = subject
        widths = [config.channels * factor for factor in (1, 2, 4)]
        self.stem = nn.Sequential(
            nn.Conv2d(config.in_channels, widths[0], 3, padding=1, bias=False),
            BatchNorm(widths[0]),
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(_cell(subject, width) for _ in range(config.cells))) for width in widths
        )
        self.reductions = nn.ModuleList(_Reduction(*pair) for pair in pairwise(widths))
        self.norm = nn.BatchNorm2d(widths[-1])
        self.classifier = nn.Linear(widths[-1], config.num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """``(B, I, S, S) -> (B, K)``."""
        x = self.stages[0](self.stem(images))  # (B, C, S, S)
        for reduction, stage in zip(self.reductions, self.stages[1:], strict=True):
            x = stage(reduction(x))  # (B, 2C, S/2, S/2), then (B, 4C, S/4, S/4)
        x = F.relu(self.norm(x)).mean(dim=(2, 3))  # (B, 4C)
        return self.classifier(x)  # type: ignore[no-any-return]

    def thin(self) -> nn.Module:
        """The network that TE-NAS counts linear regions on: one cell of width 1 and no stem.

        Its first cell alone, then BatchNorm, ReLU, global average pooling and the classifier, for
        images of one channel: ``(B, 1, S, S) -> (B, K)`` (VITA-Group/TENAS).
        """
        return nn.Sequential(
            _cell(self.subject, 1),
            nn.BatchNorm2d(1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(1, self.classifier.out_features),
        )


def _cell(subject: Subject, channels: int) -> nn.Module:
    if isinstance(subject, Form):
        return FormCell(subject, channels)
    if isinstance(subject, Supernet):
        return SupernetCell(subject, channels)
    return Cell(subject, channels)
