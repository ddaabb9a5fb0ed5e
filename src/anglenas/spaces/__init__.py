"""Search spaces: what can be searched, as frozen values without torch."""

from anglenas.spaces._base import Architecture, SearchSpace
from anglenas.spaces._forms import Atom, Form, Term
from anglenas.spaces._graph import CellGraph

__all__ = ["Architecture", "Atom", "CellGraph", "Form", "SearchSpace", "Term"]
