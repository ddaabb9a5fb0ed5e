"""A cluster put together by hand: a scheduler and workers in processes of their own.

What ends whom is real: signals, limits of memory and of address space, certificates.
"""

import importlib
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest

import anglenas
from anglenas import Store
from anglenas._measuring.cluster import ClusterWorkers, write_keys
from anglenas._measuring.executors import InProcess
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.task import Outcome, Task
from anglenas.errors import WorkersError
from anglenas.testing import ExecutorConformance

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
FAKES = Path(__file__).parent / "scoring_fakes"
BUDGET = 6


@pytest.fixture(scope="module")
def fakes() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FAKES))
        yield importlib.import_module("scoring_fakes")


class Cluster:
    """A scheduler and workers that are started by the commands that docs/cluster.md shows."""

    def __init__(self, folder: Path, keys: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PYTHONPATH": str(FAKES), "DASK_CONFIG": str(keys)}
        self.processes: list[subprocess.Popen[bytes]] = []

    def scheduler(self, port: int = 0) -> str:
        """Start a scheduler, and wait for its address."""
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        self._start("scheduler", "--port", port, "--scheduler-file", file)
        assert wait_until(lambda: file.exists() and file.read_text().endswith("}"), 60)
        self.address = str(json.loads(file.read_text())["address"])
        return self.address

    def worker(self, name: str, *options: object, **changes: Any) -> "subprocess.Popen[bytes]":
        """Start a worker, and do not wait for it."""
        return self._start("worker", self.address, "--nthreads", 1, "--name", name,
                           "--local-directory", self.folder, *options, **changes)  # fmt: skip

    def _start(self, *words: object, **changes: Any) -> "subprocess.Popen[bytes]":
        log = (self.folder / "log").open("ab")
        command = [BIN / "dask", *words, "--host", "127.0.0.1", "--no-dashboard",
                   "--dashboard-address", "127.0.0.1:0"]  # fmt: skip
        process = subprocess.Popen(
            [str(word) for word in command], stdout=log, stderr=log, env=self.environment, **changes
        )
        log.close()
        self.processes.append(process)
        return process

    def end(self) -> None:
        """End all processes, and those that they started."""
        for process in self.processes:
            for one in family(process.pid):
                one.kill()
            process.wait()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "cluster.yaml"
    write_keys(path)
    return path


@pytest.fixture(scope="module")
def our_keys(keys: Path) -> Iterator[None]:
    """This process has the keys, too."""
    comm = json.loads(keys.read_text())["distributed"]["comm"]
    tls = {
        f"distributed.comm.tls.{role}.{part}": text
        for role in ("scheduler", "worker", "client")
        for part, text in comm["tls"][role].items()
    }
    with dask.config.set(tls | {"distributed.comm.tls.ca-file": comm["tls"]["ca-file"]}):
        yield


@pytest.fixture
def cluster(tmp_path: Path, keys: Path, our_keys: None) -> Iterator[Cluster]:
    with ExitStack() as stack:
        made = Cluster(tmp_path, keys)
        stack.callback(made.end)
        assert made.scheduler().startswith("tls://127.0.0.1:")
        yield made


@pytest.fixture(scope="class")
def two_workers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, keys: Path,
    our_keys: None,
) -> Iterator[None]:  # fmt: skip
    made = Cluster(tmp_path_factory.mktemp("cluster"), keys)
    try:
        made.scheduler()
        made.worker("one")
        made.worker("two")
        request.cls.make = staticmethod(partial(ClusterWorkers, made.address))
        yield
    finally:
        made.end()


@pytest.mark.usefixtures("two_workers")
class TestClusterWorkers(ExecutorConformance):
    """Workers with nannies, which start dead ones anew."""


