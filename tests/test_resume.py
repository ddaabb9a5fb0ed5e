"""Searches that are stopped at any moment go on where they stopped, and end the same."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import anglenas

SCRIPT = Path(sys.executable).with_name("anglenas")
BUDGET = 8
MEASUREMENTS = 2 * BUDGET  # a short training and a count of each candidate

pytestmark = pytest.mark.slow


def rows(store: Path) -> int:
    """How many outcomes are in the store; 0 before it is made."""
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            (count,) = connection.execute("SELECT count(*) FROM scores").fetchone()
    except sqlite3.OperationalError:
        return 0
    connection.close()
    return int(count)


def start(folder: Path, workers: int, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [SCRIPT, "search", "--budget", str(BUDGET), "--workers", str(workers), "--out",
         str(folder / "run"), "--store", str(folder / "scores.sqlite"), *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
    )  # fmt: skip


def descendants(folder: Path) -> list[str]:
    """All processes that were started with this folder as their temporary one."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"TMPDIR={folder}\0".encode() in environment.read_bytes():
                found.append(environment.parent.name)
        except OSError:  # it has ended
            continue
    return found


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a search that nobody stops writes."""
    folder = tmp_path_factory.mktemp("whole")
    found = anglenas.search(budget=BUDGET, workers=0, store=":memory:")
    assert found.computed == MEASUREMENTS
    anglenas.write_run(found, folder)
    return (folder / "table.csv").read_bytes()


@pytest.mark.parametrize(("workers", "seed"), [(0, 1), (2, 2)])
def test_a_search_that_is_killed_goes_on(
    table: bytes, tmp_path: Path, workers: int, seed: int
) -> None:
    rng = random.Random(seed)
    store = tmp_path / "scores.sqlite"
    known = 0
    for further in (0, 1, 3):
        process = start(tmp_path, workers)
        wait_until(lambda: rows(store) >= known + further or process.poll() is not None, 120)  # noqa: B023
        time.sleep(rng.uniform(0, 1.0))
        process.kill()
        process.communicate()
        assert wait_until(lambda: not descendants(tmp_path), 15)
        assert rows(store) >= known
        known = rows(store)
    assert known >= 4

    process = start(tmp_path, workers, "--json")
    out, _ = process.communicate()
    assert process.returncode == 0
    assert json.loads(out)["computed"] == MEASUREMENTS - known
    assert rows(store) == MEASUREMENTS
    assert (tmp_path / "run" / "table.csv").read_bytes() == table


@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_says_how_to_go_on(table: bytes, tmp_path: Path, workers: int) -> None:
    store = tmp_path / "scores.sqlite"
    process = start(tmp_path, workers)
    assert wait_until(lambda: rows(store) > 3, 120)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=20)
    known = rows(store)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in errors
    assert errors.splitlines()[-1].startswith("Stopped. ")
    assert errors.splitlines()[-1].endswith("the same command goes on from there.")
    assert not descendants(tmp_path)
    assert not list(tmp_path.glob("anglenas-*"))
    assert 3 < known < MEASUREMENTS

    process = start(tmp_path, workers, "--json")
    out, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert json.loads(out)["computed"] == MEASUREMENTS - known
    assert (tmp_path / "run" / "table.csv").read_bytes() == table


def test_ctrl_c_at_any_moment(tmp_path: Path) -> None:
    """While modules are imported, workers start, networks are counted or files are written."""
    for seconds in (0.0, 0.5, 1.5, 3.0):
        process = start(tmp_path, 1, "--rank", "params", "--quiet")
        maps = Path(f"/proc/{process.pid}/maps")
        assert wait_until(lambda: "libtorch" in maps.read_text(), 60)  # noqa: B023
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=20)
        if errors:
            # Python ends by the signal if it came while a text was executed, as it is to make a
            # dataclass, however the exception was handled; a shell says 130 of both.
            assert process.returncode in (130, -signal.SIGINT), errors
            assert errors.startswith("\nStopped. ")
        else:  # it was done already; at Python's own end, the signal ends it
            assert process.returncode in (0, -signal.SIGINT)
            assert out.count("\n") == 1
        assert not descendants(tmp_path)


def test_two_searches_at_once_share_a_store(table: bytes, tmp_path: Path) -> None:
    processes = [start(tmp_path, 0, "--quiet"), start(tmp_path, 1, "--quiet")]
    ends = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert ends[0] == ends[1]
    assert rows(tmp_path / "scores.sqlite") == MEASUREMENTS
    assert (tmp_path / "run" / "table.csv").read_bytes() == table
