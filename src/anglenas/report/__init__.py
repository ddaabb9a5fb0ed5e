"""What a person gets to see of a run: drawings of cells, charts, one HTML page."""

from anglenas.report._model import Column, Row, RunReport
from anglenas.report._render import save_figure
from anglenas.report.draw import draw_cells
from anglenas.report.figures import Mark, Scatter, rank_figure, scatters
from anglenas.report.page import render_page, write_report

__all__ = [
    "Column",
    "Mark",
    "Row",
    "RunReport",
    "Scatter",
    "draw_cells",
    "rank_figure",
    "render_page",
    "save_figure",
    "scatters",
    "write_report",
]
