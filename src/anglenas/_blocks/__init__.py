"""Layers that networks of several spaces are made of, and how they compute quickest."""

from anglenas._blocks.layers import compute_together
from anglenas._blocks.layout import layout_of

__all__ = ["compute_together", "layout_of"]
