"""Networks taken away: every file computes what the network computes, and needs no anglenas."""

import ast
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from anglenas import export_network
from anglenas._evaluation.heads import without_auxiliary
from anglenas._evaluation.network import Subject, Weights
from anglenas._export import FORMATS, network_source
from anglenas._export.files import _WRITERS
from anglenas._plugins import load
from anglenas.errors import AnglenasError, MissingExtraError, SettingError, UnknownNameError
from anglenas.spaces import NASBENCH201, NasBench201Architecture, NetworkConfig

FAKES = Path(__file__).parent / "search_fakes"
DARTS = ("darts", "darts_tenas", "darts_imagenet", "darts_tenas_imagenet")
NAMES = ("cat", 'do"g', "b\\ird", '"""\nimport os', "Käfer \N{BEETLE}")


def weights(space: str, architecture: Any, **sizes: int) -> Weights:
    """A network whose BatchNorm layers have seen images, so that they are not all alike."""
    config = NetworkConfig(**{"num_classes": 5, "channels": 4, "cells": 1, "side": 32, **sizes})
    subject = Subject(space, str(architecture), config)
    network = subject.network(1).train()
    images = 1 + 2 * torch.randn(4, config.in_channels, config.side, config.side)
    with torch.no_grad():
        network(images)
    mean, std = (0.5, 0.4, 0.3)[: config.in_channels], (0.2, 0.25, 0.3)[: config.in_channels]
    return Weights(subject, network.state_dict(), NAMES, mean, std)


def imported(source: str) -> ModuleType:
    module = ModuleType("network")
    exec(compile(source, "network.py", "exec"), vars(module))
    return module


def check(one: Weights) -> None:
    """The source builds the same network, tensor by tensor, and computes the same, bit by bit."""
    source = network_source(one)
    network = imported(source).Network()
    network.load_state_dict(dict(one.tensors))
    config = one.subject.config
    images = torch.randn(2, config.in_channels, config.side, config.side)
    for training in (False, True):
        with torch.no_grad():
            own = one.network().train(training)(images)
            assert torch.equal(network.train(training)(images), own)


@pytest.mark.parametrize("index", [0, 7, 1462, 6111, 9930, 11400, 13779])
def test_source_of_nasbench201(index: int) -> None:
    check(weights("nasbench201", NASBENCH201.at(index), side=8, channels=2, cells=2))


@pytest.mark.parametrize("operation", ["none", "skip_connect", "avg_pool_3x3", "nor_conv_1x1"])
def test_source_of_cells_of_one_operation(operation: str) -> None:
    cell = NasBench201Architecture((operation,) * 6)
    check(weights("nasbench201", cell, side=8, in_channels=1))


@pytest.mark.parametrize("space", DARTS)
def test_source_of_darts(space: str) -> None:
    searched = load("space", space)
    for seed in range(3):
        genotype = searched.sample(np.random.default_rng(seed))
        check(weights(space, genotype, side=64 if "imagenet" in space else 16))


