"""Images: sources that are read on demand, few-shot batches, augmentation on whole batches."""

from anglenas.data._archives import Archive, find_archive
from anglenas.data._arrays import ArraySource, from_arrays, load_npz
from anglenas.data._augment import Augmenter, augment, normalise, normalised, standard_padding
from anglenas.data._base import (
    ChoosePart,
    FewShot,
    ImageSource,
    UnreadableImageError,
    split,
    subset,
    with_flip,
)
from anglenas.data._download import DOWNLOADS, Download, download, find_download
from anglenas.data._draw import draw_few_shot
from anglenas.data._folder import FolderSource, load_folder
from anglenas.data._library import Library
from anglenas.data._open import locate, open_parts, open_source, relocate

__all__ = [
    "DOWNLOADS",
    "Archive",
    "ArraySource",
    "Augmenter",
    "ChoosePart",
    "Download",
    "FewShot",
    "FolderSource",
    "ImageSource",
    "Library",
    "UnreadableImageError",
    "augment",
    "download",
    "draw_few_shot",
    "find_archive",
    "find_download",
    "from_arrays",
    "load_folder",
    "load_npz",
    "locate",
    "normalise",
    "normalised",
    "open_parts",
    "open_source",
    "relocate",
    "split",
    "standard_padding",
    "subset",
    "with_flip",
]
