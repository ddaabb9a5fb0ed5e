"""Scores: what is measured, where it is kept, and who computes it."""

from anglenas.scoring._compute import compute
from anglenas.scoring._devices import device_count
from anglenas.scoring._executors import Executor, HereFirst, InProcess
from anglenas.scoring._scorer import Scorer
from anglenas.scoring._store import ContextInfo, Store, StoreInfo
from anglenas.scoring._task import Context, Outcome, Task, plain
from anglenas.scoring._workers import DaskWorkers

__all__ = [
    "Context",
    "ContextInfo",
    "DaskWorkers",
    "Executor",
    "HereFirst",
    "InProcess",
    "Outcome",
    "Scorer",
    "Store",
    "StoreInfo",
    "Task",
    "compute",
    "device_count",
    "plain",
]
