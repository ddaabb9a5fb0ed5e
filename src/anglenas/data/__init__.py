"""Images: sources that are read on demand, few-shot draws, augmentation on whole batches."""

from anglenas.data._arrays import ArraySource, from_arrays, load_npz
from anglenas.data._augment import Augmenter, augment, normalise, normalised, standard_padding
from anglenas.data._base import FewShot, ImageSource, UnreadableImageError
from anglenas.data._draw import draw_few_shot
from anglenas.data._folder import FolderSource, load_folder
from anglenas.data._open import open_source, with_flip

__all__ = [
    "ArraySource",
    "Augmenter",
    "FewShot",
    "FolderSource",
    "ImageSource",
    "UnreadableImageError",
    "augment",
    "draw_few_shot",
    "from_arrays",
    "load_folder",
    "load_npz",
    "normalise",
    "normalised",
    "open_source",
    "standard_padding",
    "with_flip",
]
