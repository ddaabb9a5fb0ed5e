"""Searching: from images to a ranked list of architectures."""

from anglenas._searching.result import Candidate, Found, counted
from anglenas._searching.run import Progress, search

__all__ = ["Candidate", "Found", "Progress", "counted", "search"]
