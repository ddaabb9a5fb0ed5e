"""What is kept of a training while it runs: history, weights, checkpoints. Needs Lightning."""

import re
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from anglenas._evaluation.heads import without_auxiliary
from anglenas._evaluation.lightning import Training
from anglenas._evaluation.network import BEST, LAST, Weights
from anglenas._evaluation.recipe import drop_path_rate
from anglenas._evaluation.result import Epoch, TrainingProgress, best_epoch, history_csv

_HISTORY = "history.csv"
_NAME = re.compile(r"epoch-(\d+)\.ckpt")
_KEPT = 2  # the last one, and the one before in case it is broken


class Diary(Callback):
    """Writes history, weights and a checkpoint after every epoch, and tells how far it is.

    Args:
        folder: Where to.
        blank: What the files of weights say of the network, with tensors that do not matter.
        settings: Everything that the weights depend on, as JSON has it; part of a checkpoint.
        on_progress: Called after every step and every epoch.
        notices: What a user should know, a sentence each.
    """

    def __init__(
        self,
        folder: Path,
        blank: Weights,
        settings: Mapping[str, Any],
        on_progress: Callable[[TrainingProgress], None],
        notices: tuple[str, ...] = (),
    ) -> None:
        self.folder, self.blank, self.settings = folder, blank, settings
        self.on_progress, self.notices = on_progress, notices
        self.history: list[Epoch] = []
        self.loss = float("nan")
        self.started = self.began = time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        """The history, and what is trained; both are part of a checkpoint."""
        return {
            "settings": dict(self.settings),
            "history": [asdict(epoch) for epoch in self.history],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """The history of a checkpoint."""
        self.history = [Epoch(**epoch) for epoch in state_dict["history"]]

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The clock of the epoch starts."""
        self.began = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Tell of a step."""
        self.loss = float(outputs["loss"])
        self._tell(trainer, batch_idx + 1)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the epoch."""
        assert isinstance(pl_module, Training)
        self.history.append(self._epoch(pl_module))
        values = asdict(self.history[-1])
        del values["number"]
        # TensorBoard groups what has a slash: train/loss, valid/loss.
        grouped = {re.sub("^(train|valid)_", r"\1/", name): v for name, v in values.items()}
        for logger in trainer.loggers:
            logger.log_metrics(grouped, step=trainer.current_epoch)
        if trainer.is_global_zero:
            self._write(pl_module)
        self._checkpoint(trainer)
        self._tell(trainer, int(trainer.num_training_batches))

    def _epoch(self, module: Training) -> Epoch:
        confusion = module.confusion.compute()
        optimizer: Any = module.optimizers()
        return Epoch(
            number=module.current_epoch,
            lr=optimizer.param_groups[0]["lr"],
            drop_path=drop_path_rate(module.recipe, module.current_epoch),
            train_loss=float(module.train_loss.compute()),
            train_accuracy=float(module.train_accuracy.compute()),
            valid_loss=float(module.valid_loss.compute()),
            valid_accuracy=int(confusion.trace()) / int(confusion.sum()),
            valid_top5=float(module.valid_top5.compute()),
            seconds=time.perf_counter() - self.began,
        )

    def _write(self, module: Training) -> None:
        last = self.history[-1]
        results = {"epoch": last.number, "accuracy": last.valid_accuracy}
        weights = replace(self.blank, tensors=without_auxiliary(module.network), results=results)
        weights.save(self.folder / LAST)
        if best_epoch(self.history) is last:
            weights.save(self.folder / BEST)
        temporary = self.folder / f".{_HISTORY}"
        temporary.write_text(history_csv(self.history))
        temporary.replace(self.folder / _HISTORY)

    def _checkpoint(self, trainer: Trainer) -> None:
        path = self.folder / f"epoch-{trainer.current_epoch:04d}.ckpt"
        temporary = path.with_suffix(".part")
        trainer.save_checkpoint(temporary)
        if trainer.is_global_zero:
            temporary.replace(path)
            for old in _checkpoints(self.folder)[_KEPT:]:
                old.unlink(missing_ok=True)
        trainer.strategy.barrier()

    def _tell(self, trainer: Trainer, step: int) -> None:
        self.on_progress(
            TrainingProgress(
                epoch=trainer.current_epoch,
                epochs=int(trainer.max_epochs or 0),
                step=step,
                steps=int(trainer.num_training_batches),
                loss=self.loss,
                seconds=time.perf_counter() - self.started,
                history=tuple(self.history),
                notices=self.notices,
            )
        )


# Checkpoints: written whole, checked before they are used.


def _checkpoints(folder: Path) -> list[Path]:
    """All checkpoints of a folder, the newest first."""
    numbered = [(int(match[1]), path) for path in folder.glob("*.ckpt")
                if (match := _NAME.fullmatch(path.name))]  # fmt: skip
    return [path for _, path in sorted(numbered, reverse=True)]


def newest(folder: Path) -> tuple[Path | None, Any, tuple[str, ...]]:
    """The newest checkpoint that can be read, and the settings of the training that wrote it.

    With a sentence on each newer one that cannot be read. Nothing is unpickled but tensors and
    plain values: the folder can be somebody else's.
    """
    notices: list[str] = []
    paths = _checkpoints(folder)
    for path, before in zip_longest(paths, paths[1:]):
        try:
            with zipfile.ZipFile(path) as archive:
                if broken := archive.testzip():  # torch itself does not notice a flipped bit
                    raise ValueError(f"in {broken}")
            content = torch.load(path, map_location="cpu", weights_only=True)
            diary = content["callbacks"]["Diary"]
            _ = diary["history"]  # or it is none of ours
            return path, diary.get("settings"), tuple(notices)
        except Exception as error:  # a broken file can make the decoders raise nearly anything
            first = (str(error).strip().splitlines() or [""])[0]
            way = "goes on from the one before it" if before else "starts anew"
            notices.append(f"The checkpoint {str(path)!r} is broken ({first}). The training {way}.")
    return None, None, tuple(notices)
