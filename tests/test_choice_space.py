"""Spaces of the user's own, made of named choices."""

import importlib
import itertools
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anglenas import Recipe, search
from anglenas._measuring.task import Context
from anglenas._plugins import reference
from anglenas.errors import ArchitectureError, SettingError, UnknownNameError, UsageError
from anglenas.spaces import Choices, ChoiceSpace, NetworkConfig, OptionTable, Space
from anglenas.testing import SpaceConformance

MODULE = """
from torch import nn
from anglenas.spaces import ChoiceSpace

WIDTHS = (2, 3, 5)
POOLED = 1

def pool():
    return nn.Sequential(nn.AdaptiveAvgPool2d(POOLED), nn.Flatten())

def build(choices, config):
    width, kernel = choices["width"], choices["kernel"]
    conv = nn.Conv2d(config.in_channels, width, kernel, padding=kernel // 2)
    layers = [conv, nn.ReLU()] if choices["act"] else [conv]
    return nn.Sequential(*layers, pool(), nn.Linear(width, config.num_classes))

SPACE = ChoiceSpace("mine", {"width": WIDTHS, "kernel": (1, 3), "act": (True, False)}, build)
NARROW = ChoiceSpace(
    "narrow",
    {"width": (2, 3), "kernel": (1, 3), "act": (True, False), "note": ("a b", "1.5", 1.25)},
    build,
    unused=lambda choices: ["note"] + (["act"] if choices["width"] == 2 else []),
)
"""


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("module")
    (folder / "choice_fakes.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield importlib.import_module("choice_fakes")


def build(choices: Choices, config: NetworkConfig) -> None:
    """Stands for a function that is never called."""


def space_of(choices: Mapping[str, Any]) -> Space[Choices]:
    return ChoiceSpace("any", choices, build)


@pytest.fixture(params=["SPACE", "NARROW"])
def space(mine: Any, request: pytest.FixtureRequest) -> Any:
    return getattr(mine, request.param)


class TestConformance(SpaceConformance):
    @pytest.fixture(autouse=True)
    def _take(self, space: Any) -> None:
        self.space = space


VALUES = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(
        st.characters(categories="LNP", include_characters=" ", exclude_characters=","), min_size=1
    ),
)
OPTIONS = st.lists(VALUES, min_size=1, max_size=3)
SPACES = st.dictionaries(
    st.text("abc_", min_size=1, max_size=3), OPTIONS, min_size=1, max_size=3
).filter(
    lambda choices: (
        all(
            len(set(o)) == len(o) == len(set(map(str, o))) and all(str(v).strip() for v in o)
            for o in choices.values()
        )
        and math.prod(map(len, choices.values())) > 1
    )
)


@given(SPACES, st.integers(0, 100))
def test_texts_are_architectures_and_mutations_are_neighbours(
    choices: dict[str, Any], seed: int
) -> None:
    space, rng = space_of(choices), np.random.default_rng(seed)
    architecture = space.sample(rng)
    assert all(architecture[name] in options for name, options in choices.items())
    assert list(architecture) == list(choices)
    parsed = space.parse(str(architecture))
    assert parsed == architecture
    assert [*map(type, parsed.values())] == [*map(type, architecture.values())]
    mutated = space.mutate(architecture, rng)
    assert sum(mutated[name] != architecture[name] for name in choices) == 1
    assert space.parse(str(mutated)) == mutated


@given(SPACES)
def test_every_combination_is_enumerated_once(choices: dict[str, Any]) -> None:
    space = space_of(choices)
    expected = {
        ",".join(f"{name}={value}" for name, value in zip(choices, values, strict=True))
        for values in itertools.product(*choices.values())
    }
    texts = [str(architecture) for architecture in space.enumerate()]
    assert len(texts) == len(set(texts)) == space.size
    assert set(texts) == expected


