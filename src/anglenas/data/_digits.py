"""The built-in images: scikit-learn's handwritten digits, which need no download."""

import numpy as np

from anglenas.data._arrays import ArraySource, from_arrays

__all__ = ["load"]


def load() -> ArraySource:
    """1797 handwritten digits in 10 classes, 8 x 8 pixels, grey; a mirrored digit is none.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine
    Learning Repository, 1998 (its test set), as bundled with scikit-learn.

    >>> load().images.shape
    (1797, 1, 8, 8)
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    levels = np.rint(digits.images * 255 / 16).astype(np.uint8)
    return from_arrays(levels, digits.target, name="digits", flip=False)
