"""Ranks, combinations of them such as ``angle_loss+params``, and how well rankings agree.

Pure functions on arrays with one value a candidate. A higher rank or score is always better.
"""

from anglenas.ranking._correlation import kendall_tau, kendall_tau_broken, spearman
from anglenas.ranking._expression import Expression, check_metrics
from anglenas.ranking._guard import guard
from anglenas.ranking._parser import parse
from anglenas.ranking._ranks import Ties, order, ranks

__all__ = [
    "Expression",
    "Ties",
    "check_metrics",
    "guard",
    "kendall_tau",
    "kendall_tau_broken",
    "order",
    "parse",
    "ranks",
    "spearman",
]
