"""How many functions NAS-Bench-201 holds, and which of them differ by a scale alone.

    python benchmarks/forms.py > docs/evidence/forms.md

Takes a few seconds; needs nothing but the package.
"""

from collections import defaultdict

from anglenas.spaces import Form
from anglenas.spaces._nasbench201.values import NASBENCH201

HEAD = """\
# The functions of NAS-Bench-201

Made by `python benchmarks/forms.py`; nothing is measured, so it is the same on every machine.

Two of the 15 625 cells share a canonical form exactly when their networks compute the same
function in training mode, and go on doing so while they are trained, up to the names of
operations. Averages over a map of constants, sums of skips and dead edges are resolved; two
convolutions of one input stay two. `tests/test_forms.py` checks it in float64 against cells as
written, after 0 and 3 steps of SGD, by trying every matching of their convolutions.

| what | number |
|---|---|
| cells | {cells} |
| forms | {forms} |
| forms that hold one cell alone | {singles} |
| most cells in one form | {most} |
| forms whose output does not depend on the input | {fixed} |
| forms that another one equals but for a scale in front of a BatchNorm | {scaled} |

Published counts of "unique" cells follow other rules: the 6 466 of the benchmark's paper are
those that differ as graphs after simplification, not as functions.

Three things follow from "in training mode":

* A convolution of a map that is zero everywhere is its BatchNorm's bias, a learned constant,
  and so is a 1x1 convolution of a constant: BatchNorm subtracts the mean, and the mean is all
  there is. With running statistics (in evaluation mode) the second is a constant too, but not
  that bias.
* A cell's output that never depends on the input is kept apart by its form, as a function of
  the cell. In a whole network the BatchNorm after the last cell also removes what is constant
  over the map, so the forms {constants} give networks with the same logits.
* A factor in front of a convolution is removed by the BatchNorm behind it, but for BatchNorm's
  epsilon. Such forms are not merged. They are:

| the same but for a scale |
|---|
"""


def main() -> None:
    """Print the page."""
    members: dict[Form, int] = defaultdict(int)
    for cell in NASBENCH201.enumerate():
        members[NASBENCH201.form(cell)] += 1
    groups: dict[Form, list[Form]] = defaultdict(list)
    for form in members:
        groups[form.unscaled()].append(form)
    pairs = [group for group in groups.values() if len(group) > 1]
    fixed = [form for form in members if not _depends_on_input(form)]
    print(
        HEAD.format(
            cells=sum(members.values()),
            forms=len(members),
            singles=sum(count == 1 for count in members.values()),
            most=max(members.values()),
            fixed=len(fixed),
            scaled=sum(map(len, pairs)),
            constants=", ".join(f"`{f}`" for f in fixed if "conv" not in str(f)),
        ),
        end="",
    )
    for group in pairs:
        print("| " + "<br>".join(f"`{form}`" for form in sorted(map(str, group), key=len)) + " |")


def _depends_on_input(form: Form) -> bool:
    known: list[bool] = []
    for atom in form.atoms:
        known.append(any(term.source < 0 or known[term.source] for term in atom.inputs))
    return any(term.source < 0 or known[term.source] for term in form.output)


if __name__ == "__main__":
    main()
