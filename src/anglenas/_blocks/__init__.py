"""Layers that networks of several spaces are made of, and how they compute quickest."""

from anglenas._blocks.layers import compute_together
from anglenas._blocks.memory_format import memory_format_of
from anglenas._blocks.thin import Thinnable

__all__ = ["Thinnable", "compute_together", "memory_format_of"]
