"""Condition number of the empirical neural tangent kernel.

"Neural Architecture Search on ImageNet in Four GPU Hours: A Theoretically Inspired Perspective"
(TE-NAS; Chen, Gong & Wang, ICLR 2021, arXiv 2102.11535). Row ``i`` of the Jacobian
``J`` is the gradient of the sum of image ``i``'s logits by all parameters whose name contains
``weight`` (kernels, BatchNorm scales, the classifier's matrix; no biases), as in the released code
(VITA-Group/TENAS, ``lib/procedures/ntk.py``). The kernel is ``Theta = J J^T`` and

    ntk = lambda_max(Theta) / lambda_min(Theta),        lower is better.

* ``ntk``: all images pass together in training mode, as published: BatchNorm couples them, and each
  row is the gradient through the whole batch.
* ``ntk_frozen_bn``: BatchNorm normalises by the statistics of the same batch, taken as constants
  (running statistics, so the variance is the unbiased one). The logits are all but the same, the
  images no longer coupled; each row costs a pass of one image instead of the batch.
* ``ntk_fan_out``: weights are drawn by their fan-out, as TE-NAS means to; ``ntk`` draws them by
  their fan-in, as every probe here does.
* ``ntk_as_released``: with the weights that PyTorch gives to new modules. The launch script of the
  released code passes a name of the initialisation that its own function does not know, so that
  nothing happens. (There, repeats share their weights and differ in images alone; here they never
  do.)
"""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from anglenas._blocks import compute_together
from anglenas._torch import BATCH_NORMS, STATISTICAL_NORMS
from anglenas.probes._base import Metric, Probe, Record, Undefined
from anglenas.probes._initialise import (
    Initialiser,
    fan_in_normal,
    fan_out_normal,
    torch_uniform,
)
from anglenas.probes._isolation import Specimen, on_copy, spread
from anglenas.probes._jacobian import finite, gram, summed_logits

_MOST_IMAGES = 72
"""The batch of TE-NAS on NAS-Bench-201; of more images, so many evenly spaced ones are taken."""


def ntk(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The kernel ``(N, N)``, float64, with the network in the mode that it is in.

    Args:
        network: From images to logits ``(N, K)``; in training mode its running statistics change.
        images: ``(N, C, H, W)``.

    Raises:
        Undefined: There is no such parameter, or the logits are not finite or depend on none.

    >>> network = nn.Linear(2, 3)  # the gradient of the summed logits by the weight is 3 times x
    >>> ntk(network, torch.tensor([[1.0, 0.0], [1.0, 2.0]]))
    tensor([[ 3.,  3.],
            [ 3., 15.]], dtype=torch.float64)
    """
    weights = _weights(network)
    sums = summed_logits(network, images)
    return gram(lambda index: sums[index], len(images), weights)


def frozen_ntk(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The kernel ``(N, N)``, float64, with BatchNorm fixed to the statistics of these images.

    Args:
        network: From images to logits ``(N, K)``; left in evaluation mode.
        images: ``(N, C, H, W)``.

    Raises:
        Undefined: There is no such parameter, or the logits are not finite or depend on none.
    """
    _freeze_statistics(network, images)
    return gram(
        lambda index: summed_logits(network, images[index : index + 1])[0],
        len(images),
        _weights(network),
    )


def condition_number(eigenvalues: Sequence[float]) -> float:
    """Largest over smallest eigenvalue of a kernel of float32 gradients.

    Args:
        eigenvalues: In ascending order.

    Raises:
        Undefined: The kernel is singular: the square root of the quotient, the condition number of
            the Jacobian itself, is above ``1 / (N eps)`` with float32's ``eps``, so that the
            smallest eigenvalue is rounding.

    >>> condition_number([1.0, 2.0, 4.0])
    4.0
    """
    smallest, largest = eigenvalues[0], eigenvalues[-1]
    tolerance = (len(eigenvalues) * torch.finfo(torch.float32).eps) ** 2
    if smallest <= tolerance * largest:
        raise Undefined("the neural tangent kernel is singular: its condition number is infinite")
    return largest / smallest


def _weights(network: nn.Module) -> list[nn.Parameter]:
    weights = [parameter for name, parameter in network.named_parameters() if "weight" in name]
    if not weights:
        raise Undefined("the network has no parameter whose name contains 'weight'")
    return weights


@torch.no_grad()
def _freeze_statistics(network: nn.Module, images: torch.Tensor) -> None:
    for module in network.modules():
        if isinstance(module, BATCH_NORMS) and module.running_mean is None:
            module.track_running_stats = True
            module.running_mean = images.new_zeros(module.num_features)
            module.running_var = images.new_ones(module.num_features)
        if isinstance(module, STATISTICAL_NORMS):
            module.momentum = 1.0
    network.train()(images)
    network.eval()


def _probe(
    name: str,
    remark: str = "",
    kernel: Callable[[nn.Module, torch.Tensor], torch.Tensor] = ntk,
    initialiser: Initialiser = fan_in_normal,
    variant: bool = False,
) -> Probe:
    """A probe whose record holds the kernel's ``eigenvalues``, ascending.

    Args:
        name: Name of the probe and of its metric.
        remark: What the metric's formula in words ends with.
        kernel: From the network, in training mode, and images to the kernel ``(N, N)``.
        initialiser: How weights are drawn.
        variant: As of any probe.
    """

    def compute(specimen: Specimen) -> Record:
        images = specimen.images[spread(_MOST_IMAGES, len(specimen.images))]
        matrix = kernel(compute_together(specimen.network), images)
        finite(matrix.sum().item(), "the neural tangent kernel")
        return {"eigenvalues": torch.linalg.eigvalsh(matrix).tolist()}

    metric = Metric(
        name,
        higher_is_better=False,
        read=lambda record: condition_number(record["eigenvalues"]),
        source="Chen et al. (TE-NAS), ICLR 2021, arXiv 2102.11535",
        needs=frozenset({"batch", "gradients"}),
        formula=f"largest over smallest eigenvalue of the neural tangent kernel{remark}",
    )
    return Probe(name, (metric,), on_copy(name, compute, initialiser), variant=variant)


NTK = _probe("ntk")
NTK_FROZEN_BN = _probe(
    "ntk_frozen_bn", ", with the statistics of BatchNorm taken as constants", frozen_ntk
)
NTK_FAN_OUT = _probe(
    "ntk_fan_out",
    ", with weights drawn by their fan-out",
    initialiser=fan_out_normal,
    variant=True,
)
NTK_AS_RELEASED = _probe(
    "ntk_as_released",
    ", with the weights that PyTorch gives to new modules",
    initialiser=torch_uniform,
    variant=True,
)
