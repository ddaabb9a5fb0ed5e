"""The cell space of NAS-Bench-201 as values (Dong & Yang, ICLR 2020, arXiv 2001.00326).

A cell has four nodes. Node 0 is its input, node 3 its output, and node ``j`` is the sum over all
``i < j`` of one of five operations applied to node ``i``: six edges, ``5 ** 6 = 15 625`` cells.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

from anglenas.errors import ArchitectureError, SettingError
from anglenas.spaces._graph import CellGraph, is_untrained
from anglenas.spaces._nasbench201.forms import Form, canonical_form, parse_form

__all__ = ["EDGES", "NASBENCH201", "OPERATIONS", "NasBench201", "NasBench201Architecture"]

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""The operations, in the benchmark's own order."""

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""``(from, to)`` of every edge, in the order of the text."""

_SHUFFLE_SEED = 88  # D-X-Y/AutoDL-Projects: the benchmark's indices are a shuffle with this seed

_TEXT = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|"
_CELL = re.compile(re.escape(_TEXT).replace(r"\{\}", f"({'|'.join(OPERATIONS)})"))


@dataclass(frozen=True)
class NasBench201Architecture:
    """One cell: the operation on each of the six edges.

    Args:
        operations: Names from :data:`OPERATIONS`, in the order of :data:`EDGES`.

    Raises:
        SettingError: Not six operations, or one that the space does not have.

    >>> str(NasBench201Architecture(("none",) * 5 + ("nor_conv_3x3",)))
    '|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|'
    """

    operations: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.operations) != len(EDGES) or not set(self.operations) <= set(OPERATIONS):
            raise SettingError(
                f"A NAS-Bench-201 cell has {len(EDGES)} operations out of "
                f"{', '.join(OPERATIONS)}, not {self.operations}."
            )

    def __str__(self) -> str:
        return _TEXT.format(*self.operations)


@cache
def _by_index() -> tuple[tuple[str, ...], ...]:
    cells = list(product(OPERATIONS, repeat=len(EDGES)))
    random.Random(_SHUFFLE_SEED).shuffle(cells)
    return tuple(cells)


@cache
def _index_of() -> dict[tuple[str, ...], int]:
    return {operations: index for index, operations in enumerate(_by_index())}


class NasBench201:
    """The space; stateless, use the instance :data:`NASBENCH201`.

    >>> NASBENCH201.index(NASBENCH201.at(1462))
    1462
    >>> set(NASBENCH201.at(1462).operations)
    {'nor_conv_3x3'}
    """

    name = "nasbench201"
    version = 1
    size: int | None = len(OPERATIONS) ** len(EDGES)
    builder = "anglenas.spaces._nasbench201.network:build"
    writer = "anglenas._export.nasbench201:write"
    supernet = "nasbench201_supernet"

    def parse(self, text: str) -> NasBench201Architecture:
        """The cell of ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``.

        Raises:
            ArchitectureError: The text is none; points at the first wrong place.

        >>> text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"
        >>> str(NASBENCH201.parse(text)) == text
        True
        """
        if match := _CELL.fullmatch(text):
            return NasBench201Architecture(match.groups())
        operations: list[str] = []  # step by step to the first wrong place
        position = 0
        for edge, (source, _) in enumerate(EDGES):
            opening = "|" if edge == 0 else "|+|" if source == 0 else "|"
            position = _expect(text, position, opening)
            operation = _operation_at(text, position)
            operations.append(operation)
            position = _expect(text, position + len(operation), f"~{source}")
        position = _expect(text, position, "|")
        if position < len(text):
            raise ArchitectureError("A NAS-Bench-201 cell ends here.", text, position)
        return NasBench201Architecture(tuple(operations))

    def at(self, index: int) -> NasBench201Architecture:
        """The cell with an index of NAS-Bench-201 and of NATS-Bench's topology space.

        Raises:
            SettingError: The index is not in 0 to 15 624.
        """
        if not 0 <= index < len(_by_index()):
            raise SettingError(f"NAS-Bench-201 has the indices 0 to 15624, not {index}.")
        return NasBench201Architecture(_by_index()[index])

    def index(self, architecture: NasBench201Architecture) -> int:
        """The index of a cell, 0 to 15 624."""
        return _index_of()[architecture.operations]

    def enumerate(self) -> Iterator[NasBench201Architecture]:
        """All 15 625 cells, in the order of their indices."""
        return map(NasBench201Architecture, _by_index())

    def sample(self, rng: np.random.Generator) -> NasBench201Architecture:
        """A cell, uniformly: every edge's operation independently."""
        choices = rng.integers(len(OPERATIONS), size=len(EDGES))
        return NasBench201Architecture(tuple(OPERATIONS[choice] for choice in choices))

    def mutate(
        self, architecture: NasBench201Architecture, rng: np.random.Generator
    ) -> NasBench201Architecture:
        """A cell that differs in the operation of exactly one edge, uniformly."""
        edge = int(rng.integers(len(EDGES)))
        others = [name for name in OPERATIONS if name != architecture.operations[edge]]
        operations = list(architecture.operations)
        operations[edge] = others[int(rng.integers(len(others)))]
        return NasBench201Architecture(tuple(operations))

    def form(self, architecture: NasBench201Architecture) -> Form:
        """What the cell computes; see :class:`anglenas.spaces.Form`."""
        return _form(architecture)

    def canonical(self, architecture: NasBench201Architecture) -> str:
        """The text of :meth:`form`.

        >>> skip, dead = "|skip_connect~0|+|none~0|none~1|+|none~0|{}~1|none~2|", "nor_conv_1x1"
        >>> NASBENCH201.canonical(NASBENCH201.parse(skip.format(dead)))
        'a=conv1x1(x); out=a'
        """
        return str(_form(architecture))

    def subject(self, text: str) -> NasBench201Architecture | Form:
        """The cell or the form that a text names.

        Raises:
            ArchitectureError: The text is neither.
        """
        return parse_form(text) if "=" in text else self.parse(text)

    def graphs(self, architecture: NasBench201Architecture) -> tuple[CellGraph, ...]:
        """The cell with all six edges, for drawing."""
        edges = tuple(
            (source, target, operation)
            for (source, target), operation in zip(EDGES, architecture.operations, strict=True)
        )
        return (CellGraph("cell", ("in", "1", "2", "out"), edges, inputs=(0,), output=3),)

    def is_trivial(self, architecture: NasBench201Architecture) -> bool:
        """Whether no convolution is on a way from input to output (1 983 cells).

        These are the trivial structures of Yang et al. (WACV 2023, supplement, section 3).
        """
        return is_untrained(self.graphs(architecture))


NASBENCH201 = NasBench201()
"""The space, as ``anglenas.spaces`` entry point ``nasbench201``."""


@cache
def _form(architecture: NasBench201Architecture) -> Form:
    return canonical_form(
        [(*edge, name) for edge, name in zip(EDGES, architecture.operations, strict=True)],
        output=EDGES[-1][1],
    )


def _expect(text: str, position: int, token: str) -> int:
    for offset, character in enumerate(token):
        if text[position + offset : position + offset + 1] != character:
            raise ArchitectureError(
                f"Expected {character!r} here; a NAS-Bench-201 cell reads "
                "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|.",
                text,
                position + offset,
            )
    return position + len(token)


def _operation_at(text: str, position: int) -> str:
    match = re.compile(r"[^~|+]*").match(text, position)
    name = match.group() if match else ""
    if name not in OPERATIONS:
        raise ArchitectureError(
            f"There is no operation {name!r}; NAS-Bench-201 has {', '.join(OPERATIONS)}.",
            text,
            position,
        )
    return name
