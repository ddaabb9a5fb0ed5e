"""Tables on the terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from anglenas._measuring.plan import Measured
from anglenas._measuring.result import Candidate, counted
from anglenas._pruning.result import Pruned
from anglenas._searching.result import Found
from anglenas.probes import find_metric

__all__ = ["print_found", "print_measured", "print_pruned"]

_UNIT_WIDTH = 16


def print_found(found: Found, page: Path, top: int, costs: Sequence[str] = ()) -> None:
    """The best candidates of a search, what to know about it, and where its report lies."""
    console = Console(emoji=False)
    title = f"{found.data}: the best of {len(found.candidates)} by {found.rank}"
    _print_ranked(console, title, found.candidates[:top])
    for cost in costs:
        _print_front(console, found, cost)
    _print_end(console, found, page)


def print_pruned(pruned: Pruned, page: Path) -> None:
    """What is left of a supernet, what to know about it, and where its report lies."""
    console = Console(emoji=False)
    title = f"{pruned.data}: what pruning left by {pruned.rank}"
    _print_ranked(console, title, pruned.candidates)
    _print_end(console, pruned, page)


def _print_end(console: Console, result: Found | Pruned, page: Path) -> None:
    for remark in result.remarks:
        console.print(f"[yellow]Note:[/] {escape(remark)}", highlight=False)
    if result.best.scored:
        best = escape(str(result.best.architecture))
        console.print(f"\nBest: [bold]{best}[/]", highlight=False, soft_wrap=True)
    console.print(
        f"{result.tried} in {result.seconds:.0f} s, "
        f"{counted(result.computed, 'measurement')} made now.",
        highlight=False,
    )
    console.print(f"Report: {escape(str(page))}", highlight=False, soft_wrap=True)


def _print_ranked(console: Console, title: str, candidates: Sequence[Candidate]) -> None:
    """Two lines a candidate: the second is its text, whole, so that it can be copied."""
    names = list(candidates[0].values)
    rows = [
        [str(one.rank), *(_number(one.values[name]) for name in names), f"{one.ranks['params']:g}"]
        for one in candidates
    ]
    header = ["rank", *names, "rank by params"]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))

    console.print(f"[bold]{escape(title)}[/]\n[dim]{line(header)}[/]", highlight=False)
    for row, one in zip(rows, candidates, strict=True):
        status = "" if one.status == "ok" else f"  ({one.status})"
        text = f"{' ' * widths[0]}  {one.architecture}{status}"
        console.print(f"{line(row)}\n[dim]{escape(text)}[/]", highlight=False, soft_wrap=True)


def _print_front(console: Console, found: Found, cost: str) -> None:
    """What is worth its cost, the cheapest first."""
    front = found.front(cost)
    console.print(
        f"\n[bold]Worth its {escape(cost)}[/], {len(front)} of {len(found.candidates)}: nothing "
        "else has a better score and costs no more",
        highlight=False,
    )
    for one in front:
        text = escape(f"{_number(one.values[cost]):>12}  rank {one.rank:<4} {one.architecture}")
        console.print(text, highlight=False, soft_wrap=True)


def print_measured(
    names: Sequence[str], measured: Sequence[Measured], metrics: Sequence[str]
) -> None:
    """One row a metric, one column a network; several are numbered, and stand above."""
    console = Console(emoji=False)
    numbered = [f"{number}  {name}" for number, name in enumerate(names, 1)]
    for line in numbered if names[1:] else names:
        console.print(f"[bold]{escape(line)}[/]", highlight=False, soft_wrap=True)
    fitting = _fitting(console.width, measured, metrics)
    for first in range(0, len(measured), fitting):
        heads = [str(first + n + 1) if names[1:] else "value" for n in range(fitting)]
        console.print(_side_by_side(heads, measured[first : first + fitting], metrics))
    for name, one in zip(numbered if names[1:] else names, measured, strict=True):
        for metric, reason in one.reasons.items():
            told = f"{name}: {metric} {reason}"
            console.print(escape(told), highlight=False, soft_wrap=True)
    for notice in dict.fromkeys(notice for one in measured for notice in one.notices):
        console.print(f"[yellow]Note:[/] {escape(notice)}", highlight=False)


def _side_by_side(
    heads: Sequence[str], measured: Sequence[Measured], metrics: Sequence[str]
) -> Table:
    table = Table()
    table.add_column("metric", no_wrap=True)
    table.add_column("better")
    for head, _ in zip(heads, measured, strict=False):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("unit", style="dim", max_width=_UNIT_WIDTH)
    for metric in metrics:
        facts = find_metric(metric)
        better = "higher" if facts.higher_is_better else "lower"
        cells = [_number(one.values[metric]) for one in measured]
        table.add_row(escape(metric), better, *cells, escape(facts.unit))
    return table


def _fitting(width: int, measured: Sequence[Measured], metrics: Sequence[str]) -> int:
    """How many networks fit side by side; 1 at least."""
    frame = 3  # of each column: a line and two spaces
    units = min(_UNIT_WIDTH, max(len(find_metric(metric).unit) for metric in metrics))
    fixed = max(map(len, [*metrics, "metric"])) + len("better") + max(units, len("unit"))
    number = max(len(_number(one.values[metric])) for one in measured for metric in metrics)
    return max(1, (width - fixed - 3 * frame - 1) // (number + frame))


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{int(value):,}" if value == int(value) else f"{value:.4g}"
