"""What holds for every source of images."""

import numpy as np
import torch

from anglenas.data import ImageSource, draw_few_shot, subset, with_flip


class DataConformance:
    """Tests of a source of images; subclass it, write ``source``, and let pytest run it.

    A source passes if

    * it has a name, and two classes or more, each with a name of its own and with images;
    * its images are ``(n, C, side, side)`` uint8, no larger than asked for unless it can't know,
      the same whenever and with whatever others they are read;
    * the images of one class are those that its labels tell, in their order;
    * parts of images have the side that is asked for;
    * its normalisation is one mean and one standard deviation for each channel;
    * equal few-shot batches are drawn from it for equal seeds.

    Attributes:
        resolution: Side that images are read at.
        samples: How many images are looked at.
    """

    resolution = 8
    samples = 6

    def source(self) -> ImageSource:
        """The source under test."""
        raise NotImplementedError

    def _some(self) -> list[int]:
        """Indices of images, spread over all of them."""
        last = len(self.source().labels) - 1
        return np.unique(np.linspace(0, last, self.samples).astype(int)).tolist()  # type: ignore[no-any-return]

    def test_it_says_what_it_is(self) -> None:
        """Name, classes, and what to tell a user."""
        source = self.source()
        assert isinstance(source, ImageSource)
        assert source.name.strip()
        assert len(source.class_names) >= 2
        assert len(set(source.class_names)) == len(source.class_names)
        assert all(isinstance(text, str) for text in (*source.class_names, *source.notices))
        assert isinstance(source.flip, bool)

    def test_labels_number_the_classes(self) -> None:
        """Every class has an image."""
        labels = np.asarray(self.source().labels)
        assert labels.ndim == 1
        assert labels.dtype.kind in "iu"
        assert np.array_equal(np.unique(labels), np.arange(len(self.source().class_names)))

    def test_images_are_squares_of_bytes(self) -> None:
        """And no larger than asked for."""
        images = self.source().read(self._some(), self.resolution)
        assert images.dtype == torch.uint8
        assert images.ndim == 4
        assert len(images) == len(self._some())
        assert images.shape[1] in (1, 3)
        assert images.shape[2] == images.shape[3] <= self.resolution

    def test_an_image_is_the_same_whenever_it_is_read(self) -> None:
        """Alone or with others, in any order, and from another object."""
        source, chosen = self.source(), self._some()
        images = source.read(chosen, self.resolution)
        assert torch.equal(source.read(chosen[::-1], self.resolution), images.flip(0))
        alone = [self.source().read([index], self.resolution) for index in chosen]
        assert torch.equal(torch.cat(alone), images)

    def test_a_class_is_what_its_labels_tell(self) -> None:
        """As many images, in the order of all."""
        source = self.source()
        for number in range(len(source.class_names)):
            members = np.flatnonzero(np.asarray(source.labels) == number).tolist()
            part = source.of_class(number)
            assert len(part.labels) == len(members)
            first = part.read([0], self.resolution)
            assert torch.equal(first, source.read(members[:1], self.resolution))

    def test_parts_have_the_side_asked_for(self) -> None:
        """Smaller or larger than the image."""
        source, index = self.source(), self._some()[-1]
        channels = source.read([index], self.resolution).shape[1]
        for side in (4, 2 * self.resolution):
            found = source.read_part(index, lambda width, height: (1, 0, width, height), side)
            assert found.dtype == torch.uint8
            assert found.shape == (channels, side, side)

    def test_normalisation_is_of_each_channel(self) -> None:
        """In units of 0 to 1, and nothing is divided by 0."""
        images = self.source().read(self._some(), self.resolution)
        mean, std = self.source().normalisation(images)
        assert len(mean) == len(std) == images.shape[1]
        assert all(0 <= value <= 1 for value in mean)
        assert all(0 < value <= 1 for value in std)

    def test_equal_seeds_draw_equal_batches(self) -> None:
        """Also of views that show all of its images."""
        source = self.source()
        everything = subset(source, np.arange(len(source.labels)))
        prints = {
            draw_few_shot(
                one, classes=2, images_per_class=2, sampling="random", resolution=self.resolution,
                seed=1,
            ).fingerprint
            for one in (source, self.source(), everything, with_flip(source, source.flip))
        }  # fmt: skip
        assert len(prints) == 1
