"""Where a training runs."""

from dataclasses import dataclass

__all__ = ["Machine"]


@dataclass(frozen=True)
class Machine:
    """Devices and number formats of a training, in the words of Lightning's ``Trainer``.

    Attributes:
        accelerator: ``"cpu"``, ``"gpu"``, ... or ``"auto"``.
        devices: How many devices of each node.
        nodes: How many nodes.
        strategy: How several devices share the work: ``"ddp"``, ... or ``"auto"``.
        precision: ``"32"``, ``"bf16-mixed"``, ``"16-mixed"``, ...
        loaders: Processes that read images which are not in memory; by default one a core.
    """

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    strategy: str = "auto"
    precision: str = "32"
    loaders: int | None = None
