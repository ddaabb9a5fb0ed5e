"""The command line: what it prints where, and how it ends."""

import csv
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from anglenas import Store, load_run, search
from anglenas import _plugins as plugins
from anglenas.__main__ import main
from anglenas._recipe import PRESETS
from anglenas.probes import metric_names

FAKES = Path(__file__).parent / "search_fakes"
SCRIPT = Path(sys.executable).with_name("anglenas")
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|"
QUICK = ("search", "--space", "search_fakes:PAIRS", "--rank", "params", "--workers", "0")


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process, in an empty folder with a store of its own."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(FAKES)])
    monkeypatch.setenv("ANGLENAS_STORE", str(tmp_path / "scores.sqlite"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["anglenas", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Ended(int(end.value.code or 0), *capsys.readouterr())

    return run


def refused(ended: Ended, message: str, lines: int = 1) -> None:
    """One clear sentence on stderr, exit code 2, and nothing else."""
    assert ended.code == 2
    assert ended.out == ""
    assert message in ended.err
    assert ended.err.startswith("anglenas: ")
    assert len(ended.err.splitlines()) == lines
    assert "Traceback" not in ended.err


def photos(folder: Path, **classes: int) -> Path:
    """A folder of class folders with so many noisy images each."""
    rng = np.random.default_rng(1)
    for name, count in classes.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


# What a search prints and writes.


def test_a_search_prints_a_table_and_writes_a_folder(run: Run, tmp_path: Path) -> None:
    ended = run(*QUICK, "--budget", "4", "--out", "mine")
    assert ended.code == 0
    assert "Best: " in ended.out
    assert "4 candidates in" in ended.out
    assert ended.out.rstrip().endswith("Report: mine/report.html")
    assert "4 of 4 measured" in ended.err
    written = {str(file.relative_to(tmp_path / "mine")) for file in tmp_path.glob("mine/**/*.*")}
    assert {"report.html", "table.csv", "run.json", "cells/rank1.svg"} <= written
    assert len((tmp_path / "mine" / "table.csv").read_text().splitlines()) == 5
    assert not list(tmp_path.glob("mine/.*"))


def test_json_is_all_that_stands_on_stdout(run: Run) -> None:
    ended = run(*QUICK, "--budget", "3", "--json")
    content = json.loads(ended.out)
    assert (ended.code, ended.err) == (0, "")
    assert [row["rank"] for row in content["table"]] == [1, 2, 3]
    assert content["best"] == content["table"][0]["architecture"]
    assert content["computed"] == 3
    assert Path(content["report"]).name == "report.html"
    assert json.loads(run(*QUICK, "--budget", "3", "--json").out)["computed"] == 0


def test_quiet_prints_the_architecture_alone(run: Run) -> None:
    ended = run(*QUICK, "--budget", "3", "--quiet")
    best = json.loads(run(*QUICK, "--budget", "3", "--json").out)["best"]
    assert ended == Ended(0, f"{best}\n", "")


def test_each_setting_has_a_folder_of_its_own(run: Run, tmp_path: Path) -> None:
    for extra in ((), (), ("--seed", "2"), ("--max-params", "1k")):
        assert run(*QUICK, "--budget", "2", *extra).code == 0
    folders = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert len(folders) == 3
    assert all(name.startswith("digits-PAIRS-") for name in folders)


def test_the_command_gives_what_python_gives(run: Run, tmp_path: Path) -> None:
    run(*QUICK, "--budget", "5", "--out", "run", "--strategy", "search_fakes:CLIMB")
    found = search("search_fakes:PAIRS", rank="params", strategy="search_fakes:CLIMB", budget=5,
                   workers=0, store=":memory:")  # fmt: skip
    rows = list(csv.DictReader((tmp_path / "run" / "table.csv").read_text().splitlines()))
    assert [row["architecture"] for row in rows] == [str(o.architecture) for o in found.candidates]
    assert [float(row["params"]) for row in rows] == [o.values["params"] for o in found.candidates]


@pytest.mark.parametrize("how", [(), ("--json",), ("--quiet",)])
def test_a_search_in_which_all_fails_says_so(run: Run, tmp_path: Path, how: Any) -> None:
    ended = run("search", "--space", "search_fakes:BROKEN", "--rank", "loss", "--workers", "0",
                "--budget", "3", "--out", "run", *how)  # fmt: skip
    assert ended.code == 1
    assert ended.err.splitlines()[-1] == (
        "anglenas: None of the 3 candidates could be scored (failed: RuntimeError: no such layer);"
        " run/report.html lists why."
    )
    assert "Best:" not in ended.out
    if how == ("--json",):
        content = json.loads(ended.out)
        assert content["best"] is None
        assert [row["score"] for row in content["table"]] == [None] * 3
    assert (tmp_path / "run" / "table.csv").exists()


# Scores.


def test_score_prints_values(run: Run) -> None:
    ended = run("score", "--space", "search_fakes:PAIRS", "--arch", "1-3", "--arch", "4-4",
                "--metrics", "params, search_fakes:WIDTH", "--json")  # fmt: skip
    content = json.loads(ended.out)
    assert (ended.code, ended.err) == (0, "")
    assert {name: one["values"] for name, one in content.items()} == {
        "1-3": {"params": 4 * 20 + 10, "search_fakes:WIDTH": 4},
        "4-4": {"params": 8 * 20 + 10, "search_fakes:WIDTH": 8},
    }


def test_score_reads_a_file_of_architectures(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# pairs\n1-1\n\n  2-2 \n")
    ended = run("score", "--space", "search_fakes:PAIRS", "--arch-file", "list.txt",
                "--metrics", "params", "--workers", "0", "--quiet")  # fmt: skip
    assert ended == Ended(0, "50\n90\n", "")


def test_score_of_all_metrics_tells_a_value_or_a_reason(run: Run) -> None:
    ended = run("score", "--model", "search_fakes:make_net", "--metrics", "all", "--json")
    (one,) = json.loads(ended.out).values()
    assert ended.code == 0
    assert set(one["values"]) == set(metric_names())
    assert {name for name, value in one["values"].items() if value is None} == set(one["reasons"])
    assert all(r.startswith(("undefined: ", "failed: ")) for r in one["reasons"].values())

    shown = run("score", "--model", "search_fakes:make_net", "--metrics", "all")
    assert shown.code == 0
    assert all(f" {name} " in shown.out for name in metric_names())
    assert all(f": {name} {reason[:40]}" in shown.out for name, reason in one["reasons"].items())


def test_a_few_networks_stand_side_by_side_however_narrow_the_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    pairs = ["1-1", "1-2", "1-3", "2-2", "2-3", "4-4"]
    ended = run("score", "--space", "search_fakes:PAIRS", *(f"--arch={pair}" for pair in pairs),
                "--metrics", "params,flops,search_fakes:WIDTH.odd", "--workers", "0")  # fmt: skip
    assert ended.code == 0
    assert all(f"{number}  {pair}\n" in ended.out for number, pair in enumerate(pairs, 1))
    lines = [line for line in ended.out.splitlines() if line.startswith(("┃", "│"))]
    assert max(map(len, lines)) <= 60
    heads = re.findall(r"┃ +(\d) (?=┃)", "".join(line for line in lines if line[0] == "┃"))
    params = re.findall(r"\d+", "".join(line for line in lines if line.startswith("│ params")))
    assert "".join(heads) == "123456"
    assert params == ["50", "70", "90", "90", "110", "170"]
    odd = [line for line in lines if line.startswith("│ search_fakes:WIDTH.odd")]
    assert re.findall(r"│ +(-|\d\S*) (?=│)", "".join(odd)) == ["-", "3", "-", "-", "5", "-"]
    assert "1  1-1: search_fakes:WIDTH.odd undefined: the width is even" in ended.out


@pytest.mark.parametrize("how", [(), ("--quiet",), ("--json",)])
def test_a_score_without_any_value_ends_with_1(run: Run, how: Any) -> None:
    command = ("score", "--space", "search_fakes:PAIRS", "--arch", "1-1", *how)
    ended = run(*command, "--metrics", "search_fakes:WIDTH.odd")
    assert ended.code == 1
    assert ended.err == (
        "anglenas: No metric of any network has a value (undefined: the width is even).\n"
    )
    assert run(*command, "--metrics", "search_fakes:WIDTH.odd,params").code == 0


# Drawings.


@pytest.mark.parametrize("file", ["cell.svg", "new/cell.png"])
def test_draw_an_architecture(run: Run, tmp_path: Path, file: str) -> None:
    assert run("draw", CELL, "--out", file) == Ended(0, f"{file}\n", "")
    path = tmp_path / file
    if path.suffix == ".svg":
        assert ElementTree.fromstring(path.read_text()).tag.endswith("svg")
    else:
        with Image.open(path) as image:
            assert image.size[0] > 100


def test_draw_both_cells_of_a_genotype(run: Run, tmp_path: Path) -> None:
    cell = (
        "[('sep_conv_3x3', 0), ('skip_connect', 1)"
        + ", ('dil_conv_5x5', 0), ('skip_connect', 2)" * 3
        + "]"
    )
    outputs = "concat=range(2, 6)"
    text = f"Genotype(normal={cell}, normal_{outputs}, reduce={cell}, reduce_{outputs})"
    assert run("draw", text, "--space", "darts", "--out", "cells.svg").code == 0
    svg = (tmp_path / "cells.svg").read_text()
    assert all(f"<!-- {title} cell -->" in svg for title in ("normal", "reduction"))


def test_draw_points_at_the_mistake_in_a_text_of_another_space(run: Run) -> None:
    cell = "[('sep_conv_3x3', 0), ('skip', 1)]"
    ended = run("draw", f"Genotype(normal={cell})")
    refused(ended, "There is no operation 'skip'; DARTS has ", lines=3)
    text, caret = ended.err.splitlines()[1:]
    assert text[len(caret) - 1 :].startswith("'skip'")


def test_draw_asks_for_a_folder_that_is_there(run: Run) -> None:
    refused(run("draw", "runs/typo"), "There is no folder 'runs/typo'; give the folder that")


def test_draw_survives_a_space_that_raises_anything(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(EntryPoint):
        def load(self) -> Any:
            raise KeyError("broken")

    registered = {"broken": Broken("broken", "nowhere:SPACE", "anglenas.spaces")}
    spaces = {**plugins._registered("space"), **registered}
    monkeypatch.setattr(plugins, "_registered", lambda kind: spaces)
    refused(run("draw", "|none|"), "Expected '~' here", lines=3)


def test_draw_a_run(run: Run, tmp_path: Path) -> None:
    run("search", "--rank", "params", "--workers", "0", "--budget", "2", "--out", "run")
    assert run("draw", "run", "--out", "best.svg") == Ended(0, "best.svg\n", "")
    best = load_run(tmp_path / "run").best
    run("draw", str(best.architecture), "--out", "same.svg")
    assert (tmp_path / "best.svg").read_bytes() == (tmp_path / "same.svg").read_bytes()


def test_a_folder_from_elsewhere_runs_no_code(run: Run, tmp_path: Path) -> None:
    run(*QUICK, "--budget", "2", "--out", "run")
    (tmp_path / "evil.py").write_text("raise SystemExit('evil ran')\n")
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps(facts | {"space": "evil:SPACE"}))
    refused(run("draw", "run"), "is of the space 'evil:SPACE', which is code to be imported")
    (tmp_path / "run" / "run.json").write_text(json.dumps(facts))
    refused(run("draw", "run"), "name it with --space too if you trust it")
    assert run("draw", "run", "--space", "search_fakes:PAIRS").code == 0


@pytest.mark.parametrize("content", ["", "{}", "[]", "7", '{"architecture": 1}', "[" * 10**5])
def test_draw_of_a_folder_that_is_no_run(run: Run, tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    refused(run("draw", tmp_path), "")
    refused(run("draw", FAKES), "holds no finished run")


def test_draw_says_what_it_can_write(run: Run) -> None:
    refused(
        run("draw", CELL, "--out", "cell.gif"), "saved as .svg, .png or .pdf, not as 'cell.gif'"
    )
    refused(run("draw", CELL, "--out", "/proc/cell.svg"), "cannot be written")


# Mistakes.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--budget", "0"), "budget is a whole number of at least 1, not 0."),
        (("--minutes", "0"), "minutes is a finite number above 0, not 0.0."),
        (("--rank", "parms"), "no metric named 'parms'; did you mean params"),
        (("--metrics", "los"), "no metric named 'los'; did you mean loss"),
        (("--space", "nasbench301"), "no space named 'nasbench301'; did you mean nasbench201"),
        (("--space", "nowhere:SPACE"), "'nowhere:SPACE' cannot be imported"),
        (("--space", "search_fakes:Pair"), "make an anglenas.spaces.Space"),
        (("--strategy", "exhaust"), "no strategy named 'exhaust'; did you mean exhaustive?"),
        (("--recipe", "drift"), "no recipe named 'drift'; did you mean draft?"),
        (("--data", "digit"), "no data set named 'digit'; did you mean digits?"),
        (("--data", "no/photos"), "There is nothing at 'no/photos'"),
        (("--max-params", "49"), "49 parameters are allowed, and the smallest has 50. Allow more"),
        (("--max-flops", "1k"), "1,000 operations are allowed, and the smallest has "),
        (("--workers", "-1"), "count is a whole number of at least 0, not -1"),
        (("--out", "/proc/run"), "The run folder '/proc/run' cannot be written"),
    ],
)
def test_a_search_for_what_is_not_there(run: Run, arguments: Any, message: str) -> None:
    refused(run(*QUICK, *arguments), message)


@pytest.mark.parametrize("how", [("--json",), ("--quiet",), ()])
def test_mistakes_print_nothing_else(run: Run, how: Any) -> None:
    refused(run(*QUICK, "--budget", "0", *how), "of at least 1, not 0")


def test_a_caret_points_at_the_first_wrong_place(run: Run) -> None:
    ended = run(*QUICK, "--rank", "angle+*loss")
    refused(ended, "Expected the name of a metric here", lines=3)
    assert ended.err.splitlines()[1:] == ["  angle+*loss", "        ^"]
    wrong = CELL.replace("skip_connect", "skip")
    for command in (("score", "--arch", wrong), ("draw", wrong)):
        ended = run(*command)
        refused(ended, "There is no operation 'skip'; NAS-Bench-201 has none, ", lines=3)
        text, caret = ended.err.splitlines()[1:]
        assert text == f"  {wrong}"
        assert text[len(caret) - 1 :].startswith("skip~1|")


def test_a_file_in_the_way_of_the_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    refused(run(*QUICK, "--out", "taken"), "The run folder 'taken' cannot be written (File exists)")
    refused(run(*QUICK, "--out", "taken/run"), "choose another one")
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Say what to score: --arch or --arch-file, or else --model."),
        (("--arch", CELL, "--model", "search_fakes:make_net"), "Say what to score"),
        (("--arch-file", "missing.txt"), "'missing.txt' cannot be read"),
        (("--arch", CELL, "--metrics", ","), "Name at least one metric"),
        (("--arch", CELL, "--metrics", "gradnorm"), "did you mean grad_norm"),
        (
            ("--model", "search_fakes:make_net", "--workers", "2"),
            "--workers does nothing for --mod",
        ),
        (("--model", "search_fakes:make_net", "--device", "cpu"), "that its factory puts it on"),
        (("--model", "search_fakes:make_net", "--time-limit", "2"), "--time-limit does nothing"),
        (("--arch", CELL, "--classifier", "head"), "--classifier is about --model, not about arc"),
        (("--model", "no_such_module:net"), "No module named 'no_such_module'"),
        (("--model", "search_fakes:no_net"), "has no attribute 'no_net'"),
        (("--model", "search_fakes"), "give it as package.module:attribute"),
        (("--model", "search_fakes:make_nothing"), "makes a NoneType; it must make a torch.nn.Mod"),
        (("--model", "search_fakes:make_trouble"), "makes no network (OSError: no weights here)"),
        (("--model", "search_fakes:make_narrow"), "4 outputs, but the images have 10 classes"),
        (("--model", "search_fakes:make_colour"), "does not take images of shape (1, 8, 8)"),
    ],
)
def test_a_score_of_what_is_not_there(run: Run, arguments: Any, message: str) -> None:
    refused(run("score", *arguments), message)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("serch",),
        ("search", "--budgett", "3"),
        ("search", "--budget", "many"),
        ("search", "--max-params", "1Q"),
        ("search", "--top", "0"),
        ("draw",),
        ("score", "stray"),
    ],
)
def test_usage_errors_end_with_2(run: Run, arguments: Any) -> None:
    ended = run(*arguments)
    assert ended.code == 2
    assert "Usage: " in ended.out + ended.err
    assert "Traceback" not in ended.err