def test_samples_and_mutations_are_uniform() -> None:
    space = space_of({"one": (1, 2, 3), "two": ("x",), "three": (True, False)})
    rng = np.random.default_rng(3)
    start = space.parse("one=1,two=x,three=True")
    for drawn, count in (
        ([str(space.sample(rng)) for _ in range(3000)], 6),
        ([str(space.mutate(start, rng)) for _ in range(3000)], 3),
    ):
        _, counts = np.unique(drawn, return_counts=True)
        assert len(counts) == count
        assert stats.chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 0, r"Expected 'width=' here, as in width=2,kernel=1,act=True\."),
        ("widht=2,kernel=1,act=True", 3, "Expected 'width='"),
        ("width=4,kernel=1,act=True", 6, "width cannot be '4'; it is one of 2, 3, 5"),
        ("width=2kernel=1,act=True", 6, "width cannot be '2kernel=1'"),
        ("width=2,act=True", 8, "Expected ',kernel='"),
        ("width=2,kernel=1", 16, "Expected ',act='"),
        ("width=2,kernel=1,act=True,depth=3", 25, "An architecture of mine ends here"),
        ("width=2,kernel=1,act=true", 21, "act cannot be 'true'"),
    ],
)
def test_texts_that_are_no_architecture(mine: Any, text: str, position: int, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message) as raised:
        mine.SPACE.parse(text)
    assert raised.value.position == position


def test_unused_choices_make_no_other_candidate(mine: Any) -> None:
    forms = {mine.NARROW.canonical(one) for one in mine.NARROW.enumerate()}
    assert mine.NARROW.size == 24
    assert forms == {
        f"width={width},kernel={kernel},act={act},note=a b"
        for width, kernel, act in itertools.product((2, 3), (1, 3), (True, False))
        if width == 3 or act
    }
    wrong = ChoiceSpace("wrong", {"a": (1, 2)}, build, unused=lambda choices: ["b"])
    with pytest.raises(UnknownNameError, match="no choice named 'b'"):
        wrong.canonical(next(wrong.enumerate()))


def test_choices_that_are_unused_since_others_are_make_no_other_candidate() -> None:
    space = ChoiceSpace(
        "chained", dict.fromkeys("abc", (0, 1)), build,
        unused=lambda choices: [later for one, later in ("ab", "bc") if choices[one] == 0],
    )  # fmt: skip
    assert {space.canonical(one) for one in space.enumerate() if one["a"] == 0} == {"a=0,b=0,c=0"}
    assert len({space.canonical(one) for one in space.enumerate()}) == 4
    for one in space.enumerate():
        assert space.canonical(space.parse(space.canonical(one))) == space.canonical(one)


def test_numbers_of_numpy_are_those_of_python() -> None:
    space = ChoiceSpace("mine", {"width": np.arange(8, 32, 8), "rate": np.array([0.5, 1])}, build)  # type: ignore[dict-item]
    assert str(space.parse("width=16,rate=0.5")) == "width=16,rate=0.5"
    assert {type(value) for one in space.enumerate() for value in one.values()} == {int, float}


