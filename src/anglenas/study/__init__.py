"""Studies of metrics: how well they order networks whose accuracies are known."""

from anglenas.study._choices import Choice
from anglenas.study._correlate import GUARDS, Study, apply_guard, correlate
from anglenas.study._estimates import Estimate, Interval
from anglenas.study._measure import draw_samples, measure, run_of, scores_text
from anglenas.study._paper import (
    PICKED,
    TABLE_1,
    Cell,
    Pick,
    Place,
    Published,
    Verdict,
    picks,
    places,
    table_1,
    verdict,
)
from anglenas.study._scores import Scores, read_scores
from anglenas.study._structure import equal_size_groups, has_no_module
from anglenas.study._subsets import Subset, read_subset
from anglenas.study._table import Table, read_table

__all__ = [
    "GUARDS",
    "PICKED",
    "TABLE_1",
    "Cell",
    "Choice",
    "Estimate",
    "Interval",
    "Pick",
    "Place",
    "Published",
    "Scores",
    "Study",
    "Subset",
    "Table",
    "Verdict",
    "apply_guard",
    "correlate",
    "draw_samples",
    "equal_size_groups",
    "has_no_module",
    "measure",
    "picks",
    "places",
    "read_scores",
    "read_subset",
    "read_table",
    "run_of",
    "scores_text",
    "table_1",
    "verdict",
]
