"""Objects by name: registered ones, and those of the user's own modules."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from anglenas import _plugins as plugins
from anglenas import search
from anglenas.errors import SettingError, UnknownNameError, UsageError
from anglenas.probes import Metric, Probe, _registry, find_metric, find_probe, metric_names

FAKES = Path(__file__).parent / "search_fakes"
GROUPS: dict[plugins.Kind, str] = {
    "space": "anglenas.spaces",
    "probe": "anglenas.probes",
    "dataset": "anglenas.datasets",
    "strategy": "anglenas.strategies",
}


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(FAKES))
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("kind", GROUPS)
def test_names_are_those_of_the_entry_points(kind: plugins.Kind) -> None:
    points = {point.name: point for point in entry_points(group=GROUPS[kind])}
    assert plugins.names(kind) == tuple(sorted(points))
    for name, point in points.items():
        assert plugins.load(kind, name) is point.load()


@pytest.mark.parametrize("kind", GROUPS)
def test_unknown_names_are_told_with_the_nearest(kind: plugins.Kind) -> None:
    name = plugins.names(kind)[0]
    with pytest.raises(UnknownNameError, match=f"no {kind} named '{name}x'; did you mean {name}"):
        plugins.load(kind, f"{name}x")
    with pytest.raises(UnknownNameError, match="known: "):
        plugins.load(kind, "zzzzzzzzzzzzzzzz")


def test_objects_of_a_users_module() -> None:
    fakes = importlib.import_module("search_fakes")
    assert plugins.load("space", "search_fakes:PAIRS") is fakes.PAIRS
    assert plugins.reference("space", fakes.PAIRS, fakes.PAIRS.home) == "search_fakes:PAIRS"
    assert plugins.reference("probe", fakes.WIDTH, "search_fakes") == "search_fakes:WIDTH"


def test_registered_objects_go_by_their_registered_name() -> None:
    for kind in GROUPS:
        for name in plugins.names(kind):
            assert plugins.reference(kind, plugins.load(kind, name), "nowhere") == name


def test_an_object_without_a_name() -> None:
    fakes = importlib.import_module("search_fakes")
    with pytest.raises(UsageError, match=r"cannot be found by workers; assign it .*'search_fakes'"):
        plugins.reference("space", fakes.pairs("more", fakes.build), "search_fakes")
    with pytest.raises(UsageError, match=r"cannot be found by workers; assign .*'search_fakes'"):
        search(space=fakes.pairs("more", fakes.build), workers=0, store=":memory:")
    with pytest.raises(UnknownNameError, match="no space named 'pears'"):
        search(space="pears", workers=0, store=":memory:")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing_module:THING", "ModuleNotFoundError: No module named 'missing_module'"),
        ("search_fakes:MISSING", "has no attribute 'MISSING'"),
        ("search_fakes:", "has no attribute ''"),
        (":THING", "ValueError: Empty module name"),
        (".relative:THING", "TypeError: "),
        ("half_written:THING", "SyntaxError: "),
        ("troubled:THING", "ZeroDivisionError: "),
    ],
)
def test_what_cannot_be_imported(name: str, reason: str, modules: Path) -> None:
    (modules / "half_written.py").write_text("THING = (\n")
    (modules / "troubled.py").write_text("THING = 1 / 0\n")
    with pytest.raises(UsageError, match="give it as package") as raised:
        plugins.load("space", name)
    assert reason in str(raised.value)
    assert str(raised.value).startswith(f"The space {name!r} cannot be imported (")


def test_what_a_module_makes_wrong_with_anglenas_is_told_as_it_is(modules: Path) -> None:
    (modules / "wrong_choices.py").write_text(
        "from search_fakes import build\n"
        "from anglenas.spaces import ChoiceSpace\n"
        "SPACE = ChoiceSpace('mine', {'a': (1, 'x,y')}, build)\n"
    )
    with pytest.raises(SettingError) as raised:
        plugins.load("space", "wrong_choices:SPACE")
    assert str(raised.value).startswith("'x,y' cannot be a value of 'a'; use numbers, ")


SCRIPT = """
import search_fakes
from dataclasses import replace
from anglenas.errors import UsageError
from anglenas._measuring.setup import choose_space
def build(text, config):
    pass
SPACE = replace(search_fakes.PAIRS, build=build)
for space in (SPACE, "__main__:SPACE"):
    try:
        choose_space(space)
    except UsageError as error:
        print(error)
