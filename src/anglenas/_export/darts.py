"""The source of a DARTS network."""

from typing import Any

from anglenas._export.render import render
from anglenas.errors import SettingError
from anglenas.spaces import NetworkConfig
from anglenas.spaces._darts.values import INPUTS, NODES, Choice, Darts, Genotype

__all__ = ["write"]

_POOLINGS = {
    "avg_pool_3x3": ("average", "nn.AvgPool2d(3, {}, 1, count_include_pad=False)"),
    "max_pool_3x3": ("maximum", "nn.MaxPool2d(3, {}, 1)"),
}
"""By operation: a function of the template, and the module that computes the same."""


def write(space: Darts, architecture: Genotype, config: NetworkConfig) -> str:
    """Python classes, of which ``Network()`` is the network of a genotype.

    Its tensors have the same names as those of the network that the space builds.

    Args:
        space: One of the four spaces, which says what stem and what poolings.
        architecture: The genotype.
        config: Size of the network.

    Raises:
        SettingError: The width is 1.
    """
    if config.channels < 2:
        raise SettingError("Source is written of networks with channels of at least 2.")
    large, normalised = space.name.endswith("imagenet"), "tenas" in space.name
    kinds = (
        ("NormalCell", "A cell that keeps the side of its maps.", architecture.normal, 1),
        ("ReductionCell", "A cell that halves the side of its maps.", architecture.reduce, 2),
    )
    cells = [
        {"name": name, "about": about, **_cell(choices, stride, normalised)}
        for name, about, choices, stride in kinds
    ]
    pooled = any(name in _POOLINGS for name, _ in architecture.normal + architecture.reduce)
    return render(
        "darts", config=config, cells=cells, large=large,
        stem_width=config.channels * (1 if large else 3),
        pooled=pooled, normalised=normalised,
    )  # fmt: skip


def _cell(choices: tuple[Choice, ...], halves: int, normalised: bool) -> dict[str, Any]:
    """The modules of a cell by number, and the statements that compute its nodes."""
    modules: list[tuple[int, str]] = []
    terms: list[str] = []
    for number, (operation, source) in enumerate(choices):
        stride = halves if source < INPUTS else 1
        module, term = _operation(operation, f"s{source}", stride, normalised)
        modules += [(number, module)] if module else []
        terms.append(term or f'op["{number}"](s{source})')
    lines = [
        f"s{node + INPUTS} = {terms[2 * node]} + {terms[2 * node + 1]}" for node in range(NODES)
    ]
    return {"modules": modules, "lines": lines}


def _operation(operation: str, state: str, stride: int, normalised: bool) -> tuple[str, str]:
    """The module of an operation, if it has one, and its result, if it has none."""
    strided = "" if stride == 1 else f", {stride}"
    kind, _, kernel = operation.rpartition("_")
    size = kernel[:1]
    if operation == "skip_connect":
        return ("", state) if stride == 1 else ("Halving(channels, channels)", "")
    if kind == "sep_conv":
        return f"Separable(channels, {size}{strided})", ""
    if kind == "dil_conv":
        return f"Depthwise(channels, {size}{strided}, dilation=2)", ""
    function, module = _POOLINGS[operation]
    if normalised:
        return f"normalised({module.format(stride)}, channels)", ""
    return "", f"{function}({state}{strided})"
