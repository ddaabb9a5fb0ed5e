"""Pickles of plain values and arrays, read without Python's unpickler.

The official CIFAR and ImageNet16-120 files are pickles, and a pickle is a program. Here a small
machine runs only what such files need: it knows dictionaries, lists, tuples, numbers, texts and
the three ways in which NumPy writes an array, and makes the arrays itself. Nothing is imported and
nothing of Python or NumPy is called that a file names; what a file takes in memory is at most its
length and that of two million small objects.
"""

import pickletools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anglenas._text import reason

_PUSHED = (
    "BININT BININT1 BININT2 LONG1 BINFLOAT BINSTRING SHORT_BINSTRING BINUNICODE SHORT_BINUNICODE "
    "BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8"
)
_MOST_STEPS = 2_000_000  # the official file with the most has 0.3 million
_NUMBERS = re.compile(r"[iu][1248]|f[48]|b1")
_MALFORMED = (ValueError, TypeError, IndexError, KeyError, OverflowError, AttributeError)


def read_pickle(content: bytes) -> Any:
    """The value of a pickle; its arrays are :class:`PickledArray` s, its Python 2 texts texts.

    Args:
        content: The whole pickle, of protocol 2 to 5, by any version of Python and NumPy.

    Raises:
        ValueError: It is damaged, or holds anything but plain values and arrays.

    >>> import pickle
    >>> read_pickle(pickle.dumps({"labels": [3, 5]}, protocol=2))
    {'labels': [3, 5]}
    """
    machine = _Machine()
    try:
        for step, (code, argument, _) in enumerate(pickletools.genops(BytesIO(content))):
            if code.name not in _STEPS or step > _MOST_STEPS:
                raise ValueError(f"it holds more than plain values: {code.name} at step {step}")
            _STEPS[code.name](machine, argument)
        return machine.stack.pop()
    except _MALFORMED as error:
        raise ValueError(reason(error)) from error


@dataclass
class _Encoded:
    """What ``_codecs.encode(text, "latin1")`` stands for: Python 3's bytes in protocol 2."""

    text: str
    encoding: str

    def __bytes__(self) -> bytes:
        return self.text.encode("latin1")


@dataclass
class _Kind:
    """What ``numpy.dtype(code)`` stands for."""

    code: str
    align: bool = False
    copy: bool = False
    order: str = "|"


@dataclass
class PickledArray:
    """An array as a pickle holds it; nothing is computed before :meth:`values`."""

    kind: _Kind | None = None
    shape: Sequence[int] = (0,)
    raw: bytes | str | _Encoded = b""
    fortran: bool = False

    def values(self) -> NDArray[Any]:
        """The numbers.

        Raises:
            ValueError: It holds anything but numbers, or not as many as its shape says.
        """
        try:
            raw = self.raw.encode("latin1") if isinstance(self.raw, str) else self.raw
            plain = np.frombuffer(bytes(raw) if isinstance(raw, _Encoded) else raw, self._dtype())
            if min(self.shape) < 0:
                raise ValueError("an array has a negative length")
            return plain.reshape(tuple(self.shape), order="F" if self.fortran else "C")
        except _MALFORMED as error:
            raise ValueError(reason(error)) from error

    def _dtype(self) -> np.dtype[Any]:
        if self.kind is None or not _NUMBERS.fullmatch(self.kind.code):
            raise ValueError("an array in it holds something else than numbers")
        return np.dtype(self.kind.code).newbyteorder(">" if self.kind.order == ">" else "<")


def _from_buffer(
    raw: bytes, kind: _Kind, shape: Sequence[int], order: str | None = "C"
) -> PickledArray:
    return PickledArray(kind, shape, raw, order == "F")


_ADMITTED: dict[str, Callable[..., object] | None] = {
    "_codecs encode": _Encoded,
    "numpy dtype": _Kind,
    "numpy ndarray": None,  # is named as the class to make, and never called
    "numpy.core.multiarray _reconstruct": lambda *_: PickledArray(),
    "numpy.core.numeric _frombuffer": _from_buffer,
}


@dataclass
class _Machine:
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def since_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def memoize(self, _: None) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def put(self, key: int) -> None:
        self.memo[key] = self.stack[-1]

    def tuple_of(self, count: int) -> None:
        items = tuple(self.stack.pop() for _ in range(count))
        self.stack.append(items[::-1])

    def extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise ValueError("it appends to what is no list")
        self.stack[-1].extend(items)

    def update(self, items: list[Any]) -> None:
        # Tuples within tuples as keys would let their hash overflow the stack of C.
        if not isinstance(self.stack[-1], dict) or any(type(key) is not str for key in items[::2]):
            raise ValueError("it has a dictionary with keys that are no texts")
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def admit(self, name: str) -> None:
        # The list is closed: "numpy.core" alone holds functions that run what they are given.
        name = re.sub(r"^numpy\._core\b", "numpy.core", name)  # its name since NumPy 2
        if name not in _ADMITTED:
            raise ValueError(f"it asks for {name.replace(' ', '.')!r}, which is not allowed")
        self.stack.append(_ADMITTED[name])

    def admit_from_stack(self, _: None) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.admit(f"{module} {name}")

    def reduce(self, _: None) -> None:
        arguments, make = self.stack.pop(), self.stack.pop()
        if make is None or make not in _ADMITTED.values():
            raise ValueError("it calls what is no way to make an array")
        self.stack.append(make(*arguments))

    def build(self, _: None) -> None:
        state, thing = self.stack.pop(), self.stack[-1]
        if isinstance(thing, PickledArray):
            _, thing.shape, thing.kind, thing.fortran, thing.raw = state
        elif isinstance(thing, _Kind):
            thing.order = state[1]
        else:
            raise ValueError("it sets the state of what has none")


_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(_PUSHED.split(), lambda machine, value: machine.stack.append(value)),
    "NONE": lambda machine, _: machine.stack.append(None),
    "NEWTRUE": lambda machine, _: machine.stack.append(True),
    "NEWFALSE": lambda machine, _: machine.stack.append(False),
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda machine, _: None),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(
        ("BINGET", "LONG_BINGET"), lambda machine, key: machine.stack.append(machine.memo[key])
    ),
    "MEMOIZE": _Machine.memoize,
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_TUPLE": lambda machine, _: machine.stack.append(()),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "APPEND": lambda machine, _: machine.extend([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.update([machine.stack.pop(-2), machine.stack.pop()]),
    "SETITEMS": lambda machine, _: machine.update(machine.since_mark()),
    "GLOBAL": _Machine.admit,
    "STACK_GLOBAL": _Machine.admit_from_stack,
    "REDUCE": _Machine.reduce,
    "BUILD": _Machine.build,
}
