"""``anglenas store``: looking into stores, and bringing scores from one to another."""

import csv
import json
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from anglenas import Store
from anglenas._cli import app, main
from anglenas._measuring.task import Context, Outcome, Task
from anglenas._recipe import read_recipe
from anglenas.errors import SettingError, StoreError
from anglenas.spaces import NetworkConfig

CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"


def context(probe: str, recipe: str = "fast") -> Context:
    return Context.of("nasbench201", probe, NetworkConfig(), recipe=read_recipe(recipe),
                      images="0123456789abcdef", seed=7)  # fmt: skip


def fill(path: Path, *, more: int = 0) -> None:
    training = context("short_training", "fast,lr=0.1,augment=no")
    outcomes = [
        Outcome(Task(context("parameters"), CELL), "ok", {"params": 1, "layers": 3}),
        Outcome(Task(training, "a=constant; out=a"), "undefined: loss is not finite"),
        Outcome(Task(training, "out=0"), "failed: RuntimeError: no"),
    ]
    outcomes += [Outcome(Task(training, f"x{n}"), "ok", {"loss": [n / 3]}) for n in range(more)]
    with Store(path) as store:
        store.put_many(outcomes)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    fill(tmp_path / "a.sqlite")
    return tmp_path / "a.sqlite"


def run(*words: object) -> str:
    result = CliRunner().invoke(app, ["store", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def content(path: Path) -> dict[Task, Any]:
    with Store(path) as store:
        return {one.task: (one.status, one.record) for one in store.outcomes()}


def test_info_for_people(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = run("info", "--store", filled)
    assert "parameters (version 1) of nasbench201" in text
    assert "recipe fast,augment=no,lr=0.1, images 0123456789abcdef, seed 7" in text
    assert f"{filled}: 3 scores, 0.0 MB, schema 2" in text
    assert [line.split()[-3:] for line in text.splitlines() if "version" in line] == [
        ["1", "0", "0"],
        ["0", "1", "1"],
    ]


def test_the_recipe_it_names_is_the_one_that_was_used(filled: Path) -> None:
    known = json.loads(run("info", "--store", filled, "--json"))["contexts"]
    names = {one["probe"]: one["recipe_name"] for one in known}
    assert names["parameters"] is None
    assert read_recipe(names["short_training"]).fingerprint in {one["recipe"] for one in known}


def test_info_for_programs(filled: Path) -> None:
    held = json.loads(run("info", "--store", filled, "--json"))
    assert (held["scores"], held["schema"], held["path"]) == (3, 2, str(filled))
    assert held["bytes"] > 0
    counts = {one["probe"]: [one[name] for name in ("ok", "undefined", "failed")]
              for one in held["contexts"]}  # fmt: skip
    assert counts == {"parameters": [1, 0, 0], "short_training": [0, 1, 1]}
    assert {one["seed"] for one in held["contexts"]} == {None, 7}
    assert held["contexts"][0]["network"] == {
        "num_classes": 10, "channels": 16, "cells": 5, "in_channels": 3, "side": 32,
    }  # fmt: skip


@pytest.mark.parametrize("suffix", [".csv", ".sqlite", ".DB"])
def test_out_and_in_again(filled: Path, tmp_path: Path, suffix: str) -> None:
    file, new = tmp_path / f"out{suffix}", tmp_path / "new.sqlite"
    assert run("export", file, "--store", filled) == f"{file}\n"
    assert run("import", file, "--store", new) == f"{file}: 3 scores added to {new}\n"
    assert content(new) == content(filled)
    # The failure that is there gives way to the one that comes; what is final stays.
    assert run("import", file, "--store", new) == f"{file}: 1 scores added to {new}\n"


def test_merge_of_several(filled: Path, tmp_path: Path) -> None:
    fill(tmp_path / "b.sqlite", more=20_001)
    run("export", tmp_path / "a.csv", "--store", filled)
    run("merge", tmp_path / "b.sqlite", tmp_path / "a.csv", "--store", tmp_path / "all.sqlite")
    assert content(tmp_path / "all.sqlite") == content(tmp_path / "b.sqlite")
    assert content(filled) != content(tmp_path / "b.sqlite")


def test_the_store_of_the_environment(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANGLENAS_STORE", str(filled))
    assert "3 scores" in run("info")


def test_mistakes(filled: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.csv").write_text("to my mother\n")
    (tmp_path / "letter.db").write_text("to my mother, which must not be lost\n" * 100)
    taken, new = tmp_path / "letter.csv", tmp_path / "new.sqlite"
    cases: list[tuple[list[object], type[Exception], str]] = [
        (["info", "--store", new], StoreError, "There is no store at .*new.sqlite; a search"),
        (["export", tmp_path / "a.csv", "--store", new], StoreError, "There is no store at"),
        (["export", tmp_path / "a.txt", "--store", filled], SettingError, "ends in .csv for a"),
        (["export", taken, "--store", filled], SettingError, "exists; give the path of a new"),
        (["import", tmp_path / "no.csv", "--store", new], SettingError, "There is no file"),
        (["merge", tmp_path / "no.db", "--store", new], SettingError, "There is no file"),
        (["merge", filled, tmp_path / "x", "--store", new], SettingError, "does not tell what"),
        (["import", taken, "--store", filled], StoreError, "is no table of scores"),
        (["import", tmp_path / "letter.db", "--store", filled], StoreError, "not a database"),
    ]
    for words, kind, message in cases:
        with pytest.raises(kind, match=message):
            run(*words)
    assert not new.exists()
    assert taken.read_text() == "to my mother\n"
    assert len(content(filled)) == 3


def test_a_mistake_ends_with_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["anglenas", "store", "info", "--store", f"{tmp_path}/no"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(f"anglenas: There is no store at {tmp_path}/no;")


def test_a_table_of_hostile_texts_is_shown_as_text(filled: Path, tmp_path: Path) -> None:
    run("export", tmp_path / "a.csv", "--store", filled)
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for one in rows:
        one["space"] = "[red]os:system[/]"
    with (tmp_path / "a.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    run("import", tmp_path / "a.csv", "--store", tmp_path / "b.sqlite")
    assert "[red]os:system[/]" in run("info", "--store", tmp_path / "b.sqlite")


def test_a_store_that_is_written_meanwhile(filled: Path, tmp_path: Path) -> None:
    """Another process puts scores while this one exports and merges."""
    over = threading.Event()

    def write() -> None:
        number = 0
        with Store(filled) as store:
            while not over.is_set():
                task = Task(context("parameters"), f"{CELL}{number}")
                store.put_many([Outcome(task, "ok", {"params": number})])
                number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            run("export", tmp_path / f"{number}.csv", "--store", filled)
            run("export", tmp_path / f"{number}.sqlite", "--store", filled)
            run("merge", tmp_path / f"{number}.csv", tmp_path / f"{number}.sqlite",
                "--store", tmp_path / "all.sqlite")  # fmt: skip
            run("import", tmp_path / f"{number}.csv", "--store", filled)
    finally:
        over.set()
        writer.join()
    last = content(tmp_path / "4.sqlite")
    assert content(tmp_path / "all.sqlite") == last
    assert len(content(filled)) >= len(last) > 3


def test_a_store_of_an_older_release_is_brought_forward(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anglenas._measuring import store as _store

    step = ("ALTER TABLE contexts ADD COLUMN note TEXT",)
    monkeypatch.setattr(_store, "_MIGRATIONS", (*_store._MIGRATIONS, step))
    run("import", filled, "--store", tmp_path / "new.sqlite")
    assert json.loads(run("info", "--store", filled, "--json"))["schema"] == 3
    assert content(tmp_path / "new.sqlite") == content(filled)


def test_a_store_of_a_newer_release_is_refused(filled: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(filled)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(
        StoreError, match=r"newer release of anglenas \(schema 99, here 2\); upgrade"
    ):
        run("info", "--store", filled)


@pytest.mark.slow
def test_two_searches_at_once_on_one_store(tmp_path: Path) -> None:
    """Two searches that overlap in part: each ends as it does alone, and nothing is lost."""
    command = Path(sys.executable).with_name("anglenas")

    def search(name: str, store: str, seed: int, workers: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [command, "search", "--rank", "params", "--metrics", "flops", "--budget", "300",
             "--seed", str(seed), "--workers", str(workers), "--quiet", "--store",
             tmp_path / store, "--out", tmp_path / name],
            cwd=tmp_path, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    together = [search("a", "both.sqlite", 1, 1), search("b", "both.sqlite", 2, 0)]
    assert [process.wait(300) for process in together] == [0, 0]
    for name, seed in (("a", 1), ("b", 2)):
        assert search(f"{name}-alone", f"{name}.sqlite", seed, 0).wait(300) == 0
        table = (tmp_path / name / "table.csv").read_bytes()
        assert table == (tmp_path / f"{name}-alone" / "table.csv").read_bytes()
    first, second = content(tmp_path / "a.sqlite"), content(tmp_path / "b.sqlite")
    assert len(first.keys() & second.keys()) > 3
    assert content(tmp_path / "both.sqlite") == first | second
