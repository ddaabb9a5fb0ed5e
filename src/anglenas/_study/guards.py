"""Trivial networks in a study: what tells them, and what puts them behind."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anglenas._plugins import load
from anglenas._study.benchmark import Benchmark
from anglenas._study.scores import Scores
from anglenas.errors import SettingError
from anglenas.ranking import guard_columns
from anglenas.spaces import CellGraph, Drawing

GUARDS = ("off", "score", "structure")
"""How trivial networks are treated: as any other; ranked last where their angle is 0.95 or more
after at least 50 iterations, or their cell has no module (the released code of Yang et al., WACV
2023); or ranked last where nothing that learns is on the ways through their cell."""


def check_guards(guards: Sequence[str]) -> None:
    """Make sure that there are guards, and that all are of :data:`GUARDS`.

    Raises:
        SettingError: There is none, or one has another name.
    """
    wrong = next((guard for guard in guards if guard not in GUARDS), None)
    if wrong is not None or not guards:
        told = "none" if wrong is None else repr(wrong)
        raise SettingError(f"A guard is one of {', '.join(GUARDS)}, not {told}.")


def apply_guard(scores: Scores, benchmark: Benchmark, guard: str) -> Scores:
    """The scores in which trivial networks are put behind by one of :data:`GUARDS`.

    Raises:
        SettingError: There is no such guard.
    """
    check_guards([guard])
    if guard == "off":
        return scores
    return replace(scores, columns=put_behind(scores, benchmark, guard)[0])


def put_behind(
    scores: Scores, benchmark: Benchmark, guard: str
) -> tuple[Mapping[str, NDArray[np.float64]], NDArray[np.bool_]]:
    """The columns in which trivial networks are put behind, and which networks those are."""
    space = load("space", benchmark.space)
    architectures = map(space.parse, benchmark.architectures)
    if guard == "score":
        empty = [_has_no_module(space.drawings(one)) for one in architectures]
        return guard_columns(scores.columns, empty, iterations=scores.iterations)
    return guard_columns(
        scores.columns, [space.is_trivial(one) for one in architectures], threshold=np.inf
    )


def _has_no_module(drawings: Iterable[Drawing]) -> bool:
    """Whether no operation of any cell, on live ways or not, computes anything.

    This is what the released code (``evaluate_anglefc.py``) tests before it trains. It is false
    where there is no cell to look at.
    """
    cells = [drawing for drawing in drawings if isinstance(drawing, CellGraph)]
    kinds = {operation.kind for cell in cells for _, _, operation in cell.edges if operation}
    return bool(cells) and kinds <= {"skip", "none"}
