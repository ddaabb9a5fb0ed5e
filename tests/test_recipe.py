"""Recipes: presets, texts that change them, and fingerprints."""

from dataclasses import fields, replace

import pytest

from anglenas import Recipe, preset
from anglenas._recipe import PRESETS, read_recipe
from anglenas.errors import SettingError, UnknownNameError


def test_paper_has_the_published_settings():
    """Supplement of Yang et al., section 1, and the released ``evaluate_anglefc.py``."""
    paper = PRESETS["paper"]
    assert (paper.classes, paper.images_per_class, paper.iterations) == (10, 10, 50)
    assert (paper.lr, paper.momentum, paper.weight_decay) == (0.2, 0.9, 5e-4)
    assert (paper.channels, paper.cells, paper.resolution) == (16, 5, 32)


def test_presets_differ_from_paper_in_what_they_are_for():
    assert (
        replace(PRESETS["fast"], name="custom", calibrated=False, resolution=32, iterations=50)
        == Recipe()
    )
    assert replace(PRESETS["draft"], name="fast", calibrated=True, cells=5) == PRESETS["fast"]
    assert PRESETS["fast"].calibrated
    assert not PRESETS["draft"].calibrated


@pytest.mark.parametrize(
    ("name", "images", "channels"),
    [("tenas", 72, 3), ("tenas-darts", 14, 1), ("tenas-darts-imagenet", 24, 1)],
)
def test_tenas_has_its_published_settings(name, images, channels):
    """The batch sizes and networks of the released ``prune_launch.py``, of 32 x 32 pixels."""
    recipe = PRESETS[name]
    assert (recipe.classes, recipe.images_per_class, recipe.resolution) == (images, 1, 32)
    assert (recipe.channels, recipe.cells, recipe.repeats) == (channels, 1, 3)


@pytest.mark.parametrize("field", [f.name for f in fields(Recipe)])
def test_fingerprint_changes_with_every_setting_and_with_nothing_else(field):
    others = {"name": "x", "calibrated": True, "sampling": "first", "augment": False}
    changed = replace(Recipe(), **{field: others.get(field, getattr(Recipe(), field) * 2)})
    shared = field in {"name", "calibrated", "repeats"}
    assert (changed.fingerprint == Recipe().fingerprint) == shared


def test_texts():
    assert read_recipe("fast") is PRESETS["fast"]
    assert read_recipe("", "draft") is PRESETS["draft"]
    changed = read_recipe(" fast, repeats=3 ,augment=no,lr=0.05,sampling=first")
    assert (changed.repeats, changed.augment, changed.lr, changed.sampling) == (
        3,
        False,
        0.05,
        "first",
    )
    assert changed.resolution == 16
    assert not changed.calibrated
    assert read_recipe("iterations=7", "draft").cells == 1


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("fsat", UnknownNameError, "did you mean fast"),
        ("draft,name=mine", UnknownNameError, "no recipe field named 'name'"),
        ("draft,calibrated=yes", UnknownNameError, "no recipe field named 'calibrated'"),
        ("fast,repaets=2", UnknownNameError, "did you mean repeats"),
        (
            "fast,repeats=two",
            SettingError,
            "repeats is a whole number .*write for example repeats=1",
        ),
        (
            "augment=perhaps",
            SettingError,
            "True or False; write for example augment=yes",
        ),
        ("iterations=0", SettingError, "iterations is a whole number of at least 1, not 0"),
        ("lr=nan", SettingError, "lr is a finite number of at least 0, not nan"),
        ("sampling=last", SettingError, "'random' or 'first'"),
        ("classes=1", SettingError, "classes is a whole number of at least 2, not 1"),
    ],
)
def test_mistakes(text, kind, message):
    with pytest.raises(kind, match=message):
        read_recipe(text)


def test_preset_that_is_changed_is_not_calibrated():
    assert preset("paper").calibrated
    assert not preset("paper", iterations=20).calibrated
