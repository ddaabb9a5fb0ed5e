"""A training run by Lightning. Needs the extra ``train``."""

import copy
import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import tensorboard  # noqa: F401 - TensorBoardLogger needs it, and tells too late
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.warnings import PossibleUserWarning
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import nn

from anglenas._evaluation.diary import Diary
from anglenas._evaluation.heads import logits_and_auxiliary
from anglenas._evaluation.images import Images
from anglenas._evaluation.memory import (
    available_bytes,
    is_out_of_memory,
    measure_need,
    ran_out,
    too_little,
)
from anglenas._evaluation.module import Batches, Training
from anglenas._evaluation.recipe import Machine, TrainingRecipe
from anglenas._measuring.workers import Workers, check_device
from anglenas.errors import SettingError

__all__ = ["fit"]


def fit(
    network: nn.Module,
    recipe: TrainingRecipe,
    seed: int,
    images: tuple[Images, Images],
    diary: Diary,
    workers: Workers,
    machine: Machine,
    checkpoint: Path | None,
) -> None:
    """Train a network, from a checkpoint on if there is one; global state stays as it was.

    Args:
        network: The network, equipped for the recipe.
        recipe: How it is trained.
        seed: Where all randomness comes from.
        images: Those to train on, and those to validate with.
        diary: What is kept of the training.
        workers: Where it trains, and how many processes read images.
        machine: How several devices share the work.
        checkpoint: Where to go on.

    Raises:
        SettingError: Lightning cannot use the machine so, or the batch does not fit into memory.
        TrainingError: The loss is not finite.
    """
    module = Training(network, recipe, seed, len(images[0].source.class_names))
    workers.check_training()
    cores = len(os.sched_getaffinity(0))
    batches = Batches(*images, recipe, seed, cores if workers.count is None else workers.count)
    cuda = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with _quiet(), _own_signals(), torch.random.fork_rng(cuda):
        strategy = _strategy(machine, network, images[0].shape)
        trainer = _trainer(recipe, diary, workers.device, replace(machine, strategy=strategy))
        with _enough_memory(module, images[0], trainer):
            _fit(trainer, module, batches, checkpoint)


def _trainer(recipe: TrainingRecipe, diary: Diary, device: str, machine: Machine) -> Trainer:
    kind, number = check_device(device)
    try:
        return Trainer(
            max_epochs=recipe.epochs,
            gradient_clip_val=recipe.clip or None,
            logger=TensorBoardLogger(diary.folder, name="", version="tensorboard"),
            callbacks=[diary],
            default_root_dir=diary.folder,
            accelerator=kind,
            devices=machine.devices if number is None else [number],
            num_nodes=machine.nodes,
            strategy=machine.strategy,
            precision=machine.precision,  # type: ignore[arg-type]
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
    except (MisconfigurationException, ImportError, ValueError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0]
        raise SettingError(f"Lightning cannot train on such a machine: {first}") from error


def _strategy(machine: Machine, network: nn.Module, shape: tuple[int, int, int]) -> str:
    """Several processes have to know whether parameters without gradients are to be expected."""
    several = machine.devices * machine.nodes > 1
    if machine.strategy == "auto" and several and _has_dead_parts(network, shape):
        return "ddp_find_unused_parameters_true"
    return machine.strategy


def _has_dead_parts(network: nn.Module, shape: tuple[int, int, int]) -> bool:
    """Whether the loss does not depend on all parameters, as with dead edges of a cell."""
    twin = copy.deepcopy(network).to("meta").train()
    logits, auxiliary = logits_and_auxiliary(twin, torch.zeros(2, *shape, device="meta"))
    outputs = [logits] if auxiliary is None else [logits, auxiliary]
    torch.autograd.backward(outputs, [torch.ones_like(one) for one in outputs])
    return any(parameter.grad is None for parameter in twin.parameters())


def _fit(trainer: Trainer, module: Training, batches: Batches, checkpoint: Path | None) -> None:
    try:
        trainer.fit(module, batches, ckpt_path=checkpoint, weights_only=True)
    except SystemExit:
        if trainer.interrupted:  # which Lightning makes of Ctrl-C
            raise KeyboardInterrupt from None
        raise


@contextmanager
def _enough_memory(module: Training, images: Images, trainer: Trainer) -> Iterator[None]:
    """Refuses a batch that does not fit, before the training or when memory runs out in it."""
    need = measure_need(module.network, images.shape)
    batch = -(-module.recipe.batch // trainer.world_size)
    available = available_bytes(trainer.strategy.root_device)
    if need.of(batch) > available:
        raise too_little(need, batch, available)
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            raise ran_out(module.recipe.batch) from error
        raise


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning's hints, which are for those who write trainings, are not shown."""
    loggers = [logging.getLogger(f"lightning.{part}") for part in ("pytorch", "fabric")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=PossibleUserWarning)
            warnings.filterwarnings("ignore", ".*LeafSpec.*")  # Lightning 2.6 with torch 2.13
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextmanager
def _own_signals() -> Iterator[None]:
    """After Ctrl-C, Lightning leaves it without effect."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
