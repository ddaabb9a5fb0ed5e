"""From a finished search to its folder: page, table, drawings, settings."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anglenas._measuring.result import Candidate
from anglenas._plugins import load
from anglenas._pruning import Pruned
from anglenas._report.files import remove, write_bytes
from anglenas._report.model import Column, Row, RunReport
from anglenas._report.page import write_report
from anglenas._runs import run_json, versions
from anglenas._searching import Found
from anglenas.errors import SettingError

__all__ = ["prepare_folder", "report_of", "write_run"]

_DRAWN = 3


def prepare_folder(folder: Path | str) -> Path:
    """Make sure that a run's folder can be written, before hours are spent on the run.

    Raises:
        SettingError: It cannot.
    """
    folder = Path(folder)
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SettingError(
            f"The run folder {str(folder)!r} cannot be written ({error.strerror}); "
            "choose another one."
        ) from error
    return folder


def write_run(found: Found | Pruned, folder: Path | str, command: str = "") -> Path:
    """Write everything that a run found: page, table, best architecture, drawings, settings.

    Of a pruning there is ``pruning.csv`` too, with a row for each removal that was tried.

    Args:
        found: The result of :func:`anglenas.search` or :func:`anglenas.prune`.
        folder: Where to; made if it is missing. Files of an earlier run there are replaced.
        command: What repeats the run; shown on the page.

    Returns:
        The page, ``report.html``.

    Raises:
        SettingError: The folder cannot be written.
    """
    folder = prepare_folder(folder)
    report = report_of(found, command)
    write_bytes(folder / "run.json", run_json(found, command).encode())
    if isinstance(found, Pruned):
        write_bytes(folder / "pruning.csv", _rows(found.table).encode())
    else:
        remove(folder / "pruning.csv")
    return write_report(report, folder)


def _rows(rows: Sequence[Mapping[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def report_of(found: Found | Pruned, command: str = "") -> RunReport:
    """The plain values that a page shows of a search."""
    space = load("space", found.space)
    return RunReport(
        title=f"Networks for {found.data}",
        command=command,
        space=found.space,
        data=found.data,
        rank_expression=found.rank,
        recipe=found.recipe.name,
        recipe_settings=found.recipe.settings() | {"repeats": found.recipe.repeats},
        calibrated=found.recipe.calibrated,
        seed=found.seed,
        columns=tuple(
            Column(one.name, "higher" if one.higher_is_better else "lower", one.unit)
            for one in found.columns
        ),
        rows=tuple(_row(one) for one in found.candidates),
        graphs=tuple(space.drawings(one.architecture) for one in found.candidates[:_DRAWN]),
        snippet=_snippet(found),
        notices=found.remarks,
        versions=versions(),
        data_facts={
            "classes": len(found.class_names),
            **_how(found),
            "trivial-network guard": found.guard,
        },
    )


def _how(found: Found | Pruned) -> dict[str, str | int]:
    """How the candidates were found, and how many things were tried."""
    if isinstance(found, Found):
        return {"strategy": found.strategy, "candidates": len(found.candidates)}
    return {
        "supernets": found.supernets,
        "operations pruned of an edge": found.number,
        "reading": found.reading,
        "removals": len(found.removals),
    }


def _row(one: Candidate) -> Row:
    return Row(
        rank=one.rank,
        proposal=one.number,
        architecture=str(one.architecture),
        canonical=one.canonical,
        values=one.values,
        ranks=one.ranks,
        status="ok" if one.scored else one.status,
        score=one.score if one.scored else None,
        guarded=one.guarded,
    )


def _snippet(found: Found | Pruned) -> str:
    config = found.best.config
    space = "" if found.space == "nasbench201" else f", space={found.space!r}"
    return (
        "import anglenas\n\n"
        "network = anglenas.make_network(\n"
        f"    {str(found.best.architecture)!r}{space},\n"
        f"    num_classes={config.num_classes}, in_channels={config.in_channels},"
        f" channels={config.channels}, cells={config.cells},\n"
        ")  # an ordinary torch.nn.Module with fresh weights, ready to be trained\n"
    )
