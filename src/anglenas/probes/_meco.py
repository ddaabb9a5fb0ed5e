"""Smallest eigenvalues of the correlations between a layer's feature maps.

"MeCo: Zero-Shot NAS with One Data and Single Forward Pass via Minimum Eigenvalue of Correlation"
(Jiang, Wang & Bie, NeurIPS 2023):

    meco = sum over layers of lambda_min(P),        higher is better,

with the Pearson correlations ``P`` ``(C, C)`` between the ``C`` feature maps that a layer makes of
one image, in training mode: BatchNorm normalises the image by its own statistics. A map without
variance correlates with nothing, itself included, as in the released code (HamsterMimi/MeCo).
Layers are the modules with parameters of their own (convolutions, normalisation) whose output is a
stack of feature maps, so that it does not matter whether ReLU and pooling are modules or functions;
the released code counts every module, and containers of modules again, and takes 64 x 64 numbers
from N(0, 1) for the image.
"""

from operator import itemgetter

import torch
from torch import nn

from anglenas.probes._base import Metric, Probe, Undefined
from anglenas.probes._isolation import on_copy
from anglenas.probes._jacobian import finite


def smallest_eigenvalue(maps: torch.Tensor) -> float:
    """Smallest eigenvalue of the correlations between feature maps, in float64.

    Args:
        maps: ``(C, H, W)``; 0 results if there are no more positions than maps.

    >>> maps = torch.tensor([[[1.0, -1.0, 0.0]], [[1.0, 1.0, -2.0]]])  # uncorrelated
    >>> round(smallest_eigenvalue(maps), 6)
    1.0
    """
    rows = maps.detach().flatten(1).double()
    rows = rows - rows.mean(1, keepdim=True)
    constant = rows.abs().amax(1) <= torch.finfo(maps.dtype).eps * maps.flatten(1).abs().amax(1)
    rows = nn.functional.normalize(rows, dim=1, eps=0.0).masked_fill(constant[:, None], 0.0)
    return float(torch.linalg.eigvalsh(rows @ rows.T)[0])


@torch.no_grad()
def meco(network: nn.Module, image: torch.Tensor) -> float:
    """The sum over layers of the smallest eigenvalue.

    Args:
        network: Any module; in training mode its running statistics change.
        image: ``(1, C, H, W)``.

    Raises:
        Undefined: No layer makes feature maps, or they are not finite.
    """
    found: list[float] = []

    def observe(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, torch.Tensor) and output.ndim == 4:
            finite(output.sum().item(), "a feature map")
            found.append(smallest_eigenvalue(output[0]))

    hooks = [
        module.register_forward_hook(observe)
        for module in network.modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
    try:
        network(image)
    finally:
        for hook in hooks:
            hook.remove()
    if not found:
        raise Undefined("no layer of the network makes feature maps")
    return sum(found)


MECO = Probe(
    "meco",
    (
        Metric(
            "meco",
            higher_is_better=True,
            read=itemgetter("meco"),
            source="Jiang et al., NeurIPS 2023",
            formula="sum over layers of the smallest eigenvalue of the correlations between one "
            "image's feature maps",
        ),
    ),
    on_copy("meco", lambda specimen: {"meco": meco(specimen.network, specimen.images[:1])}),
)
"""The record holds ``meco``, of the first image."""
