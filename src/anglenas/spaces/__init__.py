"""Search spaces: what can be searched, as frozen values without torch."""

from anglenas.spaces._base import Architecture, SearchSpace

__all__ = ["Architecture", "SearchSpace"]
