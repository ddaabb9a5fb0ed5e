"""Studies of metrics: how well they order networks whose accuracies are known."""

from anglenas._study.choices import Choice
from anglenas._study.correlation import GUARDS, Study, apply_guard, correlate
from anglenas._study.estimates import Estimate, Interval
from anglenas._study.measure import draw_samples, measure, run_of, scores_text
from anglenas._study.paper import (
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
from anglenas._study.scores import Scores, read_scores
from anglenas._study.structure import equal_size_groups, has_no_module
from anglenas._study.subsets import Subset, read_subset
from anglenas._study.table import Table, read_table

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
