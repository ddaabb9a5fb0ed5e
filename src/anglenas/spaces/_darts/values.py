"""The cell space of DARTS as values (Liu, Simonyan & Yang, ICLR 2019, arXiv 1806.09055).

A network is a stack of two kinds of cells, one that keeps the side of its maps and one that halves
it. A cell has two inputs, the outputs of the two cells before it, and four nodes. A node is the sum
of two operations, each applied to another one of the inputs and earlier nodes; the cell's output is
the concatenation of its four nodes. With seven operations that makes
``(1 * 3 * 6 * 10 * 7 ** 8) ** 2``, about ``10 ** 18`` pairs of cells.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from typing import ClassVar, NamedTuple

import numpy as np

from anglenas.errors import ArchitectureError, SettingError, UsageError
from anglenas.spaces._graph import CellGraph

__all__ = [
    "DARTS",
    "DARTS_IMAGENET",
    "DARTS_TENAS",
    "DARTS_TENAS_IMAGENET",
    "INPUTS",
    "NODES",
    "OPERATIONS",
    "Choice",
    "Darts",
    "Genotype",
]

OPERATIONS = (
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
    "avg_pool_3x3",
    "max_pool_3x3",
)
"""The operations, in the order of VITA-Group/TENAS."""

INPUTS = 2
"""Inputs of a cell: number 0 is the cell before the last one, number 1 the last one."""

NODES = 4
"""Nodes of a cell; they go on with the numbers of the inputs, 2 to 5."""

Choice = tuple[str, int]
"""An operation, and the number of the input or node that it is applied to."""

_GRAMMAR = (
    "a genotype reads Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ...], "
    "normal_concat=range(2, 6), reduce=[...], reduce_concat=range(2, 6))"
)


@dataclass(frozen=True)
class Genotype:
    """Both cells.

    Args:
        normal: Eight choices of the cell that keeps the side; choices 0 and 1 make node 2, choices
            2 and 3 node 3, and so on.
        reduce: The same for the cell that halves it.

    Raises:
        SettingError: A cell does not have eight choices, or one that the space does not have.

    >>> cell = (("sep_conv_3x3", 1), ("skip_connect", 0)) * 4
    >>> print(Genotype(cell, cell))  # doctest: +ELLIPSIS
    Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ...], normal_concat=range(2, 6), ...
    """

    normal: tuple[Choice, ...]
    reduce: tuple[Choice, ...]

    def __post_init__(self) -> None:
        for name in ("normal", "reduce"):
            cell = getattr(self, name)
            if len(cell) != 2 * NODES:
                raise SettingError(f"A cell has {2 * NODES} choices, not {len(cell)}.")
            for place, (operation, source) in enumerate(cell):
                if reason := _no_operation(operation) or _no_input(cell, place, source):
                    raise SettingError(f"Choice {place} of {name!r} does not fit: {reason}")

    def __str__(self) -> str:
        concat = f"range({INPUTS}, {INPUTS + NODES})"
        return (
            f"Genotype(normal={list(self.normal)!r}, normal_concat={concat}, "
            f"reduce={list(self.reduce)!r}, reduce_concat={concat})"
        )


def _no_operation(name: str) -> str:
    """Why this is no operation; empty if it is one."""
    known = ", ".join(OPERATIONS)
    return "" if name in OPERATIONS else f"there is no operation {name!r}; DARTS has {known}."


def _no_input(cell: Sequence[Choice], place: int, source: int) -> str:
    """Why the choice at a place may not be applied to a source; empty if it may."""
    node = place // 2 + INPUTS
    if not 0 <= source < node:
        return f"node {node} takes inputs from 0 to {node - 1}, not {source}."
    if place % 2 and cell[place - 1][1] == source:
        return f"node {node} has {source} as an input already; its two inputs differ."
    return ""


@dataclass(frozen=True)
class Darts:
    """The space, once for each kind of network that its cells are put into.

    Use the instances: :data:`DARTS` and :data:`DARTS_IMAGENET` are the networks of the paper,
    :data:`DARTS_TENAS` and :data:`DARTS_TENAS_IMAGENET` those that TE-NAS was evaluated with, in
    which each pooling is followed by BatchNorm.

    Attributes:
        name: What the space is called.
        builder: See :class:`anglenas.spaces.SearchSpace`.
        channels: Width of the published networks' first stage.
        cells: Their cells per stage. Between two stages stands a reduction cell: 6 cells per stage
            are 20 in all, 4 are 14.
        supernet: See :class:`anglenas.spaces.SearchSpace`.
        version: See :class:`anglenas.spaces.SearchSpace`.
        size: ``None``: nobody can go through all of them.
    """

    name: str = "darts"
    builder: str = "anglenas.spaces._darts.network:build"
    channels: int = 36
    cells: int = 6
    supernet: str = "darts_supernet"
    version: int = 1
    size: int | None = None
    writer: ClassVar[str] = "anglenas._export.darts:write"

    def parse(self, text: str) -> Genotype:
        """The genotype that a text in the usual form names.

        The outputs ``normal_concat`` and ``reduce_concat`` are all four nodes, as ``range(2, 6)``
        or a list. Spaces, line breaks and the kind of quotes do not matter.

        Raises:
            ArchitectureError: The text is none; points at the first wrong place.

        >>> text = str(DARTS.sample(np.random.default_rng(1)))
        >>> str(DARTS.parse(text)) == text
        True
        """
        return _Parser(text).genotype()

    def sample(self, rng: np.random.Generator) -> Genotype:
        """A genotype, uniformly; the inputs of a node in ascending order."""
        return Genotype(_sampled(rng), _sampled(rng))

    def enumerate(self) -> Iterator[Genotype]:
        """Refused.

        Raises:
            UsageError: Always.
        """
        raise UsageError(
            "The DARTS space has about 10^18 pairs of cells, too many to go through; search it "
            "with the strategy random, evolution or prune."
        )

    def mutate(self, architecture: Genotype, rng: np.random.Generator) -> Genotype:
        """A genotype that differs in one operation or in one input, with equal chances.

        These are the mutations of Real et al. (AAAI 2019, arXiv 1802.01548), without the identity.
        """
        cells = [list(architecture.normal), list(architecture.reduce)]
        cell = cells[rng.integers(2)]
        if rng.integers(2):
            _change_input(cell, rng)
        else:
            _change_operation(cell, rng)
        return Genotype(*map(tuple, cells))

    def canonical(self, architecture: Genotype) -> str:
        """The text of the genotype whose nodes stand in the least order.

        Neither the order of a node's two inputs nor the numbering of the nodes matters to what is
        computed: the channels of the output are permuted, and so are the weights that are applied
        to them. Not merged are cells in which a node could be exchanged for another one that has
        the same value because both are sums of the same skips and poolings.
        """
        return str(Genotype(_least(architecture.normal), _least(architecture.reduce)))

    def subject(self, text: str) -> Genotype:
        """The genotype that a text names; the canonical form is one itself."""
        return self.parse(text)

    def graphs(self, architecture: Genotype) -> tuple[CellGraph, ...]:
        """The normal and the reduction cell, for drawing."""
        return (
            _graph("normal cell", architecture.normal),
            _graph("reduction cell", architecture.reduce),
        )

    def is_trivial(self, architecture: Genotype) -> bool:
        """Whether all sixteen operations are ``skip_connect``."""
        return {name for name, _ in architecture.normal + architecture.reduce} == {"skip_connect"}


DARTS = Darts()
"""Small images, as in CIFAR-10; entry point ``darts`` of ``anglenas.spaces``."""

DARTS_IMAGENET = Darts(
    "darts_imagenet",
    "anglenas.spaces._darts.network:build_imagenet",
    48,
    4,
    "darts_supernet_imagenet",
)
"""Images of ImageNet's size, reduced by 8 before the first cell; entry point ``darts_imagenet``."""

