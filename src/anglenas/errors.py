"""Every exception that anglenas raises on purpose.

::

    AnglenasError
    ├── UsageError                  what was asked cannot be done as asked
    │   ├── ArchitectureError       text that is no architecture; points at the place
    │   ├── ExpressionError         text that is no rank expression; points at the place
    │   ├── UnknownNameError        no such metric, space, ...; offers the nearest names
    │   ├── DataError               images or labels that cannot be used
    │   ├── MissingExtraError       a part of anglenas that is not installed
    │   ├── NetworkError            a module that cannot be measured
    │   └── SettingError            a number, a file or a folder that does not fit
    ├── StoreError                  the store of scores cannot be read or written
    ├── TrainingError               a training from scratch, or its files, cannot be used
    └── WorkersError                the processes that compute cannot be used

A candidate that cannot be scored is not an exception: its score carries a status.
Each message is one sentence, or two, that say what is wrong and what to do.
"""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

__all__ = [
    "AnglenasError",
    "ArchitectureError",
    "DataError",
    "ExpressionError",
    "MissingExtraError",
    "NetworkError",
    "SettingError",
    "StoreError",
    "TrainingError",
    "UnknownNameError",
    "UsageError",
    "WorkersError",
    "needs_extra",
]

_WIDTH = 70


class AnglenasError(Exception):
    """The root of the tree; catch it to catch everything that anglenas raises on purpose."""


class UsageError(AnglenasError, ValueError):
    """What was asked cannot be done as asked; the command line ends with code 2."""


class _TextError(UsageError):
    """A text that does not parse: shows it with a caret under the first wrong place.

    Of a text that does not fit into a line, the part around that place is shown.

    Args:
        message: What is wrong there, and what was expected.
        text: The whole text.
        position: Index of the first wrong character, 0 to ``len(text)``.
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        super().__init__(message, text, position)
        self.text = text
        self.position = position

    def __str__(self) -> str:
        shown, position = _around(self.text, self.position)
        return f"{self.args[0]}\n  {shown}\n  {' ' * position}^"


def _around(text: str, position: int) -> tuple[str, int]:
    """The part of a long text around a position, and the position in that part."""
    if len(text) <= _WIDTH:
        return text, position
    start = min(max(position - _WIDTH // 2, 0), len(text) - _WIDTH)
    before, after = "..." * (start > 0), "..." * (start + _WIDTH < len(text))
    return before + text[start : start + _WIDTH] + after, position - start + len(before)


class ArchitectureError(_TextError):
    """A text that is no architecture of the space."""


class ExpressionError(_TextError):
    """A text that is no rank expression."""


class UnknownNameError(UsageError):
    """A name that nothing is registered under.

    Args:
        kind: What was looked for, such as ``"metric"``.
        name: The name that was given.
        known: All names that would have done.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(kind, name, tuple(sorted(known)))
        self.kind = kind
        self.name = name

    def __str__(self) -> str:
        known: tuple[str, ...] = self.args[2]
        near = difflib.get_close_matches(self.name, known, n=3, cutoff=0.5)
        advice = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}."
        return f"There is no {self.kind} named {self.name!r}; {advice}"


class DataError(UsageError):
    """Images or labels that cannot be used."""


class MissingExtraError(UsageError):
    """A part of anglenas needs packages that are not installed.

    Args:
        extra: Name of the extra that installs them.
        package: The first one that is missing.
    """

    def __init__(self, extra: str, package: str) -> None:
        super().__init__(extra, package)
        self.extra = extra
        self.package = package

    def __str__(self) -> str:
        return (
            f"{self.package} is not installed; run: pip install 'anglenas[{self.extra}]', or in a "
            f"checkout: pip install -c constraints.txt '.[{self.extra}]'"
        )


class NetworkError(UsageError):
    """A module that cannot be measured, such as one with fewer outputs than classes."""


class SettingError(UsageError):
    """A setting that does not fit: a budget of 0, a folder that cannot be written."""


class StoreError(AnglenasError):
    """The store of scores cannot be read or written."""


class TrainingError(AnglenasError):
    """A training from scratch cannot go on, or a file that it wrote cannot be used."""


class WorkersError(AnglenasError):
    """The processes that compute scores cannot be started, reached or used."""


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Imports inside need an extra of the package.

    Raises:
        MissingExtraError: One of them is not installed.

    >>> try:
    ...     with needs_extra("train"):
    ...         import nothing
    ... except MissingExtraError as error:
    ...     print(error.extra, error.package)
    train nothing
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(extra, error.name or str(error)) from error
