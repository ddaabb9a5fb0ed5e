"""Operations of a network's forward pass, counted from shapes."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import flop_registry

from anglenas._recipe import Recipe
from anglenas._torch import DispatchMode
from anglenas.data import FewShot
from anglenas.probes._base import Metric, Probe, Record, Undefined
from anglenas.probes._isolation import blank_image, copied, explained


class Operations(NamedTuple):
    """Floating-point operations of a forward pass.

    Attributes:
        total: Those of convolutions and matrix products; a multiply-add is two.
        uncounted: Other operators that ran and are as heavy, of which no formula is known, sorted.
    """

    total: int
    uncounted: tuple[str, ...]


def count_operations(network: nn.Module, shape: Sequence[int]) -> Operations:
    """Floating-point operations of one image's forward pass in evaluation mode.

    Convolutions and matrix products count, by the formulas of ``torch.utils.flop_counter``; what
    grows with the numbers that it reads and writes alone (additions, pooling, normalisation,
    interpolation) does not. Operators of other packages count if they have a formula
    (``torch.utils.flop_counter.register_flop_formula``). The network stays as it is.

    Args:
        network: Any module that maps ``(1, C, H, W)`` images to whatever, of any data type.
        shape: ``(C, H, W)``.

    Raises:
        NetworkError: The network cannot be copied. What its forward pass raises is not caught.

    >>> conv = nn.Conv2d(3, 8, 3, padding=1)
    >>> count_operations(conv, (3, 4, 4)).total == 2 * (3 * 3 * 3) * 8 * (4 * 4)
    True
    """
    counter = _Counter()
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # it is one operator that hides its products
    try:
        with (
            torch.inference_mode(False),
            torch.no_grad(),
            sdpa_kernel(SDPBackend.MATH),  # so are the other kernels of attention
        ):
            # A copy of the whole, and one pass of it: parts that look alike may differ in what they
            # do. Made here, since tensors of a caller's inference mode could not be written to.
            twin = copied(network).eval()
            image = blank_image(twin, shape)
            with counter:
                twin(image)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
    return Operations(counter.total, tuple(sorted(counter.uncounted)))


class _Counter(DispatchMode):
    """Adds up the operations of whatever is computed inside.

    ``torch.utils.flop_counter.FlopCounterMode`` gives the same total, but does not tell what it
    leaves out.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total: int = 0
        self.uncounted: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        operator = func.overloadpacket
        if formula := flop_registry.get(operator):
            self.total += formula(*args, **kwargs, out_val=result)
        elif formula := _FORMULAS.get(operator):
            self.total += formula(*args)
        elif func.namespace not in _LIGHT or _HEAVY.match(operator.__name__):
            self.uncounted.add(str(operator))
        return result


_FORMULAS: dict[Any, Callable[..., int]] = {
    torch.ops.aten.mv: lambda matrix, *_: 2 * matrix.numel(),
    torch.ops.aten.addmv: lambda _, matrix, *__: 2 * matrix.numel(),
    torch.ops.aten.dot: lambda vector, *_: 2 * vector.numel(),
    torch.ops.aten.addbmm: lambda _, left, right: 2 * left.numel() * right.shape[2],
    # An LSTM: each position of the sequence passes through both matrices.
    torch.ops.aten.mkldnn_rnn_layer: lambda sequence, inner, outer, *_: (
        2 * sequence.shape[:2].numel() * (inner.numel() + outer.numel())
    ),
}
"""Matrix products that torch has no formula for."""

_LIGHT = frozenset({"aten", "prim", "prims"})
"""Namespaces of torch itself; what another package's operator does cannot be known."""

_HEAVY = re.compile(
    r"_*(fft|linalg|cholesky|cdist|pdist|trilinear|sparse_|mkldnn_|mkl_|quantized|lstsq|ormqr"
    r"|scaled_dot_product|native_multi_head|transformer_encoder|thnn_fused|cudnn_rnn|miopen|int_mm)"
)
"""Torch's operators whose work grows faster than the numbers that they read and write."""


def read_flops(record: Record) -> int:
    """``flops`` of a record, if nothing was left out of them."""
    if record["uncounted"]:
        raise Undefined(f"no formula is known for FLOPs of {', '.join(record['uncounted'])}")
    return int(record["flops"])


def _measure(network: nn.Module, batch: FewShot, recipe: Recipe, seed: int) -> Record:
    shape = batch.images.shape[1:]
    with explained(network, shape, "flops"):
        operations = count_operations(network, shape)
    return {"flops": operations.total, "uncounted": list(operations.uncounted)}


FLOPS = Probe(
    "flops",
    (
        Metric(
            "flops",
            higher_is_better=True,
            read=read_flops,
            source="torch.utils.flop_counter: convolutions and matrix products of one forward pass",
            unit="FLOP of one image; a multiply-add is two",
            formula="operations of the convolutions and matrix products of one forward pass",
        ),
    ),
    _measure,
    subject="network",
    uses_images=False,
)
"""It runs the network as written once, on a blank image of the shape of the images.

The record holds ``flops`` of one image, and what of them is ``uncounted``.
"""
