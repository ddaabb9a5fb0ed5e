"""How evenly the knowledge of a network's weights is spread over their directions.

``vkdnw`` is the proxy of "Training-free Neural Architecture Search through Variance of Knowledge
of Deep Network Weights" (Tybl & Neumann, CVPR 2025, arXiv 2502.04975v1, eq. 11 and 12): the
entropy of the deciles of the Fisher information's eigenvalues, plus the number of layers. As in the
released code (ondratybl/VKDNW, ``NB201``), parameter tensors (weights and biases) are counted for
layers, of each the first entry stands for all, and softmax is smoothed by 0.05.
"""

import math

import torch
from torch import nn
from torch.func import functional_call, jacrev, vmap

from anglenas._recipe import Recipe
from anglenas.data import FewShot
from anglenas.probes._base import Metric, Probe, Record, Undefined
from anglenas.probes._isolation import isolated, spread


def fisher_information(
    jacobian: torch.Tensor, logits: torch.Tensor, smoothing: float = 0.05
) -> torch.Tensor:
    """``mean_i J_i^T (diag p_i - p_i p_i^T) J_i`` of a softmax classifier.

    Args:
        jacobian: ``(N, K, P)``, of the logits by the parameters.
        logits: ``(N, K)``.
        smoothing: How much of the uniform distribution is mixed into ``p = softmax(logits)``, so
            that confident predictions do not make everything 0.

    Returns:
        ``(P, P)`` float64.
    """
    jacobian, p = jacobian.double(), logits.double().softmax(dim=1)
    p = (p * (1 - smoothing) + smoothing / p.shape[1]).unsqueeze(-1)  # (N, K, 1)
    centred = (jacobian - (p * jacobian).sum(dim=1, keepdim=True)) * p.sqrt()
    rows = centred.flatten(0, 1)
    return rows.T @ rows / len(jacobian)


def decile_entropy(eigenvalues: torch.Tensor) -> float:
    """Entropy of the nine deciles, divided by their sum: 0 to ``log 9`` nats.

    >>> round(decile_entropy(torch.ones(5)), 4)
    2.1972
    """
    values = eigenvalues.double().clamp(min=0)
    ninths = torch.arange(1, 10, dtype=torch.float64, device=values.device) / 10
    deciles = values.quantile(ninths)
    return float(torch.special.entr(deciles / deciles.sum()).sum())


def _read_vkdnw(record: Record) -> float:
    """Number of parameter tensors plus entropy."""
    if record["entropy"] is None:
        raise Undefined("the Fisher information is not finite, or has too few directions")
    return float(record["tensors"] + record["entropy"])


def measure_vkdnw(
    network: nn.Module,
    batch: FewShot,
    recipe: Recipe,
    seed: int,
    *,
    images: int = 32,
    chunk: int = 4,
) -> Record:
    """Take the Fisher information of a freshly initialised copy of the network.

    The network runs in eval mode with fresh statistics, so that BatchNorm is the identity and
    samples do not mix.

    Args:
        network: Any module.
        batch: The images.
        recipe: Not used.
        seed: Where the weights come from.
        images: How many images, spread evenly over all, the information is averaged over.
        chunk: How many of them are computed at once; bounds the memory.

    Returns:
        ``tensors``, how many parameter tensors there are, and ``entropy``, ``None`` where there is
        none.

    Raises:
        NetworkError: The network cannot be measured.
        Undefined: Its forward pass depends on the values in a way that ``vmap`` cannot trace.
    """
    with isolated(network, batch, seed, "vkdnw") as specimen:
        frozen = specimen.network.eval().requires_grad_(False)
        chosen = specimen.images[spread(images, len(specimen.images))]
        jacobian, logits = _jacobian(frozen, chosen, chunk)
    fisher = fisher_information(jacobian, logits)
    finite = bool(fisher.isfinite().all())
    entropy = decile_entropy(torch.linalg.eigvalsh(fisher)) if finite else math.nan
    return {"tensors": jacobian.shape[2], "entropy": entropy if math.isfinite(entropy) else None}


def _jacobian(
    network: nn.Module, images: torch.Tensor, chunk: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """``(N, K, P)`` derivatives by the first entry of each parameter tensor, and ``(N, K)``."""
    # One entry stands for its tensor: of all parameters, the information would have 10^12 numbers.
    parameters = dict(network.named_parameters())
    entries = torch.stack([p.flatten()[0] for p in parameters.values()])

    def logits(entries: torch.Tensor, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        replaced = {
            name: torch.cat([entry.view(1), p.flatten()[1:]]).view_as(p)
            for (name, p), entry in zip(parameters.items(), entries, strict=True)
        }
        row: torch.Tensor = functional_call(network, replaced, (image.unsqueeze(0),))[0]
        return row, row

    derivative = vmap(jacrev(logits, has_aux=True), in_dims=(None, 0), chunk_size=chunk)
    try:
        jacobian, values = derivative(entries, images)
    except RuntimeError as error:  # of vmap: the network has run as it is before
        raise Undefined(f"the network cannot be differentiated image by image ({error})") from error
    return jacobian, values


VKDNW = Probe(
    "vkdnw",
    (
        Metric(
            "vkdnw",
            higher_is_better=True,
            read=_read_vkdnw,
            source="Tybl & Neumann, CVPR 2025, arXiv 2502.04975v1, eq. 11 and 12",
            needs=frozenset({"gradients"}),
            formula="number of parameter tensors plus the entropy of the deciles of the Fisher "
            "information's eigenvalues",
        ),
    ),
    measure_vkdnw,
)
