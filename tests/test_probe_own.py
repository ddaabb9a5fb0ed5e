"""The page on own metrics shows what works: its code is taken from there, and run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "own_metric.md").read_text()
COMMAND = ("-c", "from anglenas._cli import main; main()")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)


def block(language: str, start: str) -> str:
    [found] = [text for name, text in BLOCKS if name == language and text.startswith(start)]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder on the Python path with the metric, and its entry point installed."""
    (tmp_path / "spread_metric.py").write_text(block("python", "# spread_metric.py"))
    installed = tmp_path / "spread_metric-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: spread_metric\nVersion: 1\n")
    entry = block("toml", "[project.entry-points").replace('[project.entry-points."', "[")
    (installed / "entry_points.txt").write_text(entry.replace('"]', "]").replace('"', ""))
    return tmp_path


def run(folder: Path, *command: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_metric_is_short() -> None:
    lines = block("python", "# spread_metric.py").splitlines()
    assert sum(bool(line.strip()) and not line.startswith("#") for line in lines) <= 8


@pytest.mark.slow
def test_the_command_names_it_by_module_and_by_entry_point(folder: Path) -> None:
    command = next(
        line for line in block("console", "$").splitlines() if line.startswith("$ anglenas score")
    )
    arch = re.search(r"--arch '(.*?)'", command)
    metrics = re.search(r"--metrics (\S+)", command)
    assert arch
    assert metrics
    options = ("score", "--arch", arch[1], "--quiet", "--store", str(folder / "store.sqlite"))
    by_module = run(folder, *COMMAND, *options, "--metrics", metrics[1])
    by_name = run(folder, *COMMAND, *options, "--metrics", "spread,params")
    spread, params = map(float, by_module.split())
    assert spread > 0
    assert params > 1000
    assert by_name == by_module
