"""Training by Lightning: steps, optimiser, batches and the run. Needs the extra ``train``."""

import copy
import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorboard  # noqa: F401 - TensorBoardLogger needs it, and tells too late
import torch
import torch.nn.functional as F
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.warnings import PossibleUserWarning
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassConfusionMatrix

from anglenas._blocks.memory_format import memory_format_of
from anglenas._evaluation.heads import logits_and_auxiliary, set_drop_path
from anglenas._evaluation.images import (
    Batch,
    EpochSampler,
    HeldOutSet,
    Images,
    PartSampler,
    TrainingSet,
)
from anglenas._evaluation.memory import (
    available_bytes,
    is_out_of_memory,
    measure_need,
    ran_out,
    too_little,
)
from anglenas._evaluation.recipe import Machine, TrainingRecipe, drop_path_rate, learning_rate
from anglenas._measuring.workers import Workers, check_device
from anglenas._numerics import derive
from anglenas.errors import SettingError, TrainingError

_TOP = 5


class Training(LightningModule):
    """A network in training. What is random in a step comes from seed, epoch and step alone.

    Args:
        network: The network.
        recipe: How it is trained.
        seed: Where all randomness comes from.
        classes: How many classes there are.
    """

    def __init__(self, network: nn.Module, recipe: TrainingRecipe, seed: int, classes: int) -> None:
        super().__init__()
        self.network, self.recipe, self.seed = network, recipe, seed
        self.train_loss, self.train_accuracy = MeanMetric(), MeanMetric()
        self.valid_loss, self.valid_top5 = MeanMetric(), MeanMetric()
        self.confusion = MulticlassConfusionMatrix(classes)
        self.memory_format = memory_format_of(network)
        network.to(memory_format=self.memory_format)  # type: ignore[call-overload]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """SGD; the learning rate is set at the start of each epoch."""
        return torch.optim.SGD(
            self.network.parameters(),
            lr=self.recipe.lr,
            momentum=self.recipe.momentum,
            nesterov=self.recipe.nesterov,
            weight_decay=self.recipe.weight_decay,
        )

    def on_train_epoch_start(self) -> None:
        """Learning rate and drop path of the epoch; metrics start anew."""
        optimizer: Any = self.optimizers()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, self.current_epoch)
        set_drop_path(self.network, drop_path_rate(self.recipe, self.current_epoch))
        for metric in (self.train_loss, self.train_accuracy, self.valid_loss, self.valid_top5,
                       self.confusion):  # fmt: skip
            metric.reset()

    def training_step(self, batch: Batch, step: int) -> torch.Tensor:
        """The loss of a batch, with that of the auxiliary head.

        Raises:
            TrainingError: It is not finite.
        """
        # For the network's own random numbers: dropped paths.
        torch.manual_seed(derive(self.seed, "network", self.current_epoch, step, self.global_rank))
        images, labels = batch
        logits, auxiliary = logits_and_auxiliary(self.network, self._in_format(images))
        loss = self._loss(logits, labels)
        if auxiliary is not None:
            loss = loss + self.recipe.auxiliary * self._loss(auxiliary, labels)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"The loss is not finite in epoch {self.current_epoch + 1}, step {step + 1}; train "
                f"with a lower rate, such as lr={self.recipe.lr / 4:g}."
            )
        self.train_loss.update(loss.detach(), len(labels))
        self.train_accuracy.update(logits.detach().argmax(1) == labels)
        return loss

    def validation_step(self, batch: Batch, step: int) -> None:
        """Loss and predictions of a batch that is held out."""
        images, labels = batch
        logits = self.network(self._in_format(images))
        self.valid_loss.update(F.cross_entropy(logits, labels), len(labels))
        self.confusion.update(logits.argmax(1), labels)
        likeliest = logits.topk(min(_TOP, logits.shape[1])).indices
        self.valid_top5.update((likeliest == labels[:, None]).any(1))

    def _in_format(self, images: torch.Tensor) -> torch.Tensor:
        return images.contiguous(memory_format=self.memory_format)

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)


