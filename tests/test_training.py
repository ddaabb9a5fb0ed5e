"""Trainings from scratch: against a plain loop, killed and resumed, and with bad input."""

import json
import logging
import os
import random
import signal
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from anglenas import Trained, Workers, train
from anglenas._blocks.memory_format import memory_format_of
from anglenas._evaluation.images import EpochSampler, TrainingSet, open_images
from anglenas._evaluation.memory import Need, measure_need
from anglenas._evaluation.network import Subject, read_weights
from anglenas._evaluation.recipe import Machine, TrainingRecipe, drop_path_rate, learning_rate
from anglenas._evaluation.result import TrainingProgress
from anglenas._numerics import derive
from anglenas.data import ImageSource, from_arrays, split
from anglenas.errors import (
    ArchitectureError,
    DataError,
    MissingExtraError,
    SettingError,
    TrainingError,
    UsageError,
)
from anglenas.spaces import NetworkConfig

pytest.importorskip("lightning")

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
OTHER = "|nor_conv_1x1~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
GENOTYPE = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('dil_conv_3x3', 0), ('skip_connect', 1), ('avg_pool_3x3', 0), "
    "('skip_connect', 1)], normal_concat=range(2, 6), reduce=[('max_pool_3x3', 0), "
    "('skip_connect', 1), ('skip_connect', 2), ('max_pool_3x3', 0), ('skip_connect', 2), "
    "('skip_connect', 0), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=range(2, 6))"
)
TINY = TrainingRecipe(name="tiny", epochs=3, batch=16, channels=4, cells=1, side=8, warmup=1)
HERE = Workers(0)


def images(classes: int = 3, side: int = 8, count: int = 60) -> ImageSource:
    """Images whose class is their brightest channel or quarter: something to learn."""
    rng = np.random.default_rng(1)
    labels = np.arange(count) % classes
    pixels = rng.integers(0, 180, (count, side, side, 3), np.uint8)
    for pixel, label in zip(pixels, labels, strict=True):
        pixel[..., label % 3] += 60
    return from_arrays(pixels, labels, name="coloured")


def run(folder: Path, recipe: TrainingRecipe = TINY, **changes: Any) -> Trained:
    settings = {"subject": CELL, "data": images(), "workers": HERE, "validation": 0.25, **changes}
    return train(folder=folder, recipe=recipe, **settings)


def weights_of(folder: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return dict(read_weights(folder / f"{name}.safetensors").tensors)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


class Killed(Exception):  # noqa: N818 - it is what happens, not an error
    """Stands for a signal that ends the process."""


def killing(epoch: int, step: int) -> Any:
    def report(progress: TrainingProgress) -> None:
        if (progress.epoch, progress.step) == (epoch, step):
            raise Killed

    return report


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return run(tmp_path_factory.mktemp("undisturbed"))


def by_hand(
    recipe: TrainingRecipe, network: nn.Module, source: ImageSource, seed: int = 1
) -> Iterator[float]:
    """A training in plain PyTorch, one loss a step."""
    source, _ = split(source, 0.25, seed)
    opened = open_images(source, recipe.side)
    sampler = EpochSampler(len(opened.labels), recipe.batch, seed)
    batches = TrainingSet(opened, recipe, seed)
    optimizer = torch.optim.SGD(
        network.parameters(), recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
    )  # fmt: skip
    for epoch in range(recipe.epochs):
        sampler.set_epoch(epoch)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, epoch)
        if recipe.drop_path:
            network.set_drop_path(recipe.drop_path * epoch / recipe.epochs)  # type: ignore[operator]
        for draw in sampler:
            torch.manual_seed(derive(seed, "network", epoch, draw.step, 0))
            pixels, labels = batches[draw]
            pixels = pixels.contiguous(memory_format=memory_format_of(network))
            both = network.with_auxiliary(pixels) if recipe.auxiliary else [network(pixels)]  # type: ignore[operator]
            losses = [
                F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
                for logits in both
            ]
            loss = losses[0] + recipe.auxiliary * losses[1] if recipe.auxiliary else losses[0]
            optimizer.zero_grad()
            loss.backward()
            if recipe.clip:
                nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
            optimizer.step()
            yield loss.item()


def test_it_is_the_training_of_a_plain_loop(tmp_path: Path) -> None:
    recipe = replace(TINY, clip=0.5, label_smoothing=0.1, nesterov=True, cutout=4)
    trained = run(tmp_path, recipe)
    network = Subject("nasbench201", CELL, trained.subject.config).network(1)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    losses = list(by_hand(recipe, network, images()))
    assert same(weights_of(tmp_path), network.state_dict())
    steps = len(losses) // recipe.epochs
    sizes = np.array([16, 16, 13])  # of 45 images
    for epoch in trained.history:
        mean = np.average(losses[epoch.number * steps :][:steps], weights=sizes)
        assert epoch.train_loss == pytest.approx(mean, rel=1e-6)