# Images.


def test_unreadable_images_are_named_and_skipped(run: Run, tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", cats=3, dogs=3)
    (folder / "cats" / "text.png").write_text("no image at all")
    whole = (folder / "dogs" / "0.png").read_bytes()
    (folder / "dogs" / "half.png").write_bytes(whole[: len(whole) // 2])
    broken = [str(folder / name) for name in ("cats/text.png", "dogs/half.png")]

    ended = run(*QUICK, "--budget", "2", "--data", folder, "--json")
    notices = json.loads(ended.out)["notices"]
    assert ended.code == 0
    assert all(any(f"'{name}' is skipped" in notice for notice in notices) for name in broken)
    shown = run(*QUICK, "--budget", "2", "--data", folder).out
    assert all(f"'{name}' is skipped" in shown.replace("\n", "") for name in broken)
    page = json.loads(ended.out)["report"]
    assert all(Path(name).name in Path(page).read_text() for name in broken)
    scored = run("score", "--space", "search_fakes:PAIRS", "--arch", "1-1", "--metrics", "params",
                 "--data", folder)  # fmt: skip
    assert all(Path(name).name in scored.out for name in broken)

    refused(run(*QUICK, "--data", folder, "--strict"), "cannot be read as an image")


def test_folders_that_are_no_data(run: Run, tmp_path: Path) -> None:
    refused(run(*QUICK, "--data", photos(tmp_path / "one", cats=2)), "at least 2 classes")
    hollow = photos(tmp_path / "hollow", cats=2, dogs=0)
    refused(run(*QUICK, "--data", hollow), "holds no images")
    empty = photos(tmp_path / "bad", cats=2, dogs=1)
    (empty / "dogs" / "0.png").write_bytes(b"")
    refused(run(*QUICK, "--data", empty), "The class 'dogs' has no readable image")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y_train": [0, 1, 0]}, "labels"),
        ({"y_train": [0, 0, 0, 0]}, "class"),
        ({"y_train": np.array([{}, None, "a", 0], dtype=object)}, "object"),
        ({"x_train": np.zeros((4, 8), np.uint8)}, "shape"),
    ],
)
def test_archives_that_are_no_data(run: Run, tmp_path: Path, arrays: Any, message: str) -> None:
    content = {"x_train": np.zeros((4, 8, 8), np.uint8), "y_train": [0, 1, 0, 1], **arrays}
    np.savez(tmp_path / "images.npz", **content)
    refused(run(*QUICK, "--data", "images.npz"), message)


# Stores.


def test_a_store_that_cannot_be_used_stays_as_it_was(run: Run, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Sir or Madam,\n" * 500)
    with sqlite3.connect(tmp_path / "other.sqlite") as other:
        other.execute("CREATE TABLE mail (text)")
    other.close()
    with Store(tmp_path / "newer.sqlite"):
        pass
    with sqlite3.connect(tmp_path / "newer.sqlite") as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    for name, message in {
        "letter.txt": "cannot be used (file is not a database)",
        "other.sqlite": "is a database of another program; give another path",
        "newer.sqlite": "written by a newer release of anglenas (schema 99, here 2); upgrade",
        "/proc/scores.sqlite": "give the path of a file that can be written",
        ".": "cannot be used (unable to open database file)",
    }.items():
        before = (tmp_path / name).read_bytes() if (tmp_path / name).is_file() else b""
        refused(run(*QUICK, "--store", name), message)
        refused(run("score", "--arch", CELL, "--store", name), message)
        if before:
            assert (tmp_path / name).read_bytes() == before


def test_a_mistake_loses_nothing(run: Run, tmp_path: Path) -> None:
    run(*QUICK, "--budget", "3", "--out", "run")
    before = {path: path.read_bytes() for path in tmp_path.glob("run/**/*") if path.is_file()}
    run(*QUICK, "--out", "run", "--rank", "parms")
    run(*QUICK, "--out", "run", "--budget", "0")
    assert {path: path.read_bytes() for path in before} == before
    assert json.loads(run(*QUICK, "--budget", "3", "--json").out)["computed"] == 0


# As a process of its own.


def process(
    folder: Path, *arguments: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [SCRIPT, *arguments], capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "ANGLENAS_STORE": str(folder / "scores.sqlite"), **environment},
    )  # fmt: skip


def test_version_and_help(tmp_path: Path) -> None:
    assert process(tmp_path, "--version").stdout == "0.1.0\n"
    as_module = [sys.executable, "-m", "anglenas", "--version"]
    assert subprocess.run(as_module, capture_output=True, check=True).stdout == b"0.1.0\n"
    told: set[str] = set()
    for command in ("search", "prune"):
        ended = process(tmp_path, command, "--help", COLUMNS="120")
        assert (ended.returncode, ended.stderr) == (0, "")
        told |= set(re.findall(r"'[\w-]+'", ended.stdout))
    assert {f"'{name}'" for name in PRESETS} <= told


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (
            "search",
            "--data --space --strategy --rank --budget --minutes --max-params --max-flops --recipe"
            " --metrics --guard --seed --flip --strict --workers --scheduler --store --out --top"
            " --json --quiet",
        ),
        (
            "prune",
            "--data --space --rank --number --reading --supernets --recipe --metrics --guard --ties"
            " --seed --flip --strict --workers --scheduler --time-limit --device --store --out"
            " --json --quiet",
        ),
        (
            "score",
            "--arch --arch-file --model --metrics --data --space --recipe --seed --flip --strict"
            " --store --json --quiet",
        ),
        ("draw", "--out --space"),
    ],
)
def test_help_names_every_option(run: Run, command: str, options: str) -> None:
    ended = run(command, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert [option for option in options.split() if f"{option} " not in ended.out] == []


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("command", ["search", "prune", "score", "draw"])
def test_help_fits_the_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str, columns: int
) -> None:
    """Nothing is cut, and a line of text ends only where the next word would not fit."""
    monkeypatch.setenv("COLUMNS", str(columns))
    text = run(command, "--help").out.partition("\u256d")[0]
    assert "\u2026" not in run(command, "--help").out
    for line, following in pairwise(map(str.strip, text.splitlines())):
        if line and following and not line.startswith("anglenas"):
            assert len(f"{line} {following.split()[0]}") > columns - 2


def test_every_command_has_its_help(run: Run) -> None:
    out = run("--help").out
    assert all(f" {command} " in out for command in ("search", "prune", "score", "draw"))


@pytest.mark.slow
def test_modules_of_the_folder_are_found_and_replace_no_others(tmp_path: Path) -> None:
    (tmp_path / "search_fakes.py").write_text((FAKES / "search_fakes.py").read_text())
    for name in ("json", "numpy", "rich", "sqlite3"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    for workers in ("0", "1"):
        ended = process(tmp_path, *QUICK[:-1], workers, "--budget", "3", "--quiet",
                        "--strategy", "search_fakes:CLIMB")  # fmt: skip
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout.strip() in {"2-1", "3-1", "4-1"}


@pytest.mark.slow
@pytest.mark.alone
def test_help_is_quick(tmp_path: Path) -> None:
    """A shared machine can be slow, so that what is counted is the processor's own time."""
    before = os.times()
    for _ in range(5):
        assert process(tmp_path, "--help").returncode == 0
    after = os.times()
    spent = after.children_user + after.children_system
    spent -= before.children_user + before.children_system
    assert spent / 5 < 0.5
