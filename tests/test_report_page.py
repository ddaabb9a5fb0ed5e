"""The report of a run: one page that loads nothing, and deterministic files around it."""

import base64
import csv
import hashlib
import json
import math
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from anglenas._report import (
    Column,
    Mark,
    Row,
    RunReport,
    Scatter,
    rank_figure,
    render_page,
    scatters,
    write_report,
)
from anglenas._report.canvas import short_number
from anglenas.errors import SettingError
from anglenas.spaces import CellGraph, Operation
from anglenas.spaces._nasbench201.values import OPERATIONS

VOID = {"meta", "br", "wbr", "link", "img", "input", "hr"}
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}'&amp;"
UNDEFINED = "undefined: loss is not finite at iteration 7"


def cell(name="nor_conv_3x3"):
    operation = OPERATIONS.get(name, Operation(name, name))
    return CellGraph("cell", ("in", "out"), ((0, 1, operation),), (0,), 1)


def candidate(place: int) -> Row:
    values = {"angle": 1 / place, "loss": -0.1 * place, "params": 1000.0 * place}
    ranks = {"angle": float(place), "params": 7.0 - place, "angle_loss": place + 0.5}
    return Row(place, 10 - place, f"|op{place}~0|", f"|c{place}~0|", values, ranks, "ok", -place)


def report(**changes) -> RunReport:
    nothing = {"angle": None, "loss": None, "params": 5.0}
    failed = Row(7, 3, "|bad~0|", "|bad~0|", nothing, {"params": 7.0}, UNDEFINED, -math.inf)
    whole = RunReport(
        title="Search on digits",
        command="anglenas search --seed 1",
        space="nasbench201",
        data="digits",
        rank_expression="angle_loss+params",
        recipe="fast",
        recipe_settings={"iterations": 50, "lr": 0.2, "augment": True},
        calibrated=False,
        seed=1,
        columns=(Column("angle", "higher", "rad"), Column("loss", "lower"), Column("params")),
        rows=(failed, *(candidate(place) for place in (4, 2, 6, 1, 5, 3))),
        graphs=((cell(),), (cell("skip_connect"), cell()), (cell(),), (cell(),)),
        snippet='network = build("|op1~0|")',
        notices=("A candidate could not be scored.",),
        versions={"anglenas": "0.1.0"},
        data_facts={"images": 1797},
    )
    return replace(whole, **changes)


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
    page = Page(render_page(report()))
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names))
    used = {a["href"][1:] for _, a in page.elements if "href" in a}
    assert used
    assert used <= set(names)
    described = {a["aria-labelledby"] for _, a in page.elements if "aria-labelledby" in a}
    assert described <= set(names)


def test_page_loads_nothing():
    html = render_page(report())
    page = Page(html)
    assert "http:" not in html
    assert "https:" not in html
    assert not re.search(r"@import|url\((?!#)", html)
    for tag, attributes in page.elements:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form"}
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith("#")


def test_only_the_pages_own_script_may_run():
    html = render_page(report())
    [policy] = [a["content"] for a in elements(Page(html), "meta") if "http-equiv" in a]
    [script] = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_hostile_texts_are_escaped_everywhere():
    row = replace(candidate(1), architecture=HOSTILE, canonical=HOSTILE, ranks={HOSTILE: 1.0})
    bad = replace(candidate(2), status=HOSTILE)
    texts = dict.fromkeys(
        ("title", "command", "space", "data", "rank_expression", "recipe", "snippet"), HOSTILE
    )
    hostile = report(
        **texts,
        rows=(row, bad),
        columns=(Column(HOSTILE, "higher", HOSTILE), Column("params")),
        notices=(HOSTILE,),
        versions={HOSTILE: HOSTILE},
        recipe_settings={HOSTILE: HOSTILE},
        data_facts={HOSTILE: HOSTILE},
        graphs=((cell(HOSTILE),),),
    )
    page = Page(render_page(hostile))
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert not elements(page, "img")
    assert not any(name.startswith("on") for _, a in page.elements for name in a)
    assert page.text.count(HOSTILE) >= 14
    assert "49" not in page.text