def test_a_drawing_shows_what_was_chosen(mine: Any) -> None:
    assert mine.NARROW.drawings(mine.NARROW.parse("width=2,kernel=3,act=False,note=1.5")) == (
        OptionTable(
            "narrow",
            (
                ("width", ("2", "3"), 0),
                ("kernel", ("1", "3"), 1),
                ("act", ("True", "False"), None),
                ("note", ("a b", "1.5", "1.25"), None),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({}, "needs two architectures at least"),
        ({"a": (1,)}, "needs two architectures at least"),
        ({"a": (1, 2), "b": ()}, "needs two architectures at least"),
        ({"a": (1, 2), "b c": (1, 2)}, "cannot be called 'b c'; use letters"),
        ({"a": (1, 1)}, "'a' has a value twice"),
        ({"a": (1, True)}, "'a' has a value twice"),
        ({"a": (1, "1")}, "'a' has a value twice"),
        ({"a": (1, [2])}, r"\[2\] cannot be a value of 'a'"),
        ({"a": (1, float("nan"))}, "nan cannot be a value of 'a'"),
        ({"a": (1, None)}, "None cannot be a value of 'a'"),
        ({"a": ("x,y", "z")}, "'x,y' cannot be a value of 'a'; use .* without a comma"),
        ({"a": ("x\ny", "z")}, "cannot be a value of 'a'"),
        ({"a": ("", "z")}, "'' cannot be a value of 'a'"),
        (
            {"act": ("relu")},
            r"'act' has 'relu' where several values are to stand; write .*'relu',\)",
        ),
        ({"width": (16), "a": (1, 2)}, "'width' has 16 where several values are to stand"),
    ],
)
def test_choices_that_cannot_be_used(choices: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        space_of(choices)


# Where it is found, and which scores are its own.


def test_it_is_found_in_the_module_of_its_function(mine: Any) -> None:
    assert reference("space", mine.SPACE, mine.SPACE.home) == "choice_fakes:SPACE"
    assert repr(mine.SPACE) == "<space mine>"
    other = ChoiceSpace("other", {"a": (1, 2)}, mine.build)
    with pytest.raises(UsageError, match="assign it to a name in the module 'choice_fakes'"):
        search(space=other, store=":memory:")


OWN = """
import os
from torch import nn
from anglenas.spaces import ChoiceSpace
from {beside}_layers import head
import {beside}_package.inner as inner

DEPTH = 1

class Net(nn.Module):
    width = 8

    def __init__(self, config):
        super().__init__()
        self.stem = nn.Conv2d(config.in_channels, self.width, 3)

def build(choices, config):
    return nn.Sequential(Net(config), head(choices["a"]))

SPACE = ChoiceSpace("mine", {{"a": (1, 2)}}, build)
"""


def own_module(folder: Path, name: str, changes: Mapping[str, tuple[str, str]]) -> int:
    """The version of a space of a module, two modules beside it, and one that none imports."""
    texts = {
        f"{name}.py": OWN.format(beside=name),
        f"{name}_layers.py": "SIZE = 3\ndef head(a):\n    return SIZE * a\n",
        f"{name}_package/__init__.py": "from . import deeper\n",
        f"{name}_package/inner.py": "KIND = 1\n",
        f"{name}_package/deeper.py": "RATE = 0.1\n",
        f"{name}_other.py": "ALIEN = 1\n",
    }
    for file, text in texts.items():
        path = folder / file
        path.parent.mkdir(exist_ok=True)
        ending = file.removeprefix(name)
        path.write_text(text.replace(*changes.get(ending, ("", ""))))
    return int(importlib.import_module(name).SPACE.version)


@pytest.mark.parametrize(
    ("name", "changes", "same"),
    [
        ("own_same", {}, True),
        ("own_comment", {".py": ("DEPTH = 1", "DEPTH = 1  # one")}, True),
        ("own_blanks", {".py": ("DEPTH = 1", "DEPTH   =   1")}, True),
        ("own_alien", {"_other.py": ("ALIEN = 1", "ALIEN = 2")}, True),
        ("own_attribute", {".py": ("width = 8", "width = 80")}, False),
        ("own_constant", {".py": ("DEPTH = 1", "DEPTH = 2")}, False),
        ("own_helper", {"_layers.py": ("SIZE = 3", "SIZE = 5")}, False),
        ("own_inner", {"_package/inner.py": ("KIND = 1", "KIND = 2")}, False),
        ("own_deeper", {"_package/deeper.py": ("RATE = 0.1", "RATE = 0.2")}, False),
    ],
)
def test_scores_are_those_of_the_source(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    changes: dict[str, tuple[str, str]],
    same: bool,
) -> None:
    """Of the module, and of what it imports beside it; the names of its files are another thing."""
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "before"))
    before = own_module(tmp_path / "before", name, {})
    for module in [one for one in sys.modules if one.startswith(name)]:
        del sys.modules[module]
    monkeypatch.syspath_prepend(str(tmp_path / "after"))
    after = own_module(tmp_path / "after", name, changes)
    assert (before == after) == same


