"""The script of a local worker: computes what comes over a pipe until its parent's end closes.

It is run by its path, so that neither the package nor torch is imported before it listens.
"""

import ctypes
import os
import pickle
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any


def receive(connection: "Connection[bytes, bytes]", inbox: "SimpleQueue[bytes]") -> None:
    """Hand on what comes, and end this process with its parent, even one that was killed."""
    try:
        while True:
            inbox.put(connection.recv_bytes())
    except (EOFError, OSError):
        os._exit(1)


def main() -> None:
    """Be a worker; see :mod:`anglenas._measuring.local` for what is sent and answered."""
    connection: Connection[bytes, bytes] = Connection(int(sys.argv[1]))
    inbox: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=receive, args=(connection, inbox), daemon=True).start()
    # That thread does not run while a candidate's code keeps Python's lock. Linux then ends this
    # process with its parent, or with the thread of it that called (PR_SET_PDEATHSIG is 1).
    with suppress(AttributeError):  # another system
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    # When memory is short, the system ends a worker, whose task is known, and not its parent.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
    sys.path[:], device = pickle.loads(inbox.get())

    from anglenas._measuring.computing import compute_all

    answer: object = ()  # it is ready
    batches: dict[str, Any] = {}
    while True:
        # Bytes, because what Connection.send pickles of torch lies in shared memory.
        connection.send_bytes(pickle.dumps(answer))
        chunk, new_batches = pickle.loads(inbox.get())
        batches |= new_batches
        try:
            answer = compute_all(chunk, batches, device)
        except Exception as error:  # the caller's mistake, and raised there
            answer = error


if __name__ == "__main__":
    main()
