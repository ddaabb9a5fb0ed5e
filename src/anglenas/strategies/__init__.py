"""Search strategies: functions of the history that propose candidates."""

from anglenas.strategies._base import Request, Strategy, Trial, distinct, first_new

__all__ = ["Request", "Strategy", "Trial", "distinct", "first_new"]
