"""Workers: the same scores as in one process, whatever candidates do to them."""

import importlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anglenas
from anglenas import _plugins as plugins
from anglenas._measuring import pool as _pool
from anglenas._measuring.backlog import Backlog
from anglenas._measuring.cluster import DaskWorkers
from anglenas._measuring.executors import InProcess
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.store import Store
from anglenas._measuring.task import Context, Outcome, Task
from anglenas._numerics import platform
from anglenas._recipe import Recipe
from anglenas.errors import DataError, SettingError, WorkersError
from anglenas.spaces import NetworkConfig

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


@pytest.fixture(scope="module")
def workers(fakes: Any) -> Iterator[DaskWorkers]:
    with DaskWorkers.local(2, time_limit=2.0) as workers:
        yield workers


def by_task(outcomes: Any) -> dict[Task, Outcome]:
    found = list(outcomes)
    assert len({outcome.task for outcome in found}) == len(found)
    return {outcome.task: outcome for outcome in found}


def test_workers_give_the_same_as_one_process(fakes: Any, workers: DaskWorkers) -> None:
    tasks = [fakes.task(f"be {number}") for number in range(100)]
    tasks += [fakes.task(f"be {number}", probe="SHAPE") for number in range(10)]
    tasks += [fakes.task(word) for word in ("undefined", "break", "exit", "strange", "devour")]
    outcomes = by_task(workers.run(tasks, fakes.BATCHES))
    assert outcomes == by_task(InProcess().run(tasks, fakes.BATCHES))


def test_a_worker_computes_with_one_thread_in_a_process_of_its_own(
    fakes: Any, workers: DaskWorkers
) -> None:
    (outcome,) = workers.run([fakes.task("tell")], fakes.BATCHES)
    assert outcome.record is not None
    assert (outcome.record["threads"], outcome.record["omp"]) == (1, "1")
    assert outcome.record["pid"] != os.getpid()


@pytest.mark.slow
def test_tasks_that_kill_or_hang_their_worker_fail_and_the_run_goes_on(
    fakes: Any, workers: DaskWorkers, tmp_path: Path
) -> None:
    cheap = [fakes.task(f"be {number}") for number in range(60)]
    deadly, slow = fakes.task("die"), fakes.task("sleep 60")
    unlucky = fakes.task(f"die_until {tmp_path / 'tries'} 1")
    # In the middle, where chunks have grown: those beside them must not be blamed.
    tasks = [*cheap[:30], deadly, slow, unlucky, *cheap[30:]]
    outcomes = by_task(workers.run(tasks, fakes.BATCHES))
    assert {task: outcome.status for task, outcome in outcomes.items()} == {
        **dict.fromkeys(cheap, "ok"),
        unlucky: "ok",
        deadly: "failed: worker died 3 times",
        slow: "failed: took longer than 2 s",
    }


def test_each_of_many_tasks_has_one_outcome(fakes: Any, workers: DaskWorkers) -> None:
    """What handing one out costs is told by ``benchmarks/throughput.py``."""
    tasks = [fakes.task(f"be {number}") for number in range(1000)]
    told = [outcome.task.subject for outcome in workers.run(tasks, fakes.BATCHES)]
    assert sorted(told) == sorted(task.subject for task in tasks)


def test_outcomes_come_as_they_are_finished(fakes: Any, workers: DaskWorkers) -> None:
    pids: set[int] = set()
    while len(pids) < 2:  # a test before this one may have left a worker that is still starting
        told = workers.run([fakes.task("tell"), fakes.task("tell again")], fakes.BATCHES)
        pids = {outcome.record["pid"] for outcome in told if outcome.record}
    tasks = [fakes.task("sleep 1"), *(fakes.task(f"be {number}") for number in range(5))]
    words = [outcome.task.subject for outcome in workers.run(tasks, fakes.BATCHES)]
    assert words[-1] == "sleep 1"


def test_a_caller_who_dawdles_does_not_use_up_the_time_of_tasks(
    fakes: Any, workers: DaskWorkers
) -> None:
    assert workers._connection is not None
    client, check = workers._connection
    tasks = [fakes.task(f"sleep 0.1 {number}") for number in range(4)]
    run = _pool.Pool(client, fakes.BATCHES, 1.0, platform(), check).run(tasks)
    statuses = [next(run).status]
    time.sleep(1.5)
    statuses += [outcome.status for outcome in run]
    assert statuses == ["ok"] * 4


def test_tasks_are_read_as_they_are_needed(fakes: Any, workers: DaskWorkers) -> None:
    read = []

    def endless() -> Iterator[Task]:
        while True:
            read.append(fakes.task(f"be {len(read)}"))
            yield read[-1]

    run = workers.run(endless(), fakes.BATCHES)
    assert {next(run).status for _ in range(20)} == {"ok"}
    run.close()
    assert len(read) < 500


