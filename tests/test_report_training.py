"""Pictures and tables of a training."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from anglenas import Trained
from anglenas._evaluation.network import Subject
from anglenas._evaluation.recipe import TrainingRecipe
from anglenas._evaluation.result import Confusion, Epoch
from anglenas._report.training import confusion_figure, curves_figure, write_training
from anglenas.spaces import NetworkConfig

HISTORY = tuple(
    Epoch(n, 0.1, 0.0, 2.0 / (n + 1), 0.3 * n, 3.0 / (n + 1), accuracy, 0.9, 1.0)
    for n, accuracy in enumerate((0.2, 0.7, 0.6))
)


def confusion(count: int = 3) -> Confusion:
    matrix = np.random.default_rng(0).integers(0, 5, (count, count)) + 9 * np.eye(count, dtype=int)
    return Confusion(matrix, tuple(f"class {n} $x$" for n in range(count)))


def test_curves_are_the_history() -> None:
    upper, lower = curves_figure(HISTORY, "title").axes
    accuracies = [line.get_ydata().tolist() for line in upper.lines[:2]]  # type: ignore[union-attr]
    assert accuracies == [
        pytest.approx([100 * epoch.train_accuracy for epoch in HISTORY]),
        pytest.approx([20, 70, 60]),
    ]
    assert [line.get_xdata().tolist() for line in lower.lines] == [[1, 2, 3]] * 2  # type: ignore[union-attr]
    assert lower.get_yscale() == "log"
    legend = upper.get_legend()
    assert legend is not None
    assert legend.get_title().get_text() == "best: 70.00% in epoch 2"


def test_a_loss_that_has_no_logarithm_is_drawn_too() -> None:
    flat = (Epoch(0, 0.1, 0.0, 0.0, 1.0, float("inf"), 1.0, 1.0, 1.0),)
    assert curves_figure(flat, "title").axes[1].get_yscale() == "linear"


@pytest.mark.parametrize(
    ("count", "numbers", "names"), [(3, True, 3), (30, False, 30), (60, False, 0)]
)
def test_a_confusion_matrix_writes_what_there_is_room_for(
    count: int, numbers: bool, names: int
) -> None:
    one = confusion(count)
    [axes] = confusion_figure(one).axes
    shares = one.matrix / one.matrix.sum(1, keepdims=True)
    assert np.allclose(axes.images[0].get_array(), shares)
    assert len(axes.get_yticks()) == names
    written = {(*map(int, text.get_position()), text.get_text()) for text in axes.texts}
    expected = {(c, r, f"{one.matrix[r, c]:,}") for r, c in np.argwhere(one.matrix)}
    assert written == (expected if numbers else set())


def test_a_class_without_images_has_no_share(tmp_path: Path) -> None:
    one = Confusion(np.array([[3, 1], [0, 0]]), ("cat", "dog"))
    assert one.accuracy == 0.75
    assert np.isnan(one.per_class["dog"])
    subject = Subject("nasbench201", "text", NetworkConfig())
    data = {"name": "pets", "class_names": ["cat", "dog"]}
    trained = Trained(tmp_path, subject, TrainingRecipe(), 1, data, HISTORY, one, ("Note.",))
    path = write_training(trained, "anglenas train run")
    summary = json.loads(path.read_text())
    assert (summary["best"]["number"], summary["last"]["number"]) == (1, 2)
    assert (summary["command"], summary["notices"]) == ("anglenas train run", ["Note."])
    with (tmp_path / "classes.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows == [["class", "images", "accuracy"], ["cat", "4", "0.75"], ["dog", "0", ""]]
    with (tmp_path / "confusion.csv").open() as file:
        assert list(csv.reader(file))[1] == ["cat", "3", "1"]
    assert {path.name for path in tmp_path.iterdir()} == {
        "curves.svg", "curves.png", "confusion.svg", "confusion.png", "confusion.csv",
        "classes.csv", "result.json",
    }  # fmt: skip
