"""Export: found networks taken away as files that need no anglenas."""

from anglenas.export._export import FORMATS, Exported, export_network
from anglenas.export._source import network_source

__all__ = ["FORMATS", "Exported", "export_network", "network_source"]
