"""A network as one file of Python that needs nothing but PyTorch."""

import importlib
import textwrap
from importlib.metadata import version
from typing import Any

from anglenas._evaluation import Weights
from anglenas._export.render import render
from anglenas._plugins import load
from anglenas.errors import SettingError

__all__ = ["network_source", "writes_source"]

_WIDTH = 96


def writes_source(space: str) -> bool:
    """Whether a space can write its networks as source."""
    return hasattr(load("space", space), "writer")


def network_source(weights: Weights) -> str:
    """Python source that builds the network and loads its weights; it imports only torch and json.

    Args:
        weights: Of the network, which say what its classes and its normalisation are.

    Raises:
        SettingError: The space does not write source.
    """
    subject = weights.subject
    if not writes_source(subject.space):
        raise SettingError(
            f"The space {subject.space!r} has no 'writer' that writes its networks as Python; "
            "leave this format out."
        )
    space: Any = load("space", subject.space)
    module, _, function = space.writer.partition(":")
    write = getattr(importlib.import_module(module), function)
    architecture = space.parse(subject.architecture)
    return render(
        "module",
        body=write(space, architecture, subject.config).rstrip(),
        architecture=_wrapped(str(architecture)),
        space=subject.space,
        config=subject.config,
        classes=weights.class_names,
        mean=weights.mean,
        std=weights.std,
        params=_count(weights),
        version=version("anglenas"),
    )


def _wrapped(text: str) -> str:
    """Lines of a docstring."""
    text = text.replace("\\", "\\\\").replace('"', "'")
    lines = textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return textwrap.indent("\n".join(lines), "    ")


def _count(weights: Weights) -> int:
    network = weights.network()
    return sum(parameter.numel() for parameter in network.parameters())
