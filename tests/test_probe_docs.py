"""What the page of metrics shows is true; run as a script, this file writes it."""

import csv
import re
import statistics
from pathlib import Path

from anglenas._plugins import names
from anglenas.probes import Metric, Probe, find_probe

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "metrics.md"
SECONDS = DOCS / "evidence" / "metrics_seconds.csv"
MARKED = re.compile(
    r"(?<=<!-- made by tests/test_probe_docs.py -->\n).*?(?=<!-- end -->)", re.DOTALL
)
HEAD = ("metric", "what it is", "paper", "better", "unit", "needs", "of", "probe", "CPU s")


def row(metric: Metric, probe: Probe, seconds: str) -> str:
    cells = (
        f"`{metric.name}`",
        metric.formula,
        metric.source,
        "higher" if metric.higher_is_better else "lower",
        metric.unit,
        ", ".join(sorted(metric.needs)),
        probe.subject,
        f"`{probe.name}`",
        seconds,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def rows() -> dict[str, str]:
    """By metric; probes that were not timed have no seconds."""
    with SECONDS.open() as file:
        timed = list(csv.DictReader(file))
    seconds = {name: f"{statistics.fmean(float(t[name]) for t in timed):.2g}" for name in timed[0]}
    return {
        metric.name: row(metric, probe, seconds.get(probe.name, ""))
        for probe in map(find_probe, names("probe"))
        for metric in probe.metrics
    }


def table() -> str:
    head = f"| {' | '.join(HEAD)} |\n{'|---' * len(HEAD)}|\n"
    return head + "".join(text for _, text in sorted(rows().items()))


def test_what_the_page_shows_of_metrics_is_true() -> None:
    [shown] = MARKED.findall(PAGE.read_text())
    there = rows()
    lines = shown.splitlines(keepends=True)[2:]
    assert {"angle", "loss", "params"} <= {line.split("`")[1] for line in lines}
    for line in lines:
        assert line == there[line.split("`")[1]]


def test_every_built_in_metric_is_told_in_words() -> None:
    for name in names("probe"):
        for metric in find_probe(name).metrics:
            assert metric.formula
            assert not metric.formula.endswith(".")


if __name__ == "__main__":
    PAGE.write_text(MARKED.sub(lambda _: table(), PAGE.read_text()))
