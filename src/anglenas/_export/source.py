"""A network as one file of Python that needs nothing but PyTorch."""

import textwrap
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from anglenas._evaluation.network import Weights
from anglenas._plugins import load
from anglenas._templates import render_source
from anglenas.errors import SettingError
from anglenas.spaces import NetworkConfig, Space

_WIDTH = 96


def source_writer(weights: Weights) -> Callable[[Any, NetworkConfig], str]:
    """What writes the network's source in its space.

    Raises:
        SettingError: The space writes none.
    """
    space: Space[Any] = load("space", weights.subject.space)
    if space.source is None:
        raise SettingError(
            f"The space {weights.subject.space!r} does not write its networks as Python; leave the "
            "format 'python' out."
        )
    return space.source


def network_source(weights: Weights) -> str:
    """Python source that builds the network and loads its weights; it imports only torch and json.

    Args:
        weights: Of the network, which say what its classes and its normalisation are.

    Raises:
        SettingError: The space does not write source.
    """
    subject, write = weights.subject, source_writer(weights)
    architecture = load("space", subject.space).parse(subject.architecture)
    text = str(architecture).replace("\\", "\\\\").replace('"', "'")  # it stands in a docstring
    lines = textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return render_source(
        "anglenas._export",
        "module.py.jinja",
        body=write(architecture, subject.config).rstrip(),
        architecture=textwrap.indent("\n".join(lines), "    "),
        space=subject.space,
        config=subject.config,
        classes=weights.class_names,
        mean=weights.mean,
        std=weights.std,
        params=sum(parameter.numel() for parameter in weights.network().parameters()),
        version=version("anglenas"),
    )
