"""Make again every table of the documentation that follows from committed scores.

    ANGLENAS_DEV_DATA=folder python benchmarks/evidence.py [NAME ...] [--check] [--figures]

A table stands in its page between ``<!-- made: NAME -->`` and ``<!-- end -->``; NAME says which
function of this folder makes it. Without names all are made, in a few minutes on two cores; every
machine makes the same. ``--check`` changes nothing and ends with 1 if a page has another table than
the scores give. ``--figures`` also draws figures 1 and 2 of the study.

The folder holds ``nasbench201.csv``, known accuracies (docs/study.md tells how to write it), and
``nasbench201_published_proxies_cifar10.csv``, scores that NASLib published.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import evidence_recipes as recipes
import evidence_searches as searches
import evidence_study as study
import forms
import strategies

DOCS = Path(__file__).parents[1] / "docs"
PAGES = (*sorted((DOCS / "evidence").glob("*.md")), DOCS / "study.md")
MADE = re.compile(r"(<!-- made: (\S+) -->\n\n).*?(\n\n<!-- end -->)", re.DOTALL)

Table = Callable[[Path], Iterable[str]]

TABLES: dict[str, Table] = {
    "forms-counts": forms.counts,
    "forms-scaled": forms.scaled,
    "strategies": strategies.table,
    **{f"recipes-{name}": partial(recipes.table, name) for name in recipes.TABLES},
    "recipes-gain": recipes.gain,
    "recipes-settings": recipes.settings,
    "recipes-picks": recipes.picks,
    **{f"table1-{recipe}": partial(study.table1, recipe) for recipe in ("paper", "fast")},
    **{f"picks-{recipe}": partial(study.picked, recipe) for recipe in ("paper", "fast")},
    "seeds": study.seeds,
    "regions": study.regions,
    "figures": study.trivial,
    "logged-run": study.logged_run,
    "params-taus": study.params_taus,
    "params-picks": study.params_picks,
    "pruning-cifar10": partial(searches.pruned, "cifar10"),
    "pruning-cifar100": partial(searches.pruned, "cifar100"),
    "cells": searches.cells,
    "verified-networks": searches.verified_networks,
    "verified-means": searches.verified_means,
    "verified-agreement": searches.verified_agreement,
    "published": searches.published,
}


def make(name: str, data: Path) -> str:
    """A table as it stands in its page."""
    return "\n".join(TABLES[name](data)).strip()


def main() -> None:
    """Make the tables, and write or compare the pages."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", choices=[*TABLES, []], metavar="NAME")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--figures", action="store_true")
    given = parser.parse_args()
    if "ANGLENAS_DEV_DATA" not in os.environ:
        parser.error("ANGLENAS_DEV_DATA names no folder with nasbench201.csv")
    data = Path(os.environ["ANGLENAS_DEV_DATA"])
    # What nothing in a page asks for is not made, and what no function makes is an error.
    asked = {page: [found[2] for found in MADE.finditer(page.read_text())] for page in PAGES}
    names = given.names or [name for some in asked.values() for name in some]
    if given.names:
        made = {name: make(name, data) for name in names}
    else:
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            made = dict(zip(names, pool.map(make, names, [data] * len(names)), strict=True))
    differing = []
    for page in PAGES:
        before = page.read_text()
        after = MADE.sub(lambda one: f"{one[1]}{made.get(one[2], one[0])}{one[3]}"
                         if one[2] in made else one[0], before)  # fmt: skip
        if after != before:
            differing.append(page.name)
            if not given.check:
                page.write_text(after)
    if given.figures:
        study.draw_figures(data, DOCS / "images")
    print(f"{len(made)} tables made; pages that {'differ' if given.check else 'changed'}: "
          f"{', '.join(differing) or 'none'}")  # fmt: skip
    sys.exit(bool(given.check and differing))


if __name__ == "__main__":
    main()
