"""The last checkpoints of a training: written whole, checked before they are used."""

import re
import zipfile
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch

from anglenas.errors import TrainingError

__all__ = ["checkpoint_path", "drop_old", "newest", "read_checkpoint"]

_NAME = re.compile(r"epoch-(\d+)\.ckpt")
_KEPT = 2  # the last one, and the one before in case it is broken


def checkpoint_path(folder: Path, epoch: int) -> Path:
    """Where the checkpoint after an epoch is."""
    return folder / f"epoch-{epoch:04d}.ckpt"


def _all(folder: Path) -> list[Path]:
    """All checkpoints of a folder, the newest first."""
    numbered = [(int(match[1]), path) for path in folder.glob("*.ckpt")
                if (match := _NAME.fullmatch(path.name))]  # fmt: skip
    return [path for _, path in sorted(numbered, reverse=True)]


def drop_old(folder: Path) -> None:
    """Delete all but the last two checkpoints."""
    for path in _all(folder)[_KEPT:]:
        path.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint holds: tensors and plain values, for nothing else is unpickled.

    Raises:
        TrainingError: A bit of it is not as it was written, or it holds anything else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
        if broken is None:
            content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            _ = content["callbacks"]["Diary"]["history"]  # or it is none of ours
            return content
    except Exception as error:  # a broken file can make the decoders raise nearly anything
        first = (str(error).strip().splitlines() or [""])[0]
        raise TrainingError(f"The checkpoint {str(path)!r} is broken ({first}).") from error
    raise TrainingError(f"The checkpoint {str(path)!r} is broken (in {broken}).")


def newest(folder: Path) -> tuple[Path | None, tuple[str, ...]]:
    """The newest checkpoint that can be read, and a sentence on each newer one that cannot."""
    notices: list[str] = []
    paths = _all(folder)
    for path, before in zip_longest(paths, paths[1:]):
        try:
            read_checkpoint(path)
        except TrainingError as error:
            way = "goes on from the one before it" if before else "starts anew"
            notices.append(f"{error} The training {way}.")
        else:
            return path, tuple(notices)
    return None, tuple(notices)
