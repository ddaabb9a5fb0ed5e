"""Table 1 of the supplement of Yang et al. (WACV 2023, arXiv 2211.08666), measured again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from anglenas._sheet import Sheet, number_text
from anglenas._study.estimates import Estimate
from anglenas._study.study import Study
from anglenas.ranking import Interval

Verdict = Literal["agrees", "disagrees", "cannot tell"]

_WIDEST = 0.08  # to each side; in a wider interval nearly any published tau would agree
_ROUNDING = 0.005  # published taus have two digits


@dataclass(frozen=True)
class Published:
    """A row of the supplement's table 1: Kendall's tau with test accuracy on NAS-Bench-201.

    Attributes:
        name: What the row is called there.
        metric: Our rank expression for it.
        taus: Of all networks, of the 1000 and of the 500 most accurate ones.
    """

    name: str
    metric: str
    taus: tuple[float, float, float]


TABLE_1 = (
    Published("#Param", "params", (0.55, 0.04, 0.03)),
    Published("LR1", "regions", (0.50, 0.15, 0.08)),
    Published("NTK", "ntk", (0.42, 0.06, 0.14)),
    Published("LR2", "naswot", (0.61, -0.04, -0.03)),
    Published("AngleLoss", "angle_loss", (0.46, 0.15, 0.18)),
    Published("LR1+#Param", "regions+params", (0.62, 0.15, 0.10)),
    Published("NTK+#Param", "ntk+params", (0.56, 0.07, 0.14)),
    Published("LR2+#Param", "naswot+params", (0.64, 0.00, 0.02)),
    Published("AngleLoss+#Param", "angle_loss+params", (0.60, 0.17, 0.21)),
)
"""LR1 is taken to be the linear regions of TE-NAS, and LR2 NASWOT, for their published taus."""

_SUBSETS = ("all", "top-1000", "top-500")


@dataclass(frozen=True)
class Compared:
    """A published tau and ours.

    Attributes:
        row: The published row.
        published: Its tau for this subset.
        estimate: Ours, with all that belongs to it.
        verdict: Whether they agree, by the tau with ties broken at random.
    """

    row: Published
    published: float
    estimate: Estimate
    verdict: Verdict


def verdict(ours: Interval, published: float) -> Verdict:
    """Whether a published number of two digits can be the one that was estimated.

    It agrees if it may lie in the 95 % interval before it was rounded. Of an interval wider than
    0.08 to each side, or of none, nothing can be told.

    >>> verdict(Interval(0.58, 0.55, 0.61), 0.61), verdict(Interval(0.58, 0.55, 0.61), 0.62)
    ('agrees', 'disagrees')
    >>> verdict(Interval(0.3, 0.2, 0.4), 0.3)
    'cannot tell'
    """
    if not ours.half_width <= _WIDEST:
        return "cannot tell"
    agrees = ours.low - _ROUNDING <= published <= ours.high + _ROUNDING
    return "agrees" if agrees else "disagrees"


def table_1(study: Study) -> tuple[Compared, ...]:
    """The cells of table 1 that a study has estimates for, row after row.

    A row has one line for each guard, and one more for each if its ranks were formed inside the
    subsets; the supplement tells neither.

    Args:
        study: What :func:`correlate` found for the metrics of :data:`TABLE_1`.
    """
    cells = []
    for row in TABLE_1:
        for one in study.estimates:
            if one.metric == row.metric and one.subset in _SUBSETS:
                published = row.taus[_SUBSETS.index(one.subset)]
                cells.append(Compared(row, published, one, verdict(one.tau_broken, published)))
    return tuple(cells)


def table_1_sheets(cells: Sequence[Compared]) -> tuple[Sheet, ...]:
    """Table 1 of the supplement: the published tau, ours with its interval, and the verdict.

    Args:
        cells: What :func:`table_1` found.

    Returns:
        A table for each subset.
    """
    head = ("metric", "guard", "ranks in", "networks", "published", "ours", "verdict")
    rows: dict[str, list[tuple[str, ...]]] = {}
    for cell in cells:
        ours = cell.estimate
        rows.setdefault(ours.subset, []).append(
            (cell.row.name, ours.guard, ours.ranks, f"{ours.networks:,}",
             number_text(cell.published, 2), str(ours.tau_broken), cell.verdict)
        )  # fmt: skip
    return tuple(
        Sheet(f"Table 1, {subset}: Kendall's tau with test accuracy, ties broken", head,
              tuple(lines), 3, ("networks",))
        for subset, lines in rows.items()
    )  # fmt: skip