@pytest.mark.parametrize("seed", [3, 4])
@pytest.mark.parametrize("space", ["nasbench201", *DARTS])
def test_source_is_what_ruff_would_write(space: str, seed: int, tmp_path: Path) -> None:
    architecture = load("space", space).sample(np.random.default_rng(seed))
    path = tmp_path / "network.py"
    plain = replace(weights(space, architecture, side=64), class_names=tuple("abcde"))
    path.write_text(network_source(plain))
    ruff = Path(sys.executable).with_name("ruff")
    for command in (("format", "--diff"), ("check", "--select", "E,F,I,B,UP,SIM,RET")):
        done = subprocess.run(
            [ruff, *command, "--isolated", "--line-length", "100", path],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


def test_source_imports_torch_alone_and_holds_names_as_they_are() -> None:
    source = network_source(weights("nasbench201", NASBENCH201.at(9930)))
    nodes = list(ast.walk(ast.parse(source)))
    plain = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    origins = {n.module for n in nodes if isinstance(n, ast.ImportFrom)}
    assert plain | origins == {"json", "torch", "torch.nn.functional"}
    module = imported(source)
    assert module.CLASSES == NAMES
    assert (module.MEAN, module.STD) == ((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
    images = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    expected = (images / 255 - torch.tensor(module.MEAN).view(3, 1, 1)) / torch.tensor(
        module.STD
    ).view(3, 1, 1)
    assert torch.allclose(module.prepare(images), expected)


ELSEWHERE = """
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("anglenas", "safetensors", "lightning", "onnx"):
            raise ImportError(f"{name} is not to be had here")

sys.meta_path.insert(0, Nothing())
sys.path.insert(0, ".")
import torch
import network

torch.save(network.load("weights.safetensors")(torch.load("images.pt")), "logits.pt")
print([name for name in sys.modules if name.startswith("anglenas")])
"""


@pytest.mark.parametrize("space", ["nasbench201", "darts"])
def test_source_and_weights_work_in_a_process_without_anglenas(space: str, tmp_path: Path) -> None:
    one = weights(space, load("space", space).sample(np.random.default_rng(5)))
    export_network(one, tmp_path, ["python"])
    images = torch.randn(2, 3, 32, 32)
    torch.save(images, tmp_path / "images.pt")
    done = subprocess.run(
        [sys.executable, "-I", "-c", ELSEWHERE], cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
    with torch.inference_mode():
        assert torch.equal(torch.load(tmp_path / "logits.pt"), one.network()(images))


def test_an_auxiliary_head_is_left_out(tmp_path: Path) -> None:
    blank = weights("darts", load("space", "darts").sample(
        np.random.default_rng(3)))  # fmt: skip
    network = blank.network()
    network.attach_auxiliary()  # type: ignore[operator]
    assert any(name.startswith("auxiliary.") for name in network.state_dict())
    one = replace(blank, tensors=without_auxiliary(network))
    export_network(one, tmp_path, ["python"])
    images = torch.randn(2, 3, 32, 32)
    module = imported((tmp_path / "network.py").read_text())
    with torch.inference_mode():
        assert torch.equal(module.load(tmp_path / "weights.safetensors")(images), network(images))


def with_onnx(path: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map["mean"] == "[0.5, 0.4, 0.3]"
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


@pytest.mark.slow
@pytest.mark.parametrize("space", ["nasbench201", "darts"])
def test_all_formats_agree_for_batches_of_any_size(space: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    one = weights(space, load("space", space).sample(np.random.default_rng(2)))
    written = export_network(one, tmp_path)
    assert [file.format for file in written] == list(FORMATS)
    assert all(file.path.exists() for file in written)
    assert max(file.difference for file in written) < 1e-4
    runs = [with_onnx(tmp_path / "network.onnx"),
            torch.export.load(tmp_path / "network.pt2").module()]  # fmt: skip
    for count in (1, 2, 7):
        images = torch.randn(count, 3, 32, 32)
        with torch.inference_mode():
            own = one.network()(images)
            for run in runs:
                assert torch.allclose(run(images), own, rtol=1e-4, atol=1e-4)


def test_a_file_that_computes_something_else_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = weights("nasbench201", NASBENCH201.at(9930), side=8)
    scaled = {name: 2 * t if "classifier" in name else t for name, t in one.tensors.items()}
    monkeypatch.setattr(
        "anglenas._export.files.read_weights", lambda *_: replace(one, tensors=scaled)
    )
    with pytest.raises(AnglenasError, match=r"weights.safetensors' computes logits that differ by"):
        export_network(one, tmp_path, ["weights"])


def test_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = weights("nasbench201", NASBENCH201.at(9930), side=8)
    with pytest.raises(UnknownNameError, match="no format named 'onx'; did you mean onnx"):
        export_network(one, tmp_path, ["onx"])
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="cannot be written"):
        export_network(one, tmp_path / "file", ["weights"])
    for package in ("onnx", "onnxruntime", "onnxscript"):
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, package, None)
            with pytest.raises(MissingExtraError, match=r"pip install 'anglenas\[export\]'"):
                export_network(one, tmp_path, ["onnx"])


def test_a_space_that_writes_no_source_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(FAKES)])
    subject = Subject("search_fakes:PAIRS", "1-2", NetworkConfig(num_classes=5, side=8))
    one = Weights(subject, subject.network(1).state_dict(), NAMES, (0.0,) * 3, (1.0,) * 3)
    with pytest.raises(
        SettingError, match=r"does not write .* as Python; leave the format 'python'"
    ):
        export_network(one, tmp_path / "none", ["weights", "python"])
    with pytest.raises(SettingError, match="leave the format 'python' out"):
        network_source(one)
    assert not (tmp_path / "none").exists()  # it is refused before anything is written
    [file] = export_network(one, tmp_path, ["weights"])
    assert file.difference == 0


def test_by_default_a_network_is_written_in_all_formats_that_its_space_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(FAKES)])
    monkeypatch.setattr("anglenas._export.files.check_onnx", lambda: None)
    for name in ("onnx", "program"):
        monkeypatch.setitem(_WRITERS, name, ("network", _WRITERS["weights"][1]))
    own = Subject("search_fakes:PAIRS", "1-2", NetworkConfig(num_classes=5, side=8))
    for subject, expected in (
        (own, ["weights", "onnx", "program"]),
        (replace(own, space="nasbench201", architecture=str(NASBENCH201.at(0))), list(FORMATS)),
    ):
        one = Weights(subject, subject.network(1).state_dict(), NAMES, (0.0,) * 3, (1.0,) * 3)
        written = export_network(one, tmp_path / subject.space.partition(":")[0])
        assert [file.format for file in written] == expected


def test_a_missing_extra_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'anglenas\[export\]'"):
        export_network(weights("nasbench201", NASBENCH201.at(0), side=8), tmp_path / "none")
    assert not (tmp_path / "none").exists()
