"""Training recipes: every published number, epoch by epoch."""

import math
from importlib.metadata import EntryPoint

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anglenas import _plugins as plugins
from anglenas._evaluation.network import Subject
from anglenas._evaluation.recipe import (
    TRAINING_PRESETS,
    TrainingRecipe,
    drop_path_rate,
    learning_rate,
    read_training_recipe,
)
from anglenas._plugins import load
from anglenas.errors import SettingError, UnknownNameError
from anglenas.spaces import NetworkConfig

# quark0/darts, chenwydj/DARTS_evaluation and D-X-Y/AutoDL-Projects, read there.
PUBLISHED = {
    "nasbench201": {
        "epochs": 200, "batch": 256, "lr": 0.1, "momentum": 0.9, "nesterov": True,
        "weight_decay": 5e-4, "auxiliary": 0, "cutout": 0, "drop_path": 0, "label_smoothing": 0,
        "clip": 0, "warmup": 0, "schedule": "cosine", "crop": "padded", "side": 32,
    },
    "darts-cifar10": {
        "epochs": 600, "batch": 96, "lr": 0.025, "momentum": 0.9, "nesterov": False,
        "weight_decay": 3e-4, "auxiliary": 0.4, "cutout": 16, "drop_path": 0.2,
        "label_smoothing": 0, "clip": 5, "warmup": 0, "schedule": "cosine", "crop": "padded",
        "side": 32,
    },
    "tenas-cifar10": {
        "epochs": 600, "batch": 96, "lr": 0.025, "momentum": 0.9, "nesterov": False,
        "weight_decay": 3e-4, "auxiliary": 0.4, "cutout": 16, "drop_path": 0.3,
        "label_smoothing": 0, "clip": 5, "warmup": 0, "schedule": "cosine", "crop": "padded",
        "side": 32,
    },
    "darts-imagenet": {
        "epochs": 250, "batch": 128, "lr": 0.1, "momentum": 0.9, "nesterov": False,
        "weight_decay": 3e-5, "auxiliary": 0.4, "cutout": 0, "drop_path": 0,
        "label_smoothing": 0.1, "clip": 5, "warmup": 0, "schedule": "exponential", "decay": 0.97,
        "crop": "resized", "side": 224, "margin": 32, "jitter": (0.4, 0.4, 0.4, 0.2),
    },
    "tenas-imagenet": {
        "epochs": 250, "batch": 768, "lr": 0.5, "momentum": 0.9, "nesterov": False,
        "weight_decay": 3e-5, "auxiliary": 0, "cutout": 0, "drop_path": 0, "label_smoothing": 0.1,
        "clip": 5, "warmup": 5, "schedule": "cosine", "crop": "resized", "side": 224, "margin": 32,
        "jitter": (0.4, 0.4, 0.4, 0.2),
    },
}  # fmt: skip
CELLS = {"darts-cifar10": 20, "tenas-cifar10": 20, "darts-imagenet": 14, "tenas-imagenet": 14}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_number(name: str) -> None:
    recipe = TRAINING_PRESETS[name]
    assert {key: getattr(recipe, key) for key in PUBLISHED[name]} == PUBLISHED[name]


@pytest.mark.parametrize("name", CELLS)
def test_networks_have_the_published_depth_and_width(name: str) -> None:
    recipe = TRAINING_PRESETS[name]
    cell = "[" + ", ".join(["('skip_connect', 0), ('skip_connect', 1)"] * 4) + "]"
    text = (
        f"Genotype(normal={cell}, normal_concat=range(2, 6), reduce={cell}, "
        "reduce_concat=range(2, 6))"
    )
    config = NetworkConfig(channels=recipe.channels, cells=recipe.cells, side=recipe.side)
    with torch.device("meta"):
        network = load("space", recipe.space).build(text, config)
    assert len(network.get_submodule("cells")) == CELLS[name]  # type: ignore[arg-type]
    assert recipe.channels == (48 if "imagenet" in name else 36)


def test_cosine_rates_are_those_of_pytorch() -> None:
    for name in ("nasbench201", "darts-cifar10", "tenas-cifar10"):
        recipe = TRAINING_PRESETS[name]
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=recipe.lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs)
        for epoch in range(recipe.epochs):
            expected = optimizer.param_groups[0]["lr"]
            assert learning_rate(recipe, epoch) == pytest.approx(expected, rel=1e-9, abs=1e-12)
            optimizer.step()
            schedule.step()


