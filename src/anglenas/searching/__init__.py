"""Searching: from images to a ranked list of architectures."""

from anglenas.searching._plan import Measured, draw_repeats
from anglenas.searching._result import Candidate, Found, counted
from anglenas.searching._score import score, score_architectures, score_many
from anglenas.searching._search import Progress, search
from anglenas.searching._setup import choose_recipe

__all__ = [
    "Candidate",
    "Found",
    "Measured",
    "Progress",
    "choose_recipe",
    "counted",
    "draw_repeats",
    "score",
    "score_architectures",
    "score_many",
    "search",
]
