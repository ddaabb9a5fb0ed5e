"""The source of a NAS-Bench-201 network."""

from typing import Any

from anglenas._export.render import render
from anglenas.spaces import NetworkConfig
from anglenas.spaces._nasbench201.values import EDGES, NasBench201Architecture

__all__ = ["write"]

_KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
_NODES = ("x", "node1", "node2", "node3")
_OUTPUT = 3


def write(space: Any, architecture: NasBench201Architecture, config: NetworkConfig) -> str:
    """Python classes, of which ``Network()`` is the network of an architecture as written.

    Its tensors have the same names as those of the network that the space builds. Nodes that
    nothing depends on are not computed.

    Args:
        space: The space.
        architecture: The architecture.
        config: Size of the network.
    """
    edges = list(enumerate(zip(EDGES, architecture.operations, strict=True)))
    convolutions = [
        {"number": number, "kernel": _KERNELS[operation], "path": _path(source, target)}
        for number, ((source, target), operation) in edges
        if operation in _KERNELS
    ]
    widths = tuple(config.channels * factor for factor in (1, 2, 4))
    lines = _lines(architecture)
    return render(
        "nasbench201", config=config, widths=widths, convolutions=convolutions, lines=lines,
        pooled="average(" in "".join(lines),
    )  # fmt: skip


def _path(source: int, target: int) -> str:
    names = ("the input", "node 1", "node 2", "the output")
    return f"{names[source]} to {names[target]}"


def _lines(architecture: NasBench201Architecture) -> list[str]:
    """The statements that compute the output from ``x``."""
    lines: list[str] = []
    needed = {_OUTPUT}
    for node in range(_OUTPUT, 0, -1):
        terms = [
            (source, _term(number, source, operation))
            for number, ((source, target), operation) in enumerate(
                zip(EDGES, architecture.operations, strict=True)
            )
            if target == node and operation != "none"
        ]
        if node in needed:
            needed |= {source for source, _ in terms}
            total = " + ".join(text for _, text in terms) or "torch.zeros_like(x)"
            lines.append(f"return {total}" if node == _OUTPUT else f"{_NODES[node]} = {total}")
    return lines[::-1]


def _term(number: int, source: int, operation: str) -> str:
    match operation:
        case "skip_connect":
            return _NODES[source]
        case "avg_pool_3x3":
            return f"average({_NODES[source]})"
        case _:
            return f'self.edges["{number}"]({_NODES[source]})'
