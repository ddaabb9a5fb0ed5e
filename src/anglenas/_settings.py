"""Frozen settings, and arguments of functions, checked by the annotations that stand beside them.

One table of kinds serves three uses: the fields of frozen dataclasses, texts such as ``"lr=0.1"``
that change them, and the arguments of public functions. An annotation is the whole rule::

    iterations: Annotated[int, at_least(1)] = 50

so that whoever adds a setting writes its type and its range once, and nowhere else.
"""

import functools
import inspect
import math
from collections import abc
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    ParamSpec,
    Self,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from anglenas.errors import SettingError, UnknownNameError

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="Settings")


# Kinds of values, from annotations.


@dataclass(frozen=True)
class _Range:
    least: float
    most: float = math.inf
    open: bool = False  # whether the least itself is too little

    def __str__(self) -> str:
        if self.open:
            return f"above {self.least:g}"
        most = f" and at most {self.most:g}" if self.most < math.inf else ""
        return f"of at least {self.least:g}{most}"


def at_least(least: float) -> _Range:
    """A range without an upper end, as in ``Annotated[int, at_least(1)]``; for annotations."""  # noqa: D402
    return _Range(least)


def above(least: float) -> _Range:
    """A range that its lower end does not belong to, as in ``Annotated[float, above(0)]``."""  # noqa: D402
    return _Range(least, open=True)


def between(least: float, most: float) -> _Range:
    """A range with both of its ends, as in ``Annotated[float, between(0, 1)]``; for annotations."""  # noqa: D402
    return _Range(least, most)


@dataclass(frozen=True)
class _Kind:
    """What a value may be, in words and as a test, how it is kept, and how its text is read."""

    words: str
    fits: Callable[[Any], bool]
    keep: Callable[[Any], Any] = lambda value: value
    read: Callable[[str], Any] = str


def _is_number(value: object, kind: type) -> bool:
    # True is a number to Python, but nobody means a budget of True.
    return isinstance(value, kind) and not isinstance(value, bool)


def _are_names(value: object) -> bool:
    # A text is iterable too, letter by letter; an iterator can be looked through once alone.
    if isinstance(value, str) or not isinstance(value, Iterable):
        return False
    return isinstance(value, Iterator) or all(isinstance(name, str) for name in value)


