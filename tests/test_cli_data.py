"""`anglenas data`, and the commands and programs of docs/data.md as they stand there."""

import hashlib
import re
import shlex
import sys
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from anglenas.__main__ import main
from anglenas.data import DOWNLOADS, Download, draw_few_shot, open_source

PAGE = Path(__file__).parents[1] / "docs" / "data.md"
FAKES = Path(__file__).parent / "search_fakes"
# A search of toy architectures by their size alone, which reads the images as any search does.
QUICK = "--space search_fakes:PAIRS --rank params --budget 2 --workers 0 --quiet".split()  # noqa: SIM905


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process, in an empty folder with a store and names of its own."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(FAKES)])
    monkeypatch.setenv("ANGLENAS_STORE", str(tmp_path / "scores.sqlite"))
    monkeypatch.setenv("ANGLENAS_DATA", str(tmp_path / "names"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["anglenas", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Ended(int(end.value.code or 0), *capsys.readouterr())

    return run


def photos(root: Path) -> Path:
    for number, name in enumerate(("cat", "dog", "owl")):
        (root / name).mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (20, 16), (20 * i, 80 * number, 0)).save(root / name / f"{i}.jpg")
    return root


def cifar10(path: Path) -> Path:
    """CIFAR-10's binary version in a tar file, with 20 images a batch."""
    folder = path.parent / "cifar"
    folder.mkdir()
    for number in range(1, 6):
        records = np.random.default_rng(number).integers(0, 256, (20, 3073), dtype=np.uint8)
        records[:, 0] = np.arange(20) % 10
        records.tofile(folder / f"data_batch_{number}.bin")
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder, "cifar-10-batches-bin")
    return path


def test_a_life_of_a_name(run: Run, tmp_path: Path) -> None:
    photos(tmp_path / "photos")
    assert run("data", "list").out == "digits: built in or installed\n"
    assert run("data", "add", "pets", "photos").out == f"pets: 3 classes, {tmp_path / 'photos'}\n"
    assert run("data", "list").out.splitlines()[1:] == [f"pets: {tmp_path / 'photos'}"]
    found = run("search", "--data", "pets", *QUICK)
    assert (found.code, found.err) == (0, "")
    (tmp_path / "photos").rename("moved")
    assert "pets: " in (listed := run("data", "list").out)
    assert listed.endswith("(nothing is there any more)\n")
    vanished = run("search", "--data", "pets", *QUICK)
    assert vanished.code == 2
    assert "where nothing is any more; put it back there, or run 'anglenas data" in vanished.err
    assert run("data", "remove", "pets").out == "pets is forgotten; its images stay.\n"
    assert run("data", "list").out == "digits: built in or installed\n"
    assert (tmp_path / "moved" / "cat" / "0.jpg").exists()


def test_copies(run: Run, tmp_path: Path) -> None:
    photos(tmp_path / "photos")
    entry = tmp_path / "names" / "datasets" / "pets"
    added = run("data", "add", "pets", "photos", "--copy")
    assert added.out == f"pets: 3 classes, {entry}\n"
    assert run("data", "remove", "pets").out == f"pets is forgotten; {entry} is deleted.\n"
    assert not entry.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add", "pets", "none"), "There is nothing at 'none'"),
        (("add", "pets", "empty"), "has 0 class folders"),
        (("add", "digits", "photos"), "'digits' is a built-in data set"),
        (("add", "../x", "photos"), "'../x' is no name for a data set"),
        (("remove", "pets"), "There is no data set named 'pets'"),
        (("download", "imagenet16-120"), "has no free direct download"),
        (("download", "pets"), "cifar10 and cifar100 can"),
    ],
)
def test_mistakes(run: Run, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    photos(tmp_path / "photos")
    (tmp_path / "empty").mkdir()
    ended = run("data", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "names").exists()


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """CIFAR-10 as if published on this machine."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    (tmp_path / "web").mkdir()
    file = cifar10(tmp_path / "web" / "x.tar.gz")
    monkeypatch.setenv("no_proxy", "*")
    handler = partial(Silent, directory=str(file.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        checksum = hashlib.md5(file.read_bytes()).hexdigest()
        url = f"http://127.0.0.1:{http.server_port}/x.tar.gz"
        monkeypatch.setitem(DOWNLOADS, "cifar10", Download(url, checksum))
        yield file
        http.shutdown()


def test_downloads(run: Run, tmp_path: Path, published: Path) -> None:
    target = tmp_path / "names" / "datasets" / "cifar10"
    fetched = run("data", "download", "cifar10")
    assert (fetched.code, fetched.out) == (0, f"cifar10: {target}\n")
    assert "cifar10" in fetched.err
    assert target.read_bytes() == published.read_bytes()
    assert open_source("cifar10").name == "cifar10"
    again = run("data", "download", "cifar10", "--quiet")
    assert again.code == 2
    assert "The name 'cifar10' is taken" in again.err


def test_quiet_downloads(run: Run, published: Path) -> None:
    assert run("data", "download", "cifar10", "-q").err == ""


def test_interrupted_downloads(run: Run, published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hashlib.file_digest", interrupted)
    ended = run("data", "download", "cifar10")
    assert ended.code == 130
    assert "What came is kept; the same command goes on from there." in ended.err


def blocks(kind: str) -> list[str]:
    return re.findall(
        rf"^```{kind}(?: notest)?\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )


def test_the_page(run: Run, tmp_path: Path, published: Path) -> None:
    """Every program and every command of the page, in its order but for the arrays' program.

    Searches are made quick by further options; what they read is what the page says.
    """
    photos(tmp_path / "photos")
    photos(tmp_path / "flowers" / "train")
    photos(tmp_path / "flowers" / "val")
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(published.read_bytes())
    for program in blocks("python"):
        exec(program, {})
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) > 8
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "anglenas"
        ended = run(*arguments, *(QUICK if arguments[0] == "search" else []))
        assert (ended.code, command) == (0, command), ended.err


def test_names_are_offered_by_draws(run: Run, tmp_path: Path) -> None:
    """A name and its path are the same images."""
    run("data", "add", "pets", photos(tmp_path / "photos"))
    drawn = [
        draw_few_shot(open_source(data), classes=3, images_per_class=2, sampling="random",
                      resolution=8, seed=1)
        for data in ("pets", "photos")
    ]  # fmt: skip
    assert drawn[0].fingerprint == drawn[1].fingerprint
