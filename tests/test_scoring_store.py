"""The store: what is put comes back, whoever else has the file open; and nothing is done twice."""

import csv
import hashlib
import importlib
import json
import os
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anglenas import Store
from anglenas._measuring.executors import InProcess
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.task import Outcome, Task
from anglenas.data import FewShot
from anglenas.errors import StoreError

FAKES = Path(__file__).parent / "scoring_fakes"


@pytest.fixture(scope="module")
def fakes() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FAKES))
        yield importlib.import_module("scoring_fakes")


@pytest.fixture
def filled(fakes: Any, tmp_path: Path) -> Iterator[Store]:
    """A store with outcomes of every kind, under two contexts."""
    with Store(tmp_path / "filled.sqlite") as store:
        store.put_many(
            [
                Outcome(
                    fakes.task("be a"), "ok", {"x": 1 / 3, "y": [None, -0.0, 5e-324]}, 0.1, "h"
                ),
                Outcome(fakes.task('be "b", é\n'), "ok", {"word": 'a,"b"\r\n'}, 0.1, "h"),
                Outcome(fakes.task("undefined"), "undefined: not finite", None, 0.2, "h"),
                Outcome(fakes.task("break"), "failed: RuntimeError: no", None, 0.3, "h"),
                Outcome(fakes.task("be a", probe="SHAPE"), "ok", {"shape": [1, 2]}, 1e-9, "i"),
            ]
        )
        yield store


def everything(store: Store) -> list[tuple[Any, ...]]:
    return sorted(
        (outcome.task.context.digest, outcome.task.subject, outcome.status,
         json.dumps(outcome.record), outcome.seconds, outcome.host)
        for outcome in store.outcomes()
    )  # fmt: skip


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
RECORDS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | FLOATS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)  # fmt: skip


@given(FLOATS, RECORDS)
def test_what_is_put_comes_back_bit_for_bit(fakes: Any, number: float, rest: Any) -> None:
    outcome = Outcome(fakes.task("be a"), "ok", {"number": number, "rest": rest}, 0.5, "host")
    with Store.memory() as store:
        store.put_many([outcome])
        back = store.get(outcome.task)
    assert back is not None
    assert back.record is not None
    assert back == outcome
    assert struct.pack("<d", back.record["number"]) == struct.pack("<d", number)
    assert json.dumps(back.record) == json.dumps(outcome.record)  # tells 1 from 1.0 and True
    assert (back.seconds, back.host) == (0.5, "host")


def test_what_was_not_put_is_not_there(fakes: Any, filled: Store) -> None:
    assert filled.get(fakes.task("be z")) is None
    assert filled.get(fakes.task("be a", seed=99)) is None
    wanted = [fakes.task("be a"), fakes.task("be z"), fakes.task("undefined")]
    assert set(filled.get_many(wanted)) == {wanted[0], wanted[2]}


def test_many_are_found_at_once(fakes: Any) -> None:
    tasks = [fakes.task(f"be {number}") for number in range(1203)]
    with Store.memory() as store:
        store.put_many(Outcome(task, "ok", {"word": task.subject}) for task in tasks)
        found = store.get_many(tasks)
    assert [found[task].record for task in tasks] == [{"word": task.subject} for task in tasks]


def test_a_final_outcome_stays_and_a_failure_gives_way(fakes: Any) -> None:
    task = fakes.task("be a")

    def after(*statuses: str) -> str:
        with Store.memory() as store:
            for status in statuses:
                store.put_many([Outcome(task, status, {} if status == "ok" else None)])
            known = store.get(task)
            assert known is not None
            return known.status

    assert after("failed: a", "ok") == "ok"
    assert after("failed: a", "failed: b") == "failed: b"
    assert after("ok", "failed: a") == "ok"
    assert after("undefined: a", "failed: b") == "undefined: a"