def test_what_a_training_leaves(undisturbed: Trained) -> None:
    folder = undisturbed.folder
    files = {path.name for path in folder.iterdir()}
    assert files == {
        "best.safetensors", "last.safetensors", "history.csv", "training.json", "tensorboard",
        "epoch-0001.ckpt", "epoch-0002.ckpt",
    }  # fmt: skip
    lines = (folder / "history.csv").read_text().splitlines()
    assert len(lines) == 1 + 3
    assert [epoch.number for epoch in undisturbed.history] == [0, 1, 2]
    assert [epoch.lr for epoch in undisturbed.history] == [learning_rate(TINY, e) for e in range(3)]
    assert undisturbed.last.valid_accuracy > 0.5
    assert len(list((folder / "tensorboard").glob("events*"))) == 1


def test_tensorboard_has_the_history(undisturbed: Trained) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logged = EventAccumulator(str(undisturbed.folder / "tensorboard")).Reload()
    names = {
        "lr": "lr", "drop_path": "drop_path", "seconds": "seconds", "train/loss": "train_loss",
        "train/accuracy": "train_accuracy", "valid/loss": "valid_loss",
        "valid/accuracy": "valid_accuracy", "valid/top5": "valid_top5",
    }  # fmt: skip
    assert set(logged.Tags()["scalars"]) >= set(names)
    for name, attribute in names.items():
        events = logged.Scalars(name)
        assert [event.step for event in events] == [0, 1, 2]
        expected = [getattr(epoch, attribute) for epoch in undisturbed.history]
        assert [event.value for event in events] == pytest.approx(expected, rel=1e-6)


def test_the_confusion_matrix_is_that_of_the_best_weights(undisturbed: Trained) -> None:
    _, held_out = split(images(), 0.25, 1)
    opened = open_images(held_out, 8)
    weights = read_weights(undisturbed.folder / "best.safetensors")
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (weights.mean, weights.std))
    with torch.inference_mode():
        found = undisturbed.network()((opened.read(range(15)) / 255 - mean) / std).argmax(1)
    expected = np.zeros((3, 3), int)
    for label, guess in zip(opened.labels.tolist(), found.tolist(), strict=True):
        expected[label, guess] += 1
    assert np.array_equal(undisturbed.confusion.matrix, expected)
    assert undisturbed.confusion.accuracy == undisturbed.best.valid_accuracy
    assert list(undisturbed.confusion.per_class) == ["0", "1", "2"]


def test_the_same_twice_and_another_seed(undisturbed: Trained, tmp_path: Path) -> None:
    first = weights_of(undisturbed.folder)
    run(tmp_path / "again")
    assert same(weights_of(tmp_path / "again"), first)
    run(tmp_path / "other", seed=2)
    assert not same(weights_of(tmp_path / "other"), first)