DARTS_TENAS = Darts("darts_tenas", "anglenas.spaces._darts.network:build_tenas")
"""As :data:`DARTS`, with BatchNorm after each pooling; entry point ``darts_tenas``."""

DARTS_TENAS_IMAGENET = Darts(
    "darts_tenas_imagenet",
    "anglenas.spaces._darts.network:build_tenas_imagenet",
    48,
    4,
    "darts_supernet_imagenet",
)
"""As :data:`DARTS_IMAGENET`, with BatchNorm after each pooling; ``darts_tenas_imagenet``."""


def _sampled(rng: np.random.Generator) -> tuple[Choice, ...]:
    choices: list[Choice] = []
    for node in range(INPUTS, INPUTS + NODES):
        for source in sorted(rng.choice(node, 2, replace=False).tolist()):
            choices.append((OPERATIONS[rng.integers(len(OPERATIONS))], source))
    return tuple(choices)


def _change_operation(cell: list[Choice], rng: np.random.Generator) -> None:
    place = int(rng.integers(len(cell)))
    operation, source = cell[place]
    others = [name for name in OPERATIONS if name != operation]
    cell[place] = (others[rng.integers(len(others))], source)


def _change_input(cell: list[Choice], rng: np.random.Generator) -> None:
    place = int(rng.integers(2, len(cell)))  # node 2 has no other inputs than its two
    taken = {cell[place][1], cell[place ^ 1][1]}
    others = [source for source in range(place // 2 + INPUTS) if source not in taken]
    cell[place] = (cell[place][0], others[rng.integers(len(others))])


@lru_cache(maxsize=2**14)
def _least(cell: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """The least of all cells that differ by the order of inputs and the numbering of nodes."""
    return min(filter(None, (_renumbered(cell, order) for order in permutations(range(NODES)))))


def _renumbered(cell: Sequence[Choice], order: Sequence[int]) -> tuple[Choice, ...]:
    """The cell with its nodes in this order; empty where a node would come before its input."""
    new = {source: source for source in range(INPUTS)}
    choices: list[Choice] = []
    for place, node in enumerate(order):
        pair = cell[2 * node : 2 * node + 2]
        if any(source not in new for _, source in pair):
            return ()
        choices += sorted((name, new[source]) for name, source in pair)
        new[node + INPUTS] = place + INPUTS
    return tuple(choices)


def _graph(title: str, cell: Sequence[Choice]) -> CellGraph:
    output = INPUTS + NODES
    edges = [(source, place // 2 + INPUTS, name) for place, (name, source) in enumerate(cell)]
    edges += [(node, output, "") for node in range(INPUTS, output)]
    names = ("c_{k-2}", "c_{k-1}", *map(str, range(NODES)), "c_{k}")
    return CellGraph(title, names, tuple(edges), inputs=(0, 1), output=output)


class _Token(NamedTuple):
    text: str
    position: int


_TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|\w+|[()\[\]=,]")


class _Parser:
    """One method for each part of a genotype, over a cursor into the tokens."""

    def __init__(self, text: str) -> None:
        self._text = re.sub(r"\s", " ", text)  # one line, so that a caret can point into it
        self._rest = self._tokens()[::-1]

    def _tokens(self) -> list[_Token]:
        found, position = [], 0
        while position < len(self._text):
            match = _TOKEN.match(self._text, position)
            if match is None and self._text[position] != " ":
                raise self._error(f"unexpected character here; {_GRAMMAR}.", position)
            found += [_Token(match.group(), position)] if match else []
            position = match.end() if match else position + 1
        return [*found, _Token("", len(self._text))]

    def _error(self, reason: str, position: int) -> ArchitectureError:
        return ArchitectureError(reason[0].upper() + reason[1:], self._text, position)

    def _expect(self, *tokens: str) -> None:
        for token in tokens:
            found = self._rest[-1]
            if found.text != token:
                wanted = repr(token) if token else "the end"
                raise self._error(f"expected {wanted} here; {_GRAMMAR}.", found.position)
            self._rest.pop()

    def _take(self, token: str) -> bool:
        found = self._rest[-1].text == token
        if found:
            self._rest.pop()
        return found

    def genotype(self) -> Genotype:
        self._expect("Genotype", "(")
        normal = self._cell("normal")
        self._expect(",")
        reduce = self._cell("reduce")
        self._take(",")
        self._expect(")", "")
        return Genotype(normal, reduce)

    def _cell(self, name: str) -> tuple[Choice, ...]:
        self._expect(name, "=", "[")
        choices: list[Choice] = []
        for place in range(2 * NODES):
            if place:
                self._expect(",")
            choices.append(self._choice(choices, place))
        self._take(",")
        self._expect("]", ",", f"{name}_concat", "=")
        self._concat()
        return tuple(choices)

    def _choice(self, cell: Sequence[Choice], place: int) -> Choice:
        self._expect("(")
        operation = self._rest.pop()
        name = operation.text[1:-1]
        if operation.text[:1] not in ("'", '"'):
            raise self._error("expected the name of an operation in quotes.", operation.position)
        if reason := _no_operation(name):
            raise self._error(reason, operation.position)
        self._expect(",")
        source = self._number()
        if reason := _no_input(cell, place, int(source.text)):
            raise self._error(reason, source.position)
        self._expect(")")
        return name, int(source.text)

    def _number(self) -> _Token:
        token = self._rest.pop()
        if re.fullmatch("[0-9]{1,9}", token.text) is None:
            raise self._error("expected the number of an input or node here.", token.position)
        return token

    def _concat(self) -> None:
        """The outputs, which are all nodes: ``range(2, 6)`` or ``[2, 3, 4, 5]``."""
        if self._take("range"):
            self._expect("(", str(INPUTS), ",", str(INPUTS + NODES), ")")
            return
        closing = ")" if self._take("(") else "]"
        if closing == "]":
            self._expect("[")
        for node in range(INPUTS, INPUTS + NODES):
            self._expect(str(node))
            if node < INPUTS + NODES - 1:
                self._expect(",")
        self._take(",")
        self._expect(closing)
