"""What holds for everything that computes scores."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from anglenas._measuring.computing import compute
from anglenas._measuring.executors import Executor
from anglenas._measuring.task import Outcome, Task
from anglenas.errors import DataError
from anglenas.testing._orders import BATCH, BATCHES, task

TIME_LIMIT = 5.0  # of which importing this package is a part, on a machine that may be busy


def _by_task(outcomes: Iterable[Outcome]) -> dict[Task, Outcome]:
    found = list(outcomes)
    assert len({outcome.task for outcome in found}) == len(found)
    return {outcome.task: outcome for outcome in found}


class ExecutorConformance:
    """Tests of an executor; subclass it, set ``make``, and let pytest run it.

    An executor passes if

    * each task has one outcome, equal to what :func:`compute` gives in this process;
    * it reads tasks no further than they can be worked on, and may be left at any moment;
    * what was asked wrongly is raised, and everything else that goes wrong is a status;
    * the caller's environment and threads stay as they were;
    * if it computes in other processes: tasks that kill them or hang have failed, those beside
      them have not, and a task whose worker died by chance is done.

    Attributes:
        make: A static method that makes the executor; given a time limit, with that.
        separate: Whether it computes in other processes.
    """

    make: Callable[..., Executor]
    separate: ClassVar[bool] = True

    @pytest.fixture(scope="class")
    @classmethod
    def executor(cls) -> Iterator[Executor]:
        """One for all tests, since workers take a while to start."""
        with cls.make(**{"time_limit": TIME_LIMIT} if cls.separate else {}) as executor:
            yield executor

    def test_it_gives_what_this_process_gives(self, executor: Executor) -> None:
        """Values, and the reasons why there are none."""
        words = [*(f"be {number}" for number in range(100)), "strange"]
        tasks = [task(word) for word in (*words, "undefined", "break", "exit", "cancel")]
        outcomes = _by_task(executor.run(tasks, BATCHES))
        assert outcomes == {one: compute(one, BATCH) for one in tasks}
        statuses = [outcomes[one].status.partition(":")[0] for one in tasks]
        assert statuses == ["ok"] * 101 + ["undefined"] + ["failed"] * 3

    def test_each_of_many_tasks_has_one_outcome(self, executor: Executor) -> None:
        """None is lost in a chunk, none comes twice."""
        tasks = [task(f"be {number}", seed=number % 7) for number in range(1000)]
        assert _by_task(executor.run(iter(tasks), BATCHES)).keys() == set(tasks)

    def test_nothing_comes_of_nothing(self, executor: Executor) -> None:
        """No task, no outcome."""
        assert list(executor.run([], BATCHES)) == []

    def test_tasks_are_measured_on_their_images(self, executor: Executor) -> None:
        """Also on those of a later run."""
        dark = replace(BATCH, images=torch.zeros_like(BATCH.images))
        tasks = [task("be a"), task("be a", dark)]
        both = BATCHES | {dark.fingerprint: dark}
        outcomes = _by_task(executor.run(tasks, both))
        assert outcomes == {one: compute(one, both[one.context.images]) for one in tasks}

    def test_tasks_are_read_as_they_are_needed(self, executor: Executor) -> None:
        """And an executor that was left is used again."""
        read: list[Task] = []

        def endless() -> Iterator[Task]:
            while True:
                read.append(task(f"be {len(read)}"))
                yield read[-1]

        run = executor.run(endless(), BATCHES)
        assert {outcome.status for outcome in islice(run, 20)} == {"ok"}
        run.close()  # type: ignore[attr-defined]
        assert len(read) < 500
        assert [one.status for one in executor.run([task("be a")], BATCHES)] == ["ok"]

    def test_the_callers_mistake_is_raised(self, executor: Executor) -> None:
        """With the exception's own class; afterwards all is as before."""
        with pytest.raises(DataError, match="Labels run from 1"):
            list(executor.run([task("mislabel")], BATCHES))
        assert [one.status for one in executor.run([task("be a")], BATCHES)] == ["ok"]

    def test_the_caller_stays_as_it_was(self, executor: Executor) -> None:
        """Environment and threads."""
        before = dict(os.environ), torch.get_num_threads()
        list(executor.run([task("be a")], BATCHES))
        assert (dict(os.environ), torch.get_num_threads()) == before

    def test_one_thread_computes(self, executor: Executor) -> None:
        """In a process of its own, if it has such."""
        (outcome,) = executor.run([task("tell")], BATCHES)
        assert outcome.record is not None
        assert outcome.record["threads"] == 1
        assert (outcome.record["pid"] != os.getpid()) == self.separate

    def test_what_kills_or_hangs_a_worker_has_failed(
        self, executor: Executor, tmp_path: Path
    ) -> None:
        """In the middle, where chunks have grown: those beside it must not be blamed."""
        if not self.separate:
            pytest.skip("it computes in this process")
        cheap = [task(f"be {number}") for number in range(60)]
        deadly, slow = task("die"), task("sleep 60")
        unlucky = task(f"die_until {tmp_path / 'tries'} 1")
        tasks = [*cheap[:30], deadly, slow, unlucky, *cheap[30:]]
        outcomes = _by_task(executor.run(tasks, BATCHES))
        assert {task: outcome.status for task, outcome in outcomes.items()} == {
            **dict.fromkeys(cheap, "ok"),
            unlucky: "ok",
            deadly: "failed: worker died 3 times",
            slow: f"failed: took longer than {TIME_LIMIT:g} s",
        }
