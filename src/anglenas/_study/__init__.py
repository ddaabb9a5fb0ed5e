"""Studies of metrics: how well they order networks whose accuracies are known."""

from anglenas._study.choices import Choice
from anglenas._study.correlation import GUARDS, Study, apply_guard, check_guards, correlate
from anglenas._study.estimates import Estimate
from anglenas._study.measure import draw_samples, measure, run_of, scores_text
from anglenas._study.scores import Scores, directions_of, read_scores
from anglenas._study.structure import equal_size_groups, has_no_module
from anglenas._study.subsets import Subset, read_subset
from anglenas._study.table import Table, read_table

__all__ = [
    "GUARDS",
    "Choice",
    "Estimate",
    "Scores",
    "Study",
    "Subset",
    "Table",
    "apply_guard",
    "check_guards",
    "correlate",
    "directions_of",
    "draw_samples",
    "equal_size_groups",
    "has_no_module",
    "measure",
    "read_scores",
    "read_subset",
    "read_table",
    "run_of",
    "scores_text",
]
