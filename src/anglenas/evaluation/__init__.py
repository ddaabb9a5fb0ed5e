"""Evaluation: found networks trained from scratch. Training needs the extra ``train``."""

from anglenas.evaluation._history import Confusion, Epoch, TrainingProgress
from anglenas.evaluation._machine import Machine
from anglenas.evaluation._recipe import TRAINING_PRESETS, TrainingRecipe, read_training_recipe
from anglenas.evaluation._runs import Ranked, Run, read_run
from anglenas.evaluation._schedule import drop_path_rate, learning_rate
from anglenas.evaluation._subject import Subject
from anglenas.evaluation._train import train
from anglenas.evaluation._trained import Trained
from anglenas.evaluation._verify import Agreement, Checked, Place, Verification, verify
from anglenas.evaluation._weights import Weights, read_weights

__all__ = [
    "TRAINING_PRESETS",
    "Agreement",
    "Checked",
    "Confusion",
    "Epoch",
    "Machine",
    "Place",
    "Ranked",
    "Run",
    "Subject",
    "Trained",
    "TrainingProgress",
    "TrainingRecipe",
    "Verification",
    "Weights",
    "drop_path_rate",
    "learning_rate",
    "read_run",
    "read_training_recipe",
    "read_weights",
    "train",
    "verify",
]
