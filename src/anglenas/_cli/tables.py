"""Tables on the terminal, and the lines around them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from anglenas._measuring.plan import Measured
from anglenas._measuring.result import Candidate, counted
from anglenas._pruning.result import Pruned
from anglenas._searching.result import Found
from anglenas._sheet import Sheet
from anglenas.probes import find_metric

_GAP, _FOLDED = 2, 16


def print_line(text: str, style: str = "") -> None:
    """A line that the terminal breaks, not we: an architecture or a path can be copied whole."""
    # Names of files and of classes may hold square brackets and colons, which Rich would read.
    Console().print(text, style=style, markup=False, emoji=False, highlight=False, soft_wrap=True)


def print_notes(notes: Iterable[str]) -> None:
    """What has to be known to read a result, a line each."""
    for note in notes:
        Console(emoji=False).print(f"[yellow]Note:[/] {escape(note)}", highlight=False)


def print_sheets(sheets: Iterable[Sheet], notes: Sequence[str] = ()) -> None:
    """Tables, each without the columns that a narrow terminal can spare, and notes below them."""
    console = Console(emoji=False)
    left_out: dict[str, None] = {}
    for sheet in sheets:
        fitting = sheet
        while fitting.spare and _width(fitting) > console.width:
            fitting = fitting.without(fitting.spare[0])
        left_out |= dict.fromkeys(name for name in sheet.head if name not in fitting.head)
        table = Table(
            title=escape(sheet.title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False,
            padding=(0, _GAP, 0, 0), show_edge=False,
        )  # fmt: skip
        for column, name in enumerate(fitting.head):
            justify: Any = "left" if column < fitting.texts else "right"
            table.add_column(escape(name), justify=justify, no_wrap=column > 0, overflow="fold")
        for row in fitting.rows:
            table.add_row(*map(escape, row))
        console.print(table, "")
    if left_out:
        notes = [*notes, f"Too wide for this terminal, and left out: {', '.join(left_out)}."]
    print_notes(notes)


def _width(sheet: Sheet) -> int:
    """The least width of a table: its first column can be folded, but not below 16 characters."""
    columns = zip(sheet.head, *sheet.rows, strict=True)
    first, *others = (max(map(len, cells)) + _GAP for cells in columns)
    return min(first, _FOLDED) + sum(others)


def print_found(found: Found, page: Path, top: int, costs: Sequence[str] = ()) -> None:
    """The best candidates of a search, what to know about it, and where its report lies."""
    title = f"{found.data}: the best of {len(found.candidates)} by {found.rank}"
    _print_ranked(title, found.candidates[:top])
    for cost in costs:
        front = found.front(cost)
        print_line(f"\nWorth its {cost}, {len(front)} of {len(found.candidates)}: nothing else has "
                   "a better score and costs no more", "bold")  # fmt: skip
        for candidate in front:
            value = _number(candidate.values[cost])
            print_line(f"{value:>12}  rank {candidate.rank:<4} {candidate.architecture}")
    _print_end(found, page)


def print_pruned(pruned: Pruned, page: Path) -> None:
    """What is left of a supernet, what to know about it, and where its report lies."""
    _print_ranked(f"{pruned.data}: what pruning left by {pruned.rank}", pruned.candidates)
    _print_end(pruned, page)


def _print_end(result: Found | Pruned, page: Path) -> None:
    print_notes(result.remarks)
    if result.best.scored:
        print_line(f"\nBest: {result.best.architecture}", "bold")
    made = counted(result.computed, "measurement")
    print_line(f"{result.tried} in {result.seconds:.0f} s, {made} made now.")
    print_line(f"Report: {page}")


def _print_ranked(title: str, candidates: Sequence[Candidate]) -> None:
    """Two lines a candidate: the second is its text, whole, so that it can be copied."""
    names = list(candidates[0].values)
    rows = [["rank", *names, "rank by params"]] + [
        [str(c.rank), *(_number(c.values[name]) for name in names), f"{c.ranks['params']:g}"]
        for c in candidates
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *lines = (
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    print_line(title, "bold")
    print_line(head, "dim")
    for line, candidate in zip(lines, candidates, strict=True):
        status = "" if candidate.status == "ok" else f"  ({candidate.status})"
        print_line(line)
        print_line(f"{' ' * widths[0]}  {candidate.architecture}{status}", "dim")


def print_measured(
    names: Sequence[str], measured: Sequence[Measured], metrics: Sequence[str]
) -> None:
    """One row a metric, one column a network; several are numbered, and stand above."""
    console = Console(emoji=False)
    unbounded = console.options.update(width=10_000)  # else no table measures more than there is
    heads = [str(number) for number in range(1, len(names) + 1)] if names[1:] else ["value"]
    if names[1:]:
        names = [f"{number}  {name}" for number, name in enumerate(names, 1)]
    for name in names:
        print_line(name, "bold")
    first = 0
    while first < len(measured):
        # As many networks side by side as fit, and one where none does.
        for last in range(len(measured), first, -1):
            table = _side_by_side(heads[first:last], measured[first:last], metrics)
            if console.measure(table, options=unbounded).maximum <= console.width:
                break
        console.print(table)
        first = last
    for name, network in zip(names, measured, strict=True):
        for metric, reason in network.reasons.items():
            print_line(f"{name}: {metric} {reason}")
    print_notes(dict.fromkeys(notice for network in measured for notice in network.notices))


def _side_by_side(
    heads: Sequence[str], measured: Sequence[Measured], metrics: Sequence[str]
) -> Table:
    table = Table()
    table.add_column("metric", no_wrap=True)
    table.add_column("better")
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("unit", style="dim", max_width=16)
    for metric in metrics:
        facts = find_metric(metric)
        better = "higher" if facts.higher_is_better else "lower"
        cells = [_number(network.values[metric]) for network in measured]
        table.add_row(escape(metric), better, *cells, escape(facts.unit))
    return table


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{int(value):,}" if value == int(value) else f"{value:.4g}"
