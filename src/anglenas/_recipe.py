"""The frozen settings of a measurement, with named presets and a stable fingerprint."""

import hashlib
import json
from collections.abc import Container, Iterable
from dataclasses import asdict, dataclass, fields, replace
from types import UnionType
from typing import Any, Literal, get_args

from anglenas.errors import SettingError, UnknownNameError

__all__ = ["PRESETS", "Recipe", "preset", "read_changes", "read_recipe"]


@dataclass(frozen=True)
class Recipe:
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
        repeats: How many draws of images, weights and augmentation a score is averaged over.

    The settings default to those of the paper (Yang et al., WACV 2023, supplement, section 1) and
    of its released code (``evaluate_anglefc.py``).
    """

    name: str = "custom"
    calibrated: bool = False
    classes: int = 10
    images_per_class: int = 10
    sampling: Literal["random", "first"] = "random"
    resolution: int = 32
    channels: int = 16
    cells: int = 5
    iterations: int = 50
    lr: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    augment: bool = True
    repeats: int = 1

    def __post_init__(self) -> None:
        least = {"classes": 2, "resolution": 4, "lr": 0.0, "momentum": 0.0, "weight_decay": 0.0}
        for field in ("classes", "images_per_class", "resolution", "channels", "cells",
                      "iterations", "lr", "momentum", "weight_decay", "repeats"):  # fmt: skip
            value = getattr(self, field)
            if not value >= least.get(field, 1):
                raise SettingError(
                    f"A recipe needs {field} of at least {least.get(field, 1):g}, not {value}."
                )
        if self.sampling not in ("random", "first"):
            raise SettingError(f"sampling is 'random' or 'first', not {self.sampling!r}.")

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
        settings = asdict(self)
        for field in ("name", "calibrated", "repeats"):
            del settings[field]
        return settings


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


def preset(name: str, **changes: int | float | str | bool) -> Recipe:
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
    if not changes:
        return PRESETS[name]
    return replace(PRESETS[name], **{"calibrated": False, "name": f"{name}*", **changes})  # type: ignore[arg-type]


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
    first, *rest = [part.strip() for part in text.split(",")]
    name, changes = (default, [first, *rest]) if "=" in first else (first or default, rest)
    told = {"name", "calibrated"}  # facts about a recipe, not settings of it
    return preset(name, **read_changes(Recipe(), changes, "recipe field", told))


def read_changes(
    settings: Any, changes: Iterable[str], kind: str, fixed: Container[str] = ()
) -> dict[str, Any]:
    """The fields of a dataclass that texts such as ``"repeats=3"`` change, with their new values.

    Args:
        settings: An object of the dataclass; the numbers, switches and words among its fields can
            be changed.
        changes: The texts.
        kind: What messages call a field.
        fixed: Fields that cannot be changed.

    Raises:
        UnknownNameError: There is no such field.
        SettingError: A value is not of its field's type.

    >>> read_changes(Recipe(), ["repeats=3", "augment=no"], "recipe field")
    {'repeats': 3, 'augment': False}
    """
    types = {field.name: field.type for field in fields(settings) if field.name not in fixed}
    values = {}
    for change in changes:
        name, _, value = change.partition("=")
        if name not in types:
            raise UnknownNameError(kind, name, types)
        values[name] = _read(name, value, types[name], getattr(settings, name))
    return values


def _read(name: str, value: str, kind: Any, example: object) -> int | float | str | bool:
    switches = {"yes": True, "true": True, "no": False, "false": False}
    if isinstance(kind, UnionType):  # a number, or none
        kind = get_args(kind)[0]
    try:
        if kind is bool:
            return switches[value.lower()]
        return kind(value) if kind in (int, float) else value
    except (KeyError, ValueError) as error:
        raise SettingError(
            f"{name}={value} does not fit: {name} is {getattr(kind, '__name__', kind)}; "
            f"write for example {name}={example}."
        ) from error
