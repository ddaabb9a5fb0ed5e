"""The weights that TE-NAS draws, and those that its released code ends up with.

``ntk`` and ``regions`` draw weights by their fan-in, as every probe here does. TE-NAS (Chen, Gong &
Wang, ICLR 2021, arXiv 2102.11535; VITA-Group/TENAS) means to draw those of the NTK by their fan-out
and those of the regions by their fan-in, anew for each repeat: that is
``anglenas.probes._tenas:NTK+regions``.

Its launch script passes a name of the initialisation that its own function does not know, so that
nothing happens, and networks keep the weights that PyTorch gives to new modules: that is
``anglenas.probes._tenas:NTK_AS_RELEASED+anglenas.probes._tenas:REGIONS_AS_RELEASED``. (There, the
repeats of the NTK then share their weights and differ in images alone; here they never do.)
"""

from anglenas.probes._initialise import fan_out_normal, torch_uniform
from anglenas.probes._ntk import NtkProbe
from anglenas.probes._regions import Regions

__all__ = ["NTK", "NTK_AS_RELEASED", "REGIONS_AS_RELEASED"]

NTK = NtkProbe(
    "anglenas.probes._tenas:NTK",
    remark=", with weights drawn by their fan-out",
    draw=fan_out_normal,
)
"""The NTK as TE-NAS means it."""

NTK_AS_RELEASED = NtkProbe(
    "anglenas.probes._tenas:NTK_AS_RELEASED",
    remark=", with the weights that PyTorch gives to new modules",
    draw=torch_uniform,
)
"""The NTK as TE-NAS's released code has it."""

REGIONS_AS_RELEASED = Regions(name="anglenas.probes._tenas:REGIONS_AS_RELEASED", draw=torch_uniform)
"""The number of linear regions as TE-NAS's released code has it."""
