"""The report of a run: one page that loads nothing, and deterministic files around it."""

import base64
import csv
import hashlib
import math
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from anglenas import Found, Recipe, write_run
from anglenas._measuring.result import Candidate, Column
from anglenas._report.canvas import short_number, ticks
from anglenas._report.figures import Mark, Scatter, rank_figure, scatters
from anglenas._report.page import render_page
from anglenas.errors import SettingError
from anglenas.spaces import NASBENCH201, CellGraph, NetworkConfig, Operation
from anglenas.spaces._nasbench201.values import OPERATIONS

VOID = {"meta", "br", "wbr", "link", "img", "input", "hr"}
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}'&amp;"
UNDEFINED = "undefined: loss is not finite at iteration 7"


def cell(name="nor_conv_3x3"):
    operation = OPERATIONS.get(name, Operation(name, name))
    return CellGraph("cell", ("in", "out"), ((0, 1, operation),), (0,), 1)


CELLS = ((cell(),), (cell("skip_connect"), cell()), (cell(),))
SPACE = replace(NASBENCH201, parse=str, drawings=lambda text: (cell(),))
"""A space whose architectures are any texts."""


def candidate(rank: int) -> Candidate:
    return Candidate(
        rank=rank,
        number=10 - rank,
        architecture=f"|op{rank}~0|",
        canonical=f"|c{rank}~0|",
        values={"angle": 1 / rank, "loss": -0.1 * rank, "params": 1000.0 * rank},
        spreads={},
        ranks={"angle": float(rank), "params": 7.0 - rank, "angle_loss": rank + 0.5},
        score=float(-rank),
        status="ok",
        guarded=False,
        space=f"{__name__}:SPACE",
        config=NetworkConfig(num_classes=10, channels=16, cells=5),
    )


def failed(rank: int) -> Candidate:
    nothing = {"angle": None, "loss": None, "params": 5.0}
    return replace(candidate(rank), architecture="|bad~0|", values=nothing, status=UNDEFINED,
                   score=-math.inf)  # fmt: skip


def found(**changes) -> Found:
    whole = Found(
        candidates=(*(candidate(rank) for rank in range(1, 7)), failed(7)),
        columns=(Column("angle", True, "rad"), Column("loss", False), Column("params")),
        rank="angle_loss+params",
        space=f"{__name__}:SPACE",
        data="digits",
        origin="digits",
        class_names=("0", "1"),
        flip=False,
        recipe=Recipe(name="mine"),
        seed=1,
        guard=True,
        ties="average",
        notices=(),
        seconds=2.0,
        computed=7,
        strategy="random",
        limits={},
    )
    return replace(whole, **changes)


def page_of(command="anglenas search --seed 1", cells=CELLS, **changes) -> str:
    return render_page(found(**changes), cells, command)


