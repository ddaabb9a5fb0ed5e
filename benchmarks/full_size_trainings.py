"""Do the published recipes run at their full size on this machine?

    python benchmarks/full_size_trainings.py --cifar10 cifar10.npz --folder photos/ --out full/

Trains the network of each published recipe for 20 steps at least: width, depth, batch, side of the
images, auxiliary head, augmentation and optimiser are the recipe's, and the epochs are cut so that
they end after these steps. Images of ``--folder`` are enlarged to 224 x 224, for which batches are
at most ``--largest-batch``; one that does not fit into memory is cut to one that does. Prints a
line for each recipe. Half an hour on two idle cores; ``--recipes`` names some of them.
"""

import argparse
import re
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np

from anglenas import Trained, train
from anglenas._evaluation.network import Subject
from anglenas._evaluation.recipe import TRAINING_PRESETS, TrainingRecipe
from anglenas.data import ImageSource, open_parts, subset
from anglenas.errors import SettingError
from anglenas.probes._parameters import count_parameters
from anglenas.spaces import NasBench201Architecture, NetworkConfig

STEPS = 20
EPOCHS = 2  # so that paths are dropped in the second one
HELD_OUT = 96
# The cells of DARTS, second order (Liu, Simonyan & Yang, ICLR 2019, arXiv 1806.09055, figure 4;
# quark0/darts).
DARTS_V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
    "('dil_conv_3x3', 2)], normal_concat=range(2, 6), reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], "
    "reduce_concat=range(2, 6))"
)
ALL_3X3 = str(NasBench201Architecture(("nor_conv_3x3",) * 6))


def first(source: ImageSource, count: int) -> ImageSource:
    """As many images as are wanted, spread over all of them."""
    total = len(source.labels)
    return subset(source, np.arange(min(count, total)) * total // min(count, total))


def cut(recipe: TrainingRecipe, images: int) -> tuple[TrainingRecipe, int]:
    """The recipe with as many epochs as make 20 steps, and the images of one epoch."""
    count = min(recipe.batch * STEPS // EPOCHS, images)
    steps = max(count // recipe.batch, 1)
    return replace(recipe, epochs=max(-(-STEPS // steps), EPOCHS)), count


def trained(recipe: TrainingRecipe, source: ImageSource, out: Path) -> Trained:
    """Train for 20 steps, with the batch that fits."""
    text = ALL_3X3 if recipe.space == "nasbench201" else DARTS_V2
    shorter, count = cut(recipe, len(source.labels) - HELD_OUT)
    part = first(source, count + HELD_OUT)
    subject = Subject(recipe.space, text, NetworkConfig())
    share = HELD_OUT / len(part.labels)
    try:
        return train(subject, part, out, recipe=shorter, validation=share, workers=1)
    except SettingError as error:
        fits = re.search(r"a batch of (\d+) fits", str(error))
        if fits is None:
            raise
        print(f"{recipe.name}: {error}", flush=True)
        return trained(replace(recipe, batch=int(fits[1])), source, out.with_name(out.name + "-"))


def line(one: Trained) -> str:
    """A row of the table."""
    recipe, config = one.recipe, one.subject.config
    steps = len(range(0, one.data["images to train on"], recipe.batch))
    seconds = sum(epoch.seconds for epoch in one.history) / (steps * len(one.history))
    params = count_parameters(one.network())
    rates = ", ".join(f"{epoch.lr:.4g}" for epoch in one.history)
    drops = ", ".join(f"{epoch.drop_path:.3g}" for epoch in one.history)
    losses = f"{one.history[0].train_loss:.2f} to {one.history[-1].train_loss:.2f}"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return (
        f"| `{recipe.name}` | {config.channels} x {3 * config.cells + 2} | {params:,} | "
        f"{config.side} | {recipe.batch} | {steps * len(one.history)} | {rates} | {drops} | "
        f"{losses} | {seconds:.1f} | {peak:.1f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cifar10", required=True, help="an .npz file or CIFAR-10's own")
    parser.add_argument("--folder", required=True, help="a folder of class folders")
    parser.add_argument("--out", type=Path, required=True)
    names = [name for name in TRAINING_PRESETS if name != "quick"]
    parser.add_argument("--recipes", nargs="+", choices=names, default=names)
    parser.add_argument("--largest-batch", type=int, default=128)
    arguments = parser.parse_args()
    print(
        "| recipe | width x cells | parameters | side | batch | steps | rate by epoch | "
        "drop path by epoch | training loss | s a step | peak GB |\n" + "|---" * 11 + "|",
        flush=True,
    )
    for name in arguments.recipes:
        recipe = TRAINING_PRESETS[name]
        if "imagenet" in name:
            recipe = replace(recipe, batch=min(recipe.batch, arguments.largest_batch))
        source, _ = open_parts(arguments.folder if "imagenet" in name else arguments.cifar10)
        print(line(trained(recipe, source, arguments.out / name)), flush=True)


if __name__ == "__main__":
    main()
