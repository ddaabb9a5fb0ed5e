"""Search spaces: what can be searched, as frozen values without torch."""

from anglenas.spaces._base import Architecture, SearchSpace
from anglenas.spaces._graph import CellGraph

__all__ = ["Architecture", "CellGraph", "SearchSpace"]
