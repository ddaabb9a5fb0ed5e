"""Export: found networks taken away as files that need no anglenas."""

from anglenas._export.files import FORMATS, Exported, export_network
from anglenas._export.source import network_source

__all__ = ["FORMATS", "Exported", "export_network", "network_source"]
