"""Do metrics agree with their published scores if measured as those were?

    python benchmarks/published_ways.py --data cifar10.npz --published proxies.csv

The published scores are NASLib's. Measures networks of the sample of ``published_proxies.py``, and
prints Spearman correlations: of several metrics with Kaiming-normal weights, as everywhere in
anglenas, and with every layer's own ``reset_parameters``; of ``epe_nas`` and ``zen``, on the first
60 networks, in several ways, as written and with PyTorch's own initial weights
(``epe_nas``) or those of N(0, 1) (``zen``). ``epe_nas`` is written anew after NASLib's definition,
in NumPy. A quarter of an hour on one core.

``epe_nas`` of NASLib takes 64 training images, drawn and augmented anew for every network. That
it was 64 can be told from the values: the score grows with the pairs of images of one class.
``zen`` of NASLib sums absolute differences, where the paper has the Frobenius norm, and reads the
running variances of BatchNorm after two batches, where the paper has the batch's own.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import nn

from anglenas import score
from anglenas._numerics import derive, single_thread
from anglenas.data import Augmenter, FewShot, ImageSource, open_source
from anglenas.probes import find_metric, find_probe
from anglenas.spaces import NASBENCH201, NetworkConfig
from published_proxies import number, read_csv, sample

# Our metric, the published column, and how many networks are measured.
COMPARED = (
    ("l2_norm", "l2_norm", 100),
    ("fisher_per_weight", "fisher", 100),
    ("plain", "plain", 100),
    ("grasp", "grasp", 40),
)
SEED = 1
NETWORKS = 60
BATCH = 64
SCORES = Path(__file__).parent.parent / "docs" / "evidence" / "metrics_scores.csv"


def images_of(source: ImageSource, seed: int) -> tuple[torch.Tensor, np.ndarray]:
    """A batch as a shuffling loader gives it: any images, augmented; with their labels."""
    chosen = np.random.default_rng(seed).choice(len(source.labels), BATCH, replace=False)
    images, labels = source.read(chosen.tolist(), 32), source.labels[chosen]
    mean, std = source.normalisation(images)
    batch = FewShot(images, torch.from_numpy(labels), source.class_names, mean, std, flip=True)
    return Augmenter(batch, 4)(torch.Generator().manual_seed(seed)), labels


def network_of(index: int) -> nn.Module:
    """The network as written, with PyTorch's own initial weights, in training mode."""
    torch.manual_seed(derive(SEED, "weights", index))
    return NASBENCH201.build(str(NASBENCH201.at(index)), NetworkConfig()).train()


def epe_nas(index: int, images: torch.Tensor, labels: np.ndarray) -> float:
    """NASLib's definition for at most 100 classes."""
    images = images.clone().requires_grad_()
    network_of(index)(images).sum().backward()
    rows = images.grad.flatten(1).numpy()
    matrices = [np.corrcoef(rows[labels == label]) for label in np.unique(labels)]
    return sum(abs(np.log(np.abs(matrix) + 1e-5).sum()) for matrix in matrices)


@torch.no_grad()
def zen(index: int) -> dict[str, float]:
    """The score with each norm and each kind of variance, from the same two batches."""
    network = network_of(index)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight)
    seen: list[torch.Tensor] = []
    own: list[float] = []
    hooks = [
        *(m.register_forward_hook(lambda _, given, __: own.append(spread(given[0])))
          for m in norms),
        network.norm.register_forward_hook(lambda _, __, result: seen.append(result.relu())),
    ]  # fmt: skip
    images, noise = torch.randn(2, BATCH, 3, 32, 32)
    network(images)
    network(images + 0.01 * noise)
    for hook in hooks:
        hook.remove()
    change = (seen[0] - seen[1]).flatten(1)
    moved = {"Frobenius norm": change.norm(dim=1), "absolute differences": change.abs().sum(1)}
    scales = {
        "the batch's variances": sum(0.5 * math.log(variance) for variance in own[: len(norms)]),
        "running variances": sum(0.5 * math.log(m.running_var.mean().item()) for m in norms),
    }
    return {
        f"{norm}, {kind}": math.log(how.mean().item()) + scale
        for norm, how in moved.items()
        for kind, scale in scales.items()
    }


