"""Training from scratch, from the architecture to its weights."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anglenas._evaluation.heads import equip
from anglenas._evaluation.images import HeldOutSet, Images, PartSampler, open_images
from anglenas._evaluation.network import BEST, Subject, Weights, read_weights
from anglenas._evaluation.recipe import Machine, TrainingRecipe, read_training_recipe
from anglenas._evaluation.result import Confusion, Trained, TrainingProgress
from anglenas._measuring.result import Candidate
from anglenas._measuring.workers import Workers
from anglenas._numerics import platform
from anglenas._plugins import load
from anglenas._settings import checked
from anglenas.data import ImageSource, open_parts, split, with_flip
from anglenas.errors import DataError, SettingError, needs_extra

_SETTINGS = "training.json"


@checked
def train(
    subject: Subject | Candidate | str,
    data: str | Path | ImageSource,
    folder: str | Path,
    *,
    recipe: str | TrainingRecipe = "quick",
    space: str = "nasbench201",
    seed: int = 1,
    flip: bool | None = None,
    validation: float = 0.1,
    workers: Workers | int | None = None,
    machine: Machine | None = None,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> Trained:
    """Train a network from scratch, or go on with a training that was interrupted.

    What is random in an epoch comes from the seed and the epoch's number. A training that was
    killed, and is started again with the same arguments, repeats the epoch that it was in, and
    ends with the same weights as one that was not: bit for bit on one CPU with as many threads.

    Args:
        subject: A candidate of a search such as ``found.best``; or the text of an architecture.
        data: As in :func:`anglenas.search`. Images of ``val`` or ``test`` are held out.
        folder: Where history, weights and checkpoints go; made if it is missing.
        recipe: A recipe, or a text such as ``"nasbench201,epochs=12"`` (see
            :func:`read_training_recipe`).
        space: The space that a text is of, unless the recipe names one.
        seed: Where all randomness comes from.
        flip: Whether a mirrored image is still one of its class; by default the data set says.
        validation: Share of the images to hold out, if the data hold out none.
        workers: Its device is where the network trains, by default the CPU; its count is of the
            processes that read images which do not fit into memory, by default one a core.
        machine: How several devices share the training; by default it is one alone.
        on_progress: Called after every step.

    Raises:
        MissingExtraError: A package of the extra ``train`` is not installed.
        ArchitectureError: The text is no architecture of the space.
        UsageError: Something else asked for does not fit; its subclasses say what.
        TrainingError: The loss is not finite.
    """
    with needs_extra("train"):
        from anglenas._evaluation.diary import Diary, newest
        from anglenas._evaluation.lightning import fit

    recipe = read_training_recipe(recipe) if isinstance(recipe, str) else recipe
    images = _open(data, flip, recipe, validation, seed)
    channels, side, _ = images[0].shape
    classes = tuple(images[0].source.class_names)
    chosen = _subject(subject, recipe.space or space).resized(
        recipe, num_classes=len(classes), in_channels=channels, side=side
    )
    machine, workers = machine or Machine(), Workers.of(workers)
    settings = _settings(chosen, recipe, seed, machine, *images)
    folder = _prepared(Path(folder), settings)
    checkpoint, theirs, fallbacks = newest(folder)
    # Somebody may have put a checkpoint into the folder of another training.
    if checkpoint and (differences := _differences(theirs, settings)):
        raise SettingError(
            f"The checkpoint {str(checkpoint)!r} is of another training, which differs in "
            f"{', '.join(differences)}; delete it, or choose another folder."
        )
    notices = (*images[0].notices, *images[1].notices, *fallbacks)
    network = chosen.network(seed)
    equip(network, recipe, seed)
    blank = Weights(chosen, {}, classes, images[0].mean, images[0].std)
    diary = Diary(folder, blank, settings, on_progress, notices)
    fit(network, recipe, seed, images, folder, diary, workers, machine, checkpoint)
    return Trained(
        folder=folder,
        subject=chosen,
        recipe=recipe,
        seed=seed,
        data=settings["data"],
        history=tuple(diary.history),
        confusion=_confusion(read_weights(folder / BEST, chosen.space), images[1], recipe),
        notices=notices,
    )


def _subject(subject: Subject | Candidate | str, space: str) -> Subject:
    match subject:
        case Subject():
            return subject
        case Candidate():
            return Subject.of(subject)
        case str():
            return Subject(space, subject, load("space", space).config())


# The images.


def _open(
    data: str | Path | ImageSource,
    flip: bool | None,
    recipe: TrainingRecipe,
    validation: float,
    seed: int,
) -> tuple[Images, Images]:
    """The images to train on, and those to validate with."""
    source, held_out = open_parts(data)
    if held_out is None:
        source, held_out = split(source, validation, seed)
    if flip is not None:
        source = with_flip(source, flip)
    if recipe.crop == "resized":  # parts are cut from whole images, read anew each time
        return (
            open_images(source, recipe.side, enlarge=True, most=0),
            open_images(held_out, recipe.side + recipe.margin, enlarge=True),
        )
    return open_images(source, recipe.side), open_images(held_out, recipe.side + recipe.margin)


@torch.inference_mode()
def _confusion(weights: Weights, images: Images, recipe: TrainingRecipe) -> Confusion:
    """What trained weights make of images that were held out."""
    network, classes = weights.network(), len(weights.class_names)
    batches = HeldOutSet(images, recipe.side, weights.mean, weights.std)
    matrix = np.zeros((classes, classes), np.int64)
    for numbers in PartSampler(len(images.labels), recipe.batch):
        pixels, labels = batches[numbers]
        found = network(pixels).argmax(1)
        np.add.at(matrix, (labels.numpy(), found.numpy()), 1)
    return Confusion(matrix, weights.class_names)


# The folder.


def _settings(
    subject: Subject,
    recipe: TrainingRecipe,
    seed: int,
    machine: Machine,
    images: Images,
    held_out: Images,
) -> dict[str, Any]:
    """Everything that the weights depend on, as JSON gives it back; of the machine, only that."""
    content = {
        "subject": asdict(subject),
        "recipe": {"name": recipe.name, **recipe.values()},
        "training": {"seed": seed, "precision": machine.precision},
        "data": {
            "name": images.source.name,
            "class_names": images.source.class_names,
            "images to train on": len(images.labels),
            "images held out": len(held_out.labels),
            "mean": images.mean,
            "std": images.std,
            "flip": images.source.flip,
        },
    }
    # Tuples become lists, as in the file that these are compared with.
    read_back: dict[str, Any] = json.loads(json.dumps(content))
    return read_back


def _prepared(folder: Path, settings: Mapping[str, Any]) -> Path:
    """Make the folder, which holds one training, and note there what is trained.

    Raises:
        SettingError: It holds another training, or cannot be written.
        DataError: It holds one of images with other classes.
    """
    path = folder / _SETTINGS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            versions = {"numerics": platform(), "threads": torch.get_num_threads()}
            path.write_text(json.dumps({"settings": settings, **versions}, indent=2) + "\n")
        theirs = json.loads(path.read_text())["settings"]
        differences = _differences(theirs, settings)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingError(
            f"The folder {str(folder)!r} cannot be trained in ({error}); choose another one."
        ) from error
    if "class_names" in differences:
        raise DataError(
            f"The training in {str(folder)!r} is of images with the classes "
            f"{_listed(theirs['data']['class_names'])}, and these have "
            f"{_listed(settings['data']['class_names'])}; give the same images, or another folder."
        )
    if differences:
        raise SettingError(
            f"The folder {str(folder)!r} holds another training, which differs in "
            f"{', '.join(differences)}; choose another folder, or delete that one."
        )
    return folder


def _differences(theirs: Any, ours: Mapping[str, Any]) -> list[str]:
    try:
        return [
            name
            for part, values in ours.items()
            for name, value in values.items()
            if theirs[part][name] != value
        ]
    except (KeyError, TypeError):
        return ["settings that it does not tell"]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + f", ... ({len(names)} in all)" * (len(names) > 5)
