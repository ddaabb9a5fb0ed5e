"""How strongly a network's features answer to a small change of its input.

``zen`` is the Zen-Score of "Zen-NAS: A Zero-Shot NAS for High-Performance Image Recognition" (Lin
et al., ICCV 2021, arXiv 2102.01063, algorithm 1). The paper removes residual links, which cannot
be done to any network: as in later comparisons on NAS-Bench-201, they stay. Its released code
(idstcv/ZenNAS) sums absolute differences, which orders networks alike, and reads BatchNorm's
running variances, in which two batches weigh 0.19 and the initial 1 weighs 0.81, which orders them
otherwise (docs/evidence/metrics.md). Here, as in the paper, the Frobenius norm and the batch's own
variances are taken; of 64 inputs once, where the code takes 16 inputs 32 times.
"""

import math
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from anglenas._numerics import derive
from anglenas._recipe import Recipe
from anglenas._torch import CONVOLUTIONS
from anglenas.data import FewShot
from anglenas.probes._base import Metric, Probe, Record, Undefined
from anglenas.probes._isolation import device_of, fresh_copy, run
from anglenas.probes._rectifiers import name_of


def zen_score(
    features: torch.Tensor, perturbed: torch.Tensor, variances: list[torch.Tensor]
) -> float:
    """``log mean_i |f(x_i) - f(x_i + a e_i)| + sum_l log sqrt(mean_c v_lc)``.

    Args:
        features: ``(N, C, H, W)``, the last feature map before the global pooling.
        perturbed: The same for the perturbed input.
        variances: For each BatchNorm ``l`` the variance of each channel ``c`` of its input; the
            sum puts back the scale that normalising took away.

    >>> one = torch.ones(1, 1, 2, 2)
    >>> zen_score(one, 2 * one, [torch.tensor([1.0])]) == math.log(2)
    True
    """
    difference = (features - perturbed).flatten(1).double().norm(dim=1).mean()
    # A constant input has no scale to put back.
    scale = sum(0.5 * math.log(float(v.double().mean())) for v in variances if v.mean() > 0)
    return math.log(float(difference)) + scale if difference > 0 else -math.inf


# A mode of functions, not hooks of modules: networks pool and flatten by functions too.
class _Features(TorchFunctionMode):
    """Sees the last feature map that is turned into a vector, and what BatchNorm is given."""

    _POOLS = frozenset({"adaptive_avg_pool2d", "adaptive_max_pool2d", "mean", "amax"})

    def __init__(self) -> None:
        super().__init__()
        self.last: torch.Tensor | None = None
        self.variances: list[torch.Tensor] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        given = args[0] if args else None
        if isinstance(given, torch.Tensor) and given.ndim == 4:
            if name_of(func) == "batch_norm":
                self.variances.append(given.var(dim=(0, 2, 3), unbiased=False))
            if self._ends(func, given, output):
                self.last = given
        return output

    def _ends(self, func: Any, given: torch.Tensor, output: Any) -> bool:
        if not isinstance(output, torch.Tensor) or output.shape[:1] != given.shape[:1]:
            return False
        is_vector = output.ndim == 2 or (output.ndim == 4 and output.shape[2:].numel() == 1)
        return is_vector and (given.shape[2:].numel() > 1 or name_of(func) in self._POOLS)


def measure_zen(
    network: nn.Module,
    batch: FewShot,
    recipe: Recipe,
    seed: int,
    *,
    batch_size: int = 64,
    strength: float = 0.01,
) -> Record:
    """Compare the features of Gaussian inputs and of perturbed ones.

    Weights and inputs are drawn from N(0, 1), of the images only the shape counts.

    Args:
        network: Any module.
        batch: The images.
        recipe: Not used.
        seed: Where weights and inputs come from.
        batch_size: Inputs.
        strength: How much of a second input is added to each.

    Returns:
        ``zen``, ``None`` where it is not finite, and ``batchnorms``, how many ran.

    Raises:
        Undefined: No feature map is turned into a vector (the score is for convolutional networks).
        NetworkError: The network does not take images of this shape.
    """
    generator = torch.Generator().manual_seed(derive(seed, "inputs"))
    with fresh_copy(network, seed) as copy, torch.no_grad():
        for module in copy.modules():  # from fresh weights of N(0, 2 / fan_in) to those of N(0, 1)
            if isinstance(module, (*CONVOLUTIONS, nn.Linear)):
                module.weight.mul_(math.sqrt(module.weight[0].numel() / 2))
        shape = (2, batch_size, *batch.images.shape[1:])
        inputs, noise = torch.randn(shape, generator=generator).to(device_of(copy))
        first, variances = _features(copy, inputs)
        second, _ = _features(copy, inputs + strength * noise)
    value = zen_score(first, second, variances)
    return {"zen": value if math.isfinite(value) else None, "batchnorms": len(variances)}


def _features(network: nn.Module, inputs: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    with _Features() as seen:
        run(network, inputs, "zen")
    if seen.last is None:
        raise Undefined("the network turns no feature map (N, C, H, W) into a vector")
    return seen.last, seen.variances


def _read_zen(record: Record) -> float:
    """The Zen-Score."""
    if record["zen"] is None:
        raise Undefined("the features are not finite, or do not depend on the input")
    return float(record["zen"])


ZEN = Probe(
    "zen",
    (
        Metric(
            "zen",
            higher_is_better=True,
            read=_read_zen,
            source="Lin et al., ICCV 2021, arXiv 2102.01063, algorithm 1",
            unit="nats",
            formula="logarithm of how far the last feature map moves when Gaussian inputs do, plus "
            "that of each BatchNorm's scale",
        ),
    ),
    measure_zen,
)
