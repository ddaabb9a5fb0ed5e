"""A network as one file of Python that needs nothing but PyTorch."""

import textwrap
from importlib.metadata import version
from typing import Any

from anglenas._evaluation.network import Weights
from anglenas._plugins import load
from anglenas._templates import render_source
from anglenas.errors import SettingError
from anglenas.spaces import Space

__all__ = ["network_source"]

_WIDTH = 96


def network_source(weights: Weights) -> str:
    """Python source that builds the network and loads its weights; it imports only torch and json.

    Args:
        weights: Of the network, which say what its classes and its normalisation are.

    Raises:
        SettingError: The space does not write source.
    """
    subject = weights.subject
    space: Space[Any] = load("space", subject.space)
    if space.source is None:
        raise SettingError(
            f"The space {subject.space!r} does not write its networks as Python; leave the format "
            "'python' out."
        )
    architecture = space.parse(subject.architecture)
    return render_source(
        "anglenas._export",
        "module.py.jinja",
        body=space.source(architecture, subject.config).rstrip(),
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
