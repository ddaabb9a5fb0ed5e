"""Where a network's logits and its classifier are, for modules of any make."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from anglenas.errors import NetworkError


def find_classifier(network: nn.Module, images: torch.Tensor, name: str | None = None) -> str:
    """Name of the prediction layer: the one given, or the last linear layer that a pass runs.

    Args:
        network: Any module; it is run once, without gradients.
        images: ``(N, C, H, W)`` input.
        name: The module's name, for networks in which the last linear layer is another.

    Raises:
        NetworkError: There is no linear layer, or none of that name.
    """
    linear = {
        module: label for label, module in network.named_modules() if isinstance(module, nn.Linear)
    }
    if name is not None:
        if name not in linear.values():
            raise NetworkError(
                f"The network has no linear layer {name!r}; it has "
                f"{', '.join(linear.values()) or 'none at all'}."
            )
        return name
    order: list[str] = []
    hooks = [
        module.register_forward_hook(lambda *_, label=label: order.append(label))
        for module, label in linear.items()
    ]
    try:
        with torch.no_grad():
            network(images)
    finally:
        for hook in hooks:
            hook.remove()
    if not order:
        raise NetworkError(
            "No linear layer runs in the network's forward pass; name its prediction layer with "
            "classifier='...', or give it one."
        )
    return order[-1]


def logits_of(output: Any, classes: int, width: int | None = None) -> torch.Tensor:
    """The logits ``(N, K)`` in whatever a forward pass returned.

    Args:
        output: A tensor, or a tuple, list or mapping that holds it.
        classes: How many classes the labels have; ``K`` must not be smaller.
        width: ``K``, where it is known; the first tensor of this width is taken.

    Raises:
        NetworkError: No such tensor was returned, or it has fewer columns than classes.
    """
    values = list(output.values()) if isinstance(output, Mapping) else output
    candidates = [values] if isinstance(values, torch.Tensor) else list(values)
    matrices = [v for v in candidates if isinstance(v, torch.Tensor) and v.ndim == 2]
    if not matrices:
        raise NetworkError("The network's forward pass returns no logits of shape (N, classes).")
    logits = next((m for m in matrices if m.shape[1] == width), matrices[0])
    if logits.shape[1] < classes:
        several = ", or name the layer of its logits with classifier='...'" if matrices[1:] else ""
        raise NetworkError(
            f"The network has {logits.shape[1]} outputs, but the images have {classes} classes; "
            f"build it with at least {classes}{several}."
        )
    return logits
