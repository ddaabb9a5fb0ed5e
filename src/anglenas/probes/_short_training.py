"""The paper's metric: a short training, seen through its classifier and its loss.

"Revisiting Training-free NAS Metrics: An Efficient Training-based Method" (Yang, Yang, Jin & Chen,
WACV 2023, arXiv 2211.08666), after its supplement and its released code (``evaluate_anglefc.py``).
A network with fresh weights is trained for some iterations on a few images, all of them in each
batch. One training yields

* ``angle``, the cosine between the classifier's weights before and after;
* ``loss``, the cross entropy of the last batch before its update;
* ``tse``, the sum of all training losses (Ru et al., NeurIPS 2021, arXiv 2006.04492, eq. 1), and
  ``tse_e``, the sum over the last fifth of the iterations (their TSE-E).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.sgd import sgd

from anglenas._blocks import compute_together
from anglenas._numerics import derive
from anglenas._recipe import Recipe
from anglenas.data import Augmenter, FewShot, standard_padding
from anglenas.probes._base import Metric, Probe, Record, Undefined
from anglenas.probes._isolation import Specimen, isolated
from anglenas.probes._outputs import find_classifier


def cosine(before: torch.Tensor, after: torch.Tensor) -> float:
    """Cosine of the angle between two weight tensors, flattened: ``<v, w> / (|v| |w|)``.

    Range -1 to 1; NaN if one of them is not finite or has length 0. Computed in float64.

    >>> cosine(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]]))  # doctest: +ELLIPSIS
    0.70710678...
    """
    v, w = before.flatten().double(), after.flatten().double()
    return float(torch.dot(v, w) / (v.norm() * w.norm()))


def _losses_until(record: Record, iteration: int | None = None) -> list[float]:
    """The training losses of the first iterations (all of them by default).

    Raises:
        Undefined: The training diverged before, or was shorter.
    """
    iteration = record["iterations"] if iteration is None else iteration
    losses: list[float] = record["loss"]
    if not 1 <= iteration <= record["iterations"]:
        raise Undefined(f"the training has {record['iterations']} iterations, not {iteration}")
    if len(losses) < iteration:
        raise Undefined(f"loss is not finite at iteration {len(losses) + 1}")
    return losses[:iteration]


def _read_loss(record: Record, iteration: int | None = None) -> float:
    """Cross entropy of the batch of an iteration (the last by default), before its update."""
    return _losses_until(record, iteration)[-1]


def _read_angle(record: Record, iteration: int | None = None) -> float:
    """Cosine between the classifier's weights at the start and after an iteration's update."""
    cosines: list[float] | None = record["cosine"]
    done = len(_losses_until(record, iteration))
    if cosines is None:
        raise Undefined("the network has no linear layer, whose turning the angle would be")
    if len(cosines) < done:
        raise Undefined(f"the classifier's weights are not finite at iteration {done}")
    return cosines[done - 1]


def _read_tse(record: Record, iteration: int | None = None) -> float:
    """Sum of the training losses up to an iteration (all of them by default)."""
    return math.fsum(_losses_until(record, iteration))


def _read_tse_e(record: Record, iteration: int | None = None) -> float:
    """Sum of the training losses over the last fifth of the iterations."""
    losses = _losses_until(record, iteration)
    return math.fsum(losses[-math.ceil(len(losses) / 5) :])


def short_training(classifier: str | None = None) -> Probe:
    """The probe of short trainings.

    Its record holds ``iterations`` (asked for) and the trajectories ``loss`` and ``cosine``, one
    value an iteration, cut off where they are no longer finite. ``cosine`` is ``None`` for a
    network that has no linear layer: its losses are told all the same.

    Measuring raises :class:`anglenas.errors.NetworkError` for a network that has no layer of the
    given name, of which no linear layer runs, or that has fewer outputs than classes.

    Args:
        classifier: Name of the prediction layer; by default the last linear layer that runs.
    """

    def measure(network: nn.Module, batch: FewShot, recipe: Recipe, seed: int) -> Record:
        with isolated(network, batch, seed, "short_training", classifier) as specimen:
            turning = _classifier(specimen, classifier)
            compute_together(specimen.network)
            losses, cosines = _train(specimen, turning, batch, recipe, seed)
        return {
            "iterations": recipe.iterations,
            "loss": losses,
            "cosine": None if turning is None else cosines,
        }

    paper = "Yang et al., WACV 2023, arXiv 2211.08666, supplement, section 1"
    tse = "Ru et al., NeurIPS 2021, arXiv 2006.04492, eq. 1"
    metrics = (
        _metric(
            "angle",
            _read_angle,
            paper,
            "cosine",
            "cosine between the classifier's weights before and after a short training",
            higher_is_better=True,
        ),
        _metric(
            "loss",
            _read_loss,
            paper,
            "nats",
            "cross entropy of the training's last batch, before its update",
        ),
        _metric("tse", _read_tse, tse, "nats", "sum of all training losses"),
        _metric(
            "tse_e",
            _read_tse_e,
            f"{tse} (TSE-E)",
            "nats",
            "sum of the training losses over the last fifth of the iterations",
        ),
    )
    return Probe("short_training", metrics, measure)


def _metric(
    name: str,
    read: Callable[..., float],
    source: str,
    unit: str,
    formula: str,
    higher_is_better: bool = False,
) -> Metric:
    return Metric(
        name,
        higher_is_better,
        read,
        source,
        unit,
        needs=frozenset({"labels", "gradients"}),
        formula=formula,
        at=lambda iteration: partial(read, iteration=iteration),
    )


def _classifier(specimen: Specimen, name: str | None) -> nn.Linear | None:
    inner = specimen.network.get_submodule("network")
    if name is None and not any(isinstance(module, nn.Linear) for module in inner.modules()):
        return None
    return inner.get_submodule(find_classifier(inner, specimen.images[:2].clone(), name))  # type: ignore[return-value]


def _views(batch: FewShot, specimen: Specimen, recipe: Recipe, seed: int) -> Iterator[torch.Tensor]:
    """The images ``(N, C, H, W)`` of each iteration, in the same streams for every network.

    Each is a tensor of its own, since a network may write on its input.
    """
    images = specimen.images
    augmenter = Augmenter(batch, standard_padding(images.shape[-1]))
    for iteration in range(recipe.iterations):
        generator = torch.Generator().manual_seed(derive(seed, "augmentation", iteration))
        yield (
            augmenter(generator).to(images.device, memory_format=specimen.memory_format)
            if recipe.augment
            else images.clone()
        )


def _descent(parameters: Sequence[nn.Parameter], recipe: Recipe) -> Callable[[], None]:
    """What moves the parameters by their gradients, bit for bit as ``torch.optim.SGD`` does."""
    # Not the class itself: making one imports torch's compiler, a thousand modules in 1.5 s of each
    # worker, several times as long as it takes to measure a network by the recipe "draft".
    momenta: dict[nn.Parameter, torch.Tensor | None] = {}

    @torch.no_grad()
    def step() -> None:
        moved = [parameter for parameter in parameters if parameter.grad is not None]
        gradients = [parameter.grad for parameter in moved if parameter.grad is not None]
        buffers = [momenta.get(parameter) for parameter in moved]
        sgd(
            list(moved),
            gradients,
            buffers,
            has_sparse_grad=any(gradient.is_sparse for gradient in gradients),
            fused=True,  # one call for all weights; otherwise starting small steps takes longer
            lr=recipe.lr,
            momentum=recipe.momentum,
            nesterov=recipe.momentum > 0,
            weight_decay=recipe.weight_decay,
            dampening=0,
            maximize=False,
        )
        momenta.update(zip(moved, buffers, strict=True))

    return step


def _train(
    specimen: Specimen, classifier: nn.Linear | None, batch: FewShot, recipe: Recipe, seed: int
) -> tuple[list[float], list[float]]:
    step = _descent(list(specimen.network.parameters()), recipe)
    start = None if classifier is None else classifier.weight.detach().clone()
    losses: list[float] = []
    cosines: list[float] = []
    for images in _views(batch, specimen, recipe, seed):
        specimen.network.zero_grad()
        loss = F.cross_entropy(specimen.network(images), specimen.labels)
        if not math.isfinite(value := loss.item()):
            break
        losses.append(value)
        loss.backward()  # type: ignore[no-untyped-call]
        step()
        if classifier is None or start is None:
            continue
        if not math.isfinite(turned := cosine(start, classifier.weight.detach())):
            break
        cosines.append(turned)
    return losses, cosines


SHORT_TRAINING = short_training()
