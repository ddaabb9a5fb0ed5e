"""The frozen settings of a training from scratch, the published ones by name, epoch by epoch."""

import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from anglenas._settings import Settings, at_least, between, read_preset

Schedule = Literal["constant", "cosine", "linear", "exponential"]
Crop = Literal["none", "padded", "resized"]

Count = Annotated[int, at_least(1)]
Size = Annotated[int, at_least(0)]
Amount = Annotated[float, at_least(0)]
Share = Annotated[float, between(0, 1)]


@dataclass(frozen=True)
class TrainingRecipe(Settings, called="training recipe", facts=("name",)):
    """How a network is trained from scratch, by SGD.

    Attributes:
        name: What the recipe is called.
        space: The space whose networks it trains; empty for the one that was searched in. DARTS has
            four kinds of networks, and the text of an architecture is the same for all of them.
        epochs: Passes through the images.
        batch: Images of a step, on all devices together.
        channels: Width of the network; 0 is the width that was searched for.
        cells: Cells per stage; 0 as for ``channels``.
        side: Side of the images in pixels. Larger images are reduced; of smaller ones, files are
            enlarged and arrays kept.
        margin: Pixels more than ``side`` that images to validate with are read with, before their
            centre is cut out.
        lr: Learning rate.
        schedule: How the rate falls, epoch by epoch; see :func:`learning_rate`.
        decay: What an ``"exponential"`` schedule multiplies the rate by.
        warmup: Epochs in which the rate rises, to its largest in the last of them.
        momentum: Momentum.
        nesterov: Whether it is Nesterov's.
        weight_decay: On every parameter, biases and BatchNorm included.
        clip: Largest norm of all gradients together; 0 for any.
        auxiliary: Weight of the auxiliary head's loss; 0 for no such head.
        drop_path: Probability that a path is dropped in the last epoch; see
            :func:`drop_path_rate`.
        label_smoothing: Share of the target that all classes have in common.
        crop: ``"padded"`` for a window of the zero-padded image, ``"resized"`` for a random part
            of the whole image at the size of ``side``, or ``"none"``.
        cutout: Side of the square that is blanked; 0 for none.
        brightness: How far brightness varies, 0 to 1 around the image's own.
        contrast: How far contrast varies.
        saturation: How far saturation varies.
        hue: How far hue varies, in turns around the circle of colours, up to 0.5.

    Raises:
        SettingError: A setting does not fit.
    """

    name: str = "custom"
    space: str = ""
    epochs: Count = 30
    batch: Count = 64
    channels: Size = 0
    cells: Size = 0
    side: Annotated[int, at_least(4)] = 32
    margin: Size = 0
    lr: Amount = 0.1
    schedule: Schedule = "cosine"
    decay: Share = 0.97
    warmup: Size = 0
    momentum: Share = 0.9
    nesterov: bool = False
    weight_decay: Amount = 5e-4
    clip: Amount = 0.0
    auxiliary: Amount = 0.0
    drop_path: Share = 0.0
    label_smoothing: Share = 0.0
    crop: Crop = "padded"
    cutout: Size = 0
    brightness: Amount = 0.0
    contrast: Amount = 0.0
    saturation: Amount = 0.0
    hue: Annotated[float, between(0, 0.5)] = 0.0

    @property
    def jitter(self) -> tuple[float, float, float, float]:
        """How far brightness, contrast, saturation and hue vary."""
        return self.brightness, self.contrast, self.saturation, self.hue


_DARTS_CIFAR10 = TrainingRecipe(
    name="darts-cifar10", space="darts", epochs=600, batch=96, channels=36, cells=6, lr=0.025,
    weight_decay=3e-4, clip=5.0, auxiliary=0.4, drop_path=0.2, cutout=16,
)  # fmt: skip
_DARTS_IMAGENET = TrainingRecipe(
    name="darts-imagenet", space="darts_imagenet", epochs=250, batch=128, channels=48, cells=4,
    side=224, margin=32, lr=0.1, schedule="exponential", decay=0.97, weight_decay=3e-5, clip=5.0,
    auxiliary=0.4, label_smoothing=0.1, crop="resized", brightness=0.4, contrast=0.4,
    saturation=0.4, hue=0.2,
)  # fmt: skip

