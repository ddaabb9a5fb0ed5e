"""Studies of metrics: how well they order networks whose accuracies are known."""

from anglenas._study.benchmark import Benchmark, read_benchmark, run_of
from anglenas._study.correlation import METRICS, correlate
from anglenas._study.estimates import Estimate
from anglenas._study.guards import GUARDS, apply_guard, check_guards
from anglenas._study.measure import Measuring, draw_samples, gather, measure, scores_text
from anglenas._study.picks import Picks
from anglenas._study.scores import Scores, directions_of, read_scores
from anglenas._study.study import Study
from anglenas._study.subsets import Subset, read_subset

__all__ = [
    "GUARDS",
    "METRICS",
    "Benchmark",
    "Estimate",
    "Measuring",
    "Picks",
    "Scores",
    "Study",
    "Subset",
    "apply_guard",
    "check_guards",
    "correlate",
    "directions_of",
    "draw_samples",
    "gather",
    "measure",
    "read_benchmark",
    "read_scores",
    "read_subset",
    "run_of",
    "scores_text",
]
