"""What all tests share: development data, where it is to be had, and how Hypothesis draws."""

import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

# CI draws the same examples every time, so that it fails for a change and not by chance; a
# developer's machine draws new ones. A slow moment of a shared machine is not a failure.
settings.register_profile("always-the-same", deadline=None, derandomize=True, database=None)
settings.register_profile("always-new", deadline=None)
settings.load_profile("always-the-same" if os.environ.get("CI") else "always-new")

# Small networks gain nothing from a second thread, and lose much on a busy machine.
torch.set_num_threads(1)

# A shell starts its background jobs deaf to Ctrl-C, and what a test starts inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs alone comes first, then what may take long, so that little waits for either."""
    items.sort(key=lambda item: (not _is_alone(item), -_time_limit(item)))


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


def _time_limit(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return marker.args[0] if marker else 0


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A test that is marked ``alone`` runs alone, whatever the number of processes.

    Whoever waits to be alone keeps the gate, so that the others cannot overtake it for ever.
    """
    with Path(__file__).open() as gate, Path(__file__).with_name("test_docs.py").open() as held:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(held, fcntl.LOCK_EX if _is_alone(item) else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        try:
            return (yield)
        finally:
            fcntl.flock(held, fcntl.LOCK_UN)  # what the test has forked may hold the file


@pytest.fixture(scope="session")
def dev_data() -> Path:
    """The folder with benchmark tables and image subsets, too large for the repository."""
    folder = os.environ.get("ANGLENAS_DEV_DATA")
    if folder is None:
        pytest.skip("needs development data; ANGLENAS_DEV_DATA names their folder")
    # A wrong name is a mistake, which must not look like tests that were left out on purpose.
    assert Path(folder).is_dir(), f"ANGLENAS_DEV_DATA={folder} is no folder"
    return Path(folder)
