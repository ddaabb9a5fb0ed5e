"""Settings and arguments: one table of kinds for fields, texts and functions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anglenas import Recipe, preset
from anglenas._evaluation.recipe import TRAINING_PRESETS, TrainingRecipe, read_training_recipe
from anglenas._recipe import PRESETS, read_recipe
from anglenas._settings import Settings, at_least, between, checked, preset_text, read_changes
from anglenas.errors import SettingError, UnknownNameError
from anglenas.spaces import NetworkConfig

NUMBERS = st.floats(0, 1e6)
COUNTS = st.integers(4, 10**6)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("classes", "images_per_class", "resolution", "channels"), COUNTS),
    **dict.fromkeys(("cells", "iterations", "repeats"), COUNTS),
    **dict.fromkeys(("lr", "momentum", "weight_decay"), NUMBERS),
    "sampling": st.sampled_from(["random", "first"]),
    "augment": st.booleans(),
}
CHANGES = st.fixed_dictionaries({}, optional=FIELDS)


def test_every_setting_of_a_recipe_takes_part_in_the_round_trip() -> None:
    assert {f.name for f in fields(Recipe)} - FIELDS.keys() == {"name", "calibrated"}


@given(st.sampled_from(sorted(PRESETS)), CHANGES)
def test_a_recipe_is_read_from_its_text(name: str, changes: dict[str, Any]) -> None:
    recipe = preset(name, **changes)
    assert read_recipe(recipe.text) == recipe


@given(CHANGES)
def test_a_recipe_of_no_preset_is_read_from_its_text(changes: dict[str, Any]) -> None:
    recipe = Recipe(name="mine", **changes)
    again = read_recipe(recipe.text)
    assert (again.fingerprint, again.repeats) == (recipe.fingerprint, recipe.repeats)


@given(st.sampled_from(sorted(TRAINING_PRESETS)), st.integers(1, 10**6), NUMBERS, st.booleans())
def test_a_training_recipe_is_read_from_its_text(
    name: str, epochs: int, lr: float, nesterov: bool
) -> None:
    recipe = TRAINING_PRESETS[name].changed(epochs=epochs, lr=lr, nesterov=nesterov)
    assert read_training_recipe(preset_text(recipe, TRAINING_PRESETS)) == recipe


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Recipe(iterations=2.5), "iterations is a whole number of at least 1, not 2.5"),  # type: ignore[arg-type]
        (lambda: Recipe(iterations=2.0), "iterations is a whole number"),  # type: ignore[arg-type]
        (lambda: Recipe(iterations=True), "iterations is a whole number of at least 1, not True"),
        (lambda: Recipe(iterations="5"), "iterations is a whole number"),  # type: ignore[arg-type]
        (lambda: Recipe(augment="no"), "augment is True or False, not 'no'"),  # type: ignore[arg-type]
        (lambda: Recipe(augment=0), "augment is True or False, not 0"),  # type: ignore[arg-type]
        (lambda: Recipe(lr=float("inf")), "lr is a finite number of at least 0, not inf"),
        (lambda: Recipe(lr=float("nan")), "lr is a finite number of at least 0, not nan"),
        (lambda: Recipe(sampling="last"), "sampling is 'random' or 'first', not 'last'"),  # type: ignore[arg-type]
        (lambda: Recipe(name=3), "name is a text, not 3"),  # type: ignore[arg-type]
        (lambda: TrainingRecipe(epochs=1.5), "epochs is a whole number of at least 1, not 1.5"),  # type: ignore[arg-type]
        (lambda: TrainingRecipe(momentum=1.5), "momentum .* at least 0 and at most 1, not 1.5"),
        (lambda: NetworkConfig(channels=2.5), "channels is a whole number of at least 1, not 2.5"),  # type: ignore[arg-type]
        (lambda: preset("fast", lr="0.1"), "lr is a finite number of at least 0, not '0.1'"),
    ],
)
def test_values_that_do_not_fit(make: Callable[[], object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        make()


def test_equal_numbers_are_one_setting() -> None:
    assert Recipe(lr=1) == Recipe(lr=1.0)
    assert Recipe(lr=1).fingerprint == Recipe(lr=1.0).fingerprint
    assert Recipe(lr=1).text == Recipe(lr=1.0).text
    numpys = Recipe(iterations=np.int64(7), lr=np.float32(0.5))  # type: ignore[arg-type]
    assert numpys.fingerprint == Recipe(iterations=7, lr=0.5).fingerprint
    assert (type(numpys.iterations), type(numpys.lr)) == (int, float)


def test_fingerprints_of_the_presets_are_part_of_stored_scores() -> None:
    assert {name: recipe.fingerprint for name, recipe in PRESETS.items()} == {
        "paper": "03d443221b39e5ff",
        "fast": "b5d5da85c73b12f2",
        "draft": "97b7b1079bee58a6",
        "paper-pruning": "6261952a8eb04e25",
        "paper-darts": "95ea9eae3cd40f3b",
        "tenas": "204516b3ba695289",
        "tenas-darts": "2b8e97831cbd59e3",
        "tenas-darts-imagenet": "c7afa474194dfeca",
    }


def test_a_change_that_changes_nothing_keeps_the_preset() -> None:
    assert read_recipe("fast,resolution=16") is PRESETS["fast"]
    assert preset("paper", lr=0.2).calibrated
    assert preset("fast", repeats=2).changed(repeats=3).name == "fast*"


@dataclass(frozen=True)
class Oven(Settings, called="oven", facts=("name",)):
    name: str = "mine"
    degrees: Annotated[int, between(50, 250)] = 180
    minutes: Annotated[float, at_least(0)] | None = None
    heat: Literal["top", "bottom"] = "top"


def test_texts_of_what_may_be_none() -> None:
    assert read_changes(Oven(), ["minutes=5"], "oven field") == {"minutes": 5.0}
    assert read_changes(Oven(minutes=3), ["minutes=none"], "oven field") == {"minutes": None}
    assert Oven(minutes=3).texts(Oven()) == ["minutes=3.0"]
    assert Oven().texts(Oven(minutes=3)) == ["minutes=none"]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("degrees=300", SettingError, "degrees is a whole number of at least 50 and at most 250"),
        ("degrees=1e2", SettingError, "degrees=1e2 does not fit: degrees is a whole number .*=180"),
        ("minutes=-1", SettingError, "minutes is a finite number of at least 0"),
        ("minutes=inf", SettingError, "minutes is a finite number"),
        ("heat=left", SettingError, "heat is 'top' or 'bottom', not 'left'"),
        ("heet=top", UnknownNameError, "no oven field named 'heet'; did you mean heat"),
        ("name=yours", UnknownNameError, "no oven field named 'name'"),
        ("heat", SettingError, "heat is 'top' or 'bottom', not ''"),
    ],
)
def test_texts_that_do_not_fit(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_changes(Oven(), [text], "oven field", ["name"])


class Speaks(Protocol):
    def speak(self) -> str: ...


@checked
def ask(
    whom: str | Path | Speaks = "you",
    *names: object,
    seed: int = 1,
    budget: Annotated[int, at_least(1)] | None = None,
    metrics: Iterable[str] = (),
    store: str | Path | Oven | None = None,
    on_progress: Callable[[int], None] | None = None,
    ties: Literal["average", "min"] = "average",
    anything: Any = None,
) -> tuple[Any, ...]:
    return whom, names, seed, budget, metrics, store


def test_arguments_arrive() -> None:
    seed = np.int64(3)
    assert ask(5, "a", 2, seed=seed, metrics=["x"], store=Oven())[:4] == (5, ("a", 2), 3, None)  # type: ignore[arg-type]
    assert type(ask(seed=seed)[2]) is int  # type: ignore[arg-type]
    assert list(ask(metrics=(name for name in "ab"))[4]) == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": "5"}, "budget is a whole number of at least 1, not '5'"),
        ({"budget": 0}, "budget is a whole number of at least 1, not 0"),
        ({"seed": None}, "seed is a whole number, not None"),
        ({"seed": True}, "seed is a whole number, not True"),
        ({"metrics": "tse"}, r"metrics is a list of names, such as \['angle', 'loss'\], not 'tse'"),
        ({"metrics": [3]}, "metrics is a list of names"),
        ({"store": 5}, "store is a text, a Path or an Oven, not 5"),
        ({"on_progress": 5}, "on_progress is a function, not 5"),
        ({"ties": "max"}, "ties is 'average' or 'min', not 'max'"),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        ask(**arguments)


def test_arguments_that_are_not_there_are_told_with_whose_they_are() -> None:
    with pytest.raises(TypeError, match=r"ask\(\) got an unexpected keyword argument 'budgte'"):
        ask(budgte=5)  # type: ignore[call-arg]
