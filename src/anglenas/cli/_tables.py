"""Tables on the terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from anglenas.probes import find_metric
from anglenas.searching import Found, Measured

__all__ = ["print_found", "print_measured"]


def print_found(found: Found, page: Path, top: int) -> None:
    """The best candidates of a search, what to know about it, and where its report lies."""
    console = Console(emoji=False)
    _print_ranked(console, found, top)
    for remark in found.remarks:
        console.print(f"[yellow]Note:[/] {escape(remark)}", highlight=False)
    if found.best.scored:
        best = escape(str(found.best.architecture))
        console.print(f"\nBest: [bold]{best}[/]", highlight=False, soft_wrap=True)
    console.print(
        f"{len(found.candidates)} candidates in {found.seconds:.0f} s, "
        f"{found.computed} measurements made now.",
        highlight=False,
    )
    console.print(f"Report: {escape(str(page))}", highlight=False, soft_wrap=True)


def _print_ranked(console: Console, found: Found, top: int) -> None:
    """Two lines a candidate: the second is its text, whole, so that it can be copied."""
    names = list(found.best.values)
    rows = [
        [str(one.rank), *(_number(one.values[name]) for name in names), f"{one.ranks['params']:g}"]
        for one in found.candidates[:top]
    ]
    header = ["rank", *names, "rank by params"]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))

    title = f"{found.data}: the best of {len(found.candidates)} by {found.rank}"
    console.print(f"[bold]{escape(title)}[/]\n[dim]{line(header)}[/]", highlight=False)
    for row, one in zip(rows, found.candidates, strict=False):
        status = "" if one.status == "ok" else f"  ({one.status})"
        text = f"{' ' * widths[0]}  {one.architecture}{status}"
        console.print(f"{line(row)}\n[dim]{escape(text)}[/]", highlight=False, soft_wrap=True)


def print_measured(
    names: Sequence[str], measured: Sequence[Measured], metrics: Sequence[str]
) -> None:
    """One row a metric, one column a network."""
    table = Table()
    table.add_column("metric")
    table.add_column("better")
    for name in names:
        table.add_column(escape(name), justify="right", overflow="fold")
    table.add_column("unit", style="dim")
    for metric in metrics:
        facts = find_metric(metric)
        cells = [_number(one.values[metric]) for one in measured]
        better = "higher" if facts.higher_is_better else "lower"
        table.add_row(metric, better, *cells, escape(facts.unit))
    console = Console(emoji=False)
    console.print(table)
    for name, one in zip(names, measured, strict=True):
        for metric, reason in one.reasons.items():
            console.print(f"{escape(name)}: {escape(f'{metric} {reason}')}", highlight=False)
    for notice in dict.fromkeys(notice for one in measured for notice in one.notices):
        console.print(f"[yellow]Note:[/] {escape(notice)}", highlight=False)


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) or value == int(value) else f"{value:.4g}"