def test_all_of_a_package_counts_that_a_space_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = []
    for name, part in (("first", 1), ("second", 2)):
        package = tmp_path / name / "own_package" / "spaces"
        package.mkdir(parents=True)
        (package.parent / "__init__.py").write_text("")
        (package / "__init__.py").write_text("")
        (package.parent / "sizes.py").write_text(f"SIZE = {part}\n")
        (package / "nets.py").write_text(
            "from anglenas.spaces import ChoiceSpace\n\n\n"
            "def build(choices, config):\n    from ..sizes import SIZE\n    return SIZE\n\n\n"
            "SPACE = ChoiceSpace('mine', {'a': (1, 2)}, build)\n"
        )
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(tmp_path / name))
            versions.append(importlib.import_module("own_package.spaces.nets").SPACE.version)
        for module in [one for one in sys.modules if one.startswith("own_package")]:
            del sys.modules[module]
    assert versions[0] != versions[1]


def test_a_network_that_is_changed_has_other_scores(
    mine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But another file of the same content leaves them alone."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def version(name: str, old: str, new: str) -> int:
        (tmp_path / f"{name}.py").write_text(MODULE.replace(old, new))
        return int(importlib.import_module(name).SPACE.version)

    assert version("choice_same", "", "") == mine.SPACE.version
    assert version("choice_pooled", "POOLED = 1", "POOLED = (1, 1)") != mine.SPACE.version
    settings: Any = {"recipe": Recipe(), "images": "", "seed": 1}
    context = Context.of("choice_fakes:SPACE", "parameters", NetworkConfig(), **settings)
    assert context.space_version == mine.SPACE.version


def test_a_version_can_be_given(mine: Any) -> None:
    assert ChoiceSpace("any", {"a": (1, 2)}, mine.build, version=7).version == 7
    namespace: dict[str, Any] = {"__name__": "no_file"}
    exec("def build(choices, config): pass", namespace)
    with pytest.raises(UsageError, match=r"source of the module 'no_file' cannot be read, .*versi"):
        _ = ChoiceSpace("any", {"a": (1, 2)}, namespace["build"]).version


# Searches.

TINY = Recipe(name="tiny", resolution=8, iterations=2)


def parameters(choices: Mapping[str, Any]) -> int:
    """By hand, for grey images of 10 classes."""
    width = int(choices["width"])
    return width * choices["kernel"] ** 2 + width + width * 10 + 10


@pytest.mark.parametrize("strategy", ["random", "exhaustive", "evolution,population=4,sample=3"])
def test_any_strategy_searches_it(mine: Any, strategy: str) -> None:
    found = search(
        space=mine.SPACE, strategy=strategy, rank="params", max_params=80, budget=50, recipe=TINY,
        workers=0, store=":memory:",
    )  # fmt: skip
    expected = {str(one): parameters(one) for one in mine.SPACE.enumerate()}
    counted = {str(one.architecture): one.values["params"] for one in found.candidates}
    assert counted == {text: count for text, count in expected.items() if count <= 80}
    assert 0 < len(counted) < len(expected)


@pytest.mark.slow
def test_workers_find_it(mine: Any) -> None:
    here, there = (
        search(space=mine.SPACE, rank="loss", budget=4, recipe=TINY, workers=workers,
               store=":memory:").table
        for workers in (0, 2)
    )  # fmt: skip
    assert here == there


@pytest.mark.slow
def test_a_script_searches_its_own_space(tmp_path: Path) -> None:
    """And finds its scores again."""
    (tmp_path / "own.py").write_text(
        MODULE
        + dedent("""
            if __name__ == "__main__":
                import anglenas, sys
                print(anglenas.search(
                    space="own:SPACE", rank="params", budget=3, workers=0, store="scores.sqlite",
                    recipe="draft,iterations=1",
                ).computed)
        """)
    )
    for computed in ("3", "0"):
        ended = subprocess.run(
            [sys.executable, "own.py"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert ended.stdout.strip() == computed
