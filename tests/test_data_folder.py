"""Folders of class folders: what is listed, what is opened, what every format becomes."""

import builtins
import os
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anglenas.data import FolderSource, UnreadableImageError, draw_few_shot, load_folder
from anglenas.data._pixels import channel_statistics
from anglenas.errors import DataError

RNG = np.random.default_rng(0)
GRADIENT = np.stack(
    np.broadcast_arrays(
        np.linspace(0, 255, 48)[:, None], np.linspace(255, 0, 64)[None], np.float64(90)
    ),
    axis=-1,
).astype(np.uint8)  # (48, 64, 3)


def write(path: Path, image: Image.Image | None = None, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or Image.new("RGB", (8, 8), "red")).save(path, **options)
    return path


def folder_of(root: Path, *names: str) -> Path:
    for name in names:
        write(root / name)
    return root


def read_one(folder: Path, image: Image.Image, name: str, side: int = 16, **options: Any) -> Any:
    """The image as the source reads it, ``(side, side, 3)``."""
    write(folder / "a" / name, image, **options)
    write(folder / "b" / "other.png")
    read = load_folder(folder).read([0], side)
    assert read.shape == (1, 3, side, side)
    assert read.is_contiguous()
    return read[0].permute(1, 2, 0).numpy().astype(int)