@pytest.mark.parametrize("place", [(0, 2), (1, 1), (2, 3)])
def test_killed_in_an_epoch_and_resumed_it_ends_alike(
    place: tuple[int, int], undisturbed: Trained, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        run(tmp_path, on_progress=killing(*place))
    random.seed(5)
    torch.manual_seed(5)  # what the next process has drawn before does not matter
    resumed = run(tmp_path)
    assert same(weights_of(tmp_path), weights_of(undisturbed.folder))
    assert same(weights_of(tmp_path, "best"), weights_of(undisturbed.folder, "best"))
    strip = [replace(epoch, seconds=0) for epoch in resumed.history]
    assert strip == [replace(epoch, seconds=0) for epoch in undisturbed.history]


def test_what_is_done_is_not_done_again(undisturbed: Trained) -> None:
    before = weights_of(undisturbed.folder)

    def never(progress: TrainingProgress) -> None:
        raise AssertionError("a step was made")

    again = run(undisturbed.folder, on_progress=never)
    assert again.history == undisturbed.history
    assert np.array_equal(again.confusion.matrix, undisturbed.confusion.matrix)
    assert same(weights_of(undisturbed.folder), before)


def broken(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    match how:
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "flipped":
            with zipfile.ZipFile(path) as archive:
                largest = max(archive.infolist(), key=lambda info: info.file_size)
            content[largest.header_offset + 200] ^= 255
            path.write_bytes(content)
        case "empty":
            path.write_bytes(b"")
        case "hostile":
            torch.save({"state_dict": Path("/tmp")}, path)
        case "somebody else's":
            torch.save({"state_dict": {}, "epoch": 2, "callbacks": {}}, path)


@pytest.mark.parametrize("how", ["cut", "flipped", "empty", "hostile", "somebody else's"])
def test_a_broken_checkpoint_falls_back_to_the_one_before(
    how: str, undisturbed: Trained, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        run(tmp_path, on_progress=killing(2, 1))
    broken(tmp_path / "epoch-0001.ckpt", how)
    seen: list[TrainingProgress] = []
    resumed = run(tmp_path, on_progress=seen.append)
    assert (seen[0].epoch, seen[0].notices) == (1, resumed.notices)
    [notice] = resumed.notices
    assert "epoch-0001.ckpt' is broken" in notice
    assert "goes on from the one before" in notice
    assert same(weights_of(tmp_path), weights_of(undisturbed.folder))


def test_with_no_checkpoint_left_it_starts_anew(undisturbed: Trained, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run(tmp_path, on_progress=killing(1, 1))
    broken(tmp_path / "epoch-0000.ckpt", "cut")
    [notice] = run(tmp_path).notices
    assert notice.endswith("The training starts anew.")
    assert same(weights_of(tmp_path), weights_of(undisturbed.folder))


def test_processes_that_read_somechange_nothing(tmp_path: Path) -> None:
    recipe = replace(TINY, crop="resized", side=10, brightness=0.4, hue=0.1, epochs=2)
    run(tmp_path / "here", recipe)
    run(tmp_path / "there", recipe, workers=2)
    assert same(weights_of(tmp_path / "here"), weights_of(tmp_path / "there"))


def test_mixed_precision_trains(tmp_path: Path) -> None:
    trained = run(tmp_path, machine=Machine(precision="bf16-mixed"))
    assert trained.last.train_loss < trained.history[0].train_loss
    assert weights_of(tmp_path)["classifier.weight"].dtype == torch.float32


# DARTS: auxiliary head and drop path.

DARTS = replace(
    TINY, space="darts", epochs=2, channels=2, side=32, auxiliary=0.4, drop_path=0.5, clip=5.0
)


@pytest.mark.slow
def test_auxiliary_head_and_drop_path_are_trained_with_and_left_out(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"subject": GENOTYPE, "data": images(side=32, count=40)}
    trained = run(tmp_path / "whole", DARTS, **settings)
    with pytest.raises(Killed):
        run(tmp_path / "killed", DARTS, **settings, on_progress=killing(1, 1))
    run(tmp_path / "killed", DARTS, **settings)
    assert same(weights_of(tmp_path / "killed"), weights_of(tmp_path / "whole"))
    assert not any(name.startswith("auxiliary") for name in weights_of(tmp_path / "whole"))
    assert [epoch.drop_path for epoch in trained.history] == [
        drop_path_rate(DARTS, epoch) for epoch in range(2)
    ]
    without = run(tmp_path / "without", replace(DARTS, auxiliary=0.0), **settings)
    assert without.history[0].train_loss != trained.history[0].train_loss
    never = run(tmp_path / "never", replace(DARTS, drop_path=0.0), **settings)
    assert never.history[0].train_loss == trained.history[0].train_loss
    assert never.history[1].train_loss != trained.history[1].train_loss


@pytest.mark.slow
def test_auxiliary_head_and_drop_path_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    recipe, source = replace(DARTS, label_smoothing=0.1), images(side=32, count=40)
    trained = run(tmp_path, recipe, subject=GENOTYPE, data=source)
    network = trained.subject.network(1)
    with torch.random.fork_rng():
        torch.manual_seed(derive(1, "auxiliary"))
        network.attach_auxiliary()  # type: ignore[operator]
        network.to(memory_format=memory_format_of(network))  # type: ignore[call-overload]
        losses = list(by_hand(recipe, network, source))
    assert len(losses) == 2 * 2  # of 30 images
    state = {k: t for k, t in network.state_dict().items() if not k.startswith("auxiliary.")}
    assert same(weights_of(tmp_path), state)
    some = torch.randn(3, 3, 32, 32)
    with torch.inference_mode():
        own = network.eval()(some)
        assert torch.allclose(trained.network("last")(some), own, rtol=1e-5, atol=1e-6)


def test_recipes_of_other_networks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="trains networks of the space 'darts', and this is non"):
        run(tmp_path, DARTS)
    unknown = "Genotype(normal=[('sep_conv_7x7', 1)"
    with pytest.raises(ArchitectureError, match=r"no operation 'sep_conv_7x7'(.|\n)*\^"):
        run(tmp_path / "u", DARTS, subject=unknown)
    with pytest.raises(SettingError, match=r"drops paths, which .* cannot; add 'drop_path=0'"):
        run(tmp_path / "a", replace(TINY, drop_path=0.1))
    with pytest.raises(SettingError, match=r"auxiliary head, which .* cannot; add 'auxiliary=0'"):
        run(tmp_path / "b", replace(TINY, auxiliary=0.1))


# Bad input.


def test_a_folder_of_another_training_is_refused(undisturbed: Trained) -> None:
    folder = undisturbed.folder
    with pytest.raises(SettingError, match="holds another training, which differs in architecture"):
        run(folder, subject=OTHER)
    with pytest.raises(SettingError, match="differs in lr, momentum; choose another folder"):
        run(folder, replace(TINY, lr=0.3, momentum=0.5))
    with pytest.raises(SettingError, match="differs in seed"):
        run(folder, seed=9, data=images())
    with pytest.raises(SettingError, match="differs in precision"):
        run(folder, machine=Machine(precision="bf16-mixed"))


def test_a_checkpoint_of_another_training_is_refused(undisturbed: Trained, tmp_path: Path) -> None:
    # Pooling and identity have no tensors, so those of the networks do not tell them apart.
    alike = CELL.replace("skip_connect~1", "avg_pool_3x3~1")
    for name, changes, difference in (
        ("architecture", {"subject": OTHER}, "architecture"),
        ("alike", {"subject": alike}, "architecture"),
        ("seed", {"seed": 2}, "seed"),
    ):
        folder = tmp_path / name
        with pytest.raises(Killed):
            run(folder, on_progress=killing(1, 1), **changes)
        foreign = undisturbed.folder / "epoch-0002.ckpt"
        (folder / foreign.name).write_bytes(foreign.read_bytes())
        with pytest.raises(
            SettingError, match=f"epoch-0002.ckpt' is of another training, .* {difference}; delete"
        ):
            run(folder, **changes)


def test_somewith_other_classes_are_refused(undisturbed: Trained) -> None:
    with pytest.raises(DataError, match=r"with the classes 0, 1, 2, and these have 0, 1, 2, 3;"):
        run(undisturbed.folder, data=images(classes=4))


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="cannot be trained in"):
        run(tmp_path / "file")
    (tmp_path / "training.json").write_text("{}")
    with pytest.raises(SettingError, match="cannot be trained in"):
        run(tmp_path)


def test_weights_of_another_architecture_are_refused(undisturbed: Trained) -> None:
    weights = read_weights(undisturbed.folder / "best.safetensors")
    other = replace(weights, subject=replace(weights.subject, architecture=OTHER))
    with pytest.raises(SettingError, match=r"not those of .* \(stages.0.0.edges.0.conv.weight is "):
        other.network()
    wider = replace(weights.subject.config, channels=8)
    with pytest.raises(SettingError, match=r"stem.0.weight is \(4, 3, 3, 3\) and not \(8, 3, 3"):
        replace(weights, subject=replace(weights.subject, config=wider)).network()


def test_broken_weights_are_refused(undisturbed: Trained, tmp_path: Path) -> None:
    content = (undisturbed.folder / "best.safetensors").read_bytes()
    path = tmp_path / "best.safetensors"
    for piece in (b"", content[:100], content[:-5]):
        path.write_bytes(piece)
        with pytest.raises(TrainingError, match="holds no weights that a training wrote"):
            read_weights(path)
    with pytest.raises(SettingError, match="There is no file"):
        read_weights(tmp_path / "none.safetensors")


def test_weights_of_a_space_that_is_code_need_it_named(
    undisturbed: Trained, tmp_path: Path
) -> None:
    weights = read_weights(undisturbed.folder / "best.safetensors")
    subject = replace(weights.subject, space="os:system")
    replace(weights, subject=subject).save(tmp_path / "evil.safetensors")
    with pytest.raises(SettingError, match="'os:system', which is code to be imported; name it"):
        read_weights(tmp_path / "evil.safetensors")


def test_too_little_memory_says_which_batch_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Subject(
        "nasbench201", CELL, NetworkConfig(num_classes=3, channels=4, cells=1, side=8)
    )
    need = measure_need(network.network(1), (3, 8, 8))
    free = need.fixed + 12 * need.per_image
    monkeypatch.setattr("anglenas._evaluation.lightning.available_bytes", lambda device: free)
    with pytest.raises(
        SettingError, match=r"A batch of 16 images needs about .* a batch of 8 fits"
    ):
        run(tmp_path)
    assert run(tmp_path / "small", replace(TINY, batch=8, epochs=1)).history
    monkeypatch.setattr("anglenas._evaluation.lightning.available_bytes", lambda device: 10)
    with pytest.raises(SettingError, match="not even one image fits"):
        run(tmp_path / "none")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_memory_that_runs_out_all_the_same_says_what_to_try(
    error: Exception, tmp_path: Path
) -> None:
    def report(progress: TrainingProgress) -> None:
        raise error

    # The batch was worked out to fit: the estimate must not be trusted a second time.
    with pytest.raises(SettingError, match=r"ran out with a batch of 16 images; .* 'batch=8' to"):
        run(tmp_path, on_progress=report)
    single = replace(TINY, batch=1, epochs=1)
    with pytest.raises(SettingError, match="with a batch of 1 images; make images or network smal"):
        run(tmp_path / "one", single, on_progress=report)


def test_a_need_names_multiples_of_8() -> None:
    need = Need(fixed=100, per_image=10)
    assert [need.fitting(free) for free in (0, 120, 190, 1000)] == [0, 0, 7, 80]
    assert need.of(need.fitting(1000)) <= 1000


def test_what_a_backward_pass_waits_for_is_counted() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 5)
    )
    need = measure_need(network, (3, 8, 8))
    parameters = 3 * 4 * 9 + 4 + 256 * 5 + 5
    assert need.fixed == 3 * 4 * parameters
    # The image, and the ReLU's result, which is the linear layer's input too; a float has 4 bytes.
    assert need.per_image == int(1.6 * 4 * (3 * 64 + 4 * 64))


