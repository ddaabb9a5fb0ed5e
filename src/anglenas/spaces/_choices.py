"""A search space of one's own: named choices, and a function that builds a network from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from anglenas._text import Cursor
from anglenas.errors import ArchitectureError, SettingError, UnknownNameError
from anglenas.spaces._base import Space
from anglenas.spaces._config import NetworkConfig
from anglenas.spaces._graph import OptionTable

if TYPE_CHECKING:
    from torch import nn

Value = bool | int | float | str
"""What a choice can be between."""


@dataclass(frozen=True)
class Choices(Mapping[str, Any]):
    """One architecture: a mapping from the name of each choice to its value.

    >>> choices = Choices((("width", 16), ("kernel", 3)))
    >>> choices["width"], str(choices)
    (16, 'width=16,kernel=3')
    """

    pairs: tuple[tuple[str, Value], ...]

    def __getitem__(self, name: str) -> Any:  # which kind of value, the user's own function knows
        return dict(self.pairs)[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __str__(self) -> str:
        return ",".join(f"{name}={value}" for name, value in self.pairs)


def ChoiceSpace(  # noqa: N802 - it reads as what it makes
    name: str,
    choices: Mapping[str, Sequence[Value]],
    build: Callable[[Choices, NetworkConfig], nn.Module],
    *,
    unused: Callable[[Choices], Iterable[str]] = lambda choices: (),
    version: int | None = None,
) -> Space[Choices]:
    """The space of every combination of some named choices.

    In a module of the user's own::

        def build(choices, config):
            return MyNetwork(choices["width"], choices["kernel"], classes=config.num_classes)

        SPACE = ChoiceSpace("mine", {"width": (16, 32, 64), "kernel": (3, 5)}, build)

    Args:
        name: Short name.
        choices: By name, the values to choose from: numbers, texts or switches. A text holds
            neither a comma nor a line break.
        build: Makes a ``torch.nn.Module`` from :class:`Choices` and a
            :class:`anglenas.spaces.NetworkConfig`, of which ``num_classes`` and ``in_channels``
            have to be kept: a function, or the class of the network, of the module in which the
            space is given a name.
        unused: Which choices make no difference to the network, the others being what they are.
            Architectures that differ in nothing else are one candidate.
        version: Raised whenever the same choices make another network, so that old scores are not
            taken for new ones. By default it comes from the source: of the module of ``build``,
            and of what that imports of its package or folder.

    Raises:
        SettingError: The choices cannot be used.

    >>> def build(choices, config):
    ...     from torch import nn
    ...     return nn.Linear(choices["width"] * choices["kernel"], config.num_classes)
    >>> space = ChoiceSpace("mine", {"width": (16, 32, 64), "kernel": (3, 5)}, build)
    >>> space.size, str(space.sample(np.random.default_rng(0)))
    (6, 'width=64,kernel=5')
    """
    table = _Table(name, {key: _checked(key, options) for key, options in choices.items()}, unused)
    size = math.prod(map(len, table.choices.values()))
    if size < 2:
        raise SettingError("A space needs two architectures at least; give choices with values.")
    return Space(
        name=name,
        parse=table.parse,
        sample=table.sample,
        mutate=table.mutate,
        build=lambda text, config: build(table.parse(text), config),
        drawings=table.drawings,
        canonical=table.canonical,
        enumerate=table.enumerate,
        size=size,
        fixed_version=version,
        module=build.__module__,
    )


@dataclass(frozen=True)
class _Table:
    """What can be chosen; the functions of a space."""

    name: str
    choices: Mapping[str, tuple[Value, ...]]
    unused: Callable[[Choices], Iterable[str]]

    def parse(self, text: str) -> Choices:
        """The architecture of ``name=value,name=value``, the choices being in the space's order."""
        # In the order of the space: one architecture has one text, and one address in the store.
        cursor = Cursor(text, ArchitectureError, f", as in {next(self.enumerate())}")
        pairs: list[tuple[str, Value]] = []
        for name, options in self.choices.items():
            cursor.expect(f"{',' if pairs else ''}{name}=")
            start = cursor.position
            written, known = cursor.read("[^,]*"), {str(option): option for option in options}
            if written not in known:
                raise cursor.wrong(
                    f"{name} cannot be {written!r}; it is one of {', '.join(known)}.", start
                )
            pairs.append((name, known[written]))
        cursor.expect_end(f"An architecture of {self.name} ends here.")
        return Choices(tuple(pairs))

    def sample(self, rng: np.random.Generator) -> Choices:
        """Every choice independently."""
        drawn = [options[rng.integers(len(options))] for options in self.choices.values()]
        return Choices(tuple(zip(self.choices, drawn, strict=True)))

    def enumerate(self) -> Iterator[Choices]:
        """The last choice changes first."""
        for values in product(*self.choices.values()):
            yield Choices(tuple(zip(self.choices, values, strict=True)))

    def mutate(self, architecture: Choices, rng: np.random.Generator) -> Choices:
        """An architecture that differs in exactly one choice, uniformly among these."""
        neighbours = [
            (name, option)
            for name, options in self.choices.items()
            for option in options
            if option != architecture[name]
        ]
        name, option = neighbours[rng.integers(len(neighbours))]
        return _changed(architecture, {name: option})

    def canonical(self, architecture: Choices) -> str:
        """The text of the architecture whose unused choices have their first value."""
        idle = self._idle(architecture)
        reset = _changed(architecture, {name: self.choices[name][0] for name in idle})
        # Once they have it, others may make no difference any more.
        return str(reset) if reset == architecture else self.canonical(reset)

    def drawings(self, architecture: Choices) -> tuple[OptionTable]:
        """What was chosen of what."""
        idle = self._idle(architecture)
        rows = []
        for name, options in self.choices.items():
            chosen = None if name in idle else options.index(architecture[name])
            rows.append((name, tuple(map(str, options)), chosen))
        return (OptionTable(self.name, tuple(rows)),)

    def _idle(self, architecture: Choices) -> tuple[str, ...]:
        names = tuple(self.unused(architecture))
        for name in names:
            if name not in self.choices:
                raise UnknownNameError("choice", name, self.choices)
        return names


def _changed(architecture: Choices, values: Mapping[str, Value]) -> Choices:
    return Choices(tuple({**architecture, **values}.items()))


def _checked(name: str, options: Sequence[Value]) -> tuple[Value, ...]:
    """The values of a choice, NumPy's numbers as Python's, of which a text can be made."""
    if not name.isidentifier():
        raise SettingError(f"A choice cannot be called {name!r}; use letters, digits and _.")
    if isinstance(options, Value):  # ("relu") is a text, of which the letters would be taken
        raise SettingError(
            f"The choice {name!r} has {options!r} where several values are to stand; write a tuple "
            f"such as ({options!r},), with a comma."
        )
    values = tuple(value.item() if isinstance(value, np.generic) else value for value in options)
    for value in values:
        if not isinstance(value, Value) or value != value or (
            isinstance(value, str)
            and not (value.isprintable() and value.strip() and "," not in value)
        ):  # fmt: skip
            raise SettingError(
                f"{value!r} cannot be a value of {name!r}; use numbers, switches, or texts without "
                "a comma."
            )
    if len(set(values)) < len(values) or len(set(map(str, values))) < len(values):
        raise SettingError(f"The choice {name!r} has a value twice; give each of them once.")
    return values