TRAINING_PRESETS: dict[str, TrainingRecipe] = {
    recipe.name: recipe
    for recipe in (
        TrainingRecipe(name="quick", side=64, nesterov=True, label_smoothing=0.1),
        TrainingRecipe(
            name="nasbench201", space="nasbench201", epochs=200, batch=256, channels=16, cells=5,
            lr=0.1, nesterov=True, weight_decay=5e-4,
        ),
        _DARTS_CIFAR10,
        replace(_DARTS_CIFAR10, name="tenas-cifar10", space="darts_tenas", drop_path=0.3),
        _DARTS_IMAGENET,
        replace(
            _DARTS_IMAGENET, name="tenas-imagenet", space="darts_tenas_imagenet", batch=768,
            lr=0.5, schedule="cosine", warmup=5, auxiliary=0.0,
        ),
    )
}  # fmt: skip
"""The recipes that have a name.

``quick`` is for small machines and one's own images. ``nasbench201`` is the benchmark's (Dong &
Yang, ICLR 2020, arXiv 2001.00326, table 1; D-X-Y/AutoDL-Projects). The ``darts-`` ones are those
of DARTS (Liu, Simonyan & Yang, ICLR 2019, arXiv 1806.09055; quark0/darts), the ``tenas-`` ones
those of TE-NAS (Chen, Gong & Wang, ICLR 2021, arXiv 2102.11535) as chenwydj/DARTS_evaluation has
them; its instructions train 800 epochs on CIFAR-10.
"""


# Apart from the recipe: how work is shared is no part of what a training is, and may change.
@dataclass(frozen=True)
class Machine(Settings, called="machine"):
    """How several devices share a training, in the words of Lightning's ``Trainer``.

    Attributes:
        devices: How many devices of each node.
        nodes: How many nodes.
        strategy: How they share the work: ``"ddp"``, ... or ``"auto"``.
        precision: Its number format: ``"32"``, ``"bf16-mixed"``, ``"16-mixed"``, ...

    Raises:
        SettingError: A setting does not fit.
    """

    devices: Count = 1
    nodes: Count = 1
    strategy: str = "auto"
    precision: str = "32"


def read_training_recipe(text: str, default: str = "quick") -> TrainingRecipe:
    """The recipe that a text describes: a preset's name, changed fields, or both.

    Args:
        text: Such as ``"quick"``, ``"darts-cifar10,epochs=50"`` or ``"epochs=10,lr=0.05"``.
        default: The preset that is changed if the text names none.

    Raises:
        UnknownNameError: There is no such preset or field.
        SettingError: A value is not of its field's type, or does not fit.

    >>> read_training_recipe("nasbench201,epochs=12").batch
    256
    """
    return read_preset(text, TRAINING_PRESETS, default)


def learning_rate(recipe: TrainingRecipe, epoch: int) -> float:
    """The learning rate of an epoch, with ``E`` epochs in all and the rate ``lr`` to begin with.

    ``"cosine"`` is ``lr (1 + cos(pi e / E)) / 2`` and ``"exponential"`` is ``lr decay^e``.
    ``"linear"`` falls as if to 0 at the epoch ``E - 5``, and from a fifth of its last step on to 0
    in the last five (the option of chenwydj/DARTS_evaluation). In the first ``warmup`` epochs it is
    ``lr (e + 1) / warmup`` instead.

    Args:
        recipe: The recipe.
        epoch: The epoch's number ``e``, from 0.

    >>> recipe = TrainingRecipe(epochs=200, lr=0.1)
    >>> learning_rate(recipe, 0), round(learning_rate(recipe, 100), 6)
    (0.1, 0.05)
    """
    if epoch < recipe.warmup:
        return recipe.lr * (epoch + 1) / recipe.warmup
    match recipe.schedule:
        case "cosine":
            return 0.5 * recipe.lr * (1 + math.cos(math.pi * epoch / recipe.epochs))
        case "exponential":
            return recipe.lr * recipe.decay**epoch
        case "linear":
            left, long = recipe.epochs - epoch, max(recipe.epochs - 5, 1)
            return recipe.lr * ((left - 5) / long if left > 5 else left / (long * 5))
        case "constant":
            return recipe.lr


def drop_path_rate(recipe: TrainingRecipe, epoch: int) -> float:
    """The probability that a path is dropped in an epoch, which grows linearly from 0.

    >>> drop_path_rate(TrainingRecipe(epochs=600, drop_path=0.2), 300)
    0.1
    """
    return recipe.drop_path * epoch / recipe.epochs
