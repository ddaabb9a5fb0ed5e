"""Do published zero-cost scores come from PyTorch's own initial weights?

    python benchmarks/default_weights.py --data cifar10.npz --published proxies.csv

Measures networks of the sample of ``published_proxies.py`` twice, with Kaiming-normal weights as
everywhere in anglenas and with every layer's own ``reset_parameters``, and prints the Spearman
correlation of each with the published scores. About ten minutes on one core.
"""

import argparse
import csv
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import nn

from anglenas import score
from anglenas._numerics import derive
from anglenas.data import ImageSource, open_source
from anglenas.probes import find_metric, find_probe
from anglenas.spaces import NASBENCH201, NetworkConfig
from published_proxies import number, sample

# Our metric, the published column, and how many networks are measured.
COMPARED = (
    ("l2_norm", "l2_norm", 100),
    ("fisher_per_weight", "fisher", 100),
    ("plain", "plain", 100),
    ("grasp", "grasp", 40),
)
SEED = 1


@torch.no_grad()
def reset(network: nn.Module, seed: int) -> None:
    """PyTorch's own initial weights, in place of anglenas's."""
    torch.manual_seed(derive(seed, "default weights"))
    for module in network.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()


def value(metric: str, index: int, source: ImageSource) -> float:
    """The metric of one network, on its canonical form or as written."""
    cell = NASBENCH201.at(index)
    by_function = find_probe(find_metric(metric).probe).subject == "function"
    text = NASBENCH201.canonical(cell) if by_function else str(cell)
    network = NASBENCH201.build(text, NetworkConfig())
    return score(network, source, metrics=[metric], recipe="paper", seed=SEED).values[metric]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--published", type=Path, required=True)
    arguments = parser.parse_args()
    source = open_source(arguments.data)
    with arguments.published.open() as file:
        published = {int(row["index"]): row for row in csv.DictReader(file)}
    print("| metric | n | Kaiming normal | PyTorch's own |\n|---|---|---|---|")
    for metric, column, count in COMPARED:
        indices = sample(arguments.published)[:count]
        theirs = np.array([number(published[index][column]) for index in indices])
        ours = [value(metric, index, source) for index in indices]
        with mock.patch("anglenas.probes._isolation.initialise", reset):
            default = [value(metric, index, source) for index in indices]
        kept = ~np.isnan(theirs)
        cells = [spearmanr(np.array(v)[kept], theirs[kept]).statistic for v in (ours, default)]
        print(f"| `{metric}` | {kept.sum()} | {cells[0]:.3f} | {cells[1]:.3f} |", flush=True)


if __name__ == "__main__":
    main()
