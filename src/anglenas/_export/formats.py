"""A network as ONNX and as a program of ``torch.export``."""

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from anglenas._evaluation.network import Weights
from anglenas.errors import needs_extra

Run = Callable[[torch.Tensor], torch.Tensor]
"""From images ``(B, C, S, S)`` to logits ``(B, K)``."""


def write_program(weights: Weights, path: Path) -> Run:
    """Write a program of ``torch.export`` for batches of any size, which needs no Python classes.

    Args:
        weights: The network.
        path: Where to, ending in ``.pt2``.

    Returns:
        What the file computes, once it is read again.
    """
    network, images = _example(weights)
    batch = torch.export.Dim.DYNAMIC
    program = torch.export.export(network, (images,), dynamic_shapes=({0: batch},))
    torch.export.save(program, path)
    module: Run = torch.export.load(path).module()
    return module


def check_onnx() -> None:
    """Make sure that ONNX can be written.

    Raises:
        MissingExtraError: A package of the extra ``export`` is not installed.
    """
    with needs_extra("export"):
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401 - torch.onnx needs it


def write_onnx(weights: Weights, path: Path) -> Run:
    """Write ONNX for batches of any size: input ``images``, output ``logits``.

    Names of classes, mean and standard deviation are in its metadata.

    Args:
        weights: The network.
        path: Where to, ending in ``.onnx``.

    Returns:
        What the file computes, as onnxruntime runs it.

    Raises:
        MissingExtraError: A package of the extra ``export`` is not installed.
    """
    check_onnx()
    import onnx
    import onnxruntime

    network, images = _example(weights)
    with _quiet():
        program = torch.onnx.export(
            network, (images,), dynamo=True, external_data=False, verbose=False,
            input_names=["images"], output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )  # fmt: skip
    assert program is not None
    model = program.model_proto
    facts = {"class_names": weights.class_names, "mean": weights.mean, "std": weights.std}
    onnx.helper.set_model_props(model, {name: json.dumps(value) for name, value in facts.items()})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(["logits"], {"images": x.numpy()})[0])


def _example(weights: Weights) -> tuple[nn.Module, torch.Tensor]:
    """The network, and two images: a batch of one would be taken for a constant."""
    config = weights.subject.config
    return weights.network(), torch.zeros(2, config.in_channels, config.side, config.side)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hints for those who develop the exporter, and for users of torchvision, are not shown."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    try:
        logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
