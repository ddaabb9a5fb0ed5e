"""Runs on disk: what was written is read back, and what is not a run ends in one sentence."""

import copy
import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import anglenas
from anglenas import Found
from anglenas._evaluation.network import fresh_weights
from anglenas._json import json_safe
from anglenas._measuring.result import Column
from anglenas.errors import SettingError, UnknownNameError, UsageError

FAKES = Path(__file__).parent / "search_fakes"
TINY = anglenas.Recipe(name="tiny", resolution=8, cells=1, channels=2, iterations=2)
CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"


@pytest.fixture(scope="module")
def fakes() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FAKES))
        yield importlib.import_module("search_fakes")


def tiny_search(**settings: Any) -> Found:
    return anglenas.search(**{"recipe": TINY, "workers": 0, "store": ":memory:", **settings})


@pytest.mark.parametrize(
    "settings",
    [
        {"budget": 3},
        {"budget": 3, "space": "darts", "rank": "params", "metrics": ["flops"]},
        {"budget": 4, "ties": "broken", "guard": False, "max_params": 10**6},
        {"minutes": 0.001, "rank": "params", "strategy": "evolution,population=3"},
    ],
)
def test_a_search_is_read_as_it_was_written(settings: dict[str, Any], tmp_path: Path) -> None:
    found = tiny_search(**settings)
    anglenas.write_run(found, tmp_path)
    assert anglenas.load_run(tmp_path) == found
    text = (tmp_path / "run.json").read_text()
    anglenas.write_run(anglenas.load_run(tmp_path), tmp_path)
    assert (tmp_path / "run.json").read_text() == text


def test_a_pruning_is_read_as_it_was_written(tmp_path: Path) -> None:
    pruned = anglenas.prune(rank="params", workers=0, store=":memory:")
    anglenas.write_run(pruned, tmp_path)
    assert anglenas.load_run(tmp_path) == pruned
    removal = json.loads((tmp_path / "run.json").read_text())["rounds"][0]["removals"][0]
    assert removal["edge"] == {"cell": "", "source": 0, "target": 1}
    assert removal["operation"] == "skip_connect"


def test_what_failed_and_spaces_of_one_s_own_are_read_too(fakes: Any, tmp_path: Path) -> None:
    """Where building fails there is no value; its score is minus infinity, null in JSON."""
    name = "search_fakes:FRAGILE"
    found = tiny_search(space=name, rank="loss", budget=20, recipe=TINY)
    assert not found.candidates[-1].scored
    anglenas.write_run(found, tmp_path)
    assert anglenas.load_run(tmp_path, name) == found
    with pytest.raises(SettingError, match="is code to be imported; name it with --space"):
        anglenas.load_run(tmp_path)
    with pytest.raises(SettingError, match="is code to be imported; name it with --space"):
        anglenas.load_run(tmp_path, "search_fakes:PAIRS")


def test_metrics_of_any_name_are_read(fakes: Any, tmp_path: Path) -> None:
    """The table that people read has columns of the same names; nothing is read from there."""
    found = tiny_search(budget=3, rank="params")
    names = {"score": 1.5, "rank_params": None, "rank": 7, "architecture": 0.5, "status": 2.0}
    odd = replace(
        found,
        columns=(*found.columns, *(Column(name) for name in names)),
        candidates=tuple(replace(one, values={**one.values, **names}) for one in found.candidates),
    )
    anglenas.write_run(odd, tmp_path)
    assert anglenas.load_run(tmp_path) == odd


def test_the_network_of_a_rank_can_be_had_again(tmp_path: Path) -> None:
    found = tiny_search(budget=3)
    anglenas.write_run(found, tmp_path)
    run = anglenas.load_run(tmp_path)
    assert run.at(2) == found.candidates[1]
    assert str(run.at(2).network()) == str(found.candidates[1].network())
    assert fresh_weights(run, 2).subject.architecture == str(found.candidates[1].architecture)
    with pytest.raises(SettingError, match="has the ranks 1 to 3, not 4"):
        run.at(4)


# What a folder of somebody else's may hold.


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("run")
    anglenas.write_run(tiny_search(budget=2, rank="params"), folder)
    content: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return content