class Page(HTMLParser):
    """Elements with their attributes and text; fails where tags do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.elements, self.text = [], [], ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text += data


def elements(page: Page, tag: str):
    return [attributes for name, attributes in page.elements if name == tag]


def test_page_nests_and_every_name_is_its_own():
    page = Page(page_of())
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names))
    used = {a["href"][1:] for _, a in page.elements if "href" in a}
    assert used
    assert used <= set(names)
    described = {a["aria-labelledby"] for _, a in page.elements if "aria-labelledby" in a}
    assert described <= set(names)


def test_page_loads_nothing():
    html = page_of()
    page = Page(html)
    assert "http:" not in html
    assert "https:" not in html
    assert not re.search(r"@import|url\((?!#)", html)
    for tag, attributes in page.elements:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form"}
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith("#")


def test_only_the_pages_own_script_may_run():
    html = page_of()
    [policy] = [a["content"] for a in elements(Page(html), "meta") if "http-equiv" in a]
    [script] = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_hostile_texts_are_escaped_everywhere():
    best = replace(candidate(1), architecture=HOSTILE, canonical=HOSTILE, ranks={HOSTILE: 1.0})
    html = page_of(
        command=HOSTILE,
        cells=((cell(HOSTILE),),),
        candidates=(best, replace(failed(2), status=HOSTILE)),
        columns=(Column(HOSTILE, True, HOSTILE), Column("params")),
        notices=(HOSTILE,),
        recipe=Recipe(name=HOSTILE),
        **dict.fromkeys(("space", "data", "rank", "strategy"), HOSTILE),
    )
    page = Page(html)
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert not elements(page, "img")
    assert not any(name.startswith("on") for _, a in page.elements for name in a)
    assert page.text.count(HOSTILE) >= 14
    assert "49" not in page.text


def test_sections_stand_in_order():
    text = Page(page_of()).text
    order = ["Best architecture", "How to use it", "Cells of the best", "All candidates", "Charts",
             "Score against rank", "Score against parameters", "Recipe mine", "Search", "Notices",
             "Versions", "Run it again"]  # fmt: skip
    starts = [text.index(heading) for heading in order]
    assert starts == sorted(starts)


@pytest.mark.parametrize(("calibrated", "said"), [(True, 0), (False, 2)])
def test_uncalibrated_recipe_is_marked(calibrated, said):
    assert page_of(recipe=Recipe(calibrated=calibrated)).count('class="badge"') == said


def test_table_lists_the_best_first_and_the_failed_last_with_their_reason():
    html = page_of()
    body = html.split("<tbody>")[1].split("</tbody>")[0]
    assert re.findall(r"\|(op\d|bad)~0\|", body) == [
        "op1",
        "op2",
        "op3",
        "op4",
        "op5",
        "op6",
        "bad",
    ]
    assert body.count(UNDEFINED) == 1
    assert body.index(UNDEFINED) > body.index("bad~0")


def test_table_headers_name_their_columns_for_every_reader():
    page = Page(page_of())
    headers = elements(page, "th")
    assert all(header.get("scope") in {"col", "row", "colgroup"} for header in headers)
    columns = [header for header in headers if "data-column" in header]
    assert [int(header["data-column"]) for header in columns] == list(range(9))
    assert [header.get("aria-sort") for header in columns] == ["ascending"] + [None] * 8
    row = page_of().split("<tbody>")[1].split("</tr>")[0]
    assert len(re.findall(r"<t[hd]\b", row)) == 9


def test_answer_shows_numbers_and_ranks_of_the_best():
    text = " ".join(Page(page_of()).text.split())
    answer = text[text.index("Best architecture") : text.index("Cells of the best")]
    for shown in ("|op1~0|", "angle 1 rad", "rank 1 of 7", "params 1,000", "rank 6 of 7",
                  "make_network( '|op1~0|', space="):  # fmt: skip
        assert shown in answer


def test_drawings_take_the_pages_colours_and_are_three_at_most():
    html = page_of()
    assert html.count('role="img" aria-label="Cells of rank') == 3
    assert "var(--op-convolution)" in html
    assert "#0066d6" not in html.split("</style>")[1]


def test_a_run_without_a_single_score_says_so():
    text = Page(page_of(command="", cells=(), candidates=(failed(1),))).text
    assert "No candidate could be scored" in text
    assert UNDEFINED in text
    assert "Charts" not in text
    assert "How to use it" not in text
    assert "Run it again" not in text


def test_a_large_run_lists_part_of_it_and_says_so(tmp_path):
    many = tuple(candidate(rank) for rank in range(1, 1201))
    html = write_run(found(candidates=many), tmp_path).read_text("utf-8")
    assert html.count('<th scope="row"') == 500
    assert "The first 500 of 1200 are listed" in html
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 1201
    assert html.count("data-text=") == 2 * 500
    assert len(re.findall(r'<use href="#score_by_\w+-\w+" x="[\d.]+" y="[\d.]+"/>', html)) == 1400


# The folder.


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_folder_holds_all_files_and_the_same_bytes_each_time(tmp_path):
    page = write_run(found(), tmp_path / "one")
    write_run(found(), tmp_path / "other")
    assert page == tmp_path / "one" / "report.html"
    files = contents(tmp_path / "one")
    drawn = [f"cells/rank{rank}" for rank in (1, 2, 3)]
    drawn += ["figures/score_by_rank", "figures/score_by_params"]
    assert set(files) == {"report.html", "table.csv", "run.json"} | {
        f"{name}.{kind}" for name in drawn for kind in ("svg", "png")
    }
    assert files == contents(tmp_path / "other")


def test_table_gives_back_every_number(tmp_path):
    write_run(found(), tmp_path)
    with (tmp_path / "table.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == [
        "rank", "number", "architecture", "score", "status", "guarded", "angle", "loss", "params",
        "rank_angle", "rank_params", "rank_angle_loss", "canonical",
    ]  # fmt: skip
    for line, one in zip(lines, found().candidates, strict=True):
        assert line["architecture"] == one.architecture
        assert line["score"] == (repr(one.score) if one.scored else "")
        for name, value in one.values.items():
            assert line[name] == ("" if value is None else repr(value))
    assert lines[-1]["status"] == UNDEFINED


def test_texts_that_are_no_unicode_do_not_cost_the_report(tmp_path):
    page = write_run(found(data="photos\udcff", notices=("\udc80\x00",)), tmp_path)
    assert "photos\\udcff" in page.read_text("utf-8")


def test_files_of_an_earlier_run_do_not_stay(tmp_path):
    write_run(found(), tmp_path)
    (tmp_path / "mine.txt").touch()
    (tmp_path / "pruning.csv").touch()
    write_run(found(candidates=(failed(1),)), tmp_path)
    drawn = {"cells/rank1.svg", "cells/rank1.png"}
    assert set(contents(tmp_path)) == {"report.html", "table.csv", "run.json", "mine.txt"} | drawn


def test_an_interrupted_write_leaves_the_earlier_file(tmp_path, monkeypatch):
    write_run(found(), tmp_path)
    before = contents(tmp_path)

    def fail(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(SettingError, match="No space left on device"):
        write_run(found(data="others"), tmp_path)
    assert contents(tmp_path) == before


def test_a_folder_that_cannot_be_made_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match=r"cannot be written \(.*\); choose another one\."):
        write_run(found(), tmp_path / "file" / "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(SettingError, match="cannot be written"):
        write_run(found(), tmp_path)


# Charts.


def test_charts_show_every_scored_candidate_and_mark_the_best():
    by_rank, by_params = scatters(found())
    assert [mark.x for mark in by_rank.marks] == [1, 2, 3, 4, 5, 6]
    assert [mark.x for mark in by_params.marks] == [1000.0 * rank for rank in range(1, 7)]
    for scatter in (by_rank, by_params):
        assert [mark.y for mark in scatter.marks] == [-1, -2, -3, -4, -5, -6]
        assert [mark.text for mark in scatter.marks if mark.best] == ["#1  |op1~0|"]


def test_a_run_without_counted_parameters_has_one_chart():
    few = tuple(replace(candidate(rank), values={"angle": 1.0}) for rank in (1, 2))
    assert [scatter.name for scatter in scatters(found(candidates=few))] == ["score_by_rank"]


def scatter_of(xs, *, log_x):
    return Scatter("s", "S", "x", "y", tuple(Mark(x, x, str(x)) for x in xs), log_x)


def test_marks_of_the_page_stand_where_their_values_say_and_tell_their_names():
    marks = re.findall(
        r'<use href="#score_by_params-\w+" x="([\d.]+)" y="([\d.]+)" data-text="([^"]+)"/>',
        page_of(),
    )
    x, y = np.array([[float(x), float(y)] for x, y, _ in marks]).T
    ranks = [int(text.split("  ")[0].strip("#")) for *_, text in marks]
    assert ranks == [2, 3, 4, 5, 6, 1]  # the best one last, so that it lies on top
    assert [text.split("  ")[1] for *_, text in marks] == [f"|op{rank}~0|" for rank in ranks]
    for shown, values in ((x, np.log(ranks)), (y, ranks)):  # lower scores stand further down
        assert np.allclose(np.polyval(np.polyfit(values, shown, 1), values), shown, atol=0.01)
    assert np.polyfit(ranks, y, 1)[0] > 0


@pytest.mark.parametrize("xs", [[73306.0, 1531546.0], [9e5, 1.1e6], [5.0], [1e-3, 1e9], [7.0, 7.1]])
@pytest.mark.parametrize("log_x", [True, False])
def test_ticks_are_a_few_within_the_data(xs, log_x):
    numbers = ticks(xs, log=log_x)
    assert 1 <= len(numbers) <= 14
    assert numbers == sorted(set(numbers))
    assert min(xs) <= numbers[0]
    assert numbers[-1] <= max(xs)
    rank_figure(scatter_of(xs, log_x=log_x)).canvas.draw()


def test_ranks_have_whole_ticks():
    assert ticks(range(1, 9)) == [2, 4, 6, 8]


def test_figure_shows_the_values_it_was_given():
    marks = (Mark(3.0, 1.0, "a"), Mark(1.0, 2.0, "b", best=True), Mark(2.0, 0.5, "c"))
    axes = rank_figure(Scatter("s", "S", "x $_", "y", marks)).axes[0]
    others, best = (list(zip(*line.get_data(), strict=True)) for line in axes.lines)
    assert others == [(3.0, 1.0), (2.0, 0.5)]
    assert best == [(1.0, 2.0)]
    assert axes.get_xlabel() == "x $_"


def test_short_numbers_keep_four_digits():
    for value in (0.5, 123.0, 9999.0, 54321.0, 1_531_546.0, 5.5e9, -2e7):
        shown = short_number(value)
        scale = {"k": 1e3, "M": 1e6, "G": 1e9}.get(shown[-1], 1.0)
        assert float(shown.rstrip("kMG")) * scale == pytest.approx(value, rel=1e-3)
