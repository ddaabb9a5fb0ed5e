"""Contexts, tasks, outcomes, and from a task to its outcome in one process."""

import importlib
import json
import math
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from anglenas import Recipe
from anglenas._json import json_safe
from anglenas._measuring.computing import compute
from anglenas._measuring.executors import InProcess
from anglenas._measuring.task import Context, Outcome, Task
from anglenas.errors import ArchitectureError, DataError, SettingError, UsageError, WorkersError
from anglenas.spaces import NetworkConfig


@pytest.fixture(scope="module")
def fakes() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent / "scoring_fakes"))
        yield importlib.import_module("scoring_fakes")


def test_a_context_survives_json_and_pickle(fakes: Any) -> None:
    context = fakes.context()
    assert Context.from_json(context.json) == context
    assert pickle.loads(pickle.dumps(context)) == context
    assert len(context.digest) == 32


def test_everything_that_changes_a_score_changes_the_digest(fakes: Any) -> None:
    changes: list[dict[str, Any]] = [
        {}, {"seed": 4}, {"images": "0" * 16}, {"platform": "torch 1"},
        {"version": 2}, {"space": "other"}, {"network": NetworkConfig(cells=2)},
        {"recipe": Recipe(lr=0.1).fingerprint},
    ]  # fmt: skip
    assert len({fakes.context(**change).digest for change in changes}) == len(changes)


def test_the_name_and_the_repeats_of_a_recipe_do_not(fakes: Any) -> None:
    def digest(recipe: Recipe) -> str:
        return Context.of(
            "scoring_fakes:SPACE", "scoring_fakes:OBEY", NetworkConfig(),
            recipe=recipe, images="", seed=1,
        ).digest  # fmt: skip

    assert digest(Recipe()) == digest(Recipe(name="mine", repeats=5, calibrated=False))


def test_a_probe_without_images_shares_its_records(fakes: Any) -> None:
    one, other = fakes.context("SHAPE", seed=1), fakes.context("SHAPE", seed=2)
    assert one == other
    assert (one.recipe, one.settings, one.images, one.seed) == ("", (), "", None)


def test_a_task_names_what_the_probe_sees(fakes: Any) -> None:
    assert Task.of(fakes.context(), "Be A").subject == "be a"
    assert Task.of(fakes.context("SHAPE"), "Be A").subject == "Be A"


def test_a_real_space_and_probe_count_the_network_as_written() -> None:
    context = Context.of(
        "nasbench201", "parameters", NetworkConfig(), recipe=Recipe(), images="", seed=0
    )
    text = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    outcome = compute(Task(context, text), None)
    # The smallest network of the benchmark, as its authors count it.
    assert outcome.record is not None
    assert outcome.record["params"] == 73306


def test_a_record_is_what_the_probe_measured(fakes: Any) -> None:
    outcome = compute(fakes.task("be a"), fakes.BATCH)
    assert outcome.status == "ok"
    assert outcome.record == {"word": "be a", "value": math.sin(4 + 3) * 0.2, "mean": 47.5}
    assert outcome.seconds > 0
    assert outcome.host


def test_a_probe_without_images_sees_a_blank_one_of_the_networks_size(fakes: Any) -> None:
    network = NetworkConfig(in_channels=1, side=28)
    outcome = compute(fakes.task("be a", probe="SHAPE", network=network), None)
    assert outcome.record == {"word": "be a", "shape": [1, 1, 28, 28]}


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("undefined", "undefined: loss is not finite"),
        ("break now", "failed: RuntimeError: shapes do not match"),
        ("exit now", "failed: SystemExit: now"),
        ("too wide", "failed: MemoryError: no room for the weights"),
        ("unknown", "failed: KeyError: 'unknown'"),
        (
            "misfit",
            "failed: NetworkError: The network has fewer outputs than there are classes.",
        ),
    ],
)
def test_what_goes_wrong_with_a_candidate_is_its_status(fakes: Any, word: str, status: str) -> None:
    outcome = compute(fakes.task(word), fakes.BATCH)
    assert (outcome.status, outcome.record) == (status, None)
    assert outcome.final == status.startswith("undefined")


