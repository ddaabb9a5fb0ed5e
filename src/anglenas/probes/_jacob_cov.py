"""Correlations between the gradients of the logits by the images.

Row ``i`` is the gradient of the sum of all logits by image ``i``, flattened, from one backward pass
of the whole batch in training mode.

* ``jacob_cov``: with the eigenvalues ``v`` of the rows' correlation matrix and ``k = 1e-5``,

      -sum(log(v + k) + 1 / (v + k)),        higher is better

  (the first version of "Neural Architecture Search without Training"; Mellor et al., arXiv
  2006.04647v1; called so by Abdelfattah et al., ICLR 2021, and ``jacov`` by NASLib).
* ``epe_nas``: with the correlation matrix of the rows of each class ``c`` and
  ``e_c = sum(log(|correlation| + k))``, the sum of ``|e_c|``; of more than 100 classes, where
  ``e_c`` is divided by the number of rows, the sum of ``|e_c - e_d|`` over all pairs divided by
  the number of classes; higher is better (Lopes et al., ICANN 2021, arXiv 2102.08099).
"""

import math
from collections.abc import Sequence

import torch
from torch import nn

from anglenas.probes._base import Metric, Probe, Record, Undefined
from anglenas.probes._isolation import Specimen, on_copy
from anglenas.probes._jacobian import summed_logits

_K = 1e-5
_MANY_CLASSES = 100


def image_gradients(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Gradient of the sum of all logits by each image, ``(N, C * H * W)``, float64.

    Raises:
        Undefined: The logits are not finite, or do not depend on an image: its gradient is
            constant, and nothing correlates with it.
    """
    images = images.detach().requires_grad_()
    total = summed_logits(network, images).sum()
    (gradient,) = torch.autograd.grad(total, images, allow_unused=True, materialize_grads=True)
    rows = gradient.flatten(1).double()
    if not torch.isfinite(rows).all():
        raise Undefined("the gradient by an image is not finite")
    if (rows.amax(1) == rows.amin(1)).any():
        raise Undefined("the logits do not depend on an image, or by the same for all its pixels")
    return rows


def jacob_cov(eigenvalues: Sequence[float]) -> float:
    """``-sum(log(v + k) + 1 / (v + k))`` with ``k = 1e-5``.

    Args:
        eigenvalues: Of a correlation matrix, 0 or above but for rounding.

    >>> round(jacob_cov([1.0, 1.0]), 3)  # no correlation at all: the highest value of two images
    -2.0
    """
    shifted = [max(value, 0.0) + _K for value in eigenvalues]
    return -math.fsum(math.log(value) + 1 / value for value in shifted)


def class_scores(rows: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """``sum(log(|correlation| + k))`` over the correlation matrix of the rows of each class.

    Args:
        rows: ``(N, D)``.
        labels: ``(N,)``.

    Returns:
        A value for each class that occurs, divided by its rows if more than 100 occur.
    """
    labels = labels.to(rows.device)
    classes = [rows[labels == label] for label in torch.unique(labels)]
    scores = [(_correlation(own).abs() + _K).log().sum().item() for own in classes]
    if len(classes) <= _MANY_CLASSES:
        return scores
    return [score / len(own) for score, own in zip(scores, classes, strict=True)]


def epe_nas(scores: Sequence[float]) -> float:
    """The score of a network from those of its classes.

    >>> epe_nas([-2.0, 3.0])
    5.0
    """
    if len(scores) <= _MANY_CLASSES:
        return math.fsum(abs(score) for score in scores)
    return math.fsum(abs(first - second) for first in scores for second in scores) / len(scores)


def _correlation(rows: torch.Tensor) -> torch.Tensor:
    return torch.corrcoef(rows).reshape(len(rows), len(rows))


def _compute(specimen: Specimen) -> Record:
    rows = image_gradients(specimen.network, specimen.images)
    return {
        "eigenvalues": torch.linalg.eigvalsh(_correlation(rows)).tolist(),
        "class_scores": class_scores(rows, specimen.labels),
    }


JACOB_COV = Probe(
    "jacob_cov",
    (
        Metric(
            "jacob_cov",
            higher_is_better=True,
            read=lambda record: jacob_cov(record["eigenvalues"]),
            source="Mellor et al., arXiv 2006.04647v1",
            needs=frozenset({"batch", "gradients"}),
            formula="minus sum of log(v + 1e-5) + 1 / (v + 1e-5), over the eigenvalues v of the "
            "correlations between the images' input gradients",
        ),
        Metric(
            "epe_nas",
            higher_is_better=True,
            read=lambda record: epe_nas(record["class_scores"]),
            source="Lopes et al., ICANN 2021, arXiv 2102.08099",
            needs=frozenset({"batch", "labels", "gradients"}),
            formula="sum over classes of |sum of log(|correlation| + 1e-5)| between the input "
            "gradients of the class's images",
        ),
    ),
    on_copy("jacob_cov", _compute),
)
"""The record holds ``eigenvalues`` and ``class_scores``."""
