"""The folder of a run: page, table, drawings, charts, and what programs read."""

from pathlib import Path

from anglenas._plugins import load
from anglenas._pruning.result import Pruned
from anglenas._report.draw import draw_cells
from anglenas._report.figures import COSTS, rank_figure, scatters
from anglenas._report.files import Content, write_files
from anglenas._report.page import render_page
from anglenas._runs import run_json
from anglenas._searching.result import Found
from anglenas.errors import SettingError

_DRAWN = 3


def prepare_folder(folder: Path | str) -> Path:
    """Make sure that a run's folder can be written, before hours are spent on the run.

    Raises:
        SettingError: It cannot.
    """
    folder = Path(folder)
    trial = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise SettingError(
            f"The run folder {str(folder)!r} cannot be written ({error.strerror}); "
            "choose another one."
        ) from error
    return folder


def write_run(result: Found | Pruned, folder: Path | str, command: str = "") -> Path:
    """Write all that a run found: page, tables, drawings, charts, and one file for programs.

    The folder holds ``report.html``, ``run.json``, ``table.csv``, ``cells/rank1.svg`` and ``.png``
    up to rank 3, and ``figures/score_by_rank`` and one for each cost that was measured, such as
    ``figures/score_by_params``, all as ``.svg`` and ``.png``; of a pruning, ``pruning.csv`` too,
    with a row for each removal that was tried. The same result gives the same bytes. Each file is
    replaced whole or not at all; one of these that this run does not have, but an earlier one had,
    is deleted.

    Args:
        result: What :func:`anglenas.search` or :func:`anglenas.prune` returned.
        folder: Where to; made if it is missing.
        command: What repeats the run; shown on the page.

    Returns:
        The page, ``report.html``.

    Raises:
        SettingError: The folder cannot be written.
    """
    folder = prepare_folder(folder)
    space = load("space", result.space)
    cells = [space.drawings(best.architecture) for best in result.candidates[:_DRAWN]]
    # Every name that a run can have, so that what is left of an earlier one goes.
    names = [f"cells/rank{rank}" for rank in range(1, _DRAWN + 1)]
    names += [f"figures/score_by_{what}" for what in ("rank", *COSTS)]
    contents: dict[str, Content] = dict.fromkeys(names)
    contents |= {f"cells/rank{rank}": draw_cells(drawn) for rank, drawn in enumerate(cells, 1)}
    contents |= {f"figures/{chart.name}": rank_figure(chart) for chart in scatters(result)}
    contents["run.json"] = run_json(result, command)
    contents["table.csv"] = [candidate.row for candidate in result.candidates]
    contents["pruning.csv"] = result.table if isinstance(result, Pruned) else None
    # The page comes last: whoever sees it finds all that it tells of.
    contents["report.html"] = render_page(result, cells, command)
    write_files(folder, contents)
    return folder / "report.html"
