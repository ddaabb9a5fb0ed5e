"""All images of a source, at one side, as batches to train on and to validate with."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from anglenas._evaluation.augment import centre, colour_jitter, cutout, random_part
from anglenas._evaluation.recipe import TrainingRecipe
from anglenas._numerics import derive
from anglenas.data import (
    ImageSource,
    UnreadableImageError,
    augment,
    normalise,
    standard_padding,
)
from anglenas.errors import DataError

Batch = tuple[torch.Tensor, torch.Tensor]
"""Images ``(n, C, S, S)`` float32, normalised, and labels ``(n,)`` int64."""

_KEPT_BYTES = 2 << 30  # all of CIFAR and of most folders at 64 pixels a side
_SAMPLED = 1000  # images that statistics come from, where not all are in memory
_THREADS = 8  # Pillow decodes without Python's lock


@dataclass(frozen=True, eq=False)
class Images:
    """All images of a source at one side, in memory or read when they are asked for.

    Attributes:
        source: Where they come from.
        indices: Which of its images are used.
        labels: ``(N,)`` int64, class of each.
        side: Side in pixels; what is smaller in memory keeps its own.
        enlarged: Whether all have this side, also those that are smaller in memory.
        kept: ``(N, C, S, S)`` uint8, all images; ``None`` if there are too many.
        mean: Mean of each channel, in units of 0 to 1.
        std: Standard deviation of each channel, in the same units.
        notices: What a user should know, a sentence each.
    """

    source: ImageSource
    indices: tuple[int, ...]
    labels: torch.Tensor
    side: int
    enlarged: bool
    kept: torch.Tensor | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    notices: tuple[str, ...] = ()

    def read(self, numbers: Sequence[int]) -> torch.Tensor:
        """Some images ``(n, C, S, S)`` uint8."""
        if self.kept is not None:
            return self.kept[list(numbers)]
        return torch.stack(
            [_read(self.source, self.indices[n], self.side, self.enlarged) for n in numbers]
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images, as they are read."""
        channels, height, width = self.read([0]).shape[1:]
        return channels, height, width