def test_the_callers_mistake_is_raised(fakes: Any, workers: DaskWorkers) -> None:
    with pytest.raises(DataError, match="Labels run from 1"):
        list(workers.run([fakes.task("mislabel")], fakes.BATCHES))


def test_a_scheduler_that_runs_already(fakes: Any, workers: DaskWorkers) -> None:
    assert workers._connection is not None
    with DaskWorkers.connect(workers._connection.client.scheduler.address) as guests:
        (outcome,) = guests.run([fakes.task("be a")], fakes.BATCHES)
    assert outcome.status == "ok"
    (outcome,) = workers.run([fakes.task("be b")], fakes.BATCHES)
    assert outcome.status == "ok"


def test_other_workers_than_the_scores_are_for(
    fakes: Any, workers: DaskWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_platform", "torch 9, ABACUS")
    with pytest.raises(WorkersError, match=r"compute with torch .* for torch 9, ABACUS; use"):
        list(workers.run([fakes.task("be a")], fakes.BATCHES))


def test_the_callers_process_stays_as_it_was(fakes: Any) -> None:
    before = dict(os.environ)
    levels = [handler.level for handler in logging.getLogger("distributed").handlers]
    with DaskWorkers.local(1):
        pass
    assert dict(os.environ) == before
    assert [handler.level for handler in logging.getLogger("distributed").handlers] == levels


def test_a_scheduler_that_goes_away(fakes: Any, capfd: pytest.CaptureFixture[str]) -> None:
    from distributed import LocalCluster

    quiet = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=False, protocol="tcp://",
                           scheduler_kwargs=quiet, silence_logs=logging.CRITICAL)  # fmt: skip
    with cluster, DaskWorkers.connect(cluster.scheduler_address) as guests:
        run = guests.run([fakes.task("be a"), fakes.task("sleep 1")], fakes.BATCHES)
        assert next(run).status == "ok"
        cluster.close()
        with pytest.raises(WorkersError, match="scheduler of the workers is gone; start it again"):
            next(run)
    assert capfd.readouterr() == ("", "")


def test_no_scheduler_and_no_sense() -> None:
    with pytest.raises(WorkersError, match=r"No scheduler answers at nonsense .* `dask scheduler`"):
        DaskWorkers.connect("nonsense").__enter__()
    with pytest.raises(SettingError, match="at least 1 worker, not 0"):
        DaskWorkers.local(0)
    with pytest.raises(SettingError, match="above 0 seconds, not -1"):
        DaskWorkers.local(1, time_limit=-1)
    with pytest.raises(WorkersError, match="not started; use them in a with statement"):
        DaskWorkers.local(1).run([], {})


def test_a_run_that_outlives_its_workers_is_quiet(
    fakes: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with DaskWorkers.local(1) as workers:
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
from anglenas._measuring.cluster import DaskWorkers
words = ["be a", "sleep 60", *(f"sleep 0.1 {number}" for number in range(500))]
with DaskWorkers.local(2) as workers:
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


def minders(folder: Path) -> list[str]:
    """The processes that were started for workers whose folder is below this one."""
    lines = subprocess.check_output(["ps", "-wweo", "args"], text=True).splitlines()
    return [line for line in lines if str(folder) in line and "script.py" not in line]


@pytest.mark.slow
@pytest.mark.alone
def test_ctrl_c_ends_all_at_once_and_quietly(
    script: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    assert minders(tmp_path)
    started = time.monotonic()
    script.send_signal(signal.SIGINT)
    _, errors = script.communicate(timeout=10)
    assert time.monotonic() - started < 5
    assert errors.count(b"Traceback") == 1
    assert errors.strip().endswith(b"KeyboardInterrupt")
    assert minders(tmp_path) == []
    assert list(tmp_path.glob("anglenas-*")) == []


@pytest.mark.slow
def test_workers_end_with_a_process_that_is_killed(
    script: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    assert minders(tmp_path)
    script.send_signal(signal.SIGKILL)
    script.communicate()
    deadline = time.monotonic() + 10
    while minders(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert minders(tmp_path) == []
    assert list(tmp_path.glob("anglenas-*")) == []


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 8])
def test_scores_do_not_depend_on_how_many_compute(fakes: Any, count: int) -> None:
    tasks = [fakes.task(f"be {number}", seed=number % 7) for number in range(300)]
    with DaskWorkers.local(count) as workers, Store.memory() as store:
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
    with DaskWorkers.local(2) as workers:
        assert by_task(workers.run(tasks, fakes.BATCHES)) == here


@pytest.mark.slow
def test_the_process_that_minds_the_workers_is_killed(fakes: Any, tmp_path: Path) -> None:
    with DaskWorkers.local(1) as workers:
        run = workers.run([fakes.task("be a"), fakes.task("sleep 60")], fakes.BATCHES)
        next(run)
        children = subprocess.check_output(["pgrep", "-n", "-P", str(os.getpid()), "-f", "_minder"])
        os.kill(int(children), signal.SIGKILL)
        with pytest.raises(WorkersError, match="minds the workers has ended"):
            next(run)
