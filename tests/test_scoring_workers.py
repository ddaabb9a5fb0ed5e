"""Workers: the same scores as in one process, whatever candidates do to them."""

import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import anglenas
from anglenas import Recipe, Store
from anglenas import _plugins as plugins
from anglenas._measuring.backlog import Backlog
from anglenas._measuring.executors import InProcess
from anglenas._measuring.local import LocalWorkers
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.task import Context, Outcome, Task
from anglenas.errors import SettingError, WorkersError
from anglenas.spaces import NetworkConfig
from anglenas.testing import ExecutorConformance

FAKES = Path(__file__).parent / "scoring_fakes"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"count": -1}, "count is a whole number of at least 0, not -1"),
        ({"count": 1.5}, "count is a whole number of at least 0"),
        ({"count": True}, "count is a whole number of at least 0"),
        ({"count": "2"}, "count is a whole number of at least 0"),
        ({"scheduler": 8786}, "scheduler is a text, not 8786"),
        ({"scheduler": "tls://10.0.0.1:8786", "count": 2}, "workers of its own; leave out either"),
        ({"time_limit": "5"}, "time_limit is a finite number, not '5'"),
        ({"time_limit": 0}, "above 0 seconds, not 0"),
        ({"time_limit": float("nan")}, "time_limit is a finite number, not nan"),
        ({"count": 0, "time_limit": 5}, "needs a worker that can be ended; give 1 at least"),
        ({"device": "gpu"}, "no device 'gpu'; write cpu, or cuda"),
        ({"device": 1}, "device is a text, not 1"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        anglenas.Workers(**settings)


def test_a_number_stands_for_processes_on_this_machine() -> None:
    assert anglenas.Workers.of(3).processes == 3
    assert anglenas.Workers.of(None).processes == len(os.sched_getaffinity(0))
    assert anglenas.Workers.of(anglenas.Workers(0)).processes == 0


@pytest.fixture(scope="module")
def fakes() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FAKES))
        yield importlib.import_module("scoring_fakes")


def by_task(outcomes: Any) -> dict[Task, Outcome]:
    found = list(outcomes)
    assert len({outcome.task for outcome in found}) == len(found)
    return {outcome.task: outcome for outcome in found}


class TestInProcess(ExecutorConformance):
    """The process that asks."""

    make = staticmethod(InProcess)
    separate = False


class TestLocalWorkers(ExecutorConformance):
    """Processes of this machine; those of a cluster are tested beside it."""

    make = staticmethod(partial(LocalWorkers, 2))


def test_outcomes_come_as_they_are_finished(fakes: Any) -> None:
    tasks = [fakes.task("sleep 1"), *(fakes.task(f"be {number}") for number in range(5))]
    with LocalWorkers(2) as workers:
        pids: set[int] = set()
        while len(pids) < 2:  # one of them may still be starting
            told = workers.run([fakes.task("tell"), fakes.task("tell again")], fakes.BATCHES)
            pids = {outcome.record["pid"] for outcome in told if outcome.record}
        words = [outcome.task.subject for outcome in workers.run(tasks, fakes.BATCHES)]
    assert words[-1] == "sleep 1"


def test_a_caller_who_dawdles_does_not_use_up_the_time_of_tasks(fakes: Any) -> None:
    tasks = [fakes.task(f"sleep 0.1 {number}") for number in range(4)]
    with LocalWorkers(2, time_limit=3) as workers:
        run = workers.run(tasks, fakes.BATCHES)
        statuses = [next(run).status]
        time.sleep(3.5)
        statuses += [outcome.status for outcome in run]
    assert statuses == ["ok"] * 4


def test_no_more_workers_are_started_than_there_are_tasks(fakes: Any) -> None:
    with LocalWorkers(50) as workers:
        assert len(list(workers.run([fakes.task("be a")], fakes.BATCHES))) == 1
        assert len(psutil.Process().children()) == 1
    assert psutil.Process().children() == []


def test_nothing_listens_and_nothing_is_shared(fakes: Any) -> None:
    """No port that others can reach, and no semaphore or memory that a container may lack."""
    with LocalWorkers(2) as workers:
        assert len(list(workers.run([fakes.task("be a"), fakes.task("be b")], fakes.BATCHES))) == 2
        me = psutil.Process()
        family = [me, *me.children(recursive=True)]
        assert len(family) == 3
        assert [one.net_connections("inet") for one in family] == [[], [], []]
        maps = [Path(f"/proc/{one.pid}/maps").read_text() for one in family[1:]]
        assert ["/dev/shm" in text for text in maps] == [False, False]