def test_sections_stand_in_order():
    text = Page(render_page(report())).text
    order = ["Best architecture", "How to use it", "Cells of the best", "All candidates", "Charts",
             "Score against rank", "Score against parameters", "Recipe fast", "Data", "Notices",
             "Versions", "Run it again"]  # fmt: skip
    places = [text.index(heading) for heading in order]
    assert places == sorted(places)


@pytest.mark.parametrize(("calibrated", "said"), [(True, 0), (False, 2)])
def test_uncalibrated_recipe_is_marked(calibrated, said):
    assert Page(render_page(report(calibrated=calibrated))).text.count("calibrated yet") == said


def test_table_lists_the_best_first_and_the_failed_last_with_their_reason():
    html = render_page(report())
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
    page = Page(render_page(report()))
    headers = elements(page, "th")
    assert all(header.get("scope") in {"col", "row", "colgroup"} for header in headers)
    columns = [header for header in headers if "data-column" in header]
    assert [int(header["data-column"]) for header in columns] == list(range(9))
    assert [header.get("aria-sort") for header in columns] == ["ascending"] + [None] * 8
    row = render_page(report()).split("<tbody>")[1].split("</tr>")[0]
    assert len(re.findall(r"<t[hd]\b", row)) == 9


def test_answer_shows_numbers_and_ranks_of_the_best():
    text = " ".join(Page(render_page(report())).text.split())
    answer = text[text.index("Best architecture") : text.index("Cells of the best")]
    for shown in ("|op1~0|", "angle 1 rad", "rank 1 of 7", "params 1,000", "rank 6 of 7",
                  'network = build("|op1~0|")'):  # fmt: skip
        assert shown in answer


def test_drawings_take_the_pages_colours_and_are_three_at_most():
    html = render_page(report())
    assert html.count('role="img" aria-label="Cells of rank') == 3
    assert "var(--op-convolution)" in html
    assert "#0066d6" not in html.split("</style>")[1]


def test_a_run_without_a_single_score_says_so():
    row = replace(candidate(1), rank=None, status=UNDEFINED, score=None, values={}, ranks={})
    empty = report(rows=(row,), graphs=(), notices=(), versions={}, command="", snippet="")
    text = Page(render_page(empty)).text
    assert "No candidate could be scored" in text
    assert UNDEFINED in text
    assert "Charts" not in text
    assert "Run it again" not in text


def test_a_large_run_lists_part_of_it_and_says_so(tmp_path):
    rows = tuple(candidate(place) for place in range(1, 1201))
    html = write_report(report(rows=rows), tmp_path).read_text("utf-8")
    assert html.count('<th scope="row"') == 500
    assert "The first 500 of 1200 are listed" in html
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 1201
    assert html.count("data-text=") == 2 * 500
    assert len(re.findall(r'<use href="#score_by_\w+-\w+" x="[\d.]+" y="[\d.]+"/>', html)) == 1400


# The folder.


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_folder_holds_all_files_and_the_same_bytes_each_time(tmp_path):
    page = write_report(report(), tmp_path / "one")
    write_report(report(rows=tuple(reversed(report().rows))), tmp_path / "other")
    assert page == tmp_path / "one" / "report.html"
    files = contents(tmp_path / "one")
    drawn = [f"cells/rank{place}" for place in (1, 2, 3)]
    drawn += ["figures/score_by_rank", "figures/score_by_params"]
    assert set(files) == {"report.html", "table.csv", "best.json"} | {
        f"{name}.{kind}" for name in drawn for kind in ("svg", "png")
    }
    assert files == contents(tmp_path / "other")