def test_all_of_a_transaction_or_none(fakes: Any, tmp_path: Path) -> None:
    good = Outcome(fakes.task("be a"), "ok", {})
    bad = Outcome(fakes.task("be b"), "ok", {"x": float("nan")})
    with Store(tmp_path / "s") as store:
        with pytest.raises(ValueError, match="Out of range float"):
            store.put_many([good, bad])
        assert store.info().scores == 0
        store.put_many([good])
        assert store.info().scores == 1


def test_info_counts(fakes: Any, filled: Store) -> None:
    info = filled.info()
    assert info.scores == 5
    assert [(one.ok, one.undefined, one.failed) for one in info.contexts] == [(2, 1, 1), (1, 0, 0)]
    assert [one.context for one in info.contexts] == [fakes.context(), fakes.context("SHAPE")]
    assert info.path == filled.path
    assert info.size > 0
    assert info.version == 2


def test_look_up_stays_flat(fakes: Any) -> None:
    """The plan of the query is a search of the key, never a scan."""
    with Store.memory() as store:
        store.put_many([Outcome(fakes.task("be a"), "ok", {})])
        plan = store._connection.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM scores WHERE context_id = 1 AND subject IN ('a', 'b')"
        ).fetchall()
    assert ["SEARCH scores USING PRIMARY KEY" in row[3] for row in plan] == [True]


def test_a_table_is_read_back_whole(filled: Store, tmp_path: Path) -> None:
    filled.export_csv(tmp_path / "scores.csv")
    assert [file.name for file in tmp_path.glob("*.part")] == []
    with Store(tmp_path / "other") as other:
        other.import_csv(tmp_path / "scores.csv")
        assert everything(other) == everything(filled)


