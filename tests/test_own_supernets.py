"""The page on pruning shows supernets of one's own: their code is taken from there, and run."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from anglenas import prune
from anglenas._measuring.memory import training_memory
from anglenas._plugins import load
from anglenas._pruning.rounds import planned
from anglenas.errors import UsageError
from anglenas.probes._parameters import count_parameters
from anglenas.spaces import DARTS_SUPERNET, NASBENCH201_SUPERNET, NetworkConfig

PAGE = (Path(__file__).parents[1] / "docs" / "pruning.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
SCRIPT = Path(sys.executable).with_name("anglenas")
SPY = """

import os, pathlib, torch

plain = build
with pathlib.Path({log!r} + ".imports").open("a") as file:
    print(os.getpid(), file=file)


def build(text, config):
    if torch.get_default_device().type != "meta":  # there, it is built to estimate its memory
        with pathlib.Path({log!r}).open("a") as file:
            print(os.getpid(), file=file)
    return plain(text, config)


SPACE = dataclasses.replace(SPACE, build=build)
"""


def block(language: str, text: str) -> str:
    [found] = [one for name, one in BLOCKS if name == language and text in one]
    return found


SOURCE = block("python", "# my_supernets.py")


def names_of(source: str) -> dict[str, Any]:
    """What a source defines, as it is without a file."""
    namespace: dict[str, Any] = {"__name__": "my_supernets"}
    exec(source, namespace)
    return namespace


def own(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str) -> str:
    """Write a module with supernets of NAS-Bench-201, and name them."""
    (folder / f"{name}.py").write_text(
        "import dataclasses\nfrom anglenas.spaces import NASBENCH201_SUPERNET\n" + source
        + "\nSPACE = dataclasses.replace(NASBENCH201_SUPERNET, name='mine', build=build, "
        "fixed_version=None)\n"
    )  # fmt: skip
    monkeypatch.syspath_prepend(str(folder))
    return f"{name}:SPACE"


def run(folder: Path, *command: str | Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "ANGLENAS_STORE": str(folder / "scores.sqlite")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_network_is_what_the_page_says() -> None:
    names = names_of(SOURCE)
    assert names["SPACE"].build is names["build"]
    full = str(DARTS_SUPERNET.full())
    network = names["build"](full, NetworkConfig(10, channels=3, in_channels=1))
    assert network.stem[0].out_channels == 2 * 3
    sides: list[int] = []
    for cell in network.cells:
        cell.register_forward_hook(lambda *call: sides.append(call[-1].shape[-1]))
    network(torch.zeros(2, 1, 8, 8))
    assert sides == [8, 4, 4]
    assert network.classifier.in_features == 4 * 2 * 3
    assert len([line for line in SOURCE.splitlines() if line.strip()]) < 10


def test_the_stem_of_nasbench201_is_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_cells.py").write_text(block("python", "# my_cells.py"))
    monkeypatch.syspath_prepend(str(tmp_path))
    space = load("space", "my_cells:SPACE")
    network = space.build(str(space.full()), NetworkConfig(10, 2, 1, side=16))
    sides: list[int] = []
    for stage in network.stages:  # type: ignore[union-attr]
        stage.register_forward_hook(lambda *call: sides.append(call[-1].shape[-1]))
    network(torch.zeros(2, 3, 16, 16))
    assert sides == [8, 4, 2]
    found = prune(number=3, supernets="my_cells:SPACE", rank="angle+params",
                   recipe="paper-pruning,channels=1,iterations=1,resolution=8", workers=0,
                   store=":memory:")  # fmt: skip
    assert len(found.removals) == 24


@pytest.mark.slow
def test_the_command_and_the_code_find_the_same_with_workers(tmp_path: Path) -> None:
    log = tmp_path / "built"
    (tmp_path / "my_supernets.py").write_text(SOURCE + SPY.format(log=str(log)))
    # One round of operations.
    changes = [("--supernets my", "--number 6 --supernets my"),
               ('supernets="my', 'number=6,\n        supernets="my'),
               ("angle_loss+params", "params"), ("photos/", "digits")]  # fmt: skip
    command, code = block("console", "my_supernets"), block("python", "my_supernets:SPACE")
    for written, tried in changes:
        command, code = command.replace(written, tried), code.replace(written, tried)
    run(tmp_path, SCRIPT, *command.split()[2:], "--workers", "1", "--out", "run")
    with (tmp_path / "run" / "pruning.csv").open() as file:
        rows = list(csv.DictReader(file))
    rounds, _ = planned(DARTS_SUPERNET, 6)
    assert len(rows) == sum(len(one.removals) for one in rounds)
    left = DARTS_SUPERNET.full().without(0, "skip_connect")
    network = names_of(SOURCE)["build"](str(left), NetworkConfig(10, channels=1, in_channels=1))
    assert rows[0]["params"] == str(count_parameters(network))
    first, *others = Path(f"{log}.imports").read_text().split()  # the command, then its worker
    assert first not in log.read_text().split()
    assert set(log.read_text().split()) <= {*others}
    # The same in Python: all is known.
    before = log.read_text()
    (tmp_path / "find.py").write_text(code + "    print(pruned.computed, pruned.best.values)\n")
    best, computed = run(tmp_path, sys.executable, "find.py").splitlines()
    assert computed.startswith("0 ")
    assert log.read_text() == before
    assert best in (tmp_path / "run" / "run.json").read_text()


@pytest.mark.parametrize("rank", ["params", "angle"])
@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("no_builder", "", r"'no_builder:SPACE' cannot be imported \(NameError"),
        ("wrong_builder", "def build(text): ...", r"TypeError: build\(\) takes 1 positional"),
        ("failing_builder", "def build(*_): raise ValueError('no stem')", "ValueError: no stem"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str, message: str, rank: str
) -> None:
    supernets = own(tmp_path, monkeypatch, name, source)
    recipe = "paper-pruning,resolution=4,iterations=1"
    with pytest.raises(UsageError if not source else Exception, match=message) as caught:
        prune(supernets=supernets, rank=rank, recipe=recipe, workers=0, store=":memory:")
    assert type(caught.value).__module__ == "anglenas.errors"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("supernet", "message"),
    [
        ("my_missing_file:SPACE", "No module named 'my_missing_file'"),
        ("anglenas.spaces:NONE", "has no attribute 'NONE'"),
        ("anglenas.spaces:DARTS_SUPERNET", "no architecture of 'nasbench201'"),
        ("anglenas.spaces:DARTS", "is no space of supernets"),
    ],
)
def test_names_of_what_is_not_there_are_refused(supernet: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        prune(supernets=supernet, rank="params", store=":memory:", workers=0)


@pytest.mark.slow
def test_a_network_that_cannot_run_without_memory_is_measured_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
from torch import nn
class Summing(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(images) + 0 * images.sum().item()

def build(text, config):
    return Summing(NASBENCH201_SUPERNET.build(text, config))
"""
    supernets = own(tmp_path, monkeypatch, "summing_supernets", source)
    recipe = "paper-pruning,resolution=4,iterations=1,classes=2,images_per_class=1"
    found = prune(supernets=supernets, rank="angle", recipe=recipe, workers=0, store=":memory:")
    assert len(found.removals) == 54


def test_memory_is_0_where_it_cannot_be_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(tmp_path, monkeypatch, "untold", "def build(text, config): raise RuntimeError('no')")
    from untold import SPACE  # type: ignore[import-not-found]

    text, config = str(NASBENCH201_SUPERNET.full()), NetworkConfig(10, 2, 1, side=8)
    assert training_memory(SPACE, text, config, 10) == 0
    assert training_memory(NASBENCH201_SUPERNET, text, config, 10) > 0
    assert NASBENCH201_SUPERNET.build(text, config)
