"""Arguments of a wrong kind, told in a sentence before anything is measured."""

import functools
import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ParamSpec, TypeVar

from anglenas._measuring.store import Store
from anglenas._recipe import Recipe
from anglenas.errors import SettingError

__all__ = ["checked"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class _Kind:
    """What an argument may be, and in words."""

    words: str
    fits: Callable[[Any], bool]


def _kind(words: str, *types: type) -> _Kind:
    return _Kind(words, lambda value: isinstance(value, types))


def _are_names(value: Any) -> bool:
    # A text is iterable too, letter by letter; an iterator can be looked through once alone.
    if isinstance(value, str) or not isinstance(value, Iterable):
        return False
    return isinstance(value, Iterator) or all(isinstance(name, str) for name in value)


_COUNT = _kind("a whole number", Integral)
_NUMBER = _kind("a number", Real)
_TEXT = _kind("a text", str)
_SWITCH = _kind("True or False", bool)
_KINDS = {
    "budget": _COUNT, "cells": _COUNT, "channels": _COUNT, "max_flops": _COUNT,
    "max_params": _COUNT, "seed": _COUNT, "workers": _COUNT,
    "minutes": _NUMBER, "time_limit": _NUMBER,
    "classifier": _TEXT, "device": _TEXT, "rank": _TEXT, "scheduler": _TEXT,
    "flip": _SWITCH, "guard": _SWITCH, "strict": _SWITCH,
    "metrics": _Kind("a list of names, such as ['angle', 'loss']", _are_names),
    "on_progress": _Kind("a function", callable),
    "recipe": _kind("a Recipe, or a text such as 'fast,repeats=3'", Recipe, str),
    "store": _kind("a path, or a Store", os.PathLike, Store, str),
}  # fmt: skip


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which tells what an argument is if it is of a wrong kind.

    ``None`` is right where it is the default. What has no kind here is looked at by whoever takes
    it: spaces, images, strategies.

    Raises:
        SettingError: Such an argument is passed to the function.

    >>> checked(lambda budget=None: budget)(60)
    60
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            kind, default = _KINDS.get(name), signature.parameters[name].default
            if kind and not kind.fits(value) and not (value is None and default is None):
                raise SettingError(f"{name} is {kind.words}, not {value!r}.")
        return function(*args, **kwargs)

    return wrapper