def test_a_loss_that_is_not_finite_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"not finite in epoch \d+, step \d+; train with a lowe"
    ):
        run(tmp_path, replace(TINY, lr=1e12, warmup=0))


@pytest.mark.parametrize("package", ["lightning", "torchmetrics", "tensorboard"])
def test_a_missing_package_is_named(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("diary", "lightning"):
        monkeypatch.delitem(sys.modules, f"anglenas._evaluation.{name}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"run: pip install 'anglenas\[train\]'") as info:
        run(tmp_path)
    assert info.value.package.split(".")[0] == package
    assert isinstance(info.value, UsageError)


def test_a_machine_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for number, settings in enumerate([
        {"workers": Workers(device="mps")}, {"machine": Machine(precision="7")},
        {"machine": Machine(strategy="magic")},
    ]):  # fmt: skip
        with pytest.raises(SettingError, match="Lightning cannot train on such a machine"):
            run(tmp_path / str(number), **settings)


def test_a_training_takes_no_scheduler_and_no_time_limit(tmp_path: Path) -> None:
    for workers in (Workers(scheduler="tls://10.0.0.1:8786"), Workers(time_limit=5)):
        with pytest.raises(SettingError, match="runs here, as long as it takes"):
            run(tmp_path, workers=workers)


# What is the caller's.


def test_global_state_is_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    level = logging.getLogger("lightning.pytorch").level
    threads = torch.get_num_threads()
    with pytest.raises(Killed):
        run(tmp_path, on_progress=killing(1, 1))
    run(tmp_path)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.random.get_state()[1].tolist() == before[2]  # noqa: NPY002
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert logging.getLogger("lightning.pytorch").level == level
    assert torch.get_num_threads() == threads


def test_ctrl_c_stays_what_it_is(undisturbed: Trained, tmp_path: Path) -> None:
    def report(progress: TrainingProgress) -> None:
        if (progress.epoch, progress.step) == (1, 2):
            os.kill(os.getpid(), signal.SIGINT)

    # Programs that a shell starts in the background ignore Ctrl-C from the start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, on_progress=report)
    finally:
        signal.signal(signal.SIGINT, before)
    run(tmp_path)
    assert same(weights_of(tmp_path), weights_of(undisturbed.folder))


def test_the_callers_gradient_mode_does_not_matter(undisturbed: Trained, tmp_path: Path) -> None:
    with torch.no_grad():
        run(tmp_path)
    assert same(weights_of(tmp_path), weights_of(undisturbed.folder))


def test_settings_are_kept_for_people(undisturbed: Trained) -> None:
    kept = json.loads((undisturbed.folder / "training.json").read_text())
    assert kept["settings"]["subject"]["architecture"] == CELL
    assert kept["settings"]["data"]["class_names"] == ["0", "1", "2"]
    assert kept["settings"]["recipe"]["warmup"] == 1
    assert kept["numerics"].startswith("torch ")
    assert derive(1, "weights") != derive(2, "weights")