if __name__ == "__main__":
    print(choose_space("my_pairs:SPACE"))
"""


def test_what_is_in_the_script_that_runs_has_to_be_named_by_its_file(modules: Path) -> None:
    (modules / "my_pairs.py").write_text(SCRIPT)
    ended = subprocess.run(
        [sys.executable, modules / "my_pairs.py"], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(FAKES)},
    )  # fmt: skip
    refused = (
        "The space 'SPACE' is in the script that runs, which workers cannot import and whose "
        "scores could not be told from another script's; name it as 'my_pairs:SPACE', and start "
        'below `if __name__ == "__main__":`.'
    )
    assert ended.stdout.splitlines()[:2] == [refused, refused]
    assert ended.stdout.splitlines()[-1] == "my_pairs:SPACE"


def test_nothing_is_imported_before_it_is_asked_for(modules: Path) -> None:
    (modules / "unasked.py").write_text("THING = object()\n")
    plugins.names("space")
    assert "unasked" not in sys.modules
    thing: Any = plugins.load("space", "unasked:THING")
    assert sys.modules["unasked"].THING is thing


PLUGIN = """
from anglenas.probes import Metric, Probe
PARAMS = Probe("mine", (Metric("params", True, lambda record: 1.0, "mine"),), lambda *_: {})
SPACE = OTHER = object()
"""


@pytest.fixture
def installed(modules: Path) -> Iterator[Callable[[str], None]]:
    """Installs a package with some entry points, beside anglenas."""

    def install(entries: str) -> None:
        (modules / "rival.py").write_text(PLUGIN)
        folder = modules / "rival-1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: rival\nVersion: 1\n")
        (folder / "entry_points.txt").write_text(entries)
        forget()

    yield install
    sys.modules.pop("rival", None)
    forget()


def forget() -> None:
    plugins._registered.cache_clear()
    _registry._registered_metrics.cache_clear()


@pytest.mark.parametrize(
    ("kind", "name"),
    [("space", "darts"), ("probe", "parameters"), ("dataset", "digits"), ("strategy", "random")],
)
def test_a_name_that_two_packages_register_is_refused(
    kind: plugins.Kind, name: str, installed: Callable[[str], None]
) -> None:
    ours = plugins.origin(kind, name)
    installed(f"[{GROUPS[kind]}]\n{name} = rival:OTHER\n")
    with pytest.raises(UsageError, match=f"Two packages register a {kind} '{name}'") as raised:
        plugins.names(kind)
    assert ours in str(raised.value)
    assert "rival (rival:OTHER)" in str(raised.value)


def test_a_metric_that_two_probes_have_is_refused(installed: Callable[[str], None]) -> None:
    installed("[anglenas.probes]\nmine = rival:PARAMS\n")
    for find in (lambda: find_metric("params"), lambda: find_metric("angle"), metric_names):
        with pytest.raises(UsageError, match="Two probes have a metric 'params'") as raised:
            find()
        assert "'mine' of rival (rival:PARAMS)" in str(raised.value)
        assert "'parameters' of anglenas (anglenas.probes._parameters:PARAMETERS)" in str(
            raised.value
        )


def test_what_is_registered_twice_alike_is_one(installed: Callable[[str], None]) -> None:
    installed("[anglenas.probes]\nparameters = anglenas.probes._parameters:PARAMETERS\n")
    assert find_metric("params").probe == "parameters"


def test_what_is_no_probe_is_told() -> None:
    with pytest.raises(UsageError, match="'search_fakes:CLIMB' is a Climb, not a probe; make it"):
        find_probe("search_fakes:CLIMB")


@pytest.mark.parametrize("name", ["a+b", "log(x)", "", "2nd", "angle@20", "my metric", "a.b"])
def test_names_that_expressions_cannot_hold_are_refused(name: str) -> None:
    metric = Metric(name, True, lambda record: 1.0, "mine")
    with pytest.raises(SettingError, match="rank expressions would not read it"):
        Probe("mine", (metric,), lambda *_: {})


def test_two_metrics_of_one_name_are_refused() -> None:
    metric = Metric("mine", True, lambda record: 1.0, "mine")
    with pytest.raises(SettingError, match="'probe' has two metrics 'mine'"):
        Probe("probe", (metric, metric), lambda *_: {})
