"""A training as Lightning sees it: steps, optimiser, batches. Needs the extra ``train``."""

from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningDataModule, LightningModule
from torch import nn
from torch.utils.data import DataLoader
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
from anglenas._evaluation.recipe import TrainingRecipe, drop_path_rate, learning_rate
from anglenas._numerics import derive
from anglenas.errors import TrainingError

__all__ = ["Batches", "Training"]

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
        rank, world = self._place()
        sampler = EpochSampler(len(self.train.labels), self.recipe.batch, self.seed, rank, world)
        return self._loader(
            TrainingSet(self.train, self.recipe, self.seed, rank),
            sampler,
            alone=self.train.kept is not None and not any(self.recipe.jitter),
        )

    def val_dataloader(self) -> DataLoader[Batch]:
        """All images that are held out."""
        sampler = PartSampler(len(self.held_out.labels), self.recipe.batch, *self._place())
        images = HeldOutSet(self.held_out, self.recipe.side, self.train.mean, self.train.std)
        return self._loader(images, sampler, alone=self.held_out.kept is not None)

    def _place(self) -> tuple[int, int]:
        """Which of how many processes this is."""
        trainer: Any = self.trainer
        return trainer.global_rank, trainer.world_size

    def _loader(self, images: Any, sampler: Any, *, alone: bool) -> DataLoader[Batch]:
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
