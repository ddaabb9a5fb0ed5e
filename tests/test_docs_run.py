"""The code of every page runs, block by block, as somebody would who reads it from top to bottom.

Blocks that need what a reader alone has say so: ``notest`` after their language. What takes long is
made short: few candidates, few images, one epoch; in this process, so that torch is loaded once.
"""

import importlib
import inspect
import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import anglenas
from anglenas.__main__ import main
from anglenas.data import Library

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(python|console|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if BLOCK.search(page.read_text())
]
SHORT: dict[str, dict[str, Any]] = {  # instead of what the page says
    "search": {"budget": 3, "workers": 0},
    "score": {"workers": 0},
    "prune": {"workers": 0, "space": "nasbench201", "supernets": None},  # DARTS takes minutes
    "verify": {"each": 1},
}
SHORT_RECIPES = {
    **dict.fromkeys(("search", "score"), ("fast", "classes=2,images_per_class=2,iterations=1")),
    "prune": ("paper-pruning", "classes=2,images_per_class=2,iterations=1"),
    **dict.fromkeys(("train", "verify"), ("quick", "epochs=1,side=32")),
}


def shortened(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a command or function, such that it takes seconds."""
    wanted = {**given, **SHORT.get(name, {})}
    if name in SHORT_RECIPES:
        usual, changes = SHORT_RECIPES[name]
        changed = {field.partition("=")[0] for field in changes.split(",")}
        fields = given.get("recipe", usual).split(",")
        kept = [field for field in fields if field.partition("=")[0] not in changed]
        wanted["recipe"] = ",".join([*kept, changes])
    return wanted


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with what pages take for granted: photos of two classes, and a store of its own."""
    rng = np.random.default_rng(1)
    for name, part in itertools.product(("cat", "dog"), ("photos", "flowers/train", "flowers/val")):
        (tmp_path / part / name).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(256, size=(32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / part / name / f"{number}.jpg")
    images, labels = rng.integers(256, size=(8, 32, 32, 3), dtype=np.uint8), np.arange(8) % 2
    np.savez(tmp_path / "cifar10.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    (tmp_path / "mypackage").mkdir()
    (tmp_path / "mypackage" / "models.py").write_text(
        "from torch import nn\n\n\ndef make_net():\n    return nn.Sequential("
        "nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ANGLENAS_STORE", str(tmp_path / "scores.sqlite"))
    monkeypatch.setenv("ANGLENAS_DATA", str(tmp_path / "sets"))
    Library.default().add("cifar10", tmp_path / "cifar10.npz")
    for name in SHORT_RECIPES.keys() & set(anglenas.__all__):
        monkeypatch.setattr(anglenas, name, short(name, getattr(anglenas, name)), raising=False)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def short(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        given = inspect.signature(function).bind(*args, **kwargs).arguments
        return function(**shortened(name, given))

    return call


def run_python(body: str, names: dict[str, Any], folder: Path) -> None:
    """Run a block; if it begins with the name of a file, as that file."""
    named = re.match(r"# ((test_)?\w+)\.py\n", body)
    if named is None:
        exec(compile(body, "<block>", "exec"), names)
        return
    (folder / f"{named[1]}.py").write_text(body)
    if not named[2]:
        importlib.invalidate_caches()
        names.update(vars(importlib.import_module(named[1])), __name__="__main__")


def run_command(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    name = words[1]
    replaced = {"--recipe", *(f"--{option}" for option in SHORT.get(name, {}))}
    given, rest = {}, words[2:]
    for option in replaced.intersection(rest):
        at = rest.index(option)
        given[option.removeprefix("--")] = rest[at + 1]
        del rest[at : at + 2]
    wanted = shortened(name, given)
    if "--model" in words:
        del wanted["workers"]
    added = [f"--{option}={value}" for option, value in wanted.items() if value is not None]
    monkeypatch.setattr(sys, "argv", ["anglenas", name, *rest, *added])
    code: int | str | None = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    assert not code, shlex.join(words)


SLOW = {"README.md", "export.md", "pruning.md", "training.md"}  # they train, or prune DARTS


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=[pytest.mark.slow] * (p.name in SLOW), id=p.name) for p in PAGES],
)
def test_blocks_run(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for language, body in BLOCK.findall(page.read_text()):
        if language == "python":
            run_python(body, names, folder)
            continue
        monkeypatch.chdir(folder)
        for line in body.replace("\\\n", "").splitlines():
            for command in line.removeprefix("$ ").split(" && "):
                words = shlex.split(command, comments=True)
                if words[:1] == ["anglenas"]:
                    run_command(words, monkeypatch)
                elif words[:1] == ["cd"]:
                    monkeypatch.chdir(words[1])
                    monkeypatch.syspath_prepend(str(Path.cwd()))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["own_metric.md", "own_space.md"])
def test_files_with_tests_pass(name: str, tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", (ROOT / "docs" / name).read_text(),
                        re.DOTALL | re.MULTILINE)  # fmt: skip
    for file, body in blocks:
        (tmp_path / file).write_text(body)
    [tests] = tmp_path.glob("test_*.py")
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)