def spread(given: torch.Tensor) -> float:
    """Mean variance over the channels."""
    return given.var(dim=(0, 2, 3), unbiased=False).mean().item()


def epe_ways(indices: list[int], source: ImageSource) -> dict[str, list[float]]:
    """``epe_nas`` on batches drawn as NASLib does, twice, and on one batch for all networks."""

    def drawn(name: str, index: int) -> float:
        return epe_nas(index, *images_of(source, derive(SEED, name, index)))

    same = images_of(source, derive(SEED, "same"))
    return {
        "a batch of 64 for each network": [drawn("first", index) for index in indices],
        "a batch of 64 for each network, again": [drawn("second", index) for index in indices],
        "one batch of 64 for all": [epe_nas(index, *same) for index in indices],
    }


@torch.no_grad()
def reset(network: nn.Module, seed: int, _: object) -> None:
    """PyTorch's own initial weights, in place of anglenas's."""
    torch.manual_seed(derive(seed, "default weights"))
    for module in network.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()


def value(metric: str, index: int, source: ImageSource) -> float | None:
    """The metric of one network, on its canonical form or as written."""
    cell = NASBENCH201.at(index)
    by_function = find_probe(find_metric(metric).probe).subject == "function"
    text = NASBENCH201.canonical(cell) if by_function else str(cell)
    network = NASBENCH201.build(text, NetworkConfig())
    return score(network, source, metrics=[metric], recipe="paper", seed=SEED).values[metric]


def default_weights(
    source: ImageSource, indices: list[int], published: dict[int, dict[str, str]]
) -> None:
    """Print how scores agree with the published ones, by the weights that they start from."""
    print("| metric | n | Kaiming normal | PyTorch's own |\n|---|---|---|---|")
    for metric, column, count in COMPARED:
        theirs = [number(published[index][column]) for index in indices[:count]]
        ours = [value(metric, index, source) for index in indices[:count]]
        with mock.patch("anglenas.probes._isolation.initialise", reset):
            default = [value(metric, index, source) for index in indices[:count]]
        cells = (f"{agreement(one, theirs):.3f}" for one in (ours, default))
        print(f"| `{metric}` | {np.isfinite(theirs).sum()} | {' | '.join(cells)} |", flush=True)


def report(metric: str, ways: dict[str, list[float]], published: list[float]) -> None:
    """Print how every way agrees with the published scores, and with ours."""
    for name, values in ways.items():
        cells = [f"{agreement(values, other):.3f}" for other in (published, ways["ours"])]
        print(f"| `{metric}` | {name} | {' | '.join(cells)} |", flush=True)


def agreement(values: Sequence[float], others: Sequence[float]) -> float:
    """Spearman's correlation over the networks that have both."""
    both = np.array([values, others], dtype=float)  # what is undefined is None
    return spearmanr(*both[:, ~np.isnan(both).any(axis=0)]).statistic


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--published", type=Path, required=True)
    arguments = parser.parse_args()
    drawn, source = sample(arguments.published), open_source(arguments.data)
    indices = drawn[:NETWORKS]
    theirs, own = ({int(row["index"]): row for row in read_csv(path)}
                   for path in (arguments.published, SCORES))  # fmt: skip

    def column(rows: dict[int, dict[str, str]], metric: str) -> list[float]:
        return [number(rows[index][metric]) for index in indices]

    default_weights(source, drawn, theirs)
    print("\n| metric | measured | with published | with ours |\n|---|---|---|---|")
    with single_thread():
        ways = epe_ways(indices, source)
        ours = {"ours": column(own, "epe_nas")}
        report("epe_nas", ours | ways, column(theirs, "epe_nas"))
        first, second, _ = ways.values()
        print(f"\nBoth draws of a batch for each network: {agreement(first, second):.3f}\n")
        scores = [zen(index) for index in indices]
        ways = {name: [score[name] for score in scores] for name in scores[0]}
        report("zen", {"ours": column(own, "zen")} | ways, column(theirs, "zen"))


if __name__ == "__main__":
    main()