def family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def wait_until(condition: Callable[[], Any], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(condition())


def search(
    folder: Path, *options: object, keys: Path | str = "", **environment: str
) -> "subprocess.Popen[str]":
    words = ["search", "--budget", BUDGET, "--out", folder / "run", "--store", folder / "s.sqlite"]
    return subprocess.Popen(
        [str(word) for word in (BIN / "anglenas", *words, *options)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
        env={**os.environ, "DASK_CONFIG": str(keys), **environment},
    )  # fmt: skip


def kept(store: Path) -> int:
    if not store.exists():
        return 0
    with Store(store) as opened:
        return opened.info().scores


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a search in one process writes."""
    folder = tmp_path_factory.mktemp("whole")
    anglenas.write_run(anglenas.search(budget=BUDGET, workers=0, store=":memory:"), folder)
    return (folder / "table.csv").read_bytes()


def test_a_search_through_a_scheduler_gives_the_same_bytes(
    cluster: Cluster, keys: Path, table: bytes, tmp_path: Path
) -> None:
    cluster.worker("one")
    cluster.worker("two")
    process = search(tmp_path, "--scheduler", cluster.address, "--quiet", keys=keys)
    _, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")
    assert (tmp_path / "run" / "table.csv").read_bytes() == table
    with Store(tmp_path / "s.sqlite") as store:
        assert {one.status for one in store.outcomes()} == {"ok"}


def test_a_scheduler_that_is_killed_in_the_middle(
    cluster: Cluster, keys: Path, table: bytes, tmp_path: Path
) -> None:
    store = tmp_path / "s.sqlite"
    cluster.worker("one")
    process = search(tmp_path, "--scheduler", cluster.address, "--quiet", keys=keys)
    assert wait_until(lambda: kept(store) > 2, 120)
    cluster.processes[0].kill()
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert errors == (
        "anglenas: The scheduler of the workers is gone; start it again and run the same again: "
        "what was finished is kept.\n"
    )
    before = kept(store)
    assert 2 < before < 2 * BUDGET

    cluster.end()
    cluster.scheduler()
    cluster.worker("one")
    process = search(tmp_path, "--scheduler", cluster.address, "--json", keys=keys)
    out, _ = process.communicate(timeout=300)
    assert json.loads(out)["computed"] == 2 * BUDGET - before
    assert (tmp_path / "run" / "table.csv").read_bytes() == table


def by_task(outcomes: Any) -> dict[Task, Outcome]:
    return {outcome.task: outcome for outcome in outcomes}


def test_workers_and_machines_that_are_killed_in_the_middle(cluster: Cluster, fakes: Any) -> None:
    """One worker is killed and started anew by its nanny; one goes away with its nanny."""
    tasks = [fakes.task(f"sleep 0.2 {number}") for number in range(60)]
    nannies = [cluster.worker("one"), cluster.worker("two")]
    outcomes = []
    with ClusterWorkers(cluster.address) as workers:
        for outcome in workers.run(tasks, fakes.BATCHES):
            outcomes.append(outcome)
            if len(outcomes) == 10:
                family(nannies[0].pid)[-1].kill()
            if len(outcomes) == 20:
                for one in family(nannies[1].pid):
                    one.kill()
    assert len(outcomes) == len(tasks)
    assert by_task(outcomes) == by_task(InProcess().run(tasks, fakes.BATCHES))


def test_a_task_that_takes_more_memory_than_its_worker_may(cluster: Cluster, fakes: Any) -> None:
    """The nanny ends the worker at its limit, three times; the tasks beside it are done."""
    cluster.worker("one", "--memory-limit", "1000MB")
    tasks = [fakes.task(word) for word in ("be a", "gorge 3000", "be b", "be c")]
    with ClusterWorkers(cluster.address) as workers, Store.memory() as store:
        outcomes = by_task(Scorer(store, workers).outcomes(tasks, fakes.BATCHES))
    assert [outcomes[task].status for task in tasks] == [
        "ok", "failed: worker died 3 times", "ok", "ok",
    ]  # fmt: skip


def test_a_task_that_gets_no_memory(cluster: Cluster, fakes: Any) -> None:
    """The system refuses: the worker lives on, and the outcome says what it was refused."""
    limit = 6 * 2**30

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    cluster.worker("one", "--memory-limit", 0, preexec_fn=limited)
    tasks = [fakes.task(word) for word in ("tell", "gorge 8000", "tell again")]
    with ClusterWorkers(cluster.address) as workers:
        first, failed, last = (outcome for task in tasks
                               for outcome in workers.run([task], fakes.BATCHES))  # fmt: skip
    assert failed.status.startswith("failed: RuntimeError: ")
    assert "can't allocate memory" in failed.status
    assert first.record == last.record != None  # noqa: E711 - the same process


SLOW = """
import time
from dataclasses import replace
from search_fakes import WIDTH
def measure(network, *others):
    if network.conv.out_channels == 3:
        time.sleep(60)
    return WIDTH.measure(network, *others)
SLOW = replace(WIDTH, measure=measure)
"""


@pytest.mark.parametrize("remote", [False, True])
def test_a_measurement_that_takes_too_long(
    cluster: Cluster, keys: Path, tmp_path: Path, remote: bool
) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    path = os.pathsep.join([str(tmp_path), str(FAKES.with_name("search_fakes"))])
    cluster.environment["PYTHONPATH"] = path
    where: list[object] = ["--workers", 1]
    if remote:
        cluster.worker("one")
        where = ["--scheduler", cluster.address]
    process = search(
        tmp_path, "--space", "search_fakes:PAIRS", "--strategy", "exhaustive", "--time-limit", 3,
        "--rank", "params", "--metrics", "slow:SLOW", "--json", *where, keys=keys, PYTHONPATH=path,
    )  # fmt: skip
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    statuses = {row["architecture"]: row["status"] for row in json.loads(out)["table"]}
    assert statuses.pop("1-2") == "failed: took longer than 3 s"
    assert len(statuses) == BUDGET - 1
    assert set(statuses.values()) == {"ok"}


def test_a_time_limit_needs_a_worker(tmp_path: Path) -> None:
    process = search(tmp_path, "--workers", 0, "--time-limit", 3)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors == ("anglenas: A time limit needs a worker that can be ended; give 1 at least.\n")


def test_a_worker_for_a_device_that_it_does_not_have(
    cluster: Cluster, keys: Path, tmp_path: Path
) -> None:
    cluster.environment["ANGLENAS_DEVICE"] = "xpu"
    cluster.worker("one")
    process = search(tmp_path, "--scheduler", cluster.address, keys=keys)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "A worker cannot compute: " in errors
    assert " has no device 'xpu' that torch can use" in errors


def listening(pid: int) -> set[str]:
    """The addresses that a process and all that it started listen at."""
    return {
        connection.laddr.ip
        for one in family(pid)
        for connection in one.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def test_the_documented_scheduler_and_worker_listen_where_they_are_told(cluster: Cluster) -> None:
    nanny = cluster.worker("one")
    assert wait_until(lambda: len(family(nanny.pid)) > 1 and listening(nanny.pid), 60)
    assert listening(nanny.pid) == {"127.0.0.1"}
    assert listening(cluster.processes[0].pid) == {"127.0.0.1"}


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    told = subprocess.run(
        [BIN / "anglenas", "cluster", "keys", path], capture_output=True, text=True
    )
    assert told.stdout.splitlines()[-1] == f"export DASK_CONFIG={path}"
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    told = subprocess.run(
        [BIN / "anglenas", "cluster", "keys", path], capture_output=True, text=True
    )
    assert (told.returncode, path.read_bytes()) == (2, before)
    assert "cannot be written" in told.stderr


def test_who_has_no_keys_gets_nowhere(cluster: Cluster, tmp_path: Path) -> None:
    others = tmp_path / "others.yaml"
    write_keys(others)
    cluster.worker("one")
    for address, keys, code, words in (
        (cluster.address, "", 2, "takes keys, and Dask's setting distributed.comm.tls.ca-file is"),
        (cluster.address, others, 1, f"No scheduler answers at {cluster.address} ("),
        (
            cluster.address.replace("tls:", "tcp:"),
            others,
            2,
            "not encrypted, and whoever reaches",
        ),
        ("10.0.0.1:8786", others, 2, "cluster keys cluster.yaml`, copy them to each machine"),
    ):
        process = search(tmp_path, "--scheduler", address, "--quiet", keys=keys)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, "Traceback" in errors) == (code, False)
        assert words in errors


def test_a_scheduler_without_encryption_is_not_started_with_the_keys(cluster: Cluster) -> None:
    scheduler = cluster._start("scheduler", "--protocol", "tcp", "--port", 0)
    assert scheduler.wait(60) != 0
    assert b"encryption required" in (cluster.folder / "log").read_bytes()


def test_other_workers_than_the_scores_are_for(
    cluster: Cluster, fakes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.worker("one")
    with ClusterWorkers(cluster.address) as workers:
        monkeypatch.setattr(workers, "_platform", "torch 9, ABACUS")
        with pytest.raises(WorkersError, match=r"compute with torch .* for torch 9, ABACUS; use"):
            list(workers.run([fakes.task("be a")], fakes.BATCHES))


def test_a_scheduler_that_goes_away(
    cluster: Cluster, fakes: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    cluster.worker("one")
    levels = [handler.level for handler in logging.getLogger("distributed").handlers]
    with ClusterWorkers(cluster.address) as workers:
        run = workers.run([fakes.task("be a"), fakes.task("sleep 1")], fakes.BATCHES)
        assert next(run).status == "ok"
        cluster.end()
        with pytest.raises(WorkersError, match="scheduler of the workers is gone; start it again"):
            next(run)
    assert capfd.readouterr() == ("", "")
    assert [handler.level for handler in logging.getLogger("distributed").handlers] == levels


def test_ctrl_c_leaves_the_cluster_as_it_was(
    cluster: Cluster, keys: Path, fakes: Any, tmp_path: Path
) -> None:
    cluster.worker("one")
    process = search(tmp_path, "--scheduler", cluster.address, "--quiet", keys=keys)
    assert wait_until(lambda: kept(tmp_path / "s.sqlite") > 2, 120)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.strip().startswith("Stopped. ")
    with ClusterWorkers(cluster.address) as workers:
        (outcome,) = workers.run([fakes.task("be a")], fakes.BATCHES)
    assert outcome.status == "ok"
