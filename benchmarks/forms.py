"""How many functions NAS-Bench-201 holds, and which of them differ by a scale alone.

The tables of docs/evidence/forms.md, which `evidence.py` makes; nothing is measured.
"""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from anglenas.spaces import NASBENCH201, Form, form_of


@cache
def members() -> dict[Form, int]:
    """How many cells each form holds."""
    found: dict[Form, int] = defaultdict(int)
    for cell in NASBENCH201.enumerate():
        found[form_of(cell)] += 1
    return found


def groups() -> list[list[Form]]:
    """Forms that are the same but for a scale in front of a BatchNorm."""
    found: dict[Form, list[Form]] = defaultdict(list)
    for form in members():
        found[form.unscaled()].append(form)
    return [group for group in found.values() if len(group) > 1]


def counts(data: Path) -> Iterator[str]:
    """How many cells and forms there are."""
    del data
    sizes = members()
    yield "| what | number |\n|---|---|"
    for what, number in {
        "cells": sum(sizes.values()),
        "forms": len(sizes),
        "forms that hold one cell alone": sum(count == 1 for count in sizes.values()),
        "most cells in one form": max(sizes.values()),
        "forms whose output does not depend on the input": sum(map(_is_fixed, sizes)),
        "forms that another one equals but for a scale in front of a BatchNorm":
            sum(map(len, groups())),
    }.items():  # fmt: skip
        yield f"| {what} | {number} |"


def scaled(data: Path) -> Iterator[str]:
    """The forms that differ by a scale alone, a group a line."""
    del data
    yield "| the same but for a scale |\n|---|"
    for group in groups():
        yield "| " + "<br>".join(f"`{form}`" for form in sorted(map(str, group), key=len)) + " |"


def _is_fixed(form: Form) -> bool:
    """Whether the output never depends on the input."""
    known: list[bool] = []
    for atom in form.atoms:
        known.append(any(term.source < 0 or known[term.source] for term in atom.inputs))
    return not any(term.source < 0 or known[term.source] for term in form.output)
