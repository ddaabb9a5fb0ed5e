"""``anglenas train`` and ``anglenas export``, as a user runs them."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from anglenas.__main__ import main

pytest.importorskip("lightning")

SCRIPT = Path(sys.executable).with_name("anglenas")
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|"
DEAD = "|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|nor_conv_1x1~2|"
RECIPE = "quick,epochs=2,batch=16,channels=4,cells=1,side=8"


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process, in an empty folder."""
    monkeypatch.setenv("ANGLENAS_STORE", str(tmp_path / "scores.sqlite"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    labels = np.arange(48) % 2
    pixels = rng.integers(0, 100, (48, 8, 8, 3), np.uint8)
    pixels[labels == 1] += 100
    np.savez("two.npz", images=pixels, labels=labels, class_names=np.array(["dark", "light"]))

    def run(*arguments: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["anglenas", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Ended(int(end.value.code or 0), *capsys.readouterr())

    return run


def test_from_the_search_to_the_files(run: Run) -> None:
    search = run("search", "--data", "two.npz", "--budget", "2", "--workers", "0", "--recipe",
                 "draft,iterations=1,resolution=8", "--out", "run", "--quiet")  # fmt: skip
    assert search.code == 0
    trained = run("train", "run", "--recipe", RECIPE)
    assert trained.code == 0
    assert "Files: run/trained" in trained.out
    assert "Hardest classes: " in trained.out
    lines = trained.err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    summary = json.loads(Path("run/trained/result.json").read_text())
    assert summary["architecture"] == search.out.strip()
    assert summary["command"] == f"anglenas train run --recipe {RECIPE}"
    assert summary["data"]["class_names"] == ["dark", "light"]
    for picture in ("curves", "confusion"):
        assert Path(f"run/trained/{picture}.svg").stat().st_size > 1000
        assert Path(f"run/trained/{picture}.png").stat().st_size > 1000
    with Path("run/trained/classes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["dark", "light"]
    exported = run("export", "run", "--formats", "python,weights", "--quiet")
    assert exported.code == 0
    assert exported.out.splitlines() == ["run/export/network.py", "run/export/weights.safetensors"]


def test_a_second_candidate_in_a_folder_of_its_own(run: Run) -> None:
    run("search", "--data", "two.npz", "--budget", "2", "--workers", "0", "--recipe",
        "draft,iterations=1,resolution=8", "--out", "run", "--quiet")  # fmt: skip
    second = run("train", "run", "--rank", "2", "--recipe", RECIPE, "--out", "second", "--json")
    assert second.code == 0
    assert set(json.loads(second.out)["classes"]) == {"dark", "light"}
    with Path("run/table.csv").open() as file:
        texts = [row["architecture"] for row in csv.DictReader(file)]
    summary = json.loads(Path("second/result.json").read_text())
    assert summary["architecture"] == texts[1]
    third = run("train", "run", "--rank", "3", "--recipe", RECIPE)
    assert third.code == 2
    assert "The run has the ranks 1 to 2, not 3." in third.err
    fresh = run("export", "run", "--formats", "weights")
    assert "Note: its weights are fresh; 'anglenas train run' trains them." in fresh.out


def test_an_architecture_needs_images(run: Run) -> None:
    ended = run("train", CELL)
    assert ended.code == 2
    assert "Say which images to train on: --data photos/." in ended.err
    ended = run("train", CELL, "--data", "two.npz", "--recipe", RECIPE, "--quiet")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("runs/two-trained-")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "nowhere", "--data", "digits"), "Expected '|' here"),
        (("train", ".", "--data", "digits"), "holds no finished run"),
        (("train", CELL, "--data", "two.npz", "--recipe", "quik"), "no training recipe named"),
        (("train", CELL, "--data", "none.npz"), "There is nothing at 'none.npz'"),
        (("train", CELL, "--data", "two.npz", "--validation", "2"), "give one between 0 and 1"),
        (("export", "nowhere"), "There is no file 'nowhere'"),
        (("export", "."), "holds no finished run"),
        (("export", ".", "--weights", "first"), "--weights is 'best' or 'last', not 'first'"),
        (("export", ".", "--formats", "pickle"), "holds no finished run"),
    ],
)
def test_bad_input_ends_with_a_sentence(run: Run, arguments: tuple[str, ...], message: str) -> None:
    ended = run(*arguments)
    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err


def test_a_run_whose_images_are_gone_says_so(run: Run) -> None:
    run("search", "--data", "two.npz", "--budget", "1", "--workers", "0", "--recipe",
        "draft,iterations=1,resolution=8", "--out", "run", "--quiet")  # fmt: skip
    facts = json.loads(Path("run/run.json").read_text())
    assert facts["origin"] == str(Path("two.npz").resolve())
    Path("run/run.json").write_text(json.dumps(facts | {"origin": "mine.module:load"}))
    ended = run("train", "run", "--recipe", RECIPE)
    assert ended.code == 2
    assert "is of the images 'mine.module:load', which is code to be imported" in ended.err
    Path("run/run.json").write_text(json.dumps(facts | {"origin": ""}))
    ended = run("train", "run", "--recipe", RECIPE)
    assert ended.code == 2
    assert "does not tell where its images are; name them with --data" in ended.err
    Path("run/run.json").write_text(json.dumps(facts | {"space": "mine.module:SPACE"}))
    ended = run("train", "run", "--recipe", RECIPE)
    assert ended.code == 2
    assert "is code to be imported; name it with --space" in ended.err


EVIL = """
from pathlib import Path

Path("ran").touch()


def load():
    return 3
"""


@pytest.mark.parametrize("command", ["train", "verify"])
@pytest.mark.parametrize("origin", ["evil:load", "run/evil:load", "/run/evil:load", "./evil:load"])
def test_no_command_imports_what_a_folder_names(
    run: Run, command: str, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("search", "--data", "two.npz", "--budget", "6", "--workers", "0", "--recipe",
        "draft,iterations=1,resolution=8", "--out", "run", "--quiet")  # fmt: skip
    for folder in (Path(), Path("run")):
        (folder / "evil.py").write_text(EVIL)
    monkeypatch.syspath_prepend(Path("run").resolve())
    monkeypatch.syspath_prepend(Path().resolve())
    facts = json.loads(Path("run/run.json").read_text())
    Path("run/run.json").write_text(json.dumps(facts | {"origin": origin}))
    each = ("--each", "1") if command == "verify" else ()
    ended = run(command, "run", "--recipe", RECIPE, *each)
    assert ended.code == 2
    assert f"is of the images {origin!r}, which is code to be imported" in ended.err
    assert not Path("ran").exists()
    # What the user names is theirs to import.
    ended = run(command, "run", "--recipe", RECIPE, "--data", "evil:load", *each)
    assert "(int) is no source of images" in ended.err


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(SCRIPT), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # as many as the tests' own process has
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_for_real_and_resumed_it_ends_alike(run: Run, number: signal.Signals) -> None:
    recipe = RECIPE.replace("epochs=2", "epochs=15")
    command = ("train", CELL, "--data", "two.npz", "--recipe", recipe, "--out")
    with start(*command, "killed") as process:
        deadline = time.monotonic() + 120
        while not list(Path("killed").glob("epoch-*.ckpt")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else process.returncode)
    if number == signal.SIGINT:
        assert "epochs are kept; the same command goes on from there." in err
    kept = sorted(Path("killed").glob("epoch-*.ckpt"))[-1]
    assert kept.name != "epoch-0014.ckpt", "it was not killed in time"
    assert run(*command, "killed").code == 0
    assert run(*command, "whole").code == 0
    for name in ("best", "last"):
        first, second = (Path(f, f"{name}.safetensors").read_bytes() for f in ("killed", "whole"))
        assert first == second


@pytest.mark.slow
def test_several_processes_share_a_training(run: Run) -> None:
    for number, cell in enumerate((CELL, DEAD)):
        with start("train", cell, "--data", "two.npz", "--recipe", RECIPE, "--out", str(number),
                   "--devices", "2") as process:  # fmt: skip
            out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        assert out.count("Files: ") == 1
        assert err.count("epoch 1/2") == 1
        assert "unused parameters" not in err
        summary = json.loads(Path(str(number), "result.json").read_text())
        # 43 images are 16 + 16 + 11 of two processes; the confusion matrix is of one process.
        assert summary["best"]["valid_accuracy"] * 4 == pytest.approx(
            round(summary["best"]["valid_accuracy"] * 4)
        )
