"""The page of metrics shows the metrics that there are; run as a script, this file writes it."""

import csv
import re
import statistics
import subprocess
import sys
from pathlib import Path

from anglenas._plugins import names
from anglenas.probes import Metric, Probe, find_probe, metric_names

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "metrics.md"
SECONDS = DOCS / "evidence" / "metrics_seconds.csv"
MARKED = re.compile(
    r"(?<=<!-- made by tests/test_probe_docs.py -->\n).*?(?=<!-- end -->)", re.DOTALL
)
HEAD = ("metric", "what it is", "paper", "better", "unit", "needs", "of", "probe", "CPU s")


def row(metric: Metric, probe: Probe, seconds: dict[str, float]) -> str:
    cells = (
        f"`{metric.name}`",
        metric.formula,
        metric.source,
        "higher" if metric.higher_is_better else "lower",
        metric.unit,
        ", ".join(sorted(metric.needs)),
        probe.subject,
        f"`{probe.name}`",
        f"{seconds[probe.name]:.2g}",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def table() -> str:
    with SECONDS.open() as file:
        rows = list(csv.DictReader(file))
    seconds = {name: statistics.fmean(float(one[name]) for one in rows) for name in rows[0]}
    probes = [find_probe(name) for name in names("probe")]
    lines = {m.name: row(m, probe, seconds) for probe in probes for m in probe.metrics.values()}
    head = f"| {' | '.join(HEAD)} |\n{'|---' * len(HEAD)}|\n"
    return head + "".join(lines[name] for name in sorted(lines))


def test_the_page_shows_every_metric_as_it_is() -> None:
    [shown] = MARKED.findall(PAGE.read_text())
    assert shown == table()
    assert all(f"| `{name}` |" in shown for name in metric_names())


def test_every_built_in_metric_is_told_in_words() -> None:
    for name in names("probe"):
        for metric in find_probe(name).metrics.values():
            assert metric.formula
            assert not metric.formula.endswith(".")


def test_the_evidence_shows_the_table_that_the_script_makes(dev_data: Path) -> None:
    table = subprocess.run(
        [
            sys.executable, DOCS.parent / "benchmarks" / "published_proxies.py", "table",
            "--scores", DOCS / "evidence" / "metrics_scores.csv", "--seconds", SECONDS,
            "--published", dev_data / "nasbench201_published_proxies_cifar10.csv",
            "--accuracies", dev_data / "nasbench201.csv",
        ],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert table in (DOCS / "evidence" / "metrics.md").read_text()


if __name__ == "__main__":
    PAGE.write_text(MARKED.sub(lambda _: table(), PAGE.read_text()))
