"""Every kind of source conforms; what does not conform is found."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from anglenas.data import ImageSource, load_folder, open_source, subset, with_flip
from anglenas.testing import DataConformance

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    for name in ("cat", "dog", "eel"):
        (root / name).mkdir()
        for number in range(4):
            size = (10 + number, 12, 3)
            Image.fromarray(RNG.integers(0, 256, size, np.uint8)).save(
                root / name / f"{number}.png"
            )
    return root


class TestDigits(DataConformance):
    def source(self) -> ImageSource:
        return open_source("digits")


class TestFolder(DataConformance):
    @pytest.fixture(autouse=True)
    def _at(self, photos: Path) -> None:
        self.path = photos

    def source(self) -> ImageSource:
        return load_folder(self.path)


class TestArchive(TestFolder):
    def source(self) -> ImageSource:
        target = self.path.parent / "some.npz"
        if not target.exists():
            images = RNG.integers(0, 256, (12, 3, 16, 12), np.uint8)
            np.savez(target, images=images, labels=np.arange(12) % 3)
        return open_source(target)


class TestViews(TestFolder):
    def source(self) -> ImageSource:
        return with_flip(subset(load_folder(self.path), [11, 0, 3, 5, 4, 8]), False)


class Minimal(ImageSource):
    """As little as a source of one's own can have."""

    def __init__(self) -> None:
        self.name, self.class_names = "minimal", ("dark", "light")
        self.labels = np.array([0, 1, 0, 1])

    def read(self, indices: list[int], resolution: int) -> torch.Tensor:
        levels = torch.tensor([[[[40 * index]]] for index in indices], dtype=torch.uint8)
        return levels.repeat(1, 1, resolution, resolution)


class TestMinimal(DataConformance):
    def source(self) -> ImageSource:
        return Minimal()


class Restless(Minimal):
    def read(self, indices: list[int], resolution: int) -> torch.Tensor:
        return torch.randint(0, 256, (len(indices), 1, 8, 8), dtype=torch.uint8)


class Float(Minimal):
    def read(self, indices: list[int], resolution: int) -> torch.Tensor:
        return super().read(indices, resolution) / 255


class Empty(Minimal):
    def __init__(self) -> None:
        super().__init__()
        self.labels = np.zeros(4, np.int64)


class Shuffled(Minimal):
    def of_class(self, number: int) -> ImageSource:
        return subset(self, [3, 1] if number else [2, 0])


class Constant(Minimal):
    def normalisation(self, images: torch.Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return (0.5,), (0.0,)


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        (Restless, "test_an_image_is_the_same_whenever_it_is_read"),
        (Float, "test_images_are_squares_of_bytes"),
        (Empty, "test_labels_number_the_classes"),
        (Shuffled, "test_a_class_is_what_its_labels_tell"),
        (Constant, "test_normalisation_is_of_each_channel"),
    ],
)
def test_what_does_not_conform_is_found(kind: type[Minimal], test: str) -> None:
    suite = type("Suite", (DataConformance,), {"source": lambda self: kind()})
    with pytest.raises(AssertionError):
        getattr(suite(), test)()
