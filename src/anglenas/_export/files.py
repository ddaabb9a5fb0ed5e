"""A network taken away, in one or several formats."""

import runpy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from anglenas._evaluation.network import Weights, read_weights
from anglenas._export.formats import Run, check_onnx, write_onnx, write_program
from anglenas._export.source import network_source, source_writer
from anglenas._plugins import load
from anglenas.errors import AnglenasError, SettingError, UnknownNameError
from anglenas.spaces import Space

# Of the largest logit: other programs add up in another order.
_TOLERANCE = 1e-4
_CHECKED = 3  # images that each format is run on


@dataclass(frozen=True)
class Exported:
    """A file that a network was written to.

    Attributes:
        format: Its format.
        path: The file.
        difference: The largest difference of a logit from the network's own.
    """

    format: str
    path: Path
    difference: float


def _write_weights(weights: Weights, path: Path) -> Run:
    weights.save(path)
    return read_weights(path, weights.subject.space).network()


def _write_source(weights: Weights, path: Path) -> Run:
    path.write_text(network_source(weights))
    stored = path.with_name("weights.safetensors")
    weights.save(stored)
    # Run as a user runs it, and not by import: a module of that name may be loaded already.
    network: Run = runpy.run_path(str(path))["load"](stored)
    return network


_WRITERS: dict[str, tuple[str, Callable[[Weights, Path], Run]]] = {
    "weights": ("weights.safetensors", _write_weights),
    "python": ("network.py", _write_source),
    "onnx": ("network.onnx", write_onnx),
    "program": ("network.pt2", write_program),
}

FORMATS = tuple(_WRITERS)
"""``weights``: safetensors; ``python``: source that imports only torch; ``onnx``; ``program``:
``torch.export``."""


def export_network(
    weights: Weights, folder: str | Path, formats: Sequence[str] | None = None
) -> tuple[Exported, ...]:
    """Write a network so that it can be used without anglenas, and run each file to check it.

    Args:
        weights: The network and its weights.
        folder: Where to; made if it is missing.
        formats: Names from :data:`FORMATS`; by default all that the network's space can be written
            in: ``python`` takes a space that writes source.

    Returns:
        What was written.

    Raises:
        MissingExtraError: A package of the extra ``export`` is not installed.
        SettingError: The folder cannot be written, or the space writes no source.
        UnknownNameError: There is no such format.
        AnglenasError: A file computes something else than the network.
    """
    space: Space[Any] = load("space", weights.subject.space)
    if formats is None:
        formats = [name for name in FORMATS if name != "python" or space.source]
    for name in formats:
        if name not in FORMATS:
            raise UnknownNameError("format", name, FORMATS)
    # What cannot be written is refused before anything is.
    if "python" in formats:
        source_writer(weights)
    if "onnx" in formats:
        check_onnx()
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tuple(_export(weights, name, folder) for name in formats)
    except OSError as error:
        raise SettingError(
            f"The folder {str(folder)!r} cannot be written ({error.strerror}); choose another one."
        ) from error


def _export(weights: Weights, name: str, folder: Path) -> Exported:
    file, write = _WRITERS[name]
    run = write(weights, path := folder / file)
    config = weights.subject.config
    generator = torch.Generator().manual_seed(0)
    shape = (_CHECKED, config.in_channels, config.side, config.side)
    images = torch.randn(shape, generator=generator)
    with torch.inference_mode():
        expected = weights.network()(images)
        difference = float((run(images) - expected).abs().max())
    allowed = _TOLERANCE * max(1.0, float(expected.abs().max()))
    if not difference <= allowed:
        raise AnglenasError(
            f"{str(path)!r} computes logits that differ by {difference:.2g} from the network's "
            f"own; leave the format {name!r} out, and tell the developers of anglenas."
        )
    return Exported(name, path, difference)
