"""Evaluation: found networks trained from scratch. Training needs the extra ``train``."""

from anglenas._evaluation.network import Subject, Weights, fresh_weights, read_weights
from anglenas._evaluation.recipe import (
    TRAINING_PRESETS,
    Machine,
    TrainingRecipe,
    drop_path_rate,
    learning_rate,
    read_training_recipe,
)
from anglenas._evaluation.result import Confusion, Epoch, Trained, TrainingProgress
from anglenas._evaluation.training import train
from anglenas._evaluation.verification import Checked, Part, Verification, verify

__all__ = [
    "TRAINING_PRESETS",
    "Checked",
    "Confusion",
    "Epoch",
    "Machine",
    "Part",
    "Subject",
    "Trained",
    "TrainingProgress",
    "TrainingRecipe",
    "Verification",
    "Weights",
    "drop_path_rate",
    "fresh_weights",
    "learning_rate",
    "read_training_recipe",
    "read_weights",
    "train",
    "verify",
]
