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
    from anglenas._evaluation.result import Trained
    from anglenas._evaluation.training import train
    from anglenas._evaluation.verification import verify
    from anglenas._export import export_network
    from anglenas._measuring.plan import Measured
    from anglenas._measuring.result import Candidate
    from anglenas._measuring.scores import score, score_many
    from anglenas._measuring.store import Store
    from anglenas._measuring.workers import Workers
    from anglenas._pruning.result import Pruned
    from anglenas._pruning.run import prune
    from anglenas._recipe import Recipe, preset
    from anglenas._report import write_run
    from anglenas._runs import load_run
    from anglenas._searching.result import Found
    from anglenas._searching.run import search
    from anglenas._study import correlate
    from anglenas.spaces import make_network

__all__ = [
    "Candidate",
    "Found",
    "Measured",
    "Pruned",
    "Recipe",
    "Store",
    "Trained",
    "Workers",
    "__version__",
    "correlate",
    "export_network",
    "load_run",
    "make_network",
    "preset",
    "prune",
    "score",
    "score_many",
    "search",
    "train",
    "verify",
    "write_run",
]

__version__ = "0.1.0"

_HOMES = {
    "Candidate": "_measuring.result",
    "Found": "_searching.result",
    "Measured": "_measuring.plan",
    "Pruned": "_pruning.result",
    "Recipe": "_recipe",
    "Store": "_measuring.store",
    "Trained": "_evaluation.result",
    "Workers": "_measuring.workers",
    "correlate": "_study",
    "export_network": "_export",
    "load_run": "_runs",
    "make_network": "spaces",
    "preset": "_recipe",
    "prune": "_pruning.run",
    "score": "_measuring.scores",
    "score_many": "_measuring.scores",
    "search": "_searching.run",
    "train": "_evaluation.training",
    "verify": "_evaluation.verification",
    "write_run": "_report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'anglenas' has no attribute {name!r}")
    return getattr(importlib.import_module(f"anglenas.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    # Not what is imported here, nor the packages that were loaded so far: what is offered.
    return sorted(__all__)
