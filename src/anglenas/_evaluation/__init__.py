"""Evaluation: found networks trained from scratch. Training needs the extra ``train``."""

from anglenas._evaluation.history import Confusion, Epoch, TrainingProgress
from anglenas._evaluation.machine import Machine
from anglenas._evaluation.recipe import TRAINING_PRESETS, TrainingRecipe, read_training_recipe
from anglenas._evaluation.runs import Ranked, Run, read_run
from anglenas._evaluation.schedule import drop_path_rate, learning_rate
from anglenas._evaluation.subject import Subject
from anglenas._evaluation.trained import Trained
from anglenas._evaluation.training import train
from anglenas._evaluation.verification import Agreement, Checked, Place, Verification, verify
from anglenas._evaluation.weights import Weights, read_weights

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
