"""``anglenas prune``: what it shows, how it goes on after it was stopped, and its page."""

import contextlib
import csv
import json
import os
import pty
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import anglenas
from anglenas import preset
from anglenas._cli.progress import show_progress
from anglenas._cli.supernets import supernet_view
from anglenas._pruning.rounds import planned
from anglenas.spaces import (
    DARTS_SUPERNET,
    DARTS_SUPERNET_IMAGENET,
    NASBENCH201_SUPERNET,
    Edge,
    Operation,
    Topology,
)

TINY = "paper-pruning,resolution=4,iterations=2,channels=2"


def held(supernet):
    pairs = zip(supernet.topology.edges, supernet.operations, strict=True)
    return {tuple(edge): list(left) for edge, left in pairs}


PAGE = (Path(__file__).parents[1] / "docs" / "pruning.md").read_text()


def test_the_page_has_the_sizes_and_recipes_that_there_are():
    for space in (NASBENCH201_SUPERNET, DARTS_SUPERNET, DARTS_SUPERNET_IMAGENET):
        rounds, _ = planned(space, space.number)
        row = rf"`{space.name}` \| .* \| {sum(len(one.removals) for one in rounds)} \|\n"
        assert re.search(row, PAGE)
        for recipe in (space.recipe, space.tenas_recipe):
            [line] = [one for one in PAGE.splitlines() if one.startswith(f"| `{recipe.name}` |")]
            assert recipe == preset(recipe.name)
            assert f"{recipe.channels} channel" in line
            if recipe == space.recipe:
                size = f"{recipe.resolution} x {recipe.resolution} pixels"
                assert f"| {recipe.classes} x {recipe.images_per_class}, {size} |" in line
                assert f"| {recipe.iterations} iterations, rate {recipe.lr} |" in line
            else:
                assert f"| {recipe.classes}, three draws |" in line


@pytest.mark.slow
def test_the_page_s_searches_run(tmp_path):
    commands = [line[2:] for line in PAGE.splitlines() if line.startswith("$ anglenas prune")]
    commands = [one for one in commands if "my_supernets" not in one]  # of test_own_supernets.py
    assert len(commands) == 2
    for number, command in enumerate(commands):
        words = shlex.split(command.replace("angle_loss+params", "params"))[1:]
        words[words.index("photos/")] = "digits"
        words += ["--out", f"run{number}", "--store", "s.sqlite", "--workers", "0", "-q"]
        subprocess.run([SCRIPT, *words], cwd=tmp_path, check=True, capture_output=True)
        assert (tmp_path / f"run{number}" / "run.json").exists()


SHORT = {
    "skip": "skip_connect", "sep3": "sep_conv_3x3", "sep5": "sep_conv_5x5",
    "dil3": "dil_conv_3x3", "dil5": "dil_conv_5x5", "avg3": "avg_pool_3x3", "max3": "max_pool_3x3",
}  # fmt: skip


def view(supernet, width):
    console = Console(width=width)
    with console.capture() as caught:
        console.print(supernet_view(supernet, width))
    return caught.get().splitlines()


def read_view(lines):
    """By cell, source and target what is left, of lines with any number of cells side by side."""
    left, cells = {}, [""]
    for line in lines:
        if line.split()[1:2] == ["cell"]:
            cells = re.findall(r"(\w+) cell", line)
            continue
        rows = re.split(r"\s+(?=\d>\d)", line)
        for cell, row in zip(cells, rows, strict=True):
            edge, *marks = row.split()
            source, target = map(int, edge.split(">"))
            left[cell, source, target] = [SHORT.get(one, one) for one in marks if one != "."]
    return left


def emptied(space, seed):
    supernet = space.sample(np.random.default_rng(seed))
    edge = seed % len(supernet.operations)
    rest = supernet.operations[edge + 1 :]
    return replace(supernet, operations=(*supernet.operations[:edge], (), *rest))


@given(st.sampled_from([NASBENCH201_SUPERNET, DARTS_SUPERNET]), st.integers(0, 10**6))
def test_the_view_shows_every_operation_that_is_left(space, seed):
    supernet = emptied(space, seed)
    for width, lines in ((80, {6, 15}), (60, {6, 30}), (190, {6, 15})):
        shown = view(supernet, width)
        assert len(shown) in lines
        assert max(map(len, shown)) <= width
        assert read_view(shown) == held(supernet)


def test_columns_of_the_view_stay_where_nothing_is_left():
    full, left = (view(one, 80) for one in (DARTS_SUPERNET.full(), emptied(DARTS_SUPERNET, 4)))
    for whole, line in zip(full[1:], left[1:], strict=True):
        for name in re.finditer(r"[a-z]+\d?", whole):
            assert line[name.start() : name.end()].strip() in (name.group(), ".")
    wide = view(DARTS_SUPERNET.full(), 190)
    assert "sep_conv_3x3" in wide[1]


