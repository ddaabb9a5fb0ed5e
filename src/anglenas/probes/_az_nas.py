"""Four views of how a network's blocks pass information on, none of which needs data.

"AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search" (Lee & Ham, CVPR 2024, arXiv
2403.19232, section 3.1): ``az_expressivity``, ``az_progressivity``, ``az_trainability`` and
``az_complexity``. The paper ranks by the sum of the logarithms of their ranks (its eq. 12), which
is the rank expression ``logrank(az_expressivity)+logrank(az_progressivity)+
logrank(az_trainability)+logrank(az_complexity)``: ranks depend on the other candidates.
"""

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from anglenas._numerics import derive
from anglenas._recipe import Recipe
from anglenas.data import FewShot
from anglenas.probes._base import Metric, Probe, Record, Undefined
from anglenas.probes._flops import count_operations, read_flops
from anglenas.probes._isolation import device_of, explained, fresh_copy, run


def entropy(features: torch.Tensor) -> float:
    """Entropy of the principal components of a block's output (eq. 1 to 3 of the paper).

    The eigenvalues of the channels' covariance, divided by their sum, as probabilities.

    Args:
        features: ``(N, C, H, W)``, or tokens ``(N, T, C)``.

    Returns:
        0 to ``log C`` nats; NaN if the features are constant or not finite.
    """
    rows = _positions(features.detach()).double()
    rows = rows - rows.mean(dim=0)
    covariance = rows.T @ rows / len(rows)
    if not covariance.isfinite().all():
        return math.nan
    eigenvalues = torch.linalg.eigvalsh(covariance).clamp(min=0)
    return float(torch.special.entr(eigenvalues / eigenvalues.sum()).sum())


def spectral_norm(gradient_in: torch.Tensor, gradient_out: torch.Tensor) -> float:
    """Largest singular value of a block's Jacobian, estimated from one random backward pass.

    Hutchinson's estimate (eq. 6 to 10 of the paper): the mean over samples and positions of the
    outer products of ``J^T v`` and ``v``. Where the block reduces the map, the positions of the
    input that one of the output stands for become channels.

    Args:
        gradient_in: ``J^T v``, of the shape of the block's input.
        gradient_out: ``v``, random signs of the shape of the block's output.

    Raises:
        Undefined: The block enlarges the map.
    """
    given, random = _positions(_aligned(gradient_in, gradient_out)), _positions(gradient_out)
    return float(torch.linalg.matrix_norm(given.T.double() @ random.double() / len(random), ord=2))


def _positions(features: torch.Tensor) -> torch.Tensor:
    """A row for each sample and position: ``(N, C, H, W)`` or ``(N, T, C)`` to ``(rows, C)``."""
    if features.ndim == 4:
        features = features.movedim(1, -1)
    return features.reshape(-1, features.shape[-1])


