"""Conformance suites for your own probes, spaces, data sets, strategies, executors; ours pass them.

Subclass one in a test file, and pytest runs all its tests::

    from anglenas.testing import ProbeConformance

    class TestMyProbe(ProbeConformance):
        probe = MY_PROBE

This package needs pytest, which is not installed with anglenas.
"""

import pytest

# Otherwise a failing assert of a library says nothing about its values.
pytest.register_assert_rewrite(
    "anglenas.testing._data",
    "anglenas.testing._executor",
    "anglenas.testing._probe",
    "anglenas.testing._space",
    "anglenas.testing._strategy",
)

from anglenas.testing._data import DataConformance  # noqa: E402
from anglenas.testing._executor import ExecutorConformance  # noqa: E402
from anglenas.testing._probe import ProbeConformance  # noqa: E402
from anglenas.testing._space import SpaceConformance  # noqa: E402
from anglenas.testing._strategy import StrategyConformance  # noqa: E402

__all__ = [
    "DataConformance",
    "ExecutorConformance",
    "ProbeConformance",
    "SpaceConformance",
    "StrategyConformance",
]
