"""Studies of metrics: how well they order networks whose accuracies are known."""

from anglenas.study._table import Table, read_table

__all__ = ["Table", "read_table"]