def _any_of(words: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


_SWITCHES = {"yes": True, "true": True, "no": False, "false": False}
_ANYTHING = _Kind("anything", lambda value: True)
_NONE = _Kind("none", lambda value: value is None, read={"none": None}.__getitem__)
_SIMPLE = {
    bool: _Kind(
        "True or False", lambda v: isinstance(v, bool), read=lambda text: _SWITCHES[text.lower()]
    ),
    # A seed is hashed by its text, and that of np.int64(1) is not that of 1.
    int: _Kind("a whole number", lambda v: _is_number(v, Integral), int, int),
    # Always a float, so that lr=1 and lr=1.0 are one setting with one fingerprint.
    float: _Kind(
        "a finite number", lambda v: _is_number(v, Real) and math.isfinite(v), float, float
    ),
    str: _Kind("a text", lambda v: isinstance(v, str)),
    NoneType: _NONE,
}


@functools.cache
def _kind(hint: Any) -> _Kind:
    """The kind that an annotation describes; what it leaves open is of any kind."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    if origin is Annotated:
        ranges = [part for part in parts[1:] if isinstance(part, _Range)]
        return functools.reduce(_within, ranges, _kind(parts[0]))
    if origin is Literal:
        return _Kind(_any_of([repr(part) for part in parts]), lambda value: value in parts)
    if origin in (Union, UnionType):
        return _union([_kind(part) for part in parts])
    if abc.Callable in (hint, origin):
        return _Kind("a function", callable)
    if parts == (str,) and origin in (abc.Iterable, abc.Sequence):
        return _Kind("a list of names, such as ['angle', 'loss']", _are_names)
    # A protocol says what an object can do, which isinstance cannot tell: whoever takes it looks.
    open_ended = hint in (Any, object) or getattr(hint, "_is_protocol", False)
    if isinstance(hint, type) and not open_ended:
        article = "an" if hint.__name__[0] in "AEIOU" else "a"
        return _Kind(f"{article} {hint.__name__}", lambda value: isinstance(value, hint))
    return _ANYTHING


def _within(kind: _Kind, limits: _Range) -> _Kind:
    return replace(
        kind,
        words=f"{kind.words} {limits}",
        fits=lambda value: (
            kind.fits(value)
            and limits.least <= value <= limits.most
            and not (limits.open and value == limits.least)
        ),
    )


def _union(kinds: Sequence[_Kind]) -> _Kind:
    if _ANYTHING in kinds:
        return _ANYTHING

    def read(text: str) -> Any:
        for kind in kinds:
            try:
                value = kind.read(text)
            except (ValueError, KeyError):
                continue
            if kind.fits(value):
                return value
        raise ValueError(text)

    return _Kind(
        _any_of([kind.words for kind in kinds if kind is not _NONE]),
        lambda value: any(kind.fits(value) for kind in kinds),
        lambda value: next(kind for kind in kinds if kind.fits(value)).keep(value),
        read,
    )


def _taken(name: str, value: object, hint: Any) -> Any:
    kind = _kind(hint)
    if not kind.fits(value):
        raise SettingError(f"{name} is {kind.words}, not {value!r}.")
    return kind.keep(value)


# Settings.


@dataclass(frozen=True)
class Settings:
    """The base of frozen dataclasses whose fields are checked, wherever their values come from.

    ::

        @dataclass(frozen=True)
        class Oven(Settings, called="oven", facts=("name",)):
            name: str = ""
            degrees: Annotated[int, between(50, 250)] = 180

    Args:
        called: What messages call the settings.
        facts: Fields that are told of the settings and are none themselves: no text changes them.
    """

    _called: ClassVar[str] = ""
    _facts: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, *, called: str = "", facts: Iterable[str] = ()) -> None:
        super().__init_subclass__()
        cls._called = called or cls._called
        cls._facts = frozenset(facts) or cls._facts

    def __post_init__(self) -> None:
        for name, hint in _hints(self).items():
            object.__setattr__(self, name, _taken(name, getattr(self, name), hint))

    def values(self) -> dict[str, Any]:
        """The values of all fields but the facts, by name."""
        return {name: getattr(self, name) for name in _hints(self) if name not in self._facts}

    def changed(self, **changes: Any) -> Self:
        """The same settings with changes, marked as such in what is told of them.

        Raises:
            SettingError: A value does not fit its field.
        """
        if replace(self, **changes) == self:
            return self
        told = {field.name: field.default for field in fields(self) if field.name in self._facts}
        if name := getattr(self, "name", ""):
            told["name"] = f"{name.removesuffix('*')}*"
        return replace(self, **told | changes)

    def texts(self, since: "Settings") -> list[str]:
        """What to read into the settings ``since`` to get these: ``["lr=0.1", "augment=no"]``."""
        before = since.values()
        return [
            f"{name}={_text(value)}"
            for name, value in sorted(self.values().items())
            if value != before[name]
        ]


def _hints(settings: object) -> dict[str, Any]:
    kind: Any = type(settings)
    return _hints_of(kind)


@functools.cache  # a network's settings are made for every task, and reading hints takes long
def _hints_of(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


def _text(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case None:
            return "none"
        case _:
            return str(value)


def read_changes(
    settings: Any, texts: Iterable[str], called: str, facts: Container[str] = ()
) -> dict[str, Any]:
    """The fields that texts such as ``"repeats=3"`` change, with their new values.

    Args:
        settings: An object of any dataclass, such as a strategy of somebody else's.
        texts: The texts.
        called: What messages call a field.
        facts: Fields that no text changes.

    Raises:
        UnknownNameError: There is no such field.
        SettingError: A value does not fit its field.
    """
    hints = {name: hint for name, hint in _hints(settings).items() if name not in facts}
    values = {}
    for change in texts:
        name, _, text = (part.strip() for part in change.partition("="))
        if name not in hints:
            raise UnknownNameError(called, name, hints)
        kind, example = _kind(hints[name]), _text(getattr(settings, name))
        try:
            value = kind.read(text)
        except (ValueError, KeyError) as error:
            raise SettingError(
                f"{name}={text} does not fit: {name} is {kind.words}; write for example "
                f"{name}={example}."
            ) from error
        values[name] = _taken(name, value, hints[name])
    return values


def read_preset(text: str, presets: Mapping[str, S], default: str) -> S:
    """The settings that a text describes: a preset's name, changed fields, or both.

    Args:
        text: Such as ``"fast"``, ``"fast,repeats=3"`` or ``"repeats=3,augment=no"``.
        presets: The presets by name.
        default: The preset that is changed if the text names none.

    Raises:
        UnknownNameError: There is no such preset or field.
        SettingError: A value does not fit its field.
    """
    first, *rest = [part.strip() for part in text.split(",")]
    name, changes = (default, [first, *rest]) if "=" in first else (first or default, rest)
    if name not in presets:
        raise UnknownNameError(presets[default]._called, name, presets)
    called, facts = presets[name]._called, presets[name]._facts
    return presets[name].changed(**read_changes(presets[name], changes, f"{called} field", facts))


def preset_text(settings: S, presets: Mapping[str, S]) -> str:
    """The text that :func:`read_preset` makes the same settings of.

    It changes the preset that the settings are named after, else the one that needs fewest changes.
    """
    own = presets.get(getattr(settings, "name", "").removesuffix("*"))
    base = own or min(presets.values(), key=lambda preset: len(settings.texts(preset)))
    name = next(name for name, preset in presets.items() if preset is base)
    return ",".join([name, *settings.texts(base)])


# Arguments.


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which tells what an argument is if it does not fit its annotation.

    Integers and numbers of NumPy reach the function as Python's own. What an annotation leaves open
    (``Any``, protocols) is looked at by whoever takes it: spaces, images, strategies.

    Raises:
        SettingError: An argument does not fit.

    >>> @checked
    ... def search(budget: int | None = None) -> int | None:
    ...     return budget
    >>> search(60)
    60
    >>> search("60")
    Traceback (most recent call last):
    anglenas.errors.SettingError: budget is a whole number, not '60'.
    """
    signature = inspect.signature(function)

    @functools.cache  # when it is first called: a hint may name what its module defines later
    def hints() -> dict[str, Any]:
        return get_type_hints(function, include_extras=True)

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:  # which, unlike that of a call, does not say whose argument
            raise TypeError(f"{function.__name__}() {error}") from None
        for name, value in bound.arguments.items():
            if name in hints():
                bound.arguments[name] = _taken(name, value, hints()[name])
        return function(*bound.args, **bound.kwargs)

    return wrapper
