"""The network of a NAS-Bench-201 cell as source."""

from anglenas._templates import render_source
from anglenas.spaces._config import NetworkConfig
from anglenas.spaces._nasbench201.values import EDGES, NasBench201Architecture

_KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
_NODES = ("x", "node1", "node2", "node3")
_OUTPUT = 3


def write_source(cell: NasBench201Architecture, config: NetworkConfig) -> str:
    """Python classes, of which ``Network()`` is the network of a cell as written.

    Its tensors have the same names as those of the network that the space builds. Nodes that
    nothing depends on are not computed.
    """
    names = ("the input", "node 1", "node 2", "the output")
    convolutions = [
        {
            "number": number,
            "kernel": _KERNELS[operation],
            "path": f"{names[source]} to {names[target]}",
        }
        for number, ((source, target), operation) in enumerate(
            zip(EDGES, cell.operations, strict=True)
        )
        if operation in _KERNELS
    ]
    lines = _lines(cell)
    return render_source(
        "anglenas.spaces._nasbench201",
        "source.py.jinja",
        config=config,
        widths=tuple(config.channels * factor for factor in (1, 2, 4)),
        convolutions=convolutions,
        lines=lines,
        pooled="average(" in "".join(lines),
    )


def _lines(cell: NasBench201Architecture) -> list[str]:
    """The statements that compute the output from ``x``."""
    lines: list[str] = []
    needed = {_OUTPUT}
    for node in range(_OUTPUT, 0, -1):
        terms = [
            (source, _term(number, source, operation))
            for number, ((source, target), operation) in enumerate(
                zip(EDGES, cell.operations, strict=True)
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
