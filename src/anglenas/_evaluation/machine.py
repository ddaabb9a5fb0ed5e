"""How several devices share a training."""

from dataclasses import dataclass

__all__ = ["Machine"]


@dataclass(frozen=True)
class Machine:
    """Devices and number format of a training, in the words of Lightning's ``Trainer``.

    Attributes:
        devices: How many devices of each node.
        nodes: How many nodes.
        strategy: How several devices share the work: ``"ddp"``, ... or ``"auto"``.
        precision: ``"32"``, ``"bf16-mixed"``, ``"16-mixed"``, ...
    """

    devices: int = 1
    nodes: int = 1
    strategy: str = "auto"
    precision: str = "32"
