"""A search space of one's own: named choices, and a function that builds a network from them."""

import hashlib
import inspect
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from anglenas.errors import ArchitectureError, SettingError, UnknownNameError, UsageError
from anglenas.spaces._graph import OptionTable
from anglenas.spaces._source import source_of

__all__ = ["ChoiceSpace", "Choices", "Value"]

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

    def __getitem__(self, name: str) -> Any:
        return dict(self.pairs)[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __str__(self) -> str:
        return ",".join(f"{name}={value}" for name, value in self.pairs)


class ChoiceSpace:
    """Every combination of some named choices is an architecture.

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
            have to be kept: a function, or the class of the network, at the top of its module.
        unused: Which choices make no difference to the network, the others being what they are.
            Architectures that differ in nothing else are one candidate.
        version: Raised whenever the same choices make another network, so that old scores are not
            taken for new ones. By default it comes from the source: of ``build``, and of whatever
            of its module that uses.

    Raises:
        SettingError: The choices or the function cannot be used.

    >>> from anglenas.spaces._nasbench201.network import build  # stands for a function of one's own
    >>> space = ChoiceSpace("mine", {"width": (16, 32, 64), "kernel": (3, 5)}, build)
    >>> space.size, str(space.sample(np.random.default_rng(0)))
    (6, 'width=64,kernel=5')
    """

    def __init__(
        self,
        name: str,
        choices: Mapping[str, Sequence[Value]],
        build: Callable[[Choices, Any], Any],
        *,
        unused: Callable[[Choices], Iterable[str]] = lambda choices: (),
        version: int | None = None,
    ) -> None:
        self.name = name
        self.choices = {key: tuple(map(_plain, options)) for key, options in choices.items()}
        self.size: int | None = math.prod(map(len, self.choices.values()))
        self.builder = f"{build.__module__}:{build.__qualname__}"
        self._build, self._unused, self._version = build, unused, version
        # Where workers find a space is the module of its class, or what an object says itself.
        self.__module__ = build.__module__
        _check(self.choices, build)

    def __repr__(self) -> str:
        return f"ChoiceSpace({self.name!r}, {self.choices}, {self._build.__qualname__})"

    @cached_property
    def version(self) -> int:
        """A number that is another one as soon as the same choices may make another network."""
        if self._version is not None:
            return self._version
        module, _, function = self.builder.partition(":")
        try:
            text = source_of(inspect.getsource(sys.modules[module]), function)
        except (OSError, TypeError) as error:
            raise UsageError(
                f"The source of {self.builder} cannot be read ({error}), so that its scores could "
                "not be told from those of another; put it into a file, or pass version=1."
            ) from error
        return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)

    def parse(self, text: str) -> Choices:
        """The architecture of ``name=value,name=value``, the choices being in the space's order.

        Raises:
            ArchitectureError: The text is none; points at the first wrong place.
        """
        pairs: list[tuple[str, Value]] = []
        position = 0
        for name, options in self.choices.items():
            position = _expect(text, position, f"{',' if pairs else ''}{name}=", self._example)
            written = text[position:].partition(",")[0]
            known = {str(option): option for option in options}
            if written not in known:
                raise ArchitectureError(
                    f"{name} cannot be {written!r}; it is one of {', '.join(known)}.",
                    text,
                    position,
                )
            pairs.append((name, known[written]))
            position += len(written)
        if position < len(text):
            raise ArchitectureError(f"An architecture of {self.name} ends here.", text, position)
        return Choices(tuple(pairs))

    def sample(self, rng: np.random.Generator) -> Choices:
        """An architecture, uniformly: every choice independently."""
        return Choices(
            tuple(
                (name, options[rng.integers(len(options))])
                for name, options in self.choices.items()
            )
        )

    def enumerate(self) -> Iterator[Choices]:
        """Every architecture; the last choice changes first."""
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

    def subject(self, text: str) -> Choices:
        """What the function builds from."""
        return self.parse(text)

    def graphs(self, architecture: Choices) -> tuple[OptionTable]:
        """What was chosen of what, for drawing."""
        unused = self._idle(architecture)
        rows = (
            (name, tuple(map(str, options)), None if name in unused else options.index(chosen))
            for (name, options), chosen in zip(
                self.choices.items(), architecture.values(), strict=True
            )
        )
        return (OptionTable(self.name, tuple(rows)),)

    def is_trivial(self, architecture: Choices) -> bool:
        """Never: what is built is the user's own."""
        return False

    def _idle(self, architecture: Choices) -> tuple[str, ...]:
        names = tuple(self._unused(architecture))
        for name in names:
            if name not in self.choices:
                raise UnknownNameError("choice", name, self.choices)
        return names

    @property
    def _example(self) -> str:
        return str(next(self.enumerate()))


def _changed(architecture: Choices, values: Mapping[str, Value]) -> Choices:
    return Choices(tuple({**architecture, **values}.items()))


def _expect(text: str, position: int, token: str, example: str) -> int:
    for offset, character in enumerate(token):
        if text[position + offset : position + offset + 1] != character:
            raise ArchitectureError(
                f"Expected {token!r} here, as in {example}.", text, position + offset
            )
    return position + len(token)


def _check(choices: Mapping[str, Sequence[Value]], build: Callable[..., Any]) -> None:
    if math.prod(map(len, choices.values())) < 2:
        raise SettingError("A space needs two architectures at least; give choices with values.")
    for name, options in choices.items():
        if not name.isidentifier():
            raise SettingError(f"A choice cannot be called {name!r}; use letters, digits and _.")
        for option in options:
            _check_value(name, option)
        if len(set(options)) < len(options) or len(set(map(str, options))) < len(options):
            raise SettingError(f"The choice {name!r} has a value twice; give each of them once.")
    if not build.__qualname__.isidentifier():
        raise SettingError(
            f"Workers cannot find {build.__qualname__!r} by its name; build with a function, or a "
            "class, at the top of a module."
        )


def _plain(option: Any) -> Any:
    """A NumPy number as Python's own, of which a text can be made and read again."""
    return option.item() if isinstance(option, np.generic) else option


def _check_value(name: str, value: object) -> None:
    if not isinstance(value, Value) or value != value or (
        isinstance(value, str) and not (value.isprintable() and value.strip() and "," not in value)
    ):  # fmt: skip
        raise SettingError(
            f"{value!r} cannot be a value of {name!r}; use numbers, switches, or texts without a "
            "comma."
        )
