"""How large a network is built from an architecture."""

from dataclasses import dataclass

from anglenas.errors import SettingError

__all__ = ["NetworkConfig"]


@dataclass(frozen=True)
class NetworkConfig:
    """The settings of a network that its architecture leaves open.

    Attributes:
        num_classes: Outputs of the classifier.
        channels: Width of the first stage; it doubles with each reduction.
        cells: Cells per stage.
        in_channels: Channels of the images.
        side: Side of the images in pixels; networks take any, but their operations grow with it.

    Raises:
        SettingError: One of them is below 1.
    """

    num_classes: int = 10
    channels: int = 16
    cells: int = 5
    in_channels: int = 3
    side: int = 32

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise SettingError(f"A network needs {name} of at least 1, not {value}.")
