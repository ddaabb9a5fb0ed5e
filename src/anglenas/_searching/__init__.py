"""Searching: from images to a ranked list of architectures."""

from anglenas._searching.result import Found
from anglenas._searching.run import search

__all__ = ["Found", "search"]
