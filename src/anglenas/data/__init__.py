"""Images: sources that are read on demand, few-shot draws, augmentation on whole batches."""

from anglenas.data._base import FewShot, ImageSource

__all__ = ["FewShot", "ImageSource"]
