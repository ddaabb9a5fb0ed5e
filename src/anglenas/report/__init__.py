"""What a person gets to see of a run: drawings of cells, charts, one HTML page."""

from anglenas.report._model import Column, Row, RunReport
from anglenas.report._render import save_figure
from anglenas.report.draw import draw_cells
from anglenas.report.figures import Mark, Scatter, rank_figure, scatters
from anglenas.report.page import render_page, write_report
from anglenas.report.run import prepare_folder, report_of, write_run
from anglenas.report.training import confusion_figure, curves_figure, write_training

__all__ = [
    "Column",
    "Mark",
    "Row",
    "RunReport",
    "Scatter",
    "confusion_figure",
    "curves_figure",
    "draw_cells",
    "prepare_folder",
    "rank_figure",
    "render_page",
    "report_of",
    "save_figure",
    "scatters",
    "write_report",
    "write_run",
    "write_training",
]
