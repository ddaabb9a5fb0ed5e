"""What JSON can hold, of numbers that Python and NumPy know and JSON does not."""

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["json_safe", "json_text"]


def json_safe(value: Any) -> Any:
    """The value as JSON gives it back, so that what is read from a file equals what was written.

    Numbers and arrays of NumPy become Python's own. A float that is not finite becomes ``None``:
    JSON has no word for it, and what Python's ``json`` writes instead no other reader takes.

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
        case list() | tuple():
            return [json_safe(item) for item in value]
        case Mapping():
            for key in value:
                if not isinstance(key, str):
                    raise TypeError(f"The keys of a record are texts, which {key!r} is not.")
            return {key: json_safe(item) for key, item in value.items()}
    raise TypeError(f"A record holds what JSON can hold, which a {type(value).__name__} is not.")


def json_text(value: Any) -> str:
    """The value as JSON for people and programs, two blanks deeper at each level."""
    return json.dumps(json_safe(value), indent=2, allow_nan=False)
