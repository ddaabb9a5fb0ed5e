"""Where spaces, probes, data sets and strategies come from: entry points, or ``"module:name"``.

The built-in ones are entry points too (see ``pyproject.toml``), so another package's are their
equals. Nothing is imported before it is asked for.
"""

import importlib
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from anglenas.errors import UnknownNameError, UsageError

__all__ = ["Kind", "load", "names"]

Kind = Literal["space", "probe", "dataset", "strategy"]

_GROUPS: dict[Kind, str] = {
    "space": "anglenas.spaces",
    "probe": "anglenas.probes",
    "dataset": "anglenas.datasets",
    "strategy": "anglenas.strategies",
}


def _registered(kind: Kind) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_GROUPS[kind])}


def names(kind: Kind) -> tuple[str, ...]:
    """The registered names of a kind, sorted.

    >>> names("space")
    ('nasbench201',)
    """
    return tuple(sorted(_registered(kind)))


def load(kind: Kind, name: str) -> Any:
    """The object that a name stands for.

    Args:
        kind: What the object is.
        name: A registered name, or ``"package.module:attribute"`` for one that is not registered.

    Raises:
        UnknownNameError: No such name is registered.
        UsageError: The module or the attribute after the colon does not exist.
    """
    if ":" in name:
        return _import(kind, name)
    registered = _registered(kind)
    if name not in registered:
        raise UnknownNameError(kind, name, registered)
    return registered[name].load()


def _import(kind: Kind, name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"The {kind} {name!r} cannot be imported ({error}); "
            "give it as package.module:attribute, with the module on PYTHONPATH."
        ) from error