RATES = {
    "nasbench201": lambda e: 0.05 * (1 + math.cos(math.pi * e / 200)),
    "darts-cifar10": lambda e: 0.0125 * (1 + math.cos(math.pi * e / 600)),
    "tenas-cifar10": lambda e: 0.0125 * (1 + math.cos(math.pi * e / 600)),
    "darts-imagenet": lambda e: 0.1 * 0.97**e,
    "tenas-imagenet": lambda e: (
        0.5 * (e + 1) / 5 if e < 5 else 0.25 * (1 + math.cos(math.pi * e / 250))
    ),
}
DROP_PATHS = {"darts-cifar10": 0.2, "tenas-cifar10": 0.3}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_epoch_of_every_published_recipe(name: str) -> None:
    recipe = TRAINING_PRESETS[name]
    for epoch in range(recipe.epochs):
        assert learning_rate(recipe, epoch) == pytest.approx(RATES[name](epoch), rel=1e-12)
        dropped = DROP_PATHS.get(name, 0.0) * epoch / recipe.epochs
        assert drop_path_rate(recipe, epoch) == pytest.approx(dropped, rel=1e-12)


def test_the_linear_rate_is_flatter_in_the_last_five_epochs() -> None:
    recipe = read_training_recipe("tenas-imagenet,schedule=linear,warmup=0")
    for epoch in range(250):
        if 250 - epoch > 5:
            expected = 0.5 * (250 - 5 - epoch) / (250 - 5)
        else:
            expected = 0.5 * (250 - epoch) / ((250 - 5) * 5)
        assert learning_rate(recipe, epoch) == pytest.approx(expected, rel=1e-12)


@given(
    st.sampled_from(["constant", "cosine", "linear", "exponential"]),
    st.integers(1, 50),
    st.integers(0, 5),
)
def test_rates_stay_between_0_and_the_largest(schedule: str, epochs: int, warmup: int) -> None:
    recipe = TrainingRecipe(epochs=epochs, warmup=warmup, schedule=schedule, lr=0.3)  # type: ignore[arg-type]
    rates = [learning_rate(recipe, epoch) for epoch in range(epochs)]
    assert all(0 < rate <= 0.3 + 1e-12 for rate in rates)
    after = rates[warmup:]
    assert after == sorted(after, reverse=True)


def test_texts_change_fields() -> None:
    recipe = read_training_recipe("darts-cifar10, epochs=50,nesterov=yes,crop=none")
    assert (recipe.epochs, recipe.nesterov, recipe.crop) == (50, True, "none")
    assert (recipe.name, recipe.batch) == ("darts-cifar10*", 96)
    assert read_training_recipe("epochs=2") == read_training_recipe("quick,epochs=2")
    assert read_training_recipe("") is TRAINING_PRESETS["quick"]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("quik", UnknownNameError, "training recipe named 'quik'; did you mean quick"),
        (
            "quick,epoch=3",
            UnknownNameError,
            "recipe field named 'epoch'; did you mean epochs",
        ),
        ("quick,epochs=1.5", SettingError, "epochs=1.5 does not fit: epochs is a whole number"),
        ("quick,epochs=many", SettingError, "epochs=many does not fit"),
        ("quick,epochs=0", SettingError, "epochs is a whole number of at least 1, not 0"),
        (
            "quick,hue=0.7",
            SettingError,
            "number of at least 0 and at most 0.5, not 0.7",
        ),
        ("quick,lr=-1", SettingError, "lr is a finite number of at least 0, not -1.0"),
        ("quick,lr=nan", SettingError, "lr is a finite number of at least 0, not nan"),
        ("quick,crop=random", SettingError, "crop is 'none', 'padded' or 'resized', not 'random'"),
        (
            "quick,schedule=step",
            SettingError,
            "'cosine', 'linear' or 'exponential', not 'step'",
        ),
    ],
)
def test_wrong_texts_are_refused(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_training_recipe(text)


def test_a_cell_of_another_space_is_refused_whatever_a_foreign_space_raises(monkeypatch):
    class Broken(EntryPoint):
        def load(self):
            raise KeyError("broken")

    registered = {"broken": Broken("broken", "nowhere:SPACE", "anglenas.spaces")}
    spaces = registered | plugins._registered("space")
    monkeypatch.setattr(plugins, "_registered", lambda kind: spaces)
    cell = "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
    subject = Subject("nasbench201", cell, NetworkConfig(num_classes=3))
    with pytest.raises(SettingError, match="trains networks of the space 'darts'"):
        subject.resized(TRAINING_PRESETS["darts-cifar10"])
