"""The script that starts local workers, starts dead ones anew, and ends when its parent does.

It runs by its path, so that it imports nothing of the package (and no torch), with the arguments
of ``dask worker``, and with a pipe as its input that only the parent holds open.
"""

import os
import shutil
import sys
import threading

__all__ = ["main"]


def _follow(folder: str) -> None:
    """Wait until the parent is gone, even if it was killed; the workers end with this process."""
    sys.stdin.buffer.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def main() -> None:
    """Be a ``dask worker`` that does not outlive its parent."""
    from distributed.cli.dask_worker import main as dask_worker

    folder = sys.argv[sys.argv.index("--local-directory") + 1]
    threading.Thread(target=_follow, args=(folder,), daemon=True).start()
    dask_worker()


if __name__ == "__main__":
    main()
