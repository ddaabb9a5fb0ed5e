"""Devices: who takes which, and whose scores are kept apart. No GPU is needed for it."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from anglenas._measuring.computing import compute
from anglenas._measuring.devices import (
    choose_device,
    device_count,
    device_of_worker,
    platform_of,
)
from anglenas._measuring.executors import InProcess
from anglenas._measuring.local import LocalWorkers
from anglenas._measuring.task import Context, Task
from anglenas._numerics import platform
from anglenas.errors import SettingError, WorkersError

GPUS = SimpleNamespace(is_available=lambda: True, device_count=lambda: 2)


@pytest.fixture(scope="module")
def fakes() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent / "scoring_fakes"))
        yield importlib.import_module("scoring_fakes")


@pytest.mark.parametrize(
    ("device", "count", "expected"),
    [
        ("cpu", 1, ["cpu"] * 5),
        ("cuda", 1, ["cuda:0"] * 5),
        ("cuda", 2, ["cuda:0", "cuda:1", "cuda:0", "cuda:1", "cuda:0"]),
        ("xpu", 3, ["xpu:0", "xpu:1", "xpu:2", "xpu:0", "xpu:1"]),
        ("cuda:1", 1, ["cuda:1"] * 5),
        ("mps", 1, ["mps"] * 5),
    ],
)
def test_devices_are_dealt_out_in_turn(device: str, count: int, expected: list[str]) -> None:
    assert [str(choose_device(device, turn, count)) for turn in range(5)] == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("gpu-0", 0), ("gpu-5", 1), (3, 1), ("tcp://10.0.0.1:37041", 0), ("anglenas-x1", 0)],
)
def test_a_worker_takes_the_device_of_its_turn(
    monkeypatch: pytest.MonkeyPatch, name: object, expected: int
) -> None:
    monkeypatch.setattr(torch, "cuda", GPUS)
    monkeypatch.setenv("ANGLENAS_DEVICE", "cuda")
    assert device_of_worker(name) == ("cuda", torch.device("cuda", expected))


def test_a_worker_without_a_word_computes_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANGLENAS_DEVICE", raising=False)
    assert device_of_worker("a-1") == ("cpu", torch.device("cpu"))


def test_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "cuda", SimpleNamespace(is_available=lambda: False))
    assert device_count("cuda") == 0
    with pytest.raises(SettingError, match="has no device 'cuda' that torch can use; compute on"):
        LocalWorkers(1, device="cuda")
    with pytest.raises(SettingError, match="has no device 'cuda:7'"):
        InProcess("cuda:7")
    monkeypatch.setenv("ANGLENAS_DEVICE", "cuda")
    with pytest.raises(WorkersError, match=r"A worker cannot compute: .* has no device 'cuda'"):
        device_of_worker("a")
    monkeypatch.setenv("ANGLENAS_DEVICE", "abacus")
    with pytest.raises(WorkersError, match="There is no device 'abacus'; write cpu, or cuda"):
        device_of_worker("a")


def test_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "cuda", GPUS)
    assert [device_count(device) for device in ("cpu", "cuda", "cuda:1")] == [1, 2, 1]
    with pytest.raises(SettingError, match="There is no device 'cuda:x'"):
        device_count("cuda:x")


def test_kinds_of_device_have_scores_of_their_own(fakes: Any) -> None:
    def context(device: str) -> Context:
        one = fakes.context()
        return Context.of(one.space, one.probe, one.network, recipe=fakes.Recipe(),
                          images=one.images, seed=one.seed, device=device)  # fmt: skip

    assert context("cpu") == fakes.context()
    assert len({context(device).digest for device in ("cpu", "cuda", "xpu")}) == 3
    assert context("cuda:0") == context("cuda:1")
    assert platform_of("cpu") == platform()
    release = torch.__version__.partition("+")[0]
    assert platform_of("cuda:1") == f"torch {release}, cuda"


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_the_network_is_brought_to_the_device(fakes: Any, device: str) -> None:
    """The device of shapes alone is the only other one that every machine has."""
    outcome = compute(Task(fakes.context("WHERE"), "be a"), fakes.BATCH, device)
    assert outcome.record == {"device": device}
