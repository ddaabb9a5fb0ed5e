"""Which device a process computes on, and what the bits of its scores depend on.

A device is named by its kind, such as ``"cuda"``, or exactly, as ``"cuda:1"``. A worker that is
given a kind takes the device whose turn it is: worker ``NAME-5`` of a machine with two devices
takes number 1. So there is one worker a device if there are as many of them, and there are two or
three that share a device if there are twice or three times as many.
"""

import os
import re
import socket

import torch

from anglenas._measuring.workers import check_device
from anglenas._numerics import platform
from anglenas.errors import SettingError, WorkersError

DEVICE_VARIABLE = "ANGLENAS_DEVICE"
"""Environment variable that tells a worker its device or the kind of it; the CPU if it is not set.

It is set where the worker is started, since the process that asks for scores may be elsewhere.
"""


def platform_of(device: str = "cpu") -> str:
    """What the bits of a score depend on besides its inputs: torch, and the kind of device.

    Which model a GPU is stands not in it, nor how torch was built, so that it can be told on a
    machine that has none: scores from GPUs agree with each other closely, not bit for bit.

    Raises:
        SettingError: There is no such device.
    """
    kind, _ = check_device(device)
    if kind == "cpu":
        return platform()
    return f"torch {torch.__version__.partition('+')[0]}, {kind}"


def device_count(device: str) -> int:
    """How many devices of a kind this machine has; the CPU counts as one.

    Raises:
        SettingError: There is no such device.
    """
    kind, number = check_device(device)
    if kind == "cpu":
        return 1
    module = getattr(torch, kind)
    if not module.is_available():
        return 0
    return 1 if number is not None else int(module.device_count())


def choose_device(device: str, turn: int, count: int) -> torch.device:
    """The device of one process.

    Args:
        device: A kind, or one device.
        turn: Number of the process among those of its machine.
        count: How many devices of the kind there are.

    Raises:
        SettingError: There is no such device.

    >>> choose_device("cuda", 5, 2)
    device(type='cuda', index=1)
    """
    kind, number = check_device(device)
    if not count:
        raise SettingError(
            f"{socket.gethostname()} has no device {device!r} that torch can use; compute on the "
            "cpu, or install torch's build for it."
        )
    if kind in ("cpu", "mps"):
        return torch.device(kind)
    return torch.device(kind, turn % count if number is None else number)


def device_of_worker(name: object) -> tuple[str, torch.device]:
    """What the environment says that a worker computes on, and the device that this is.

    Args:
        name: The worker's name; a number at its end is its turn.

    Raises:
        WorkersError: It has no such device.
    """
    wanted = os.environ.get(DEVICE_VARIABLE, "cpu")
    turn = re.search(r"(?:^|-)(\d+)$", str(name))
    try:
        return wanted, choose_device(wanted, int(turn[1]) if turn else 0, device_count(wanted))
    except SettingError as error:
        raise WorkersError(f"A worker cannot compute: {error}") from error
