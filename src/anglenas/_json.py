"""What JSON can hold, and frozen values written to it and read back."""

import json
import sys
from collections import abc
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def json_safe(value: Any) -> Any:
    """The value as JSON gives it back, so that what is read from a file equals what was written.

    Numbers and arrays of NumPy become Python's own. A float that is not finite becomes ``None``:
    JSON has no word for it, and what Python's ``json`` writes instead no other reader takes. A
    dataclass, and a tuple whose fields have names, become objects.

    >>> json_safe({"angle": 0.5, "losses": (2.3, float("nan"))})
    {'angle': 0.5, 'losses': [2.3, None]}

    Raises:
        TypeError: The value is nothing that JSON can hold.
    """
    import numpy as np

    match value:
        case np.generic() | np.ndarray():
            return json_safe(value.tolist())
        case None | bool() | int() | str():
            return value
        case float():
            return value if abs(value) < float("inf") else None
        case tuple() if hasattr(value, "_asdict"):
            return json_safe(value._asdict())
        case list() | tuple():
            return [json_safe(item) for item in value]
        case Mapping():
            for key in value:
                if not isinstance(key, str):
                    raise TypeError(f"The keys of a record are texts, which {key!r} is not.")
            return {key: json_safe(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: json_safe(getattr(value, one.name)) for one in fields(value)}
    raise TypeError(f"A record holds what JSON can hold, which a {type(value).__name__} is not.")


def json_text(value: Any) -> str:
    """The value as JSON for people and programs, two blanks deeper at each level."""
    return json.dumps(json_safe(value), indent=2, allow_nan=False)


_PLAIN: dict[Any, Any] = {float: (int, float), int: int, str: str, bool: bool}


def from_json(kind: Any, value: Any, place: str = "") -> Any:
    """The value of a kind, such as a dataclass, that a file holds; what is of no other kind passes.

    A file can be anybody's, so a text is no number here, and nothing is left out or put in.

    Args:
        kind: An annotation: of dataclasses and named tuples, tuples of one kind, mappings from
            texts, numbers, texts, switches and ``None``. What else it is, is not looked at.
        value: What JSON gave.
        place: Where it stands, in words.

    Raises:
        ValueError: It is of another kind; says where.

    >>> from_json(tuple[int, ...], [1, 2])
    (1, 2)
    >>> from_json(dict[str, float], {"angle": "0.5"}, "values")
    Traceback (most recent call last):
    ValueError: values.angle is no float, but '0.5'
    """
    origin, parts = get_origin(kind), get_args(kind)
    wrong = ValueError(
        f"{place or 'it'} is no {getattr(kind, '__name__', kind)}, but {value!r:.50}"
    )
    if origin in (Union, UnionType) and NoneType in parts:
        [other] = [part for part in parts if part is not NoneType]
        return None if value is None else from_json(other, value, place)
    if origin is tuple:
        if not isinstance(value, list):
            raise wrong
        return tuple(from_json(parts[0], one, f"{place}[{n}]") for n, one in enumerate(value))
    if origin in (dict, abc.Mapping):
        if not isinstance(value, dict):
            raise wrong
        return {key: from_json(parts[1], one, f"{place}.{key}") for key, one in value.items()}
    if isinstance(kind, type) and (is_dataclass(kind) or hasattr(kind, "_fields")):
        names = [one.name for one in fields(kind)] if is_dataclass(kind) else kind._fields
        hints = {name: hint for name, hint in get_type_hints(kind).items() if name in names}
        if not isinstance(value, dict) or value.keys() != hints.keys():
            raise wrong
        named = {key: from_json(hint, value[key], f"{place}.{key}") for key, hint in hints.items()}
        return kind(**named)
    if kind in _PLAIN:
        # True is a number to Python, 1e999 is infinite, and no float is near to 10**400.
        if not isinstance(value, _PLAIN[kind]) or isinstance(value, bool) != (kind is bool):
            raise wrong
        if not isinstance(value, str) and not abs(value) <= sys.float_info.max:
            raise wrong
    return value
