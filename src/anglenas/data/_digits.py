"""The built-in images: handwritten digits, which need no download."""

from importlib.resources import files

import numpy as np

from anglenas.data._arrays import ArraySource, from_arrays


def load() -> ArraySource:
    """1797 handwritten digits in 10 classes, 8 x 8 pixels, grey; a mirrored digit is none.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine
    Learning Repository, 1998 (its test set), CC BY 4.0.

    >>> load().images.shape
    (1797, 1, 8, 8)
    """
    with (files("anglenas.data") / "digits.npz").open("rb") as file, np.load(file) as arrays:
        levels, labels = arrays["levels"], arrays["labels"]  # of 0 to 16, and of 0 to 9
    # As grey levels, which is what a source holds; the file has the 17 of the data set.
    pixels = np.rint(levels.astype(np.float64) * 255 / 16).astype(np.uint8)
    return from_arrays(pixels, labels, name="digits", flip=False)
