"""The frozen settings of a measurement, with named presets and a stable fingerprint."""

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from anglenas._settings import Settings, at_least, preset_text, read_preset
from anglenas.errors import UnknownNameError


@dataclass(frozen=True)
class Recipe(Settings, called="recipe", facts=("name", "calibrated")):
    """How candidates are measured: the images drawn, the network's size, the short training.

    Attributes:
        name: What the recipe is called; not part of the fingerprint.
        calibrated: Whether its ranking quality was measured against known accuracies.
        classes: Classes drawn from the data set.
        images_per_class: Images drawn from each.
        sampling: ``"random"`` images, or the ``"first"`` ones in file order.
        resolution: Side of the images in pixels; larger ones are reduced, smaller ones kept.
        channels: Width of the network's first stage.
        cells: Cells per stage.
        iterations: Steps of SGD, each on all images at once.
        lr: Learning rate, constant.
        momentum: Nesterov momentum.
        weight_decay: On every parameter, biases and BatchNorm included.
        augment: Whether each iteration sees the images flipped and shifted anew.
        repeats: Over how many few-shot batches, weights and augmentations a score is averaged.

    The settings default to those of the paper (Yang et al., WACV 2023, supplement, section 1) and
    of its released code (``evaluate_anglefc.py``).
    """

    name: str = "custom"
    calibrated: bool = False
    classes: Annotated[int, at_least(2)] = 10
    images_per_class: Annotated[int, at_least(1)] = 10
    sampling: Literal["random", "first"] = "random"
    resolution: Annotated[int, at_least(4)] = 32
    channels: Annotated[int, at_least(1)] = 16
    cells: Annotated[int, at_least(1)] = 5
    iterations: Annotated[int, at_least(1)] = 50
    lr: Annotated[float, at_least(0)] = 0.2
    momentum: Annotated[float, at_least(0)] = 0.9
    weight_decay: Annotated[float, at_least(0)] = 5e-4
    augment: bool = True
    repeats: Annotated[int, at_least(1)] = 1

    @property
    def caution(self) -> tuple[str, ...]:
        """A sentence for whoever reads a score, if the recipe is not calibrated."""
        if self.calibrated:
            return ()
        return (
            f"The recipe {self.name!r} is not calibrated yet: how well its ranking agrees with "
            "trained accuracies has not been measured.",
        )

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that two recipes share exactly when they measure alike."""
        text = json.dumps(self.settings(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def settings(self) -> dict[str, int | float | str]:
        """Everything that changes a score.

        Left out are the name, the calibration and the number of repeats: each repeat is a score
        of its own, under its own seed.

        >>> Recipe(name="mine").fingerprint == Recipe().fingerprint
        True
        """
        # So that three repeats find the first one of an earlier run in the store.
        values = self.values()
        del values["repeats"]
        return values

    @property
    def text(self) -> str:
        """What :func:`read_recipe` reads as this recipe: a preset's name, and what is changed.

        >>> preset("fast", lr=1, augment=False).text
        'fast,augment=no,lr=1.0'
        """
        return preset_text(self, PRESETS)


PRESETS: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(name="paper", calibrated=True),
        Recipe(name="fast", calibrated=True, resolution=16, iterations=10),
        Recipe(name="draft", calibrated=False, resolution=16, iterations=10, cells=1),
        # Of supernets. Iterations and learning rates are the paper's; what its supernets were is
        # not known. Ours have 4 channels (2 in DARTS) and see 16 x 16 pixels, where TE-NAS's have 3
        # (1 in DARTS) and see 32 x 32: there are a quarter of the pixels to compute.
        Recipe(name="paper-pruning", iterations=100, resolution=16, channels=4, cells=1),
        Recipe(name="paper-darts", lr=0.5, resolution=16, channels=2, cells=1),
        # TE-NAS's own: 72 images (14 in DARTS, 24 for ImageNet) for the NTK, all three times.
        Recipe(name="tenas", classes=72, images_per_class=1, channels=3, cells=1, repeats=3),
        Recipe(name="tenas-darts", classes=14, images_per_class=1, channels=1, cells=1, repeats=3),
        Recipe(
            name="tenas-darts-imagenet",
            classes=24,
            images_per_class=1,
            channels=1,
            cells=1,
            repeats=3,
        ),
    )
}


def preset(name: str, **changes: Any) -> Recipe:
    """A named recipe, with some of its fields changed.

    >>> preset("fast").resolution
    16
    >>> preset("paper", iterations=20).calibrated
    False

    Raises:
        UnknownNameError: No recipe has this name.
        SettingError: A changed field does not fit.
    """
    if name not in PRESETS:
        raise UnknownNameError("recipe", name, PRESETS)
    return PRESETS[name].changed(**changes)


def read_recipe(text: str, default: str = "paper") -> Recipe:
    """The recipe that a text describes: a preset's name, changed fields, or both.

    Args:
        text: Such as ``"fast"``, ``"fast,repeats=3"`` or ``"repeats=3,augment=no"``.
        default: The preset that is changed if the text names none.

    >>> read_recipe("draft,lr=0.1,augment=no").lr
    0.1

    Raises:
        UnknownNameError: There is no such preset or field.
        SettingError: A value is not of its field's type, or does not fit.
    """
    return read_preset(text, PRESETS, default)
