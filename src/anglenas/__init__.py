"""anglenas: find a good network for your images by a few steps of training.

::

    import anglenas

    found = anglenas.search(data="photos/", budget=60)
    network = found.best.network(num_classes=10)  # an ordinary torch.nn.Module

What stands here is imported when it is first used, so that ``import anglenas`` is quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anglenas.evaluation import Trained, train, verify
    from anglenas.export import export_network
    from anglenas.networks import make_network
    from anglenas.recipe import Recipe, preset
    from anglenas.report import write_run
    from anglenas.searching import Candidate, Found, Measured, score, search

__all__ = [
    "Candidate",
    "Found",
    "Measured",
    "Recipe",
    "Trained",
    "__version__",
    "export_network",
    "make_network",
    "preset",
    "score",
    "search",
    "train",
    "verify",
    "write_run",
]

__version__ = "0.1.0"

_HOMES = {
    "Candidate": "anglenas.searching",
    "Found": "anglenas.searching",
    "Measured": "anglenas.searching",
    "Recipe": "anglenas.recipe",
    "Trained": "anglenas.evaluation",
    "export_network": "anglenas.export",
    "make_network": "anglenas.networks",
    "preset": "anglenas.recipe",
    "score": "anglenas.searching",
    "search": "anglenas.searching",
    "train": "anglenas.evaluation",
    "verify": "anglenas.evaluation",
    "write_run": "anglenas.report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'anglenas' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
