"""Search spaces: what can be searched, as frozen values without torch."""

from anglenas.spaces._base import Architecture, SearchSpace
from anglenas.spaces._choices import Choices, ChoiceSpace
from anglenas.spaces._config import NetworkConfig
from anglenas.spaces._graph import CellGraph, Drawing, OptionTable, is_untrained, live_operations
from anglenas.spaces._nasbench201.forms import Atom, Form, Term

__all__ = [
    "Architecture",
    "Atom",
    "CellGraph",
    "ChoiceSpace",
    "Choices",
    "Drawing",
    "Form",
    "NetworkConfig",
    "OptionTable",
    "SearchSpace",
    "Term",
    "is_untrained",
    "live_operations",
]
