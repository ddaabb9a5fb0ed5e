"""The page on own spaces shows what works: its code is taken from there, and run."""

import csv
import importlib
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anglenas._plugins import reference
from anglenas.testing import SpaceConformance

PAGE = (Path(__file__).parents[1] / "docs" / "own_space.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
TINY = "fast,classes=2,images_per_class=2,iterations=1,resolution=16"


def block(language: str, start: str) -> str:
    [found] = [text for name, text in BLOCKS if name == language and text.startswith(start)]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the space, and photos of two classes, 64 x 64 pixels."""
    (tmp_path / "photo_space.py").write_text(block("python", "# photo_space.py"))
    rng = np.random.default_rng(1)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(3):
            pixels = rng.integers(256, size=(64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.jpg")
    return tmp_path


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "ANGLENAS_STORE": str(folder / "scores.sqlite")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def space_of(source: str) -> Any:
    """The space of a source, as it is without a file."""
    namespace: dict[str, Any] = {"__name__": "photo_space"}
    exec(source, namespace)
    return namespace["SPACE"]


def test_the_space_is_short_and_as_large_as_the_page_says() -> None:
    source = block("python", "# photo_space.py")
    lines = [line for line in source.splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) < 20
    size = space_of(source).size
    assert size == 3**3 * 4**3 * 3**3 == math.prod([3] * 6 + [4] * 3)
    assert f"These {size:,} networks".replace(",", " ") in PAGE.replace("\N{NO-BREAK SPACE}", " ")


def test_unused_choices_are_as_the_page_says() -> None:
    source = block("python", "# photo_space.py") + block("python", "def unused")
    space = space_of(source)
    text = "width1=16,width2=32,width3=64,depth1=1,depth2=0,depth3=2,kernel1=5,kernel2={},kernel3=7"
    forms = {space.canonical(space.parse(text.format(kernel))) for kernel in (3, 5, 7)}
    assert forms == {text.format(3)}


class TestChains(SpaceConformance):
    @pytest.fixture(autouse=True)
    def _take(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "chain_space.py").write_text(block("python", "# chain_space.py"))
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "chain_space", raising=False)
        self.space = importlib.import_module("chain_space").SPACE

    def test_those_without_a_convolution_are_trivial(self) -> None:
        trivial = [text for text in ("ppppp", "ppcpp", "ccccc") if self.space.is_trivial(text)]
        assert trivial == ["ppppp"]
        assert reference("space", self.space, self.space.home) == "chain_space:SPACE"


@pytest.mark.slow
def test_the_command_and_the_code_find_the_same(folder: Path) -> None:
    [command] = block("console", "$").removeprefix("$ anglenas ").splitlines()
    options = command.replace("fast,resolution=32", TINY).split()
    run(folder, "-m", "anglenas", *options, "--budget", "6", "--workers", "0", "--out", "run")
    with (folder / "run" / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert all(0 < float(row["params"]) <= 300_000 for row in rows)
    assert (folder / "run" / "cells" / "rank1.svg").exists()
    code = block("python", "import anglenas").replace("fast,resolution=32", TINY)
    code = code.replace("max_params", "budget=6, workers=0, max_params")
    (folder / "find.py").write_text(
        f"{code}import torch\nprint(network(torch.zeros(2, 3, 64, 64)).shape, found.computed)\n"
    )
    best, shape = run(folder, "find.py").splitlines()
    assert best == rows[0]["architecture"]
    assert shape == "torch.Size([2, 2]) 0"