def test_a_copy_and_a_merge_hold_everything(filled: Store, tmp_path: Path) -> None:
    filled.export_sqlite(tmp_path / "copy.sqlite")
    with Store(tmp_path / "copy.sqlite") as copy, Store.memory() as merged:
        assert everything(copy) == everything(filled)
        merged.merge(copy)
        merged.merge(copy)
        assert everything(merged) == everything(filled)
    with pytest.raises(StoreError, match="exists; give the path of a new file"):
        filled.export_sqlite(tmp_path / "copy.sqlite")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("status", "fine", r"line \d: this is no score"),
        ("record", "[1, NaN", r"line \d: this is no score"),
        ("record", "[" * 100_000, r"line \d: this is no score"),
        ("settings", "[]", r"line \d: this is no score"),
        ("cells", "0", r"line \d: this is no score"),
        ("record", "9" * 200_000, "field larger than"),
    ],
)
def test_a_table_that_is_none_is_refused_whole(
    filled: Store, tmp_path: Path, column: str, value: str, message: str
) -> None:
    filled.export_csv(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0][column] = value
    with (tmp_path / "t.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with Store.memory() as store:
        with pytest.raises(StoreError, match=message):
            store.import_csv(tmp_path / "t.csv")
        assert store.info().scores == 0


def test_another_table_or_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with Store.memory() as store:
        with pytest.raises(StoreError, match="no table of scores"):
            store.import_csv(tmp_path / "t.csv")
        (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(StoreError, match="cannot be read"):
            store.import_csv(tmp_path / "t.csv")
        with pytest.raises(StoreError, match="cannot be read"):
            store.import_csv(tmp_path / "none.csv")
        with pytest.raises(StoreError, match="cannot be written"):
            store.export_csv(tmp_path / "none" / "t.csv")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("a letter to my mother, which must not be lost " * 100)
    before = (tmp_path / "s").read_bytes()
    with pytest.raises(StoreError, match=r"file is not a database.*give the path"):
        Store(tmp_path / "s")
    with pytest.raises(StoreError, match="unable to open"):
        Store(tmp_path)
    with pytest.raises(StoreError, match="give the path"):
        Store(tmp_path / "s" / "t")
    assert (tmp_path / "s").read_bytes() == before


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "s")
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    with pytest.raises(StoreError, match="another program; give another path"):
        Store(tmp_path / "s")


def test_a_newer_store_is_refused_and_a_row_that_is_none_is_named(
    filled: Store, fakes: Any, tmp_path: Path
) -> None:
    filled._connection.execute("UPDATE scores SET record_json = '[1, ' WHERE record_json NOT NULL")
    with pytest.raises(StoreError, match="no score"):
        filled.get(fakes.task("be a"))
    filled._connection.execute("UPDATE contexts SET json = '{}'")
    with pytest.raises(StoreError, match="no score"):
        filled.info()
    filled._connection.execute("PRAGMA user_version = 99")
    with pytest.raises(
        StoreError, match=r"newer release of anglenas \(schema 99, here 2\); upgrade"
    ):
        Store(filled.path)


def test_an_older_store_is_brought_forward(
    filled: Store, fakes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anglenas._measuring import store as _store

    step = ("ALTER TABLE contexts ADD COLUMN note TEXT",)
    monkeypatch.setattr(_store, "_MIGRATIONS", (*_store._MIGRATIONS, step))
    before = everything(filled)
    with Store(filled.path) as store:
        assert store.info().version == 3
        assert everything(store) == before
        assert store._connection.execute("SELECT note FROM contexts").fetchall()


def test_scores_of_the_first_release_are_found_at_their_new_address(
    filled: Store, fakes: Any
) -> None:
    """Their contexts told a version of memory layouts."""
    before = everything(filled)
    known = {outcome.task: outcome for outcome in filled.outcomes()}
    for number, text in filled._connection.execute("SELECT id, json FROM contexts").fetchall():
        old = json.dumps({**json.loads(text), "layout": 1}, sort_keys=True)
        digest = hashlib.sha256(old.encode()).hexdigest()[:32]
        update = "UPDATE contexts SET json = ?, digest = ? WHERE id = ?"
        filled._connection.execute(update, (old, digest, number))
    filled._connection.execute("PRAGMA user_version = 1")
    filled.close()
    assert filled.path is not None
    with Store(filled.path) as store:
        assert everything(store) == before
        assert store.get_many(known) == known


def test_where_scores_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANGLENAS_STORE", str(tmp_path / "new" / "here.sqlite"))
    Store().close()
    assert (tmp_path / "new" / "here.sqlite").exists()
    monkeypatch.delenv("ANGLENAS_STORE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    Store().close()
    assert (tmp_path / "anglenas" / "scores.sqlite").exists()


def test_several_may_open_and_write_one_file_at_once(fakes: Any, tmp_path: Path) -> None:
    tasks = [[fakes.task(f"be {who} {number}") for number in range(100)] for who in range(4)]
    errors = []

    def write(mine: list[Task]) -> None:
        try:
            with Store(tmp_path / "s") as store:
                for task in mine:
                    store.put_many([Outcome(task, "ok", {"word": task.subject})])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(mine,)) for mine in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with Store(tmp_path / "s") as store:
        assert store.info().scores == 400


def test_several_may_make_one_file_at_once(tmp_path: Path) -> None:
    errors = []

    def make(path: Path, barrier: threading.Barrier) -> None:
        barrier.wait()
        try:
            Store(path).close()
        except Exception as error:
            errors.append(error)

    for number in range(60):
        barrier = threading.Barrier(4)
        threads = [threading.Thread(target=make, args=(tmp_path / f"{number}", barrier))
                   for _ in range(4)]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []


class Counting:
    """An executor that counts, and that ends after some outcomes as a killed run does."""

    def __init__(self, limit: int = 1000) -> None:
        self.computed: list[str] = []
        self.limit = limit

    def run(self, tasks: Iterable[Task], batches: Mapping[str, FewShot]) -> Iterator[Outcome]:
        for outcome in InProcess().run(tasks, batches):
            if len(self.computed) == self.limit:
                raise KeyboardInterrupt
            self.computed.append(outcome.task.subject)
            yield outcome


def test_nothing_is_done_twice(fakes: Any, tmp_path: Path) -> None:
    tasks = [fakes.task(word) for word in ("be a", "be b", "be a", "undefined", "break", "be c")]
    first, second = Counting(limit=2), Counting()
    with Store(tmp_path / "s") as store, pytest.raises(KeyboardInterrupt):
        list(Scorer(store, first).outcomes(tasks, fakes.BATCHES))
    with Store(tmp_path / "s") as store:
        resumed = list(Scorer(store, second).outcomes(tasks, fakes.BATCHES))
    with Store.memory() as store:
        whole = list(Scorer(store, Counting()).outcomes(tasks, fakes.BATCHES))
    assert first.computed == ["be a", "be b"]
    assert second.computed == ["undefined", "break", "be c"]
    assert resumed == whole


def test_a_failure_is_tried_again_and_what_is_undefined_is_not(fakes: Any) -> None:
    tasks = [fakes.task(word) for word in ("be a", "undefined", "break")]
    with Store.memory() as store:
        list(Scorer(store, InProcess()).outcomes(tasks, fakes.BATCHES))
        again = Counting()
        outcomes = list(Scorer(store, again).outcomes(tasks, fakes.BATCHES))
    assert again.computed == ["break"]
    assert [outcome.task for outcome in outcomes] == tasks


def test_an_outcome_is_kept_before_it_is_handed_over(fakes: Any) -> None:
    with Store.memory() as store:
        for outcome in Scorer(store, InProcess()).outcomes([fakes.task("be a")], fakes.BATCHES):
            assert store.get(outcome.task) == outcome


SCRIPT = """
import sys
import scoring_fakes as fakes
from anglenas._measuring.executors import InProcess
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.store import Store
tasks = [fakes.task(f"sleep 0.02 {number}") for number in range(60)]
with Store(sys.argv[1]) as store:
    for _ in Scorer(store, InProcess()).outcomes(tasks, fakes.BATCHES):
        print(flush=True)
"""


def start(path: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(FAKES)},
    )


@pytest.mark.slow
def test_a_killed_run_loses_nothing_that_was_finished(fakes: Any, tmp_path: Path) -> None:
    process = start(tmp_path / "s")
    assert process.stdout is not None
    for _ in range(20):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with Store(tmp_path / "s") as store:
        kept = store.info().scores
        assert 20 <= kept < 60
        again = Counting()
        tasks = [fakes.task(f"sleep 0.02 {number}") for number in range(60)]
        outcomes = list(Scorer(store, again).outcomes(tasks, fakes.BATCHES))
    assert len(again.computed) == 60 - kept
    assert outcomes == list(InProcess().run(tasks, fakes.BATCHES))


@pytest.mark.slow
def test_two_processes_share_a_store(tmp_path: Path) -> None:
    processes = [start(tmp_path / "s") for _ in range(2)]
    assert [len(process.communicate()[0]) for process in processes] == [60, 60]
    assert [process.returncode for process in processes] == [0, 0]
    with Store(tmp_path / "s") as store:
        assert store.info().contexts[0].ok == 60


@pytest.mark.slow
@pytest.mark.alone
def test_a_million_scores_are_looked_up_like_a_thousand(fakes: Any, tmp_path: Path) -> None:
    context = fakes.context()

    def median(store: Store, size: int) -> float:
        times = []
        for number in range(0, size, size // 200):
            before = time.perf_counter()
            assert store.get(Task(context, f"be {number}")) is not None
            times.append(time.perf_counter() - before)
        return sorted(times)[len(times) // 2]

    with Store(tmp_path / "s") as store:
        store.put_many(Outcome(Task(context, f"be {n}"), "ok", {"x": n}) for n in range(1000))
        small = median(store, 1000)
        for start in range(1000, 1_000_000, 111_000):
            store.put_many(
                Outcome(Task(context, f"be {n}"), "ok", {"x": n})
                for n in range(start, start + 111_000)
            )
        assert store.info().scores == 1_000_000
        assert median(store, 1_000_000) < 5 * small
