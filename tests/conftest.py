"""What all tests share: development data, where it is to be had, and how Hypothesis draws."""

import os
import signal
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

_DEV_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.hookimpl(tryfirst=True)  # before xdist, which reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests come last and one after another: they start workers, and wait for them."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.xdist_group("slow"))


@pytest.fixture(scope="session")
def dev_data() -> Path:
    """The folder with benchmark tables and image subsets, too large for the repository."""
    folder = Path(os.environ.get("ANGLENAS_DEV_DATA", _DEV_DATA))
    if not folder.is_dir():
        pytest.skip(f"no development data in {folder}; ANGLENAS_DEV_DATA names another folder")
    return folder
