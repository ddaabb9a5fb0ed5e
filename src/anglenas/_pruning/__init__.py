"""Pruning: from a supernet to one architecture, an operation after the other."""

from anglenas._pruning.result import Pruned, Removal, Round
from anglenas._pruning.run import prune

__all__ = ["Pruned", "Removal", "Round", "prune"]