def test_table_gives_back_every_number(tmp_path):
    write_report(report(), tmp_path)
    with (tmp_path / "table.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == [
        "rank", "proposal", "score", "angle", "loss", "params", "rank_angle", "rank_params",
        "rank_angle_loss", "guarded", "status", "architecture", "canonical",
    ]  # fmt: skip
    for line, row in zip(lines, report().ordered, strict=True):
        assert line["architecture"] == row.architecture
        assert float(line["score"]) == row.score
        for name, value in row.values.items():
            assert line[name] == ("" if value is None else repr(value))
    assert lines[-1]["status"] == UNDEFINED


def test_best_is_strict_json(tmp_path):
    best = replace(candidate(1), values={"angle": math.nan, "params": math.inf, "loss": 0.1})
    write_report(report(rows=(best, candidate(2))), tmp_path)
    read = json.loads((tmp_path / "best.json").read_text(), parse_constant=pytest.fail)
    assert read["architecture"] == "|op1~0|"
    assert read["values"] == {"angle": None, "params": None, "loss": 0.1}
    assert read["recipe"]["settings"] == {"iterations": 50, "lr": 0.2, "augment": True}


def test_texts_that_are_no_unicode_do_not_cost_the_report(tmp_path):
    page = write_report(report(data="photos\udcff", notices=("\udc80\x00",)), tmp_path)
    assert "photos\\udcff" in page.read_text("utf-8")


def test_files_of_an_earlier_run_do_not_stay(tmp_path):
    write_report(report(), tmp_path)
    (tmp_path / "mine.txt").touch()
    failed = replace(candidate(1), status=UNDEFINED, score=None)
    write_report(report(rows=(failed,), graphs=()), tmp_path)
    assert set(contents(tmp_path)) == {"report.html", "table.csv", "mine.txt"}


def test_an_interrupted_write_leaves_the_earlier_file(tmp_path, monkeypatch):
    write_report(report(), tmp_path)
    before = contents(tmp_path)

    def fail(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(SettingError, match="No space left on device"):
        write_report(report(title="Another"), tmp_path)
    assert contents(tmp_path) == before


def test_a_folder_that_cannot_be_made_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match=r"cannot be written \(.*\); choose a folder that can\."):
        write_report(report(), tmp_path / "file" / "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(SettingError, match="cannot be written"):
        write_report(report(), tmp_path)


# Charts.


def test_charts_show_every_scored_candidate_and_mark_the_best():
    by_rank, by_params = scatters(report())
    assert [mark.x for mark in by_rank.marks] == [1, 2, 3, 4, 5, 6]
    assert [mark.x for mark in by_params.marks] == [1000.0 * place for place in range(1, 7)]
    for scatter in (by_rank, by_params):
        assert [mark.y for mark in scatter.marks] == [-1, -2, -3, -4, -5, -6]
        assert [mark.text for mark in scatter.marks if mark.best] == ["#1  |op1~0|"]


def test_a_run_without_counted_parameters_has_one_chart():
    rows = tuple(replace(candidate(place), values={"angle": 1.0}) for place in (1, 2))
    assert [scatter.name for scatter in scatters(report(rows=rows))] == ["score_by_rank"]


def scatter_of(xs, *, log_x):
    return Scatter("s", "S", "x", "y", tuple(Mark(x, x, str(x)) for x in xs), log_x)


def test_marks_of_the_page_stand_where_their_values_say_and_tell_their_names():
    marks = re.findall(
        r'<use href="#score_by_params-\w+" x="([\d.]+)" y="([\d.]+)" data-text="([^"]+)"/>',
        render_page(report()),
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
    ticks = scatter_of(xs, log_x=log_x).x_ticks
    assert 1 <= len(ticks) <= 14
    assert list(ticks) == sorted(set(ticks))
    assert min(xs) <= ticks[0]
    assert ticks[-1] <= max(xs)
    rank_figure(scatter_of(xs, log_x=log_x)).canvas.draw()


def test_ranks_have_whole_ticks():
    assert scatter_of([float(place) for place in range(1, 9)], log_x=False).x_ticks == (2, 4, 6, 8)


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