def open_images(
    source: ImageSource, side: int, *, enlarge: bool = False, most: int = _KEPT_BYTES
) -> Images:
    """All images of a source, in memory if they fit.

    Images that cannot be read are left out, with a notice, where all are read at once; they are an
    error where they are read one by one.

    Args:
        source: The images.
        side: Side that larger ones are reduced to.
        enlarge: Whether smaller ones in memory are enlarged.
        most: The most bytes to keep in memory.

    Raises:
        DataError: No image of a class can be read.
    """
    labels = torch.as_tensor(np.asarray(source.labels), dtype=torch.int64)
    # Spread evenly: files are in the order of their classes, and those differ.
    spread = range(0, len(labels), max(len(labels) // _SAMPLED, 1))
    tried = [_read_or_error(source, index, side, enlarge) for index in spread]
    readable = [image for image in tried if isinstance(image, torch.Tensor)]
    if not readable:
        raise DataError(f"No image of {source.name!r} can be read; give images that can.")
    sample = torch.stack(readable)
    if len(labels) * sample[0].numel() > most:
        mean, std = source.normalisation(sample)
        indices = tuple(range(len(labels)))
        return Images(source, indices, labels, side, enlarge, None, tuple(mean), tuple(std))
    with ThreadPoolExecutor(_THREADS) as pool:
        read = partial(_read_or_error, source, side=side, enlarged=enlarge)
        results = list(pool.map(read, range(len(labels))))
    found = {n: image for n, image in enumerate(results) if isinstance(image, torch.Tensor)}
    skipped = [error for error in results if isinstance(error, UnreadableImageError)]
    indices = tuple(found)
    missing = set(range(len(source.class_names))) - set(labels[list(indices)].tolist())
    if missing:
        name = source.class_names[min(missing)]
        reason = f" ({skipped[0]})" if skipped else ""
        raise DataError(f"The class {name!r} has no readable image{reason}; add some or remove it.")
    notices = [
        f"{len(skipped)} images of {source.name!r} are left out, for they cannot be read: {error}"
        for error in skipped[:1]
    ]
    kept = torch.stack(list(found.values()))
    mean, std = source.normalisation(kept)
    return Images(
        source, indices, labels[list(indices)], side, enlarge, kept, tuple(mean), tuple(std),
        tuple(notices),
    )  # fmt: skip


def _read(source: ImageSource, index: int, side: int, enlarged: bool) -> torch.Tensor:
    """One image ``(C, S, S)`` uint8: its centred square."""
    if enlarged:
        return source.read_part(index, _square, side)
    return source.read([index], side)[0]


def _square(width: int, height: int) -> tuple[int, int, int, int]:
    short = min(width, height)
    left, top = (width - short) // 2, (height - short) // 2
    return left, top, left + short, top + short


def _read_or_error(
    source: ImageSource, index: int, side: int, enlarged: bool
) -> torch.Tensor | UnreadableImageError:
    try:
        return _read(source, index, side, enlarged)
    except UnreadableImageError as error:
        return error


class Step(NamedTuple):
    """The images of one step.

    Attributes:
        epoch: Number of the epoch, from 0.
        step: Number of the step in it, from 0.
        numbers: Which images.
    """

    epoch: int
    step: int
    numbers: tuple[int, ...]


class EpochSampler(Sampler[Step]):
    """The steps of an epoch, in an order that comes from the seed and the epoch's number alone.

    A last step with fewer than two images for each process is left out: BatchNorm cannot train on
    one.

    Args:
        count: How many images there are.
        batch: Images of a step, of all processes together.
        seed: Where the order comes from.
        rank: Which process this is; it gets its share of each step.
        world: How many processes there are.
    """

    def __init__(self, count: int, batch: int, seed: int, rank: int = 0, world: int = 1) -> None:
        self.count, self.batch, self.seed, self.rank, self.world = count, batch, seed, rank, world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Which epoch the next iteration is; Lightning tells."""
        self.epoch = epoch

    def __len__(self) -> int:
        whole, rest = divmod(self.count, self.batch)
        return whole + (rest >= 2 * self.world or not whole)

    def __iter__(self) -> Iterator[Step]:
        generator = torch.Generator().manual_seed(derive(self.seed, "order", self.epoch))
        order: list[int] = torch.randperm(self.count, generator=generator).tolist()
        for step in range(len(self)):
            numbers = order[step * self.batch :][: self.batch]
            yield Step(self.epoch, step, tuple(numbers[self.rank :: self.world]))


class PartSampler(Sampler[tuple[int, ...]]):
    """All images once, in their order; every process has as many steps, and none is empty.

    Args:
        count: How many images there are, at least one for each process.
        batch: The most images of a step, of all processes together.
        rank: Which process this is.
        world: How many processes there are.
    """

    def __init__(self, count: int, batch: int, rank: int = 0, world: int = 1) -> None:
        self.numbers = np.arange(rank, count, world)
        self.steps = min(-(-count // batch), count // world)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        return (tuple(part.tolist()) for part in np.array_split(self.numbers, self.steps))


class TrainingSet(Dataset[Batch]):
    """Augmented batches; what is random in one comes from the seed, its epoch and its step.

    Args:
        images: The images.
        recipe: How they are augmented.
        seed: Where all randomness comes from.
        rank: Which process this is.
    """

    def __init__(self, images: Images, recipe: TrainingRecipe, seed: int, rank: int = 0) -> None:
        self.images, self.recipe, self.seed, self.rank = images, recipe, seed, rank

    def __getitem__(self, step: Step) -> Batch:
        # Not from a generator that goes on: an epoch that is repeated has to see the same images.
        stream = derive(self.seed, "augmentation", step.epoch, step.step, self.rank)
        generator = torch.Generator().manual_seed(stream)
        pixels = _cropped(self.images, step.numbers, self.recipe, generator)
        if any(self.recipe.jitter):
            pixels = 255 * colour_jitter(pixels / 255, self.recipe.jitter, generator)
        images = normalise(pixels, self.images.mean, self.images.std)
        if self.recipe.cutout:
            images = cutout(images, self.recipe.cutout, generator)
        return images, self.images.labels[list(step.numbers)]


def _cropped(
    images: Images, numbers: Sequence[int], recipe: TrainingRecipe, generator: torch.Generator
) -> torch.Tensor:
    """``(n, C, S, S)`` uint8, mirrored at random if a mirrored image is still of its class."""
    flip, padding = images.source.flip, 0
    if recipe.crop == "resized":
        choose = partial(random_part, generator=generator)
        pixels = torch.stack(
            [images.source.read_part(images.indices[n], choose, recipe.side) for n in numbers]
        )
    else:
        pixels = images.read(numbers)
        padding = standard_padding(pixels.shape[-1]) if recipe.crop == "padded" else 0
    return augment(pixels, padding=padding, flip=flip, generator=generator)


class HeldOutSet(Dataset[Batch]):
    """Batches as they are, with the centre of each image.

    Args:
        images: The images.
        side: Side of the centre.
        mean: Mean of each channel of the images that were trained on.
        std: Standard deviation of each channel of those.
    """

    def __init__(
        self, images: Images, side: int, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        self.images, self.side, self.mean, self.std = images, side, mean, std

    def __getitem__(self, numbers: Sequence[int]) -> Batch:
        pixels = centre(self.images.read(numbers), self.side)
        return normalise(pixels, self.mean, self.std), self.images.labels[list(numbers)]
