"""What a person gets to see of a run: drawings of cells, charts, one HTML page."""

from anglenas._report.canvas import save_figure
from anglenas._report.draw import draw_cells
from anglenas._report.figures import Mark, Scatter, rank_figure, scatters
from anglenas._report.page import render_page
from anglenas._report.run import prepare_folder, write_run
from anglenas._report.study import study_figure, write_study
from anglenas._report.training import confusion_figure, curves_figure, write_training
from anglenas._report.verification import (
    verification_figure,
    verification_table,
    write_verification,
)

__all__ = [
    "Mark",
    "Scatter",
    "confusion_figure",
    "curves_figure",
    "draw_cells",
    "prepare_folder",
    "rank_figure",
    "render_page",
    "save_figure",
    "scatters",
    "study_figure",
    "verification_figure",
    "verification_table",
    "write_run",
    "write_study",
    "write_training",
    "write_verification",
]
