"""Genotypes of DARTS as values (Liu, Simonyan & Yang, ICLR 2019, arXiv 1806.09055).

A network is a stack of two kinds of cells, one that keeps the side of its maps and one that halves
it. A cell has two inputs, the outputs of the two cells before it, and four nodes. A node is the sum
of two operations, each applied to another one of the inputs and earlier nodes; the cell's output is
the concatenation of its four nodes. With seven operations that makes
``(1 * 3 * 6 * 10 * 7 ** 8) ** 2``, about ``10 ** 18`` pairs of cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

import numpy as np

from anglenas._text import Cursor
from anglenas.errors import ArchitectureError, SettingError
from anglenas.spaces._graph import CellGraph, Operation

OPERATIONS = {
    operation.name: operation
    for operation in (
        # With a stride it has weights of its own, but without another it is as trivial as any skip.
        Operation("skip_connect", "skip", "skip", learns=False),
        Operation("sep_conv_3x3", "sep conv 3x3", "separable"),
        Operation("sep_conv_5x5", "sep conv 5x5", "separable"),
        Operation("dil_conv_3x3", "dil conv 3x3", "dilated"),
        Operation("dil_conv_5x5", "dil conv 5x5", "dilated"),
        Operation("avg_pool_3x3", "avg pool 3x3", "pooling", learns=False),
        Operation("max_pool_3x3", "max pool 3x3", "pooling", learns=False),
    )
}
"""The operations by name, in the order of VITA-Group/TENAS."""

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


_CONCAT = ("2", ",", "3", ",", "4", ",", "5")


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
        for name, cell in (("normal", self.normal), ("reduce", self.reduce)):
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


def parse(text: str) -> Genotype:
    """The genotype that a text in the usual form names.

    The outputs ``normal_concat`` and ``reduce_concat`` are all four nodes, as ``range(2, 6)`` or a
    list. Spaces, line breaks and the kind of quotes do not matter.

    Raises:
        ArchitectureError: The text is none; points at the first wrong place.

    >>> text = str(sample(np.random.default_rng(1)))
    >>> str(parse(text)) == text
    True
    """
    cursor = Cursor(text, ArchitectureError, f"; {_GRAMMAR}", skips_blanks=True)
    cursor.expect("Genotype", "(")
    normal = _read_cell(cursor, "normal")
    cursor.expect(",")
    reduce = _read_cell(cursor, "reduce")
    cursor.take(",")
    cursor.expect(")")
    cursor.expect_end(f"Expected the end here; {_GRAMMAR}.")
    return Genotype(normal, reduce)


def _read_cell(cursor: Cursor, name: str) -> tuple[Choice, ...]:
    cursor.expect(name, "=", "[")
    choices: list[Choice] = []
    for place in range(2 * NODES):
        cursor.expect(*("," if place else ""), "(")
        choices.append(_read_choice(cursor, choices, place))
        cursor.expect(")")
    cursor.take(",")
    cursor.expect("]", ",", f"{name}_concat", "=")
    if cursor.take("range"):
        cursor.expect("(", str(INPUTS), ",", str(INPUTS + NODES), ")")
    else:
        closing = ")" if cursor.take("(") else "]"
        cursor.expect(*("[" if closing == "]" else ""), *_CONCAT)
        cursor.take(",")
        cursor.expect(closing)
    return tuple(choices)


def _read_choice(cursor: Cursor, cell: Sequence[Choice], place: int) -> Choice:
    start = cursor.position
    name = cursor.read(r"'[^']*'|\"[^\"]*\"")[1:-1]
    if cursor.position == start:
        raise cursor.wrong("Expected the name of an operation in quotes.")
    if reason := _no_operation(name):
        raise cursor.wrong(_sentence(reason), start)
    cursor.expect(",")
    start = cursor.position
    number = cursor.read(r"[0-9]{1,9}\b")
    if not number:
        raise cursor.wrong("Expected the number of an input or node here.")
    if reason := _no_input(cell, place, int(number)):
        raise cursor.wrong(_sentence(reason), start)
    return name, int(number)


def _sentence(reason: str) -> str:
    return reason[0].upper() + reason[1:]


def sample(rng: np.random.Generator) -> Genotype:
    """A genotype, uniformly; the inputs of a node in ascending order."""
    return Genotype(_sampled(rng), _sampled(rng))


def mutate(genotype: Genotype, rng: np.random.Generator) -> Genotype:
    """A genotype that differs in one operation or in one input, with equal chances.

    These are the mutations of Real et al. (AAAI 2019, arXiv 1802.01548), without the identity.
    """
    cells = [list(genotype.normal), list(genotype.reduce)]
    cell = cells[rng.integers(2)]
    if rng.integers(2):
        _change_input(cell, rng)
    else:
        _change_operation(cell, rng)
    return Genotype(*map(tuple, cells))


def canonical(genotype: Genotype) -> str:
    """The text of the genotype whose nodes stand in the least order.

    Neither the order of a node's two inputs nor the numbering of the nodes matters to what is
    computed: the channels of the output are permuted, and so are the weights that are applied to
    them. Not merged are cells in which a node could be exchanged for another one that has the same
    value because both are sums of the same skips and poolings.
    """
    return str(Genotype(_least(genotype.normal), _least(genotype.reduce)))


def drawings(genotype: Genotype) -> tuple[CellGraph, ...]:
    """The normal and the reduction cell."""
    return (
        _graph("normal cell", genotype.normal),
        _graph("reduction cell", genotype.reduce),
    )


def _sampled(rng: np.random.Generator) -> tuple[Choice, ...]:
    names = tuple(OPERATIONS)
    choices: list[Choice] = []
    for node in range(INPUTS, INPUTS + NODES):
        for source in sorted(rng.choice(node, 2, replace=False).tolist()):
            choices.append((names[rng.integers(len(names))], source))
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
    edges: list[tuple[int, int, Operation | None]] = [
        (source, place // 2 + INPUTS, OPERATIONS[name]) for place, (name, source) in enumerate(cell)
    ]
    edges += [(node, output, None) for node in range(INPUTS, output)]
    names = ("c_{k-2}", "c_{k-1}", *map(str, range(NODES)), "c_{k}")
    return CellGraph(title, names, tuple(edges), inputs=(0, 1), output=output)
