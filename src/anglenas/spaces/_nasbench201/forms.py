"""What a cell computes, whatever it is written like: the canonical form of NAS-Bench-201 cells.

The value of a node is a sum of terms ``coefficient * pool^n(source)``, where a source is the
cell's input ``x`` or one *atom*: the result of one convolution (ReLU, convolution, BatchNorm).

* A skip adds the terms of its source; so chains of skips vanish and equal terms merge.
* Average pooling is linear and acts on each term alone; twice is a term of its own.
* Every convolution is an atom of its own, since it has weights of its own.
* A convolution of nothing yields its BatchNorm's bias everywhere, a learned *constant*: BatchNorm
  takes the mean away, and nothing is left of a map that is the same everywhere. The same holds
  for a 1x1 convolution of a constant. A 3x3 convolution of a constant sees the zeros around the
  map and stays a convolution. Pooling leaves a constant as it is.
* Atoms that the output does not depend on are left out.

Two cells have the same form exactly when one can be turned into the other by renaming atoms, and
then, with the same weights, they compute the same function in training mode, before and after any
number of steps of SGD. What is *not* merged: a coefficient that all terms in front of a
BatchNorm share, which BatchNorm removes but for its epsilon (see :meth:`Form.unscaled`).
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations, product
from string import ascii_lowercase

from anglenas.errors import ArchitectureError

INPUT = -1
"""The source of a term that is the cell's input; atoms are 0, 1, ..."""

_KINDS = {"nor_conv_1x1": "conv1x1", "nor_conv_3x3": "conv3x3"}
_CONSTANT = "constant"


@dataclass(frozen=True, order=True)
class Term:
    """``coefficient * pool^pools(source)``; the source is an atom's number, or -1 for the input."""

    source: int
    pools: int
    coefficient: int = 1


Terms = tuple[Term, ...]


@dataclass(frozen=True, order=True)
class Atom:
    """One learned operation of a form.

    Attributes:
        kind: ``"conv1x1"``, ``"conv3x3"`` or ``"constant"``.
        inputs: The sum it is applied to; empty for a constant.
    """

    kind: str
    inputs: Terms


