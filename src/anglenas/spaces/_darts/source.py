"""The source of a DARTS network."""

from typing import Any

from anglenas._templates import render_source
from anglenas.errors import SettingError
from anglenas.spaces._config import NetworkConfig
from anglenas.spaces._darts.values import INPUTS, NODES, Choice, Genotype

_POOLINGS = {
    "avg_pool_3x3": ("average", "nn.AvgPool2d(3, {}, 1, count_include_pad=False)"),
    "max_pool_3x3": ("maximum", "nn.MaxPool2d(3, {}, 1)"),
}
"""By operation: a function of the template, and the module that computes the same."""


def write_source(
    genotype: Genotype, config: NetworkConfig, *, large: bool, normalised: bool
) -> str:
    """Python classes, of which ``Network()`` is the network of a genotype.

    Its tensors have the same names as those of the network that the space builds.

    Args:
        genotype: The genotype.
        config: Size of the network.
        large: Whether the stem is that for large images.
        normalised: Whether BatchNorm follows each pooling.

    Raises:
        SettingError: The width is 1.
    """
    if config.channels < 2:
        raise SettingError("Source is written of networks with channels of at least 2.")
    kinds = (
        ("NormalCell", "A cell that keeps the side of its maps.", genotype.normal, 1),
        ("ReductionCell", "A cell that halves the side of its maps.", genotype.reduce, 2),
    )
    cells = [
        {"name": name, "about": about, **_cell(choices, stride, normalised)}
        for name, about, choices, stride in kinds
    ]
    pooled = any(name in _POOLINGS for name, _ in genotype.normal + genotype.reduce)
    return render_source(
        "anglenas.spaces._darts", "source.py.jinja", config=config, cells=cells, large=large,
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
