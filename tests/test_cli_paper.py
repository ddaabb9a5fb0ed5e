"""``anglenas paper``: the published figures, made again."""

import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch

import anglenas
from anglenas import Found, Pruned
from anglenas.__main__ import main
from anglenas._paper import cells as _paper
from anglenas.spaces import DARTS, Genotype, make_network

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


# Number, rank and images of each figure in the supplement, and how TE-NAS prunes for such images.
PRUNED = [
    (3, "angle_loss", 3, "cifar.tar"),
    (4, "angle_loss+params", 3, "cifar.tar"),
    (5, "angle_loss", 2, "imagenet/train"),
    (6, "angle_loss+params", 2, "imagenet/train"),
]
DRAWN = [(number, rank, "random", data) for number, rank, _, data in PRUNED]
CIFAR10, IMAGENET = ("--cifar10", "cifar.tar"), ("--imagenet", "imagenet/train")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((*CIFAR10, *IMAGENET), PRUNED),
        (CIFAR10, PRUNED[:2]),
        (IMAGENET, PRUNED[2:]),
        ((*CIFAR10, *IMAGENET, "--strategy", "random"), DRAWN),
    ],
)
def test_each_figure_has_the_search_that_was_published(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], expected: list[Any]
) -> None:
    asked, told = [], []

    def search(space: str, data: str, **settings: Any) -> SimpleNamespace:
        assert (space, settings["recipe"], settings["seed"]) == ("darts", None, 7)
        asked.append((settings["rank"], settings.get("strategy") or settings["number"], data))
        best = SimpleNamespace(architecture="a cell", scored=True)
        return SimpleNamespace(rank=settings["rank"], data=data, best=best)

    monkeypatch.setattr("anglenas._searching.run.search", search)
    monkeypatch.setattr("anglenas._pruning.run.prune", search)
    monkeypatch.setattr(_paper, "_result", lambda figure, _: {"figure": figure.number})
    monkeypatch.setattr(_paper, "_write", lambda *given: told.append(given[1].number))
    assert run("paper", "cells", *arguments, "--seed", "7", "-q").code == 0
    assert [(number, *one) for number, one in zip(told, asked, strict=True)] == expected


@pytest.mark.parametrize("content", ["", "{}", "[7]", '[{"number": 3}]', "[" * 10**5])
def test_a_file_that_is_in_the_way_is_kept(run: Run, tmp_path: Path, content: str) -> None:
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "cells.json").write_text(content)
    ended = run("paper", "cells", *CIFAR10)
    if content == "{}":
        assert "'cifar.tar'" in ended.err  # it tells of nothing, and nothing is lost
    else:
        assert "choose another folder with --out" in ended.err
    assert (ended.code, (tmp_path / "cells" / "cells.json").read_text()) == (2, content)


def test_a_search_that_scores_nothing_draws_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    best = SimpleNamespace(architecture="a cell", scored=False, status="failed: no")
    monkeypatch.setattr("anglenas._pruning.run.prune", lambda *_, **__: SimpleNamespace(best=best))
    ended = run("paper", "cells", *CIFAR10, "-q")
    assert (ended.code, ended.out) == (1, "")
    assert "No candidate for figure 3 could be scored (failed: no)" in ended.err
    assert list((tmp_path / "cells").iterdir()) == []


@pytest.fixture(scope="module")
def found() -> Found:
    """Two cells of the DARTS space, of which the larger is the better."""
    return searched("darts", strategy="random", budget=2)


def searched(space: str, **settings: Any) -> Found:
    return anglenas.search(space, "digits", rank="params", workers=0, store=":memory:", **settings)


def result(found: Found | Pruned) -> dict[str, Any]:
    """What cells.json tells of it; the networks have sizes, but no weights."""
    with torch.device("meta"):
        return _paper._result(_paper._CELLS[0], found)


def test_a_pruned_cell_is_told_with_all_removals_and_their_seconds(found: Found) -> None:
    """The run itself may have taken the measurements from the store, and measures one cell."""
    pruned = anglenas.prune(rank="params", workers=0, store=":memory:")
    rounds = tuple(
        replace(one, removals=tuple(replace(r, seconds=1000 * r.seconds) for r in one.removals))
        for one in pruned.rounds
    )  # above all rounding
    told = result(replace(pruned, rounds=rounds, seconds=1e9, candidates=found.candidates[:1]))
    assert told["candidates"] == 24 + 18 + 12  # 6 edges, that hold 4, 3 and 2 operations
    spent = [r.seconds for one in rounds for r in one.removals]
    assert told["seconds"] == round(math.fsum([*spent, *(one.base_seconds for one in rounds)]))
    assert told["seconds"] > 0
    assert told["strategy"] == "prune,number=1,reading=change,supernet=nasbench201_supernet"


def test_other_cells_are_told_with_the_candidates_and_seconds_of_the_run(found: Found) -> None:
    told = result(replace(found, seconds=12.6))
    assert (told["candidates"], told["seconds"]) == (2, 13)
    assert (told["figure"], told["rank"], told["strategy"]) == (3, "params", "random")


@pytest.mark.parametrize("name", ["DARTS_V1", "DARTS_V2", "TENAS_cifar10", "TENAS_imagenet"])
def test_published_cells_have_their_published_sizes(
    dev_data: Path, found: Found, name: str
) -> None:
    facts = json.loads((dev_data / "darts_genotypes.json").read_text())[name]
    genotype = Genotype(*(tuple(map(tuple, facts[cell])) for cell in ("normal", "reduce")))
    told = result(replace(found, candidates=(replace(found.best, architecture=genotype),)))
    counts = facts["parameters"]
    assert told["parameters"] == {
        "cifar10": counts["cifar_C36_L20"], "imagenet": counts["imagenet_C48_L14"],
    }  # fmt: skip
    assert DARTS.parse(told["genotype"]) == genotype


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
    assert (tmp_path / "cells" / "figure6" / "run.json").exists()
    again = run("paper", "cells", *images[2:], "--strategy", "random", "--budget", "2", *TINY, "-q")
    assert (again.code, again.err) == (0, "")
    assert json.loads((tmp_path / "cells" / "cells.json").read_text()) == results
    for one in results:
        assert one["genotype"] in ended.out
        assert str(DARTS.parse(one["genotype"])) == one["genotype"]
        network = make_network(one["genotype"], "darts", channels=36, cells=6)
        counted = sum(parameter.numel() for parameter in network.parameters())
        assert one["parameters"]["cifar10"] == counted