@dataclass(frozen=True)
class Form:
    """A canonical cell.

    Attributes:
        atoms: Learned operations; each uses only the input and atoms before it.
        output: The sum that is the cell's result; empty if that is zero.
    """

    atoms: tuple[Atom, ...]
    output: Terms

    def __str__(self) -> str:
        lines = [
            f"{ascii_lowercase[number]}={atom.kind}({_sum_text(atom.inputs)})"
            if atom.kind != _CONSTANT
            else f"{ascii_lowercase[number]}={_CONSTANT}"
            for number, atom in enumerate(self.atoms)
        ]
        return "; ".join([*lines, f"out={_sum_text(self.output)}"])

    def unscaled(self) -> "Form":
        """The form without the factors that BatchNorm removes.

        The coefficients in front of each convolution are divided by their greatest common
        divisor. Forms with the same unscaled form differ only through BatchNorm's epsilon.
        """
        atoms = []
        for atom in self.atoms:
            factor = math.gcd(*(term.coefficient for term in atom.inputs)) or 1
            inputs = (Term(t.source, t.pools, t.coefficient // factor) for t in atom.inputs)
            atoms.append(Atom(atom.kind, tuple(inputs)))
        return _renumbered(atoms, self.output)


@cache
def canonical_form(edges: tuple[tuple[int, int, str], ...], output: int) -> Form:
    """The form of a cell of NAS-Bench-201's operations.

    Args:
        edges: ``(from, to, operation)`` in topological order; node 0 is the input.
        output: The node whose value is the cell's result.
    """
    atoms: list[Atom] = []
    nodes: dict[int, Terms] = {0: (Term(INPUT, 0),)}
    for source, target, operation in edges:
        value = _apply(operation, nodes.get(source, ()), atoms)
        nodes[target] = _merge(nodes.get(target, ()) + value)
    return _renumbered(atoms, nodes.get(output, ()))


def _apply(operation: str, value: Terms, atoms: list[Atom]) -> Terms:
    """The terms of an operation's result; a convolution is appended to ``atoms``."""
    if operation == "none":
        return ()
    if operation == "skip_connect":
        return value
    if operation == "avg_pool_3x3":
        return tuple(
            term
            if _is_constant(term, atoms)
            else Term(term.source, term.pools + 1, term.coefficient)
            for term in value
        )
    constant = all(_is_constant(term, atoms) for term in value)
    is_fixed = not value or (constant and operation == "nor_conv_1x1")
    atoms.append(Atom(_CONSTANT, ()) if is_fixed else Atom(_KINDS[operation], value))
    return (Term(len(atoms) - 1, 0),)


def _is_constant(term: Term, atoms: Sequence[Atom]) -> bool:
    return term.source != INPUT and atoms[term.source].kind == _CONSTANT


def _merge(terms: Iterable[Term]) -> Terms:
    total: dict[tuple[int, int], int] = {}
    for term in terms:
        key = (term.source, term.pools)
        total[key] = total.get(key, 0) + term.coefficient
    return tuple(sorted(Term(*key, count) for key, count in total.items()))


def _renumbered(atoms: Sequence[Atom], output: Terms) -> Form:
    """The least of all forms that differ by the numbering of the live atoms."""
    live = sorted(_reachable(atoms, output), key=lambda number: _signature(number, atoms))
    groups: dict[tuple[int, str], list[int]] = {}
    for number in live:
        groups.setdefault(_signature(number, atoms), []).append(number)
    # Atoms that look alike from below can only be told apart from above: try their orders.
    orders = product(*(permutations(group) for group in groups.values()))
    return min(
        (_numbered(atoms, output, [number for group in order for number in group])
         for order in orders),
        key=lambda form: (form.atoms, form.output),
    )  # fmt: skip


def _numbered(atoms: Sequence[Atom], output: Terms, order: Sequence[int]) -> Form:
    new = {INPUT: INPUT} | {number: place for place, number in enumerate(order)}

    def rename(terms: Terms) -> Terms:
        return tuple(sorted(Term(new[t.source], t.pools, t.coefficient) for t in terms))

    renamed = (Atom(atoms[number].kind, rename(atoms[number].inputs)) for number in order)
    return Form(tuple(renamed), rename(output))


def _reachable(atoms: Sequence[Atom], output: Terms) -> set[int]:
    found: set[int] = set()
    stack = [term.source for term in output]
    while stack:
        number = stack.pop()
        if number != INPUT and number not in found:
            found.add(number)
            stack += [term.source for term in atoms[number].inputs]
    return found


def _signature(number: int, atoms: Sequence[Atom]) -> tuple[int, str]:
    """Depth and look of an atom from below: alike for atoms that differ by their number alone."""
    if number == INPUT:
        return 0, "x"
    below = sorted(
        (*_signature(term.source, atoms), term.pools, term.coefficient)
        for term in atoms[number].inputs
    )
    return 1 + max((part[0] for part in below), default=0), f"{atoms[number].kind}{below}"


def _sum_text(terms: Terms) -> str:
    return " + ".join(_term_text(term) for term in terms) or "0"


def _term_text(term: Term) -> str:
    name = "x" if term.source == INPUT else ascii_lowercase[term.source]
    text = "pool(" * term.pools + name + ")" * term.pools
    return text if term.coefficient == 1 else f"{term.coefficient}*{text}"


_STATEMENT = re.compile(
    r"(?P<constant>[a-f]=constant)"
    r"|[a-f]=(?P<kind>conv1x1|conv3x3)\((?P<inputs>.+)\)"
    r"|out=(?P<output>.+)"
)
_TERM = re.compile(r"(?:(?P<count>\d+)\*)?(?P<pools>(?:pool\()*)(?P<name>[a-fx])\)*")


def parse_form(text: str) -> Form:
    """The form that ``str(form)`` printed.

    Raises:
        ArchitectureError: The text is not what a form prints.

    >>> parse_form("a=conv3x3(x); out=2*pool(x) + a").output
    (Term(source=-1, pools=1, coefficient=2), Term(source=0, pools=0, coefficient=1))
    """
    atoms, output = _statements(text)
    for place, terms in enumerate([*(atom.inputs for atom in atoms), output]):
        if any(term.source >= place for term in terms):
            raise ArchitectureError("A canonical cell uses no name before it.", text, 0)
    if str(form := _renumbered(atoms, output)) != text:
        raise ArchitectureError(f"This is no canonical cell; that would be {form}.", text, 0)
    return form


def _statements(text: str) -> tuple[tuple[Atom, ...], Terms]:
    atoms: list[Atom] = []
    output: Terms = ()
    position = 0
    for statement in text.split("; "):
        match = _STATEMENT.fullmatch(statement)
        if match is None:
            raise ArchitectureError("A canonical cell does not go on like this.", text, position)
        if match["constant"]:
            atoms.append(Atom(_CONSTANT, ()))
        elif match["kind"]:
            atoms.append(Atom(match["kind"], tuple(_terms(match["inputs"]))))
        else:
            output = tuple(_terms(match["output"]))
        position += len(statement) + 2
    return tuple(atoms), output


def _terms(text: str) -> Iterator[Term]:
    for part in text.split(" + ") if text != "0" else ():
        if match := _TERM.fullmatch(part):
            source = INPUT if match["name"] == "x" else ascii_lowercase.index(match["name"])
            yield Term(source, match["pools"].count("("), int(match["count"] or 1))