def changed(facts: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The facts with another value somewhere; ``...`` takes it out."""
    content = copy.deepcopy(facts)
    *before, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place: Any = content
    for part in before:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("rank", 3, "rank is no str, but 3"),
        ("seed", "1", "seed is no int, but '1'"),
        ("seed", True, "seed is no int, but True"),
        ("guard", "no", "guard is no bool"),
        ("seconds", 10**400, "seconds is no float"),
        ("class_names", "ab", "class_names is no"),
        ("class_names", [1], r"class_names\[0\] is no str, but 1"),
        ("candidates", ..., "it lacks 'candidates'"),
        ("candidates", [], "not in the order of their ranks"),
        ("candidates.0.rank", 2, "not in the order of their ranks"),
        ("candidates.0.values.params", "73018", r"candidates\[0\]\.values\.params is no float"),
        ("candidates.0.values", [1.0], r"candidates\[0\]\.values is no Mapping"),
        ("candidates.0.score", "best", r"candidates\[0\]\.score is no float"),
        ("candidates.0.status", ..., r"candidates\[0\] is no Candidate"),
        ("candidates.0.extra", 1, r"candidates\[0\] is no Candidate"),
        ("candidates.0.architecture", "|none|", r"candidates\[0\] is no architecture of 'nasben"),
        ("candidates.0.architecture", None, r"candidates\[0\]\.architecture is no str, but None"),
        ("network.channels", 0, "channels is a whole number of at least 1, not 0"),
        ("network.channels", "16", "network.channels is no int"),
        ("recipe.iterations", 0, "iterations is a whole number of at least 1"),
        ("recipe", "fast", "recipe is no Recipe, but 'fast'"),
        ("kind", "other", "it lacks 'other'"),
        ("space", 5, "space is no str, but 5"),
        ("columns.0.name", None, r"columns\[0\]\.name is no str"),
    ],
)
def test_a_field_that_does_not_fit_is_named(
    facts: dict[str, Any], tmp_path: Path, path: str, value: Any, message: str
) -> None:
    (tmp_path / "run.json").write_text(json.dumps(changed(facts, path, value)))
    with pytest.raises(SettingError, match=message) as caught:
        anglenas.load_run(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "7", "[]", "null", "{", "[" * 10**5, "\x00", '{"format": 2}'])
def test_a_file_that_is_no_run_ends_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(SettingError, match=r"holds no finished run|of another version"):
        anglenas.load_run(tmp_path)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_have_are_refused(
    facts: dict[str, Any], tmp_path: Path, number: str
) -> None:
    text = json.dumps(changed(facts, "seconds", 12345.5)).replace("12345.5", number)
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(SettingError, match=r"is no number of JSON|seconds is no float"):
        anglenas.load_run(tmp_path)


def test_a_run_of_before_says_to_search_again(facts: dict[str, Any], tmp_path: Path) -> None:
    old = {"space": "nasbench201", "data": "digits", "origin": "digits", "rank": "params"}
    (tmp_path / "run.json").write_text(json.dumps(old))
    with pytest.raises(SettingError, match="of another version of anglenas; search again"):
        anglenas.load_run(tmp_path)
    with pytest.raises(SettingError, match="holds no finished run"):
        anglenas.load_run(tmp_path / "nowhere")


def test_nothing_that_a_file_names_is_imported(
    facts: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('evil ran')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    column = {"name": "evil:PROBE.metric", "higher_is_better": True, "unit": ""}
    content = {**facts, "origin": "evil:load", "rank": "evil:PROBE", "strategy": "evil:CLIMB",
               "columns": [*facts["columns"], column]}  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(content))
    run = anglenas.load_run(tmp_path)
    assert run.origin == "evil:load"
    anglenas.write_run(run, tmp_path / "again")
    assert "evil" not in sys.modules
    (tmp_path / "run.json").write_text(json.dumps({**facts, "space": "evil:SPACE"}))
    with pytest.raises(UsageError, match="is code to be imported"):
        anglenas.load_run(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({**facts, "space": "none_such"}))
    with pytest.raises(UnknownNameError, match="no space named 'none_such'"):
        anglenas.load_run(tmp_path)
    assert json_safe(facts) == facts
