"""What a person gets to see of a run: drawings of cells, charts, one HTML page."""

from anglenas._report.draw import draw_cells
from anglenas._report.files import save_figure
from anglenas._report.run import prepare_folder, write_run
from anglenas._report.study import write_study
from anglenas._report.training import write_training
from anglenas._report.verification import verification_sheets, write_verification

__all__ = [
    "draw_cells",
    "prepare_folder",
    "save_figure",
    "verification_sheets",
    "write_run",
    "write_study",
    "write_training",
    "write_verification",
]