def test_a_candidate_that_needs_more_memory_than_there_is_fails(fakes: Any) -> None:
    assert "allocate memory" in compute(fakes.task("devour"), fakes.BATCH).status


def test_what_was_asked_wrongly_is_raised(fakes: Any) -> None:
    with pytest.raises(DataError, match="Labels run from 1 to 2"):
        compute(fakes.task("mislabel"), fakes.BATCH)
    with pytest.raises(ArchitectureError, match="printable"):
        compute(fakes.task("\n"), fakes.BATCH)
    with pytest.raises(UsageError, match="cannot be imported"):
        compute(fakes.task("be a", space="scoring_fakes:NONE"), fakes.BATCH)
    with pytest.raises(SettingError, match="pass these"):
        compute(fakes.task("be a"), None)
    with pytest.raises(SettingError, match="pass these"):
        compute(fakes.task("be a", images="0" * 16), fakes.BATCH)
    with pytest.raises(WorkersError, match=r"probe .* has version 1 on .*, and 2 is asked for"):
        compute(fakes.task("be a", version=2), fakes.BATCH)
    with pytest.raises(WorkersError, match=r"space .* has version 1 on .*, and 3 is asked for"):
        compute(fakes.task("be a", space_version=3), fakes.BATCH)


def test_one_thread_computes_and_the_callers_setting_stays(fakes: Any) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        outcome = compute(fakes.task("tell"), fakes.BATCH)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert outcome.record is not None
    assert outcome.record["threads"] == 1


def test_in_process_keeps_the_order(fakes: Any) -> None:
    tasks = [fakes.task(f"be {number}") for number in range(5)]
    outcomes = InProcess().run(tasks, fakes.BATCHES)
    assert [outcome.task for outcome in outcomes] == tasks


def test_seconds_and_host_stand_outside_comparison(fakes: Any) -> None:
    task = fakes.task("be a")
    assert Outcome(task, "ok", {}, 1.0, "a") == Outcome(task, "ok", {}, 2.0, "b")
    assert Outcome(task, "ok", {"x": 1}) != Outcome(task, "ok", {"x": 2})


@pytest.mark.parametrize(("status", "record"), [("fine", {}), ("ok", None), ("failed: x", {})])
def test_an_outcome_is_one_of_three(fakes: Any, status: str, record: Any) -> None:
    with pytest.raises(ValueError, match="status"):
        Outcome(fakes.task("be a"), status, record)


def test_numbers_of_numpy_are_what_json_gives_back() -> None:
    record = {"x": np.float32(0.5), "n": np.int64(3), "yes": np.bool_(True),
              "curve": np.array([1.0, np.nan, np.inf]), "all": (np.float64(-0.0), [])}  # fmt: skip
    safe = json_safe(record)
    assert json.loads(json.dumps(safe)) == safe
    assert safe == {"x": 0.5, "n": 3, "yes": True, "curve": [1.0, None, None], "all": [0.0, []]}
    assert [type(value) for value in safe.values()] == [float, int, bool, list, list]


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="Tensor is not"):
        json_safe({"x": torch.zeros(1)})
    with pytest.raises(TypeError, match="keys of a record are texts"):
        json_safe({1: 2})


FIRST = """
import sys
from anglenas.spaces import NetworkConfig
from anglenas._recipe import preset
from anglenas._measuring.computing import compute
from anglenas._measuring.task import Context, Task
from anglenas.data import draw_few_shot, open_source
from anglenas.spaces import NASBENCH201

network = NetworkConfig(num_classes=10, channels=4, cells=1, in_channels=1, side=8)
batch = draw_few_shot(open_source("digits"), classes=10, images_per_class=1,
                     sampling="first", resolution=8, seed=1)
for probe in ("parameters", "flops", "short_training"):
    context = Context.of(
        "nasbench201", probe, network, recipe=preset("draft"), images=batch.fingerprint, seed=1
    )
    print(compute(Task.of(context, NASBENCH201.at(7)), batch).status)
print("torch._dynamo" in sys.modules)
"""


def test_the_first_task_of_a_process_imports_no_compiler() -> None:
    """Torch's optimisers and modes import a thousand modules, which takes 1.5 s of each worker."""
    done = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True)
    assert done.stdout == "ok\nok\nok\nFalse\n"