def test_operations_with_alike_short_names_are_written_whole():
    operations = (Operation(name, name) for name in ("conv_3x3_relu", "conv_3x3_gelu"))
    full = Topology(tuple(operations), (Edge("", 0, 1),)).full()
    narrow, wide = (view(full, width) for width in (30, 40))
    assert narrow[0].startswith("0>1 conv_3x3_relu conv_3x3")
    assert wide == ["0>1 conv_3x3_relu conv_3x3_gelu"]


def test_lines_have_one_view_a_round_and_one_at_the_end(capsys):
    with show_progress("supernets", quiet=False) as report:
        pruned = anglenas.prune(rank="params", workers=0, store=":memory:", on_progress=report)
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if "57 of 57 measured" in line]) == 1
    starts = [k for k, line in enumerate(lines) if re.match("round . of 3|what is left", line)]
    shown = [read_view(lines[k + 1 : k + 7]) for k in starts]
    rounds = [held(NASBENCH201_SUPERNET.parse(one.supernet)) for one in pruned.rounds]
    assert shown == [*rounds, held(NASBENCH201_SUPERNET.parse(str(pruned.best.architecture)))]
    assert len([line for line in lines if re.match(r"\d>\d", line)]) == 4 * 6


def screen(output):
    """What stays on a terminal after rich's codes for a line up, an emptied line, and colours."""
    lines, row = [""], 0
    for code in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", output):
        if code == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif code.endswith("A") and code[0] == "\x1b":
            row -= int(code[2:-1])
        elif code == "\x1b[2K":
            lines[row] = ""
        elif code[0] not in "\x1b\r":
            lines[row] += code
    return lines


@pytest.mark.slow
def test_on_a_terminal_every_view_stays_and_the_bar_does_not(tmp_path):
    reading, writing = pty.openpty()
    termios.tcsetwinsize(writing, (40, 80))
    command = [SCRIPT, "prune", "--rank", "params", "--workers", "0",
               "--out", tmp_path / "run", "--store", tmp_path / "scores.sqlite"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=writing, env={
        **{name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")},
        "TERM": "xterm",
    })  # fmt: skip
    os.close(writing)
    output = b""
    with contextlib.suppress(OSError):  # a terminal ends so
        while part := os.read(reading, 65536):
            output += part
    os.close(reading)
    assert process.wait() == 0
    lines = [line.rstrip() for line in screen(output.decode()) if line.strip()]
    assert [line for line in lines if not re.match(r"\d>\d", line)] == [
        "round 1 of 3: 4 operations on an edge, 3 stay",
        "round 2 of 3: 3 operations on an edge, 2 stay",
        "round 3 of 3: 2 operations on an edge, 1 stays",
        "what is left at the end",
    ]
    assert len(lines) == 4 * 7
    assert list(read_view(lines[-6:]).values()) == [["nor_conv_3x3"]] * 6


SCRIPT = Path(sys.executable).with_name("anglenas")


def start(folder: Path, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [SCRIPT, "prune", "--rank", "angle_loss+params", "--recipe", TINY,
         "--out", str(folder / "run"), "--store", str(folder / "scores.sqlite"), *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
    )  # fmt: skip


def rows(store: Path) -> int:
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            (count,) = connection.execute("SELECT count(*) FROM scores").fetchone()
    except sqlite3.OperationalError:
        return 0
    connection.close()
    return int(count)


@pytest.mark.slow
def test_a_search_killed_twice_ends_as_one_that_was_not(tmp_path):
    whole = anglenas.prune(rank="angle_loss+params", recipe=TINY, workers=0, store=":memory:")
    known = 0
    for further, workers in ((20, "2"), (50, "1")):
        process = start(tmp_path, "--workers", workers)
        while rows(tmp_path / "scores.sqlite") < known + further and process.poll() is None:
            time.sleep(0.05)
        assert process.poll() is None  # it is under way
        process.kill()
        process.communicate()
        known = rows(tmp_path / "scores.sqlite")
        assert further <= known < whole.computed
    process = start(tmp_path, "--workers", "0", "--json")
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    result = json.loads(out)
    assert result["best"] == str(whole.best.architecture)
    assert result["computed"] == whole.computed - known
    with (tmp_path / "run" / "pruning.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [row["angle"] for row in written] == [repr(row["angle"]) for row in whole.table]
    assert [row["made"] for row in written] == [str(row["made"]) for row in whole.table]


@pytest.mark.slow
def test_ctrl_c_and_lines_tell_round_and_time_left(tmp_path):
    process = start(tmp_path, "--workers", "1")
    while rows(tmp_path / "scores.sqlite") < 4 and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1].endswith("the same command goes on from there.")
    process = start(tmp_path, "--workers", "1")
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "54 of 54 measured" in errors
    assert "round 3 of 3: 2 operations on an edge, 1 stays" in errors
    assert "Pruning ended with this network after 54 removals" in " ".join(out.split())
    assert os.path.exists(tmp_path / "run" / "pruning.csv")  # noqa: PTH110
