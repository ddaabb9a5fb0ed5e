"""Search spaces: what can be searched, as frozen values without torch."""

from anglenas.spaces._base import Architecture, SearchSpace
from anglenas.spaces._forms import Atom, Form, Term
from anglenas.spaces._graph import CellGraph, Drawing, OptionTable, is_untrained, live_operations
from anglenas.spaces.choices import Choices, ChoiceSpace

__all__ = [
    "Architecture",
    "Atom",
    "CellGraph",
    "ChoiceSpace",
    "Choices",
    "Drawing",
    "Form",
    "OptionTable",
    "SearchSpace",
    "Term",
    "is_untrained",
    "live_operations",
]