class Batches(LightningDataModule):
    """The batches of a training, dealt out to all of its processes.

    Args:
        train: The images to train on.
        held_out: The images to validate with.
        recipe: How batches are made.
        seed: Where all randomness comes from.
        loaders: Processes that read images which are not in memory; 0 for none.
    """

    def __init__(
        self, train: Images, held_out: Images, recipe: TrainingRecipe, seed: int, loaders: int
    ) -> None:
        super().__init__()
        self.train, self.held_out, self.recipe, self.seed = train, held_out, recipe, seed
        self.loaders = loaders

    def train_dataloader(self) -> DataLoader[Batch]:
        """Augmented batches in the order of the epoch."""
        trainer: Any = self.trainer  # Lightning may have none, as far as its types tell
        rank, world = trainer.global_rank, trainer.world_size
        sampler = EpochSampler(len(self.train.labels), self.recipe.batch, self.seed, rank, world)
        return self._loader(
            TrainingSet(self.train, self.recipe, self.seed, rank),
            sampler,
            # Images in memory are cut faster than processes hand them over; colours are not.
            alone=self.train.kept is not None and not any(self.recipe.jitter),
        )

    def val_dataloader(self) -> DataLoader[Batch]:
        """All images that are held out."""
        trainer: Any = self.trainer
        rank, world = trainer.global_rank, trainer.world_size
        sampler = PartSampler(len(self.held_out.labels), self.recipe.batch, rank, world)
        images = HeldOutSet(self.held_out, self.recipe.side, self.train.mean, self.train.std)
        return self._loader(images, sampler, alone=self.held_out.kept is not None)

    def _loader(
        self, images: Dataset[Batch], sampler: Sampler[Any], *, alone: bool
    ) -> DataLoader[Batch]:
        workers = 0 if alone else self.loaders
        return DataLoader(
            images,
            batch_size=None,  # the sampler names whole batches
            sampler=sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator().manual_seed(self.seed % 2**63),
        )


def fit(
    network: nn.Module,
    recipe: TrainingRecipe,
    seed: int,
    images: tuple[Images, Images],
    folder: Path,
    diary: Callback,
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
        folder: Where TensorBoard's files go.
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
    with _contained(), torch.random.fork_rng(cuda):
        trainer = _trainer(module, images[0].shape, folder, diary, workers.device, machine)
        with _enough_memory(module, images[0], trainer):
            try:
                trainer.fit(module, batches, ckpt_path=checkpoint, weights_only=True)
            except SystemExit:
                if trainer.interrupted:  # which Lightning makes of Ctrl-C
                    raise KeyboardInterrupt from None
                raise


def _trainer(
    module: Training,
    shape: tuple[int, int, int],
    folder: Path,
    diary: Callback,
    device: str,
    machine: Machine,
) -> Trainer:
    kind, number = check_device(device)
    strategy, several = machine.strategy, machine.devices * machine.nodes > 1
    # Several processes wait for each other's gradients, and forever for those of a dead edge; but
    # to search for these in every step takes time, so it is asked for where there are some.
    if strategy == "auto" and several and _has_dead_parts(module.network, shape):
        strategy = "ddp_find_unused_parameters_true"
    try:
        return Trainer(
            max_epochs=module.recipe.epochs,
            gradient_clip_val=module.recipe.clip or None,
            logger=TensorBoardLogger(folder, name="", version="tensorboard"),
            callbacks=[diary],
            default_root_dir=folder,
            accelerator=kind,
            devices=machine.devices if number is None else [number],
            num_nodes=machine.nodes,
            strategy=strategy,
            precision=machine.precision,  # type: ignore[arg-type]
            enable_checkpointing=False,  # the diary's are written whole, and are fewer
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # ours deal out by epoch and step, so that it can resume
        )
    except (MisconfigurationException, ImportError, ValueError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0]
        raise SettingError(f"Lightning cannot train on such a machine: {first}") from error


def _has_dead_parts(network: nn.Module, shape: tuple[int, int, int]) -> bool:
    """Whether the loss does not depend on all parameters, as with dead edges of a cell."""
    twin = copy.deepcopy(network).to("meta").train()
    logits, auxiliary = logits_and_auxiliary(twin, torch.zeros(2, *shape, device="meta"))
    outputs = [logits] if auxiliary is None else [logits, auxiliary]
    torch.autograd.backward(outputs, [torch.ones_like(output) for output in outputs])
    return any(parameter.grad is None for parameter in twin.parameters())


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
def _contained() -> Iterator[None]:
    """Lightning's hints are not shown, and what it changes in the whole process is put back."""
    loggers = [logging.getLogger(f"lightning.{part}") for part in ("pytorch", "fabric")]
    levels = [logger.level for logger in loggers]
    on_interrupt = signal.getsignal(signal.SIGINT)  # after Ctrl-C, Lightning leaves none
    try:
        for logger in loggers:  # its hints are for those who write trainings
            logger.setLevel(logging.WARNING)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=PossibleUserWarning)
            warnings.filterwarnings("ignore", ".*LeafSpec.*")  # Lightning 2.6 with torch 2.13
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if threading.current_thread() is threading.main_thread():  # no other may set handlers
            signal.signal(signal.SIGINT, on_interrupt)