def _aligned(gradient: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    if len(_positions(gradient)) == len(_positions(like)):
        return gradient
    if gradient.ndim != 4 or like.ndim != 4:
        raise Undefined("a block changes the number of tokens")
    (height, width), (to_height, to_width) = gradient.shape[2:], like.shape[2:]
    if to_height > height or to_width > width:
        raise Undefined("a block enlarges its feature map")
    stride = max(math.ceil(height / to_height), math.ceil(width / to_width))
    padding = (0, stride * to_width - width, 0, stride * to_height - height)
    return F.pixel_unshuffle(F.pad(gradient, padding), stride)


def find_blocks(network: nn.Module) -> list[nn.Module]:
    """The blocks of a network: what its author wrote as units.

    Lists and sequences that hold more than one block are opened, from the network downwards. A
    block is a module of the author's own class, or one of PyTorch's with a weight matrix in it
    (not a lone BatchNorm, activation or pooling). A network that wraps a single block is opened
    as well. The classifier is among them; it gives no feature map.

    >>> blocks = find_blocks(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3)))
    >>> [type(block).__name__ for block in blocks]
    ['Conv2d', 'Conv2d']
    """
    blocks = [block for child in network.children() if _is_block(child) for block in _opened(child)]
    return find_blocks(blocks[0]) if len(blocks) == 1 else blocks


def _is_block(module: nn.Module) -> bool:
    own_class = not type(module).__module__.startswith("torch.nn")
    return own_class or any(parameter.ndim > 1 for parameter in module.parameters())


def _opened(module: nn.Module) -> list[nn.Module]:
    parts = [child for child in module.children() if _is_block(child)]
    if not isinstance(module, nn.Sequential | nn.ModuleList) or len(parts) < 2:
        return [module]
    return [block for part in parts for block in _opened(part)]


def _read_progressivity(record: Record) -> float:
    """Smallest gain in entropy from one block to the next."""
    entropies = _entropies(record)
    return min(after - before for before, after in itertools.pairwise(entropies))


def _read_trainability(record: Record) -> float:
    """Mean of ``2 - s - 1 / s`` over the blocks' spectral norms: 0, the best, where all are 1."""
    norms: list[float] | None = record["spectral_norms"]
    if norms is None:
        raise Undefined("a block passes its input on unchanged")
    if not all(math.isfinite(norm) for norm in norms):
        raise Undefined("a block's gradient is not finite")
    return math.fsum(2 - norm - 1 / (norm + 1e-6) for norm in norms) / len(norms)


def _entropies(record: Record) -> list[float]:
    entropies: list[float | None] = record["entropies"]
    if None in entropies:
        raise Undefined(f"block {entropies.index(None) + 1} has a constant or infinite output")
    return [value for value in entropies if value is not None]


def measure_az_nas(
    network: nn.Module, batch: FewShot, recipe: Recipe, seed: int, *, batch_size: int = 64
) -> Record:
    """Run a freshly initialised copy forward once and backward block by block.

    Inputs are drawn from N(0, 1): of the images only the shape counts.

    Args:
        network: Any module.
        batch: The images.
        recipe: Not used.
        seed: Where weights, inputs and signs come from.
        batch_size: Inputs.

    Returns:
        For the outputs of the blocks in the order in which they run (stem and cells on
        NAS-Bench-201), the ``entropies`` (``None`` where there is none); the ``spectral_norms``
        from each to the next, ``None`` if one is the identity; the ``flops`` of one image, and
        which operators of them are ``uncounted``.

    Raises:
        Undefined: Fewer than two blocks give feature maps or tokens, or two that follow each other
            are not connected.
        NetworkError: The network does not take images of this shape.
    """
    shape = batch.images.shape[1:]
    generator = torch.Generator().manual_seed(derive(seed, "inputs"))
    with fresh_copy(network, seed) as copy:
        copy.requires_grad_(False)
        inputs = torch.randn(batch_size, *shape, generator=generator)
        outputs = _block_outputs(copy, inputs.to(device_of(copy)).requires_grad_())
        entropies = [entropy(output) for output in outputs]
        norms = _spectral_norms(outputs, generator)
        with explained(copy, shape, "az_nas"):
            operations = count_operations(copy, shape)
    return {
        "entropies": [value if math.isfinite(value) else None for value in entropies],
        "spectral_norms": norms,
        "flops": operations.total,
        "uncounted": list(operations.uncounted),
    }


def _block_outputs(network: nn.Module, inputs: torch.Tensor) -> list[torch.Tensor]:
    outputs: list[torch.Tensor] = []

    def keep(module: nn.Module, args: object, output: object) -> None:
        if isinstance(output, torch.Tensor) and output.ndim in (3, 4):
            outputs.append(output)

    blocks = find_blocks(network)
    while True:
        hooks = [block.register_forward_hook(keep) for block in blocks]
        run(network, inputs.clone(), "az_nas")
        for hook in hooks:
            hook.remove()
        if len(outputs) >= 2:
            return outputs
        # Such as a backbone and a head: the blocks are one level further down.
        inner = [part for block in blocks for part in find_blocks(block) or [block]]
        if inner == blocks:
            raise Undefined("fewer than two blocks of the network give feature maps or tokens")
        blocks = inner
        outputs.clear()


def _spectral_norms(
    outputs: Sequence[torch.Tensor], generator: torch.Generator
) -> list[float] | None:
    """Of each block's Jacobian; ``None`` if one block is the identity."""
    norms = []
    for given, result in itertools.pairwise(outputs):
        signs = torch.randint(2, result.shape, generator=generator).to(result) * 2 - 1
        (gradient,) = torch.autograd.grad(
            result, given, signs, retain_graph=True, allow_unused=True
        )
        if gradient is None:
            raise Undefined("a block does not depend on the one before it")
        if gradient.shape == signs.shape and torch.equal(gradient, signs):
            return None
        norms.append(spectral_norm(gradient, signs))
    return norms


_SOURCE = "Lee & Ham, CVPR 2024, arXiv 2403.19232"

AZ_NAS = Probe(
    "az_nas",
    (
        Metric(
            "az_expressivity",
            higher_is_better=True,
            read=lambda record: math.fsum(_entropies(record)),
            source=f"{_SOURCE}, eq. 4",
            unit="nats",
            formula="sum over blocks of the entropy of their outputs' principal components",
        ),
        Metric(
            "az_progressivity",
            higher_is_better=True,
            read=_read_progressivity,
            source=f"{_SOURCE}, eq. 5",
            unit="nats",
            formula="smallest gain of that entropy from one block to the next",
        ),
        Metric(
            "az_trainability",
            higher_is_better=True,
            read=_read_trainability,
            source=f"{_SOURCE}, eq. 11",
            needs=frozenset({"gradients"}),
            formula="mean over blocks of 2 - s - 1 / s, s the largest singular value of the "
            "Jacobian",
        ),
        Metric(
            "az_complexity",
            higher_is_better=True,
            read=lambda record: float(read_flops(record)),
            source=f"{_SOURCE}, section 3.1: FLOPs",
            unit="FLOP of one image; a multiply-add is two",
            formula="operations of one forward pass of the canonical network",
        ),
    ),
    measure_az_nas,
    version=2,
)
