"""Ranks, combinations of them such as ``angle_loss+params``, and how well rankings agree.

Pure functions on arrays with one value a candidate. A higher rank or score is always better.
Candidates may be a sample of a population, in which each stands for several.
"""

from anglenas.ranking._choice import pareto_front, precision_at
from anglenas.ranking._correlation import kendall_tau, spearman
from anglenas.ranking._expression import Expression, check_metrics
from anglenas.ranking._guard import GUARDED, guard_columns
from anglenas.ranking._interval import Interval, bootstrap
from anglenas.ranking._pairs import Pairs, count_pairs
from anglenas.ranking._parser import parse
from anglenas.ranking._ranks import Ties, order, ranks
from anglenas.ranking._sample import Sample

__all__ = [
    "GUARDED",
    "Expression",
    "Interval",
    "Pairs",
    "Sample",
    "Ties",
    "bootstrap",
    "check_metrics",
    "count_pairs",
    "guard_columns",
    "kendall_tau",
    "order",
    "pareto_front",
    "parse",
    "precision_at",
    "ranks",
    "spearman",
]
