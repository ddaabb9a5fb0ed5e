"""Progress of long work: how much time is left, on a terminal and in lines, by a clock of ours."""

import io
from collections.abc import Callable, Iterable
from types import SimpleNamespace

import pytest
from rich.console import Console

from anglenas._cli import progress as _progress
from anglenas._cli.progress import _bar, _BarShower, _LineShower
from anglenas._measuring.progress import Progress


class Clock:
    """Stands still until it is set."""

    now = 1000.0  # seconds since some moment, as of a machine that has been on for a while

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that the project's progress goes by, in place of the machine's."""
    clock = Clock()
    monkeypatch.setattr(_progress, "time", SimpleNamespace(monotonic=clock))
    return clock


def told(
    show: Callable[[Progress], None], clock: Clock, seconds: float, done: Iterable[int],
    total: int | None = 54, stored: int = 0,
) -> None:  # fmt: skip
    """A search of which each candidate takes some seconds, but for the stored ones."""
    start = clock.now
    for count in done:
        computed = max(0, count - stored)
        clock.now = start + seconds * computed
        show(Progress(count, total, clock.now - start, computed))


def bar_line(clock: Clock, seconds: float, done: Iterable[int], **settings: int | None) -> str:
    """The bar as it stands in the end, on a terminal that is 100 columns wide."""
    bar = _bar()
    bar.get_time = clock
    told(_BarShower(bar, []), clock, seconds, done, **settings)
    console = Console(file=io.StringIO(), width=100)
    with console.capture() as capture:
        console.print(next(iter(bar.get_renderables())))
    return " ".join(capture.get().split())


def test_lines_tell_the_time_left(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    told(_LineShower([]), clock, 35, range(1, 11))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "1 of 54 measured"  # the first one says nothing yet: workers started
    # 44 candidates of 35 s are 1540 s.
    assert lines[-1] == "10 of 54 measured, 35.0 s each, 26 min left"


def test_a_bar_tells_the_time_left_however_slow_candidates_are(clock: Clock) -> None:
    line = bar_line(clock, 35, range(11))
    assert "10/54 35.0 s each" in line
    assert line.endswith("26 min left")


@pytest.mark.parametrize(
    ("seconds", "left"), [(0.5, "22 s left"), (2, "88 s left"), (3, "2 min left")]
)
def test_short_times_are_told_in_seconds(clock: Clock, seconds: float, left: str) -> None:
    """Of the 44 candidates that are left; from a minute and a half on, minutes are enough."""
    assert bar_line(clock, seconds, range(11)).endswith(f"s each 0:00:{10 * seconds:02.0f} {left}")


def test_what_was_stored_does_not_hurry_the_time_left(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """30 of 40 come at once; the other 14 take 35 s each, not a quarter of it."""
    done = (*range(31), *range(31, 41))
    assert bar_line(clock, 35, done, stored=30).endswith("8 min left")
    told(_LineShower([]), clock, 35, done, stored=30)
    assert capsys.readouterr().err.splitlines()[-1].endswith("35.0 s each, 8 min left")


@pytest.mark.parametrize(("done", "total"), [((0, 1), 54), (range(11), None)])
def test_nobody_guesses_what_cannot_be_known(
    clock: Clock, capsys: pytest.CaptureFixture[str], done: Iterable[int], total: int | None
) -> None:
    """After one candidate there is no pace; a search by time has no number of candidates."""
    assert "left" not in bar_line(clock, 35, done, total=total)
    told(_LineShower([]), clock, 35, done, total=total)
    assert "left" not in capsys.readouterr().err
