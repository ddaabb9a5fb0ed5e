"""Where a run's files go, and how its page says that it can be repeated."""

import hashlib
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path


def command_line() -> str:
    """The command that is running, as it can be pasted into a shell."""
    return shlex.join(["anglenas", *sys.argv[1:]])


def run_folder(kind: str, settings: Mapping[str, object]) -> Path:
    """``runs/DATA-SPACE-KIND-DIGEST``: one folder for each set of settings."""
    # Of all that was asked, so that the same command goes on in its folder and another one does not
    # write into it.
    digest = hashlib.sha256(repr(sorted(settings.items())).encode()).hexdigest()[:6]
    data = Path(str(settings["data"])).resolve().stem if settings["data"] else "data"
    space = str(settings.get("space", "")).rpartition(":")[2]
    return Path("runs") / "-".join(filter(None, [data, space, kind, digest]))
