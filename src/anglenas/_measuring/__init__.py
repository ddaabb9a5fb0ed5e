"""Scores: what is measured, where it is kept, and who computes it."""

from anglenas._measuring.computing import compute
from anglenas._measuring.devices import device_count
from anglenas._measuring.executors import Executor, HereFirst, InProcess
from anglenas._measuring.plan import Measured, draw_repeats
from anglenas._measuring.scorer import Scorer
from anglenas._measuring.scores import score, score_architectures, score_many
from anglenas._measuring.setup import choose_recipe
from anglenas._measuring.store import ContextInfo, Store, StoreInfo
from anglenas._measuring.task import Context, Outcome, Task, plain
from anglenas._measuring.workers import DaskWorkers

__all__ = [
    "Context",
    "ContextInfo",
    "DaskWorkers",
    "Executor",
    "HereFirst",
    "InProcess",
    "Measured",
    "Outcome",
    "Scorer",
    "Store",
    "StoreInfo",
    "Task",
    "choose_recipe",
    "compute",
    "device_count",
    "draw_repeats",
    "plain",
    "score",
    "score_architectures",
    "score_many",
]
