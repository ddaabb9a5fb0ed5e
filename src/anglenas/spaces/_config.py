"""How large a network is built from an architecture."""

from dataclasses import dataclass
from typing import Annotated

from anglenas._settings import Settings, at_least

Size = Annotated[int, at_least(1)]


@dataclass(frozen=True)
class NetworkConfig(Settings, called="network"):
    """The settings of a network that its architecture leaves open.

    Attributes:
        num_classes: Outputs of the classifier.
        channels: Width of the first stage; it doubles with each reduction.
        cells: Cells per stage.
        in_channels: Channels of the images.
        side: Side of the images in pixels; networks take any, but their operations grow with it.

    Raises:
        SettingError: One of them is no whole number of at least 1.
    """

    num_classes: Size = 10
    channels: Size = 16
    cells: Size = 5
    in_channels: Size = 3
    side: Size = 32
