"""Downloads that go on where they broke, are checked, and land whole or not at all."""

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from anglenas._text import reason
from anglenas.errors import DataError, SettingError

_BLOCK = 1 << 18
_SECONDS_WITHOUT_DATA = 30.0
_MOST_BYTES = 1 << 30  # the largest has 170 MB; a server must not be able to fill a disk

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Download:
    """A file that is published under an address, with a checksum.

    Attributes:
        url: Its address.
        md5: The published MD5 checksum, 32 hexadecimal digits.
    """

    url: str
    md5: str


_TORONTO = "https://www.cs.toronto.edu/~kriz/"
DOWNLOADS = {
    "cifar10": Download(
        f"{_TORONTO}cifar-10-python.tar.gz", md5="c58f30108f718f92721af3b95e74349a"
    ),
    "cifar100": Download(
        f"{_TORONTO}cifar-100-python.tar.gz", md5="eb9058c3a382ffc7106e4002c42a8d85"
    ),
}
"""What can be downloaded by name: the addresses and checksums that A. Krizhevsky publishes."""

_ELSEWHERE = (
    "{} has no free direct download: image-net.org gives ImageNet at 16 x 16 pixels "
    "(train_data_batch_1 to 10 and val_data) to those who register; get it there, unpack it into "
    "one folder, and run 'anglenas data add {} FOLDER'."
)


def find_download(name: str) -> Download:
    """What to download for the name of a data set.

    Raises:
        SettingError: There is no such download; says how to get the data set, if it is known.

    >>> find_download("cifar10").url
    'https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz'
    """
    if name in DOWNLOADS:
        return DOWNLOADS[name]
    if name.lower().startswith("imagenet"):
        raise SettingError(_ELSEWHERE.format(name, name))
    raise SettingError(f"{name!r} cannot be downloaded; {' and '.join(DOWNLOADS)} can, and images "
                       "of your own get a name by 'anglenas data add'.")  # fmt: skip


def download(
    wanted: Download, target: Path, on_progress: Progress = lambda done, total: None
) -> None:
    """Fetch a file, check it, and only then give it its name.

    What has come is kept beside the target until the file is whole; another call asks the server
    for the rest (HTTP ``Range``), or starts again if the server cannot do so.

    Args:
        wanted: Address and checksum.
        target: File to make; its folder is made too.
        on_progress: Called now and then with the bytes that are here, and the size of the file if
            it is known.

    Raises:
        DataError: The server or the connection fails, or the file is not what was published. Only
            what failed for its checksum is deleted.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch(wanted.url, part, on_progress)
        with part.open("rb") as file:
            # MD5 is what the data sets are published with: it tells damage, and no forgery.
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
        if md5.hexdigest() != wanted.md5:
            part.unlink()
            raise DataError(f"{wanted.url} does not have the published checksum {wanted.md5} and "
                            "was deleted; try again, or get it elsewhere.")  # fmt: skip
        part.replace(target)
    except DataError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        raise DataError(
            f"{wanted.url} cannot be downloaded ({reason(cause)}); {_size(part)} bytes are kept, "
            "and the same command goes on from there."
        ) from error


def _fetch(url: str, part: Path, on_progress: Progress) -> None:
    """Everything from the first byte that is not here yet."""
    have = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_SECONDS_WITHOUT_DATA)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and have:  # nothing is missing, as far as the server knows
                return
            raise
    with answer:
        kept = have if answer.status == 206 else 0  # else the answer is the whole file
        with part.open("ab" if kept else "wb") as file:
            if kept and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                file.truncate(0)
                raise ConnectionError("the server sent another part than it was asked for")
            _receive(answer, file, kept, on_progress)


def _receive(
    answer: http.client.HTTPResponse, file: IO[bytes], done: int, on_progress: Progress
) -> None:
    length = answer.headers.get("Content-Length")
    total = done + int(length) if length else None
    on_progress(done, total)
    while block := answer.read(_BLOCK):
        file.write(block)
        done += len(block)
        on_progress(done, total)
        if done > _MOST_BYTES:
            raise ValueError("it is much larger than what was published")
    # ``read`` with a size says nothing of a connection that ended early.
    if total is not None and done < total:
        raise ConnectionError(f"the connection ended after {done} of {total} bytes")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
