"""``anglenas paper``: the published figures, made again."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from anglenas.cli import main
from anglenas.networks import make_network
from anglenas.spaces.darts import DARTS

TINY = ("--recipe", "paper,resolution=8,channels=2,cells=1,iterations=1", "--workers", "0")


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process, in an empty folder with a store of its own."""
    monkeypatch.setenv("ANGLENAS_STORE", str(tmp_path / "scores.sqlite"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["anglenas", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return Ended(int(end.value.code or 0), *capsys.readouterr())

    return run


def test_cells_need_images(run: Run, tmp_path: Path) -> None:
    ended = run("paper", "cells")
    assert (ended.code, ended.out) == (2, "")
    assert "give --cifar10, --imagenet or both" in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_cells_are_searched_drawn_and_told(run: Run, tmp_path: Path) -> None:
    images = ("--cifar10", "digits", "--imagenet", "digits")
    ended = run("paper", "cells", *images, "--strategy", "random", "--budget", "2", *TINY, "-q")
    assert (ended.code, ended.err) == (0, "")
    results = json.loads((tmp_path / "cells" / "cells.json").read_text())
    assert [(one["figure"], one["rank"]) for one in results] == [
        (3, "angle_loss"), (4, "angle_loss+params"), (5, "angle_loss"), (6, "angle_loss+params"),
    ]  # fmt: skip
    drawings = {f"figure{n}.{kind}" for n in (3, 4, 5, 6) for kind in ("svg", "png", "pdf")}
    folders = {"figure3", "figure4", "figure5", "figure6"}
    written = {path.name for path in (tmp_path / "cells").iterdir()}
    assert written == {*drawings, *folders, "cells.json"}
    assert (tmp_path / "cells" / "figure6" / "best.json").exists()
    for one in results:
        assert one["genotype"] in ended.out
        assert str(DARTS.parse(one["genotype"])) == one["genotype"]
        network = make_network(one["genotype"], "darts", channels=36, cells=6)
        counted = sum(parameter.numel() for parameter in network.parameters())
        assert one["parameters"]["cifar10"] == counted
