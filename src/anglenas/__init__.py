"""Find a good network for your images by a few steps of training.

::

    import anglenas

    found = anglenas.search(data="photos/", budget=60)
    network = found.best.network(num_classes=10)  # an ordinary torch.nn.Module

What stands here is imported when it is first used, so that ``import anglenas`` is quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anglenas._evaluation import Trained, train, verify
    from anglenas._export import export_network
    from anglenas._measuring.plan import Measured
    from anglenas._measuring.scores import score, score_many
    from anglenas._measuring.store import Store
    from anglenas._measuring.workers import Workers
    from anglenas._recipe import Recipe, preset
    from anglenas._report import write_run
    from anglenas._searching import Candidate, Found, search
    from anglenas.spaces._build import make_network

__all__ = [
    "Candidate",
    "Found",
    "Measured",
    "Recipe",
    "Store",
    "Trained",
    "Workers",
    "__version__",
    "export_network",
    "make_network",
    "preset",
    "score",
    "score_many",
    "search",
    "train",
    "verify",
    "write_run",
]

__version__ = "0.1.0"

_HOMES = {
    "Candidate": "anglenas._searching",
    "Found": "anglenas._searching",
    "Measured": "anglenas._measuring.plan",
    "Recipe": "anglenas._recipe",
    "Store": "anglenas._measuring.store",
    "Trained": "anglenas._evaluation",
    "Workers": "anglenas._measuring.workers",
    "export_network": "anglenas._export",
    "make_network": "anglenas.spaces._build",
    "preset": "anglenas._recipe",
    "score": "anglenas._measuring.scores",
    "score_many": "anglenas._measuring.scores",
    "search": "anglenas._searching",
    "train": "anglenas._evaluation",
    "verify": "anglenas._evaluation",
    "write_run": "anglenas._report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'anglenas' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