def expected(image: Image.Image, side: int = 16) -> Any:
    """Independently of the source: shorter side to ``side``, then the centre.

    For sizes where neither step has to round.
    """
    short = min(image.size)
    assert all((length * side) % (2 * short) == (side % 2) * short for length in image.size)
    size = tuple(length * side // short for length in image.size)
    resized = image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    left, top = ((length - side) // 2 for length in size)
    return np.asarray(resized.crop((left, top, left + side, top + side))).astype(int)


def test_listing(tmp_path: Path) -> None:
    folder_of(tmp_path, "b/2.PNG", "b/10.jpeg", "b/1.JPG", "a/x.WebP", "a/deep/y.png",
              "a/.hidden.png", ".cache/z.png", "loose.png")  # fmt: skip
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / "a" / "folder.png").mkdir()
    source = load_folder(tmp_path)
    assert source.name == tmp_path.name
    assert source.class_names == ("a", "b")
    assert source.labels.tolist() == [0, 1, 1, 1]
    assert source.labels.dtype == np.int64
    assert source.files == ("x.WebP", "1.JPG", "10.jpeg", "2.PNG")
    assert source.path(2) == tmp_path.resolve() / "b" / "10.jpeg"


def test_only_files_asked_for_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path, *(f"{c}/{i}.png" for c in "ab" for i in range(9)))
    opened: list[str] = []

    def counted(file: Any, *args: Any, **kwargs: Any) -> Any:
        opened.append(str(file))
        return plain(file, *args, **kwargs)

    plain: Callable[..., Any] = builtins.open
    monkeypatch.setattr(builtins, "open", counted)
    source = load_folder(tmp_path)
    assert opened == []
    source.read([3, 12], 8)
    assert opened == [str(source.path(3)), str(source.path(12))]


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (36, 105), (12, 12), (6, 14)])
def test_shorter_side_then_centre(tmp_path: Path, size: tuple[int, int]) -> None:
    image = Image.fromarray(RNG.integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
    side = 12 if size[1] != 105 else 24
    assert np.abs(read_one(tmp_path, image, "x.png", side) - expected(image, side)).max() <= 1


def test_small_images_are_enlarged(tmp_path: Path) -> None:
    assert (read_one(tmp_path, Image.new("RGB", (3, 5), "blue"), "x.png") == (0, 0, 255)).all()


def test_thin_images_do_not_grow(tmp_path: Path) -> None:
    assert (read_one(tmp_path, Image.new("L", (1, 60_000), 7), "x.png", 64) == 7).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(tmp_path: Path, orientation: int) -> None:
    """Undone with NumPy, by the meaning of the tag in the EXIF standard (2.32, section 4.6.4)."""
    undo: dict[int, Callable[[Any], Any]] = {
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.swapaxes(0, 1),
        6: lambda x: x.swapaxes(0, 1)[:, ::-1],
        7: lambda x: x.swapaxes(0, 1)[::-1, ::-1],
        8: lambda x: x.swapaxes(0, 1)[::-1],
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = read_one(tmp_path, Image.fromarray(GRADIENT), "x.jpg", 12, exif=exif, quality=98)
    upright = Image.fromarray(np.ascontiguousarray(undo[orientation](GRADIENT)))
    assert np.abs(read - expected(upright, 12)).max() <= 4


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    grey = Image.fromarray(GRADIENT[..., 0])
    read = read_one(tmp_path, grey, "x.jpg", 12, quality=98)
    assert (read == read[..., :1]).all()
    assert np.abs(read - expected(grey, 12)).max() <= 3


def test_palette(tmp_path: Path) -> None:
    image = Image.fromarray(GRADIENT).quantize(16)
    assert image.mode == "P"
    assert np.abs(read_one(tmp_path, image, "x.png", 12) - expected(image, 12)).max() <= 1


@pytest.mark.parametrize("name", ["x.png", "x.webp"])
def test_alpha_is_laid_on_white(tmp_path: Path, name: str) -> None:
    image = Image.new("RGBA", (16, 16), (200, 0, 0, 0))
    image.paste((200, 0, 0, 255), (0, 0, 16, 8))
    image.paste((200, 0, 0, 51), (0, 8, 16, 12))  # one fifth
    read = read_one(tmp_path, image, name, **({"lossless": True} if "webp" in name else {}))
    np.testing.assert_array_equal(read[:8], np.broadcast_to([200, 0, 0], (8, 16, 3)))
    assert np.abs(read[8:12] - [244, 204, 204]).max() <= 1
    np.testing.assert_array_equal(read[12:], np.full((4, 16, 3), 255))


def test_grey_alpha_and_transparent_colours(tmp_path: Path) -> None:
    half = Image.new("LA", (16, 16), (0, 0))
    half.paste((100, 255), (0, 0, 16, 8))
    keyed = Image.new("L", (16, 16), 9)
    keyed.paste(100, (0, 0, 16, 8))
    palette = keyed.convert("P")
    wanted = np.repeat([100, 255], 8)[:, None, None] * np.ones((16, 16, 3))
    for number, (image, options) in enumerate(
        [(half, {}), (keyed, {"transparency": 9}), (palette, {"transparency": 9})]
    ):
        read = read_one(tmp_path / str(number), image, "x.png", **options)
        np.testing.assert_array_equal(read, wanted)


def test_cmyk(tmp_path: Path) -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # red
    read = read_one(tmp_path, image, "x.jpg", quality=98)
    assert np.abs(read - [255, 0, 0]).max() <= 4


def test_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    levels = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    read = read_one(tmp_path, Image.fromarray(levels), "x.png")
    np.testing.assert_array_equal(read, np.rint(levels / 257)[..., None].repeat(3, -1))


@pytest.mark.parametrize(("mode", "size"), [("1", (16, 16)), ("RGB", (640, 480))])
def test_other_modes_and_sizes(tmp_path: Path, mode: str, size: tuple[int, int]) -> None:
    image = Image.new(mode, size, 1 if mode == "1" else (9, 8, 7))
    assert (read_one(tmp_path, image, "x.png") == (255 if mode == "1" else (9, 8, 7))).all()


def test_fast_jpeg_decoding_changes_next_to_nothing(tmp_path: Path) -> None:
    """A photograph's spectrum (amplitude 1/f), 1280 x 960, read at 30 as from the whole image."""
    frequency = np.hypot(np.fft.fftfreq(960)[:, None], np.fft.rfftfreq(1280)[None])
    noise = np.fft.rfft2(RNG.normal(size=(960, 1280))) / (frequency + 1e-3)
    field = np.fft.irfft2(noise, s=(960, 1280))
    image = Image.fromarray(np.clip(128 + 45 * field / field.std(), 0, 255).astype(np.uint8))
    read = read_one(tmp_path, image, "x.jpg", 30, quality=90)
    whole = expected(Image.open(tmp_path / "a" / "x.jpg"), 30)
    assert np.abs(read - whole).mean() < 1.5
    assert np.abs(read - whole).max() <= 8


def test_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    read = read_one(tmp_path, frames[0], "x.png", save_all=True, append_images=frames[1:])
    assert (read == (255, 0, 0)).all()


def test_normalisation_is_of_the_images_read(tmp_path: Path) -> None:
    write(tmp_path / "a" / "x.png", Image.new("RGB", (8, 8), (255, 0, 51)))
    write(tmp_path / "b" / "y.png", Image.new("RGB", (8, 8), (0, 0, 51)))
    write(tmp_path / "b" / "z.png", Image.new("RGB", (8, 8), (77, 77, 77)))
    source = load_folder(tmp_path)
    mean, std = source.normalisation(source.read([0, 1], 8))
    assert mean == (0.5, 0.0, 0.2)
    assert std == (0.5, 1 / 255, 1 / 255)


def bomb(side: int) -> bytes:
    """A PNG of a few hundred bytes whose header promises ``side * side`` pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def source_with(folder: Path, content: bytes, name: str = "bad.png") -> FolderSource:
    folder_of(folder, "a/zzz.png", "b/x.png")
    (folder / "a" / name).write_bytes(content)
    return load_folder(folder)


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_bombs_are_unreadable(tmp_path: Path, side: int) -> None:
    source = source_with(tmp_path, bomb(side))
    with pytest.raises(UnreadableImageError, match="decompression bomb") as caught:
        source.read([0], 8)
    assert caught.value.index == 0
    assert caught.value.place == repr(str(tmp_path / "a" / "bad.png"))


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.webp"])
def test_truncated_images_are_unreadable(tmp_path: Path, name: str) -> None:
    noise = Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    whole = write(tmp_path / "whole" / name, noise).read_bytes()
    source = source_with(tmp_path / "data", whole[: len(whole) // 2], name)
    with pytest.raises(UnreadableImageError, match="cannot be read as an image"):
        source.read([0], 8)


@pytest.mark.parametrize("content", [b"", b"GIF89a" + bytes(40), b"%!PS-Adobe", b"text"])
def test_other_formats_are_not_tried(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnreadableImageError, match="it is no JPEG, PNG or WebP image"):
        source_with(tmp_path, content).read([0], 8)


def test_file_that_vanished_is_unreadable(tmp_path: Path) -> None:
    source = load_folder(folder_of(tmp_path, "a/x.png", "b/y.png"))
    source.path(1).unlink()
    with pytest.raises(UnreadableImageError, match="No such file"):
        source.read([1], 8)


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.webp"])
@given(data=st.data())
def test_damaged_images_are_read_or_unreadable(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged" / name
    exif = Image.Exif()
    exif[0x0112] = 6
    path = write(folder / "a" / name, Image.fromarray(GRADIENT), exif=exif)
    write(folder / "b" / "other.png")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with suppress(UnreadableImageError):
        assert load_folder(folder).read([0], 8).shape == (1, 3, 8, 8)


def test_links_stay_inside(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "secret.png")
    root = folder_of(tmp_path / "data", "a/x.png", "b/y.png")
    (root / "a" / "out.png").symlink_to(outside)
    (root / "a" / "in.png").symlink_to(root / "b" / "y.png")
    (root / "a" / "dead.png").symlink_to(root / "nothing.png")
    (root / "a" / "loop.png").symlink_to(root / "a" / "loop.png")
    (root / "c").symlink_to(outside.parent, target_is_directory=True)
    source = load_folder(root)
    assert source.class_names == ("a", "b")
    assert source.files == ("in.png", "x.png", "y.png")


def test_link_to_the_folder_itself_is_followed(tmp_path: Path) -> None:
    folder_of(tmp_path / "data", "a/x.png", "b/y.png")
    (tmp_path / "link").symlink_to(tmp_path / "data", target_is_directory=True)
    assert len(load_folder(tmp_path / "link").labels) == 2


def test_pipes_are_no_images(tmp_path: Path) -> None:
    root = folder_of(tmp_path, "a/x.png", "b/y.png")
    os.mkfifo(root / "a" / "pipe.png")
    assert load_folder(root).files == ("x.png", "y.png")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a/x.png"], "has 1 class folder; expected is one folder for each class"),
        (["x.png", "y.png"], "has 0 class folders and images outside of them; expected is"),
        (["a/x.png", "b/deep/y.png"], "holds folders and no images; give that folder itself"),
        (["a/x.png", ".b/y.png"], "has 1 class folder"),
        (["a/x.png", "b\x1b[31m/y.png"], "cannot be printed; rename it"),
    ],
)
def test_layouts_that_do_not_do(tmp_path: Path, names: list[str], message: str) -> None:
    folder_of(tmp_path, *names)
    with pytest.raises(DataError, match=message):
        load_folder(tmp_path).labels  # noqa: B018


def test_empty_class_and_missing_folder(tmp_path: Path) -> None:
    folder_of(tmp_path, "a/x.png", "b/y.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty' holds no images .* fill or remove it"):
        load_folder(tmp_path).labels  # noqa: B018
    with pytest.raises(DataError, match=r"There is no folder .*none'; expected is one folder"):
        load_folder(tmp_path / "none")
    with pytest.raises(DataError, match="There is no folder"):
        load_folder(tmp_path / "a" / "x.png")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folder_that_may_not_be_read(tmp_path: Path) -> None:
    folder_of(tmp_path, "a/x.png", "b/y.png")
    (tmp_path / "b").chmod(0)
    try:
        with pytest.raises(DataError, match="cannot be listed"):
            load_folder(tmp_path).labels  # noqa: B018
    finally:
        (tmp_path / "b").chmod(0o700)


@given(
    st.lists(st.lists(st.integers(0, 255), min_size=2, max_size=2), min_size=1, max_size=30),
)
def test_statistics_of_channels(values: list[list[int]]) -> None:
    images = np.array(values, np.uint8).reshape(-1, 2, 1, 1)
    mean, std = channel_statistics(images)
    scaled = images.reshape(-1, 2).astype(np.float64) / 255
    np.testing.assert_allclose(mean, scaled.mean(0), rtol=1e-12, atol=0)
    np.testing.assert_allclose(std, np.maximum(scaled.std(0), 1 / 255), rtol=1e-7, atol=0)


def test_folder_of_photographs(dev_data: Path) -> None:
    source = load_folder(dev_data / "tinyimagenet64_folder" / "train")
    assert len(source.class_names) == 24
    assert np.bincount(source.labels).tolist() == [30] * 24
    read = source.read([0, 719], 32)
    for image, index in zip(read, (0, 719), strict=True):
        whole = expected(Image.open(source.path(index)), 32)
        assert np.abs(image.permute(1, 2, 0).numpy() - whole).max() <= 1


def test_links_that_lead_out_are_told(tmp_path):
    root, outside = tmp_path / "photos", tmp_path / "elsewhere"
    outside.mkdir()
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(root / name / "a.png")
    assert load_folder(root).notices == ()
    (root / "owl").symlink_to(outside)
    source = load_folder(root)
    drawn = draw_few_shot(
        source, classes=2, images_per_class=1, sampling="random", resolution=8, seed=1
    )
    assert source.class_names == ("cat", "dog")
    assert any("1 links" in notice and "'owl'" in notice for notice in drawn.notices)
    (root / "dog" / "a.png").unlink()
    (root / "dog").rmdir()
    with pytest.raises(DataError, match=r"has 1 class folder; .* lead out of it"):
        load_folder(root)
