"""The guard against trivial networks."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

GUARDED = ("angle", "loss", "tse", "tse_e")
"""Metrics that a trivial network is put behind in; ``angle`` and ``loss`` tell which it is."""

_PUBLISHED_ITERATIONS = 50  # of the trainings that the threshold was published for


def guard_columns(
    columns: Mapping[str, NDArray[np.float64]],
    trivial: ArrayLike,
    *,
    threshold: float = 0.95,
    iterations: int = _PUBLISHED_ITERATIONS,
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.bool_]]:
    """The columns in which trivial networks have the worst angle and loss, and which these are.

    The prediction layer of a trivial network almost does not change, so that its cosine, and with
    it its rank, is as high as can be. A network is caught where its cosine is at least the
    threshold, or where its architecture tells; pairs are also those of earlier iterations
    (``angle@60`` with ``loss@60``). This is the rule of the released code of Yang et al. (WACV
    2023, ``evaluate_anglefc.py``), which gives those caught the angle 0 and the loss 100; the paper
    describes no guard.

    Here angle and loss of those caught, and the sums of losses ``tse`` and ``tse_e`` where they are
    there, become the next number behind the worst of the others: ranks are those of the released
    rule, and means and deviations, which ``z()`` divides by, hardly change. (Angles of 0 among
    angles near 0.9 would leave ``z(angle)`` nothing to say about all others.) An undefined value
    stays undefined: it is behind already.

    The threshold speaks of 50 iterations, for which it was published, and more. Before that good
    networks have not turned that far yet either (after 10 iterations of the recipe ``fast`` 38 of
    100 random networks of NAS-Bench-201 are above it, and all of them train well), so what is read
    earlier is guarded by the architecture alone.

    Args:
        columns: ``(N,)`` values of each metric, by name.
        trivial: ``(N,)`` booleans, true for networks known to be trivial from their architecture.
        threshold: Cosine from which a network counts as trivial; infinity leaves it to ``trivial``
            alone.
        iterations: How many the trainings had.

    Returns:
        New columns, and ``(N,)`` booleans.

    Example:
        >>> columns = {"angle": np.array([0.8, 0.7, 0.99]), "loss": np.array([1.5, 1.7, 2.3])}
        >>> guarded, hit = guard_columns(columns, [False, False, False])
        >>> guarded["angle"].round(3).tolist(), hit.tolist()
        ([0.8, 0.7, 0.7], [False, False, True])
        >>> bool(guarded["angle"][2] < 0.7), bool(guarded["loss"][2] > 1.7)
        (True, True)
    """
    by_architecture = np.asarray(trivial, dtype=bool)
    guarded = dict(columns)
    hit = np.zeros(len(by_architecture), dtype=bool)
    for angle in [name for name in columns if name.partition("@")[0] == "angle"]:
        _, loss, *sums = (angle.replace("angle", name) for name in GUARDED)
        if loss in columns:
            known = ~(np.isnan(columns[angle]) | np.isnan(columns[loss]))
            read_at = int(angle.partition("@")[2] or iterations)
            limit = threshold if read_at >= _PUBLISHED_ITERATIONS else np.inf
            caught = known & (by_architecture | (columns[angle] >= limit))
            guarded[angle] = _behind(columns[angle], caught, -np.inf)
            for name in columns.keys() & {loss, *sums}:
                guarded[name] = _behind(columns[name], caught, np.inf)
            hit |= caught
    return guarded, hit


def _behind(
    values: NDArray[np.float64], caught: NDArray[np.bool_], worst: float
) -> NDArray[np.float64]:
    """The values in which those caught are next behind the worst of the others."""
    others = values[~caught & ~np.isnan(values)]
    if not len(others):
        return values
    last = others.min() if worst < 0 else others.max()
    return np.where(caught & ~np.isnan(values), np.nextafter(last, worst), values)
