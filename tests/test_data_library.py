"""Splits and parts of data sets, names of the user's own, and downloads from a server here."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anglenas.data import (
    DOWNLOADS,
    ArraySource,
    Download,
    Library,
    download,
    find_download,
    from_arrays,
    load_folder,
    open_parts,
    open_source,
    split,
    subset,
)
from anglenas.errors import DataError, SettingError, UnknownNameError


def numbered(counts: list[int]) -> ArraySource:
    """Image ``i`` has the grey level ``i``; classes are mixed."""
    images = np.broadcast_to(
        np.arange(sum(counts), dtype=np.uint8)[:, None, None], (sum(counts), 4, 4)
    )
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    return from_arrays(images, labels)


def levels(source: Any) -> list[int]:
    read: list[int] = source.read(range(len(source.labels)), 4)[:, 0, 0, 0].tolist()
    return read


COUNTS = st.lists(st.integers(2, 20), min_size=2, max_size=8)


@given(COUNTS, st.floats(0.01, 0.99), st.integers(0, 2**40))
def test_splits_are_stratified(counts: list[int], fraction: float, seed: int) -> None:
    source = numbered(counts)
    train, held_out = split(source, fraction, seed)
    assert sorted(levels(train) + levels(held_out)) == list(range(sum(counts)))
    assert levels(train) == sorted(levels(train))
    shares = np.bincount(held_out.labels, minlength=len(counts))
    for count, share in zip(counts, shares, strict=True):
        assert 1 <= share <= count - 1
        assert abs(share - fraction * count) <= max(
            0.5, 1 - fraction * count, 1 - count + fraction * count
        )
    for part in (train, held_out):
        assert part.labels.tolist() == source.labels[levels(part)].tolist()
        assert part.class_names == source.class_names
        assert part.normalisation(part.read([0], 4)) == source.normalisation(source.read([0], 4))
        assert open_source(part) is part


def test_splits_are_those_of_their_seed() -> None:
    source = numbered([30, 40, 50])
    splits = [levels(split(source, 0.25, seed)[1]) for seed in (1, 1, 2)]
    assert splits[0] == splits[1] != splits[2]
    assert len(splits[0]) == 8 + 10 + 12


def test_every_image_is_as_likely_to_be_held_out() -> None:
    """Chi-square with 19 degrees of freedom at p = 1e-4; draws without repetition spread less."""
    hits = np.zeros(20)
    for seed in range(400):
        hits[levels(split(numbered([10, 10]), 0.3, seed)[1])] += 1
    assert hits.sum() == 400 * 6
    assert ((hits - 120) ** 2 / 120).sum() < 51.0


def test_splits_that_cannot_be() -> None:
    for fraction in (0.0, 1.0, -0.5, float("nan")):
        with pytest.raises(SettingError, match=r"fraction for validation is .*between 0 and 1"):
            split(numbered([3, 3]), fraction, 1)
    with pytest.raises(DataError, match="class '1' has 1 image and cannot be split"):
        split(numbered([3, 1]), 0.5, 1)


def test_views_of_views() -> None:
    source = numbered([10, 10])
    inner = subset(subset(source, range(5, 20)), [3, 0, 9])
    assert levels(inner) == [8, 5, 14]
    only = inner.of_class(int(source.labels[8]))
    assert levels(only) == [i for i in (8, 5, 14) if source.labels[i] == source.labels[8]]
    assert (inner.name, inner.flip) == ("arrays", True)


def photos(root: Path, *classes: str, level: int = 0, count: int = 3) -> Path:
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (8, 8), (level, number, i)).save(root / name / f"{i}.png")
    return root


def test_a_class_of_a_folder(tmp_path: Path) -> None:
    source = load_folder(photos(tmp_path, "a", "b", "c"))
    assert source.of_class(1).read([2], 8)[0, :, 0, 0].tolist() == [0, 1, 2]
    assert source.of_class(2).class_names == ("c",)
    train, held_out = split(source, 0.3, seed=1)
    assert (len(train.labels), len(held_out.labels)) == (6, 3)


@pytest.mark.parametrize("other", ["val", "validation", "test"])
def test_folders_with_parts(tmp_path: Path, other: str) -> None:
    photos(tmp_path / "train", "cat", "dog", level=10)
    photos(tmp_path / other, "cat", "dog", level=20)
    source = open_source(tmp_path)
    assert source.class_names == ("cat", "dog")
    assert source.name == tmp_path.name
    train, held_out = open_parts(tmp_path)
    assert held_out is not None
    assert train.read([0], 8)[0, 0, 0, 0] == 10
    assert held_out.read([0], 8)[0, 0, 0, 0] == 20


def test_folders_without_parts(tmp_path: Path) -> None:
    photos(tmp_path / "a", "cat", "dog")
    assert open_parts(tmp_path / "a")[1] is None
    photos(tmp_path / "b", "train", "val")  # classes of these names, with images in them
    assert open_source(tmp_path / "b").class_names == ("train", "val")
    photos(tmp_path / "c", "val", "z")
    photos(tmp_path / "elsewhere", "cat", "dog")
    (tmp_path / "c" / "train").symlink_to(tmp_path / "elsewhere")
    assert open_source(tmp_path / "c").class_names == ("val", "z")
    np.savez(tmp_path / "x.npz", images=np.zeros((2, 4, 4), np.uint8), labels=[0, 1])
    assert open_parts(tmp_path / "x.npz")[1] is None
    assert open_parts(numbered([2, 2]))[1] is None


def test_parts_with_other_classes(tmp_path: Path) -> None:
    photos(tmp_path / "train", "cat", "dog")
    photos(tmp_path / "test", "cat", "cow")
    with pytest.raises(DataError, match="holds out have other classes than those to train on"):
        open_parts(tmp_path)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setenv("ANGLENAS_DATA", str(tmp_path / "data"))
    return Library.default()


def test_where_names_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANGLENAS_DATA", "mine")
    assert Library.default().folder == tmp_path / "mine" / "datasets"
    monkeypatch.delenv("ANGLENAS_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert Library.default().folder == tmp_path / "xdg" / "anglenas" / "datasets"


def test_names_stand_for_folders_and_files(tmp_path: Path, library: Library) -> None:
    assert library.names() == ()
    library.add("pets", photos(tmp_path / "photos", "cat", "dog"))
    np.savez(tmp_path / "x.npz", images=np.zeros((2, 4, 4), np.uint8), labels=[0, 1])
    library.add("arrays", tmp_path / "x.npz", copy=True)
    assert library.names() == ("arrays", "pets")
    assert open_source("pets").class_names == ("cat", "dog")
    assert open_source("pets").name == "pets"
    assert open_source("arrays").name == "arrays"
    assert open_parts("arrays")[1] is None
    library.remove("pets")
    assert library.names() == ("arrays",)
    assert len(load_folder(tmp_path / "photos").labels) == 6


def test_names_go_before_paths(
    tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    photos(tmp_path / "pets", "x", "y")
    library.add("pets", photos(tmp_path / "photos", "cat", "dog"))
    assert open_source("pets").class_names == ("cat", "dog")
    assert open_source("./pets").class_names == ("x", "y")


def test_copies_outlive_the_original(tmp_path: Path, library: Library) -> None:
    original = photos(tmp_path / "photos", "cat", "dog")
    (original / "cat" / "link.png").symlink_to("/etc/passwd")
    copy = library.add("pets", original, copy=True)
    assert (copy / "cat" / "link.png").is_symlink()
    original.rename(tmp_path / "gone")
    assert open_source("pets").read([0], 8).shape == (1, 3, 8, 8)
    library.remove("pets")
    assert not copy.exists()
    assert (tmp_path / "gone" / "cat" / "0.png").exists()


def test_paths_that_vanished(tmp_path: Path, library: Library) -> None:
    library.add("pets", photos(tmp_path / "photos", "cat", "dog"))
    (tmp_path / "photos").rename(tmp_path / "moved")
    with pytest.raises(DataError, match=r"'pets' is at '.*photos', where nothing is any more; put"):
        open_source("pets")
    library.remove("pets")
    with pytest.raises(UnknownNameError):
        open_source("pets")


def test_names_that_cannot_be(tmp_path: Path, library: Library) -> None:
    photos(tmp_path / "photos", "cat", "dog")
    for name in ("", "..", "a/b", ".hidden", "a b", "-x", "x" * 101, "a\n"):
        with pytest.raises(SettingError, match="is no name for a data set"):
            library.add(name, tmp_path / "photos")
    with pytest.raises(SettingError, match="'digits' is a built-in data set"):
        library.add("digits", tmp_path / "photos")
    library.add("pets", tmp_path / "photos")
    with pytest.raises(SettingError, match="name 'pets' is taken; choose another"):
        library.add("pets", tmp_path / "photos")
    with pytest.raises(DataError, match="There is nothing at"):
        library.add("none", tmp_path / "none")
    for call in (library.remove, library.path):
        with pytest.raises(DataError, match="no data set named 'other'; 'anglenas data list'"):
            call("other")
    assert library.names() == ("pets",)


def test_a_copy_lands_whole_or_not_at_all(
    tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos(tmp_path / "photos", "cat", "dog")

    def full(*_: Any, **__: Any) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.copy2", full)
        patch.setattr("shutil.copyfile", full)
        patch.setattr("shutil.copytree", full)
        with pytest.raises(DataError, match=r"cannot be added .*No space left"):
            library.add("pets", tmp_path / "photos", copy=True)
    assert list(library.folder.iterdir()) == []
    library.add("pets", tmp_path / "photos", copy=True)


def test_unknown_names_tell_what_there_is(tmp_path: Path, library: Library) -> None:
    library.add("flowers", photos(tmp_path / "photos", "cat", "dog"))
    with pytest.raises(UnknownNameError, match="did you mean flowers"):
        open_source("flower")
    with pytest.raises(UnknownNameError, match="'anglenas data download cifar100' fetches it"):
        open_source("cifar100")


@dataclass
class Server:
    """Serves ``content``; how it misbehaves is told by attributes."""

    content: bytes
    url: str = ""
    ranges: bool = True
    break_after: int | None = None
    shift: int = 0
    status: int | None = None
    length: bool = True
    asked: list[str | None] = field(default_factory=list)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.asked.append(asked)
        start = int(asked[6:-1]) if asked and self.ranges else 0
        if self.status or start >= len(self.content):
            request.send_error(self.status or 416)
            return
        request.send_response(206 if start else 200)
        if start:
            last = len(self.content) - 1
            request.send_header("Content-Range", f"bytes {start + self.shift}-{last}/{last + 1}")
        if self.length:
            request.send_header("Content-Length", str(len(self.content) - start))
        request.end_headers()
        request.wfile.write(self.content[start : self.break_after])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    served = Server(np.random.default_rng(0).bytes(1_000_000))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        served.url = f"http://127.0.0.1:{http.server_port}/x.tar.gz"
        yield served
        http.shutdown()


def wanted(server: Server, content: bytes | None = None) -> Download:
    return Download(server.url, hashlib.md5(content or server.content).hexdigest())


def broken(server: Server, target: Path, after: int) -> None:
    """A download that ends early; ``after`` bytes are kept."""
    server.break_after = after
    with pytest.raises(
        DataError, match=rf"connection ended after {after} of 1000000 .* same command"
    ):
        download(wanted(server), target)
    server.break_after = None
    assert not target.exists()
    assert (target.parent / f".{target.name}.part").stat().st_size == after


def test_downloads(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    target = tmp_path / "new" / "x"
    download(wanted(server), target, lambda *progress: seen.append(progress))
    assert target.read_bytes() == server.content
    assert [path.name for path in target.parent.iterdir()] == ["x"]
    assert seen[0] == (0, 1_000_000)
    assert seen[-1] == (1_000_000, 1_000_000)
    assert seen == sorted(seen)
    assert server.asked == [None]


def test_downloads_without_a_length(server: Server, tmp_path: Path) -> None:
    server.length = False
    seen: list[tuple[int, int | None]] = []
    download(wanted(server), tmp_path / "x", lambda *progress: seen.append(progress))
    assert (tmp_path / "x").read_bytes() == server.content
    assert seen[-1] == (1_000_000, None)


def test_broken_downloads_go_on(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "x"
    broken(server, target, 300_000)
    broken(server, target, 700_000)
    seen: list[tuple[int, int | None]] = []
    download(wanted(server), target, lambda *progress: seen.append(progress))
    assert target.read_bytes() == server.content
    assert server.asked == [None, "bytes=300000-", "bytes=700000-"]
    assert seen[0] == (700_000, 1_000_000)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_servers_without_range_start_again(server: Server, tmp_path: Path) -> None:
    broken(server, tmp_path / "x", 300_000)
    server.ranges = False
    download(wanted(server), tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == server.content


def test_servers_that_send_another_part(server: Server, tmp_path: Path) -> None:
    broken(server, tmp_path / "x", 300_000)
    server.shift = 1
    with pytest.raises(DataError, match="sent another part than it was asked for"):
        download(wanted(server), tmp_path / "x")
    download(wanted(server), tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == server.content


def test_all_bytes_are_here_already(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".x.part").write_bytes(server.content)
    download(wanted(server), tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == server.content
    assert server.asked == ["bytes=1000000-"]


@pytest.mark.parametrize("kept", [0, 500_000, 1_000_000])
def test_wrong_checksums_leave_nothing(server: Server, tmp_path: Path, kept: int) -> None:
    if kept:
        (tmp_path / ".x.part").write_bytes(bytes(kept))
    with pytest.raises(DataError, match=r"not have the published checksum [0-9a-f]{32} and was"):
        download(wanted(server, b"other"), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_servers_that_fail(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(DataError, match=r"cannot be downloaded \(Not Found\); 0 bytes are kept"):
        download(wanted(server), tmp_path / "x")
    nobody = Download("http://127.0.0.1:9/x", "0" * 32)
    with pytest.raises(DataError, match="Connection refused"):
        download(nobody, tmp_path / "x")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be downloaded"):
        download(wanted(server), tmp_path / "file" / "x")


def test_downloads_end_with_what_was_published(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anglenas.data._download._MOST_BYTES", 500_000)
    with pytest.raises(DataError, match="much larger than what was published"):
        download(wanted(server), tmp_path / "x")


def test_what_can_be_downloaded() -> None:
    assert sorted(DOWNLOADS) == ["cifar10", "cifar100"]
    for one in DOWNLOADS.values():
        assert one.url.startswith("https://")
        assert re.fullmatch("[0-9a-f]{32}", one.md5)
    with pytest.raises(SettingError, match=r"imagenet16-120 has no free direct .*image-net\.org"):
        find_download("imagenet16-120")
    with pytest.raises(SettingError, match="cifar10 and cifar100 can"):
        find_download("pets")
