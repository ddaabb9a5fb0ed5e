"""Where spaces, probes, data sets and strategies come from: entry points, or ``"module:name"``.

The built-in ones are entry points too (see ``pyproject.toml``), so another package's are their
equals. Nothing is imported before it is asked for.
"""

import importlib
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal

from anglenas.errors import SettingError, UnknownNameError, UsageError

Kind = Literal["space", "probe", "dataset", "strategy"]

_GROUPS: dict[Kind, str] = {
    "space": "anglenas.spaces",
    "probe": "anglenas.probes",
    "dataset": "anglenas.datasets",
    "strategy": "anglenas.strategies",
}


@cache
def _registered(kind: Kind) -> dict[str, EntryPoint]:
    # The last of two would replace the first without a word, and its scores with it.
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=_GROUPS[kind]):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise UsageError(
                f"Two packages register a {kind} {point.name!r}: {_told(other)} and "
                f"{_told(point)}; remove one of them, or rename the entry point."
            )
    return found


def _told(point: EntryPoint) -> str:
    distribution = point.dist.name if point.dist else "an unknown package"
    return f"{distribution} ({point.value})"


def names(kind: Kind) -> tuple[str, ...]:
    """The registered names of a kind, sorted.

    >>> "nasbench201" in names("space")
    True
    """
    return tuple(sorted(_registered(kind)))


def load(kind: Kind, name: str) -> Any:
    """The object that a name stands for.

    Args:
        kind: What the object is.
        name: A registered name, or ``"package.module:attribute"`` for one that is not registered.

    Raises:
        UnknownNameError: No such name is registered.
        UsageError: The module or the attribute after the colon does not exist, or two packages
            register the same name.
    """
    if ":" in name:
        return resolve(kind, name)
    registered = _registered(kind)
    if name not in registered:
        raise UnknownNameError(kind, name, registered)
    return registered[name].load()


def origin(kind: Kind, name: str) -> str:
    """Who registers a name: the distribution, and the module and attribute behind it.

    >>> origin("probe", "flops")
    'anglenas (anglenas.probes._flops:FLOPS)'
    """
    return _told(_registered(kind)[name])


def refuse_code(kind: Kind, name: str, place: str | Path, given: str = "") -> None:
    """Refuse a name that stands in a file and is code to be imported.

    A file or a folder may be somebody else's, with a module of theirs beside it: whatever reads
    names from files calls this before :func:`load`.

    Args:
        kind: What the name is of.
        name: The name that the file tells.
        place: The file or the folder.
        given: The name that the user gave; who names code themselves may have it.

    Raises:
        SettingError: It is code, and another name than the user's.
    """
    if ":" in name and name != given:
        words, option = ("images", "data") if kind == "dataset" else (kind, kind)
        raise SettingError(
            f"{str(place)!r} is of the {words} {name!r}, which is code to be imported; name it "
            f"with --{option} too if you trust it."
        )


def reference(kind: Kind, thing: object, home: str) -> str:
    """The name under which :func:`load` finds an object, also in another process.

    Args:
        kind: What the object is.
        thing: The object.
        home: Name of the module that the object is an attribute of, if it is not registered.

    Raises:
        UsageError: The object cannot be found by a name: it is not an attribute of its module.

    >>> from anglenas.spaces import NASBENCH201
    >>> reference("space", NASBENCH201, NASBENCH201.home)
    'nasbench201'
    """
    for name in names(kind):
        if load(kind, name) is thing:
            return name
    for name, value in vars(sys.modules[home]).items():
        if value is thing:
            _check_module(kind, home, name)
            return f"{home}:{name}"
    raise UsageError(
        f"The {kind} {thing!r} cannot be found by workers; assign it to a name in the module "
        f"{home!r}, or pass 'module:name'."
    )


def resolve(kind: str, name: str) -> Any:
    """The object that ``"package.module:attribute"`` names; ``kind`` is what messages call it.

    Raises:
        UsageError: There is no such module or attribute, the module fails as it is imported, or it
            is the script that runs.
        SettingError: The module makes something with anglenas that cannot be.
    """
    module, _, attribute = name.partition(":")
    _check_module(kind, module, attribute)
    try:
        return getattr(importlib.import_module(module), attribute)
    except SettingError:
        raise  # of what the module makes with anglenas; it says itself what to change
    except Exception as error:  # the module is the user's: its code can raise anything
        raise UsageError(
            f"The {kind} {name!r} cannot be imported ({type(error).__name__}: {error}); "
            "give it as package.module:attribute, with the module on PYTHONPATH."
        ) from error


def _check_module(kind: str, module: str, attribute: str) -> None:
    """In every process, ``__main__`` is another module."""
    if module == "__main__":
        script = Path(getattr(sys.modules["__main__"], "__file__", None) or "module").stem
        raise UsageError(
            f"The {kind} {attribute!r} is in the script that runs, which workers cannot import and "
            "whose scores could not be told from another script's; name it as "
            f"'{script}:{attribute}', and start below `if __name__ == \"__main__\":`."
        )