def test_a_worker_that_cannot_be_started(fakes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with (
        LocalWorkers(1) as workers,
        pytest.raises(WorkersError, match=r"cannot be started .*No such file.*; use fewer, or 0"),
    ):
        list(workers.run([fakes.task("be a")], fakes.BATCHES))


def test_workers_that_die_as_they_start(
    fakes: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "torch.py").write_text("import os; os._exit(9)")
    monkeypatch.syspath_prepend(str(tmp_path))
    with (
        LocalWorkers(2) as workers,
        pytest.raises(WorkersError, match="die as they start; see whether their machine has"),
    ):
        list(workers.run([fakes.task("be a"), fakes.task("be b")], fakes.BATCHES))


def test_a_run_that_outlives_its_workers_is_quiet(
    fakes: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with LocalWorkers(1) as workers:
        run = workers.run([fakes.task("be a"), fakes.task("sleep 1")], fakes.BATCHES)
        next(run)
    run.close()
    assert capfd.readouterr() == ("", "")


def drain(backlog: Backlog, deadly: set[Task]) -> dict[Task, str]:
    """What a backlog makes of workers that die exactly with the deadly tasks; all tasks cheap."""
    statuses: dict[Task, str] = {}
    while backlog:
        chunk = backlog.take()
        if deadly.intersection(chunk):
            outcomes = backlog.died(chunk)
        else:
            outcomes = [Outcome(task, "ok", {}, 0.001) for task in chunk]
            backlog.learn(outcomes)
        statuses.update({outcome.task: outcome.status for outcome in outcomes})
    return statuses


@pytest.mark.parametrize("deadly", [set(), {0}, {40}, {7, 40, 41, 99}])
def test_the_blame_falls_on_the_right_tasks(fakes: Any, deadly: set[int]) -> None:
    tasks = [fakes.task(f"be {number}") for number in range(100)]
    statuses = drain(Backlog(tasks), {tasks[number] for number in deadly})
    assert statuses == {
        task: "failed: worker died 3 times" if number in deadly else "ok"
        for number, task in enumerate(tasks)
    }


def test_chunks_grow_while_tasks_are_cheap_and_stay_small_when_they_are_not(fakes: Any) -> None:
    def sizes(seconds: float) -> list[int]:
        backlog, taken = Backlog(fakes.task(f"be {number}") for number in range(200)), []
        while chunk := backlog.take():
            backlog.learn([Outcome(task, "ok", {}, seconds) for task in chunk])
            taken.append(len(chunk))
        return taken

    assert sizes(0.001)[:6] == [1, 2, 4, 8, 16, 32]
    assert max(sizes(0.001)) <= 64
    assert max(sizes(0.02)) == 5
    assert set(sizes(0.5)) == {1}


SCRIPT = """
import scoring_fakes as fakes
from anglenas._measuring.local import LocalWorkers
words = ["be a", "hold 60", *(f"sleep 0.1 {number}" for number in range(500))]
with LocalWorkers(2) as workers:
    for outcome in workers.run([fakes.task(word) for word in words], fakes.BATCHES):
        print(outcome.task.subject, flush=True)
"""


@pytest.fixture
def script(tmp_path: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """A user's script, without a ``__main__`` guard, whose workers have something to do."""
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(FAKES), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"be a\n"
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def started_by(folder: Path) -> list[int]:
    """The processes that a script in the folder has started, and those that they have."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("TMPDIR") == str(folder):
                found.append(process.pid)
    return found


@pytest.mark.slow
@pytest.mark.alone
def test_ctrl_c_ends_all_at_once_and_quietly(
    script: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    assert len(started_by(tmp_path)) == 3
    started = time.monotonic()
    script.send_signal(signal.SIGINT)
    _, errors = script.communicate(timeout=10)
    assert time.monotonic() - started < 5
    assert errors.count(b"Traceback") == 1
    assert errors.strip().endswith(b"KeyboardInterrupt")
    assert started_by(tmp_path) == []


@pytest.mark.slow
def test_workers_end_with_a_process_that_is_killed(
    script: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    assert len(started_by(tmp_path)) == 3
    script.send_signal(signal.SIGKILL)
    script.communicate()
    deadline = time.monotonic() + 10
    while started_by(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert started_by(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 8])
def test_scores_do_not_depend_on_how_many_compute(fakes: Any, count: int) -> None:
    tasks = [fakes.task(f"be {number}", seed=number % 7) for number in range(300)]
    with LocalWorkers(count) as workers, Store.memory() as store:
        outcomes = by_task(Scorer(store, workers).outcomes(tasks, fakes.BATCHES))
    assert outcomes == by_task(InProcess().run(tasks, fakes.BATCHES))


@pytest.mark.slow
def test_a_short_training_gives_the_same_bits_here_and_in_workers(fakes: Any) -> None:
    recipe = Recipe(resolution=4, cells=1, channels=4, iterations=3)
    context = Context.of(
        "nasbench201", "short_training", NetworkConfig(channels=4, cells=1, side=4, num_classes=2),
        recipe=recipe, images=fakes.BATCH.fingerprint, seed=1,
    )  # fmt: skip
    space = plugins.load("space", "nasbench201")
    rng = np.random.default_rng(1)
    tasks = [Task.of(context, space.sample(rng)) for _ in range(6)]
    here = by_task(InProcess().run(tasks, fakes.BATCHES))
    assert any(outcome.status == "ok" for outcome in here.values())
    with LocalWorkers(2) as workers:
        assert by_task(workers.run(tasks, fakes.BATCHES)) == here
