"""Drawings of cells: nothing meets anything else, and the same cell gives the same bytes."""

import itertools
import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from anglenas._report import draw_cells, save_figure
from anglenas._report.canvas import FAINT, INK, KINDS, MUTED, PAPER, printable
from anglenas._report.files import render
from anglenas.errors import SettingError
from anglenas.spaces import DARTS as DARTS_SPACE
from anglenas.spaces import (
    DARTS_SUPERNET,
    NASBENCH201_SUPERNET,
    CellGraph,
    Genotype,
    Operation,
    OptionTable,
)
from anglenas.spaces._darts import values as darts
from anglenas.spaces._nasbench201 import values as nasbench201

NB201 = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
DARTS = ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5", "skip_connect",
         "max_pool_3x3", "avg_pool_3x3")  # fmt: skip
OPERATIONS = {**darts.OPERATIONS, **nasbench201.OPERATIONS}


def operation(name):
    """Of a built-in space, or of one's own; none for an edge that gathers results."""
    return OPERATIONS.get(name, Operation(name, name)) if name else None


def colour_of(one):
    return next(kind.light for kind in KINDS if kind.name == one.kind)


def edges_of(*edges):
    return tuple((start, end, operation(name)) for start, end, name in edges)


def nb201_cell(names):
    pairs = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    edges = edges_of(*((*pair, name) for pair, name in zip(pairs, names, strict=True)))
    return CellGraph("cell", ("in", "1", "2", "out"), edges, (0,), 3)


def darts_cell(rng, title="normal cell"):
    edges = [
        (start, node + 2, rng.choice(DARTS))
        for node in range(4)
        for start in rng.sample(range(node + 2), 2)
    ]
    edges += [(node, 6, "") for node in range(2, 6)]
    names = ("c_{k-2}", "c_{k-1}", "0", "1", "2", "3", "c_{k}")
    return CellGraph(title, names, edges_of(*edges), (0, 1), 6)


class Drawn:
    """What really stands on the axes of a cell, in points: edges, nodes and their names, labels."""

    def __init__(self, axes) -> None:
        axes.figure.set_dpi(200)  # as files have; with fewer, letters are as wide as their pixels
        renderer, into = axes.figure.canvas.get_renderer(), axes.transData.inverted()
        shapes = [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
        self.nodes = [Bbox.from_bounds(p.get_x(), p.get_y(), p.get_width(), p.get_height())
                      for p in shapes if p.get_linewidth() > 1]  # fmt: skip
        self.frames = [Bbox.from_bounds(p.get_x(), p.get_y(), p.get_width(), p.get_height())
                       for p in shapes if p.get_linewidth() <= 1]  # fmt: skip
        # A line lies in a casing of paper colour; an arrowhead ends it.
        curves = [p.get_path() for p in axes.patches if type(p) is PathPatch and not cased(p)]
        self.edges = [path.to_polygons(closed_only=False)[0] for path in curves]
        self.tips = [patch.get_xy()[0] for patch in axes.patches if type(patch) is Polygon]
        texts = [
            (t.get_text(), t.get_window_extent(renderer).transformed(into)) for t in axes.texts
        ]
        count = len(texts) - len(self.nodes)
        self.labels, self.names = texts[:count], texts[count:]


def cased(patch) -> bool:
    return matplotlib.colors.to_hex(patch.get_edgecolor()) == PAPER


def overlap(one, other):
    return one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1


def check_drawing(graph: CellGraph) -> Drawn:
    """Of a cell without a title whose edges join different nodes: nothing meets anything else."""
    drawn = Drawn(draw_cells([replace(graph, title="")]).axes[0])
    boxes = [*drawn.nodes, *(box for _, box in drawn.labels)]
    for one, other in itertools.combinations(boxes, 2):
        assert not overlap(one, other)
    for node, (_, name) in zip(drawn.nodes, drawn.names, strict=True):
        assert node.x0 < name.x0 < name.x1 < node.x1
        assert node.y0 < name.y0 < name.y1 < node.y1
    named = iter(drawn.labels)
    for (start, end, operation), edge, tip in zip(
        graph.edges, drawn.edges, drawn.tips, strict=True
    ):
        own = next(named)[1] if operation and operation.kind != "none" else None
        assert np.all(np.diff(edge[:, 0]) >= -1e-9)
        for box in boxes:
            if box is not own:
                inside = (box.x0 + 1 < edge[:, 0]) & (edge[:, 0] < box.x1 - 1)
                assert not np.any(inside & (box.y0 < edge[:, 1]) & (edge[:, 1] < box.y1))
                assert not passes(edge, box)
        assert own is None or passes(edge, own)
        assert edge[0][0] == pytest.approx(drawn.nodes[start].x1)
        assert drawn.nodes[start].y0 < edge[0][1] < drawn.nodes[start].y1
        assert tip[0] == pytest.approx(drawn.nodes[end].x0)
        assert drawn.nodes[end].y0 < tip[1] < drawn.nodes[end].y1
    return drawn


def passes(edge, box) -> bool:
    """Whether a line goes level through a box from side to side."""
    return any(
        a[0] <= box.x0 and box.x1 <= b[0] and a[1] == b[1] and box.y0 < a[1] < box.y1
        for a, b in itertools.pairwise(edge)
    )


@pytest.mark.parametrize("count", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_nothing_meets_in_nb201_cells(count):
    rng = random.Random(1)
    for _ in range(count):
        check_drawing(nb201_cell(rng.choices(NB201, k=6)))


@pytest.mark.parametrize("count", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_nothing_meets_in_darts_cells(count):
    rng = random.Random(2)
    for _ in range(count):
        check_drawing(darts_cell(rng))


def test_results_that_are_gathered_beside_an_operation_and_long_names_keep_apart():
    edges = ((0, 1, "a"), (0, 1, ""), (1, 2, "b" * 30), (0, 2, "d"), (0, 3, ""), (0, 3, "c"))
    check_drawing(CellGraph("cell", ("in", "x", "y" * 20, "out"), edges_of(*edges), (0,), 3))


def crossings(drawn: Drawn) -> int:
    """Naive: sample every edge at the same places and count changes of order."""
    count = 0
    places = np.linspace(0, max(node.x1 for node in drawn.nodes), 2000)
    heights = [np.interp(places, edge[:, 0], edge[:, 1], left=np.nan, right=np.nan)
               for edge in drawn.edges]  # fmt: skip
    for one, other in itertools.combinations(heights, 2):
        gap = one - other
        signs = np.sign(gap[np.abs(gap) > 1e-6])
        count += int(np.sum(signs[1:] != signs[:-1]))
    return count


def test_planar_cells_are_drawn_without_a_crossing():
    assert crossings(check_drawing(nb201_cell(["nor_conv_3x3"] * 6))) == 0


def test_few_edges_cross_in_darts_cells():
    rng = random.Random(3)
    counts = [crossings(check_drawing(darts_cell(rng))) for _ in range(20)]
    assert np.mean(counts) < 2


def test_a_node_stands_on_one_line_with_all_others_at_the_same_turn_in_every_cell():
    """So that cells of one space can be compared by eye."""
    rng = random.Random(7)
    for _ in range(5):
        drawn = check_drawing(darts_cell(rng))
        middles = [(node.y0 + node.y1) / 2 for node in drawn.nodes]
        assert middles == pytest.approx([middles[0]] * len(middles))
        assert all(a.x1 < b.x0 for a, b in itertools.pairwise(drawn.nodes))


# The drawing itself.


def all_texts(figure):
    return [text for text in figure.findobj(Text) if text.get_text()]


def texts_of(figure):
    return [text.get_text() for text in all_texts(figure)]


def check_page(figure) -> None:
    """No text overlaps another one, and all are on the page."""
    figure.set_dpi(200)
    renderer, page = figure.canvas.get_renderer(), figure.bbox
    boxes = [text.get_window_extent(renderer) for text in all_texts(figure)]
    assert not any(overlap(a, b) for a, b in itertools.combinations(boxes, 2))
    assert all(page.x0 <= b.x0 and b.x1 <= page.x1 for b in boxes)
    assert all(page.y0 <= b.y0 and b.y1 <= page.y1 for b in boxes)


@pytest.mark.parametrize("seed", range(4))
def test_cells_title_and_caption_keep_apart(seed):
    rng = random.Random(seed)
    cells = [
        darts_cell(rng),
        darts_cell(rng, "reduction cell"),
        nb201_cell(rng.choices(NB201, k=6)),
    ]
    check_page(draw_cells(cells, title="A title " * 20, caption="a caption " * 30))


def test_any_two_darts_cells_stand_side_by_side():
    """The widest ones: each node takes the one before it, with the longest of labels."""
    edges = [(max(node + 1, 1), node + 2, "max_pool_3x3") for node in range(4)]
    edges += [(0, node + 2, "sep_conv_5x5") for node in range(4)]
    edges += [(node, 6, "") for node in range(2, 6)]
    names = ("c_{k-2}", "c_{k-1}", "0", "1", "2", "3", "c_{k}")
    cells = [
        CellGraph(title, names, edges_of(*edges), (0, 1), 6) for title in ("normal", "reduction")
    ]
    for widest, levels in ((None, 1), (900, 2)):
        figure = draw_cells(cells, **({"widest": widest} if widest else {}))
        assert len({round(axes.get_position().y0, 3) for axes in figure.axes}) == levels


@pytest.mark.parametrize("name", ["DARTS_V1", "DARTS_V2", "TENAS_cifar10", "TENAS_imagenet"])
def test_nothing_meets_in_published_cells(dev_data, name):
    found = json.loads((dev_data / "darts_genotypes.json").read_text())[name]
    genotype = Genotype(*(tuple(map(tuple, found[cell])) for cell in ("normal", "reduce")))
    for graph, chosen in zip(
        DARTS_SPACE.drawings(genotype), (genotype.normal, genotype.reduce), strict=True
    ):
        shown = [label for label, _ in check_drawing(graph).labels]
        assert sorted(shown) == sorted(OPERATIONS[name].label for name, _ in chosen)


# Supernets: many operations on an edge.


def stacks(axes) -> list[list[str]]:
    """The operations in each frame, from the top; every one of them stands inside of its frame."""
    drawn = Drawn(axes)
    titles = 1 if drawn.labels[0][0].endswith("cell") else 0
    placed = sorted(drawn.labels[titles:], key=lambda label: -label[1].y0)
    boxes = [box for _, box in placed]
    for several in ([*drawn.frames, *drawn.nodes], boxes):
        assert not any(overlap(a, b) for a, b in itertools.combinations(several, 2))
    for box in boxes:
        [frame] = [frame for frame in drawn.frames if overlap(box, frame)]
        assert frame.x0 < box.x0 < box.x1 < frame.x1
        assert frame.y0 < box.y0 < box.y1 < frame.y1
    held = [[text for text, box in placed if overlap(box, frame)] for frame in drawn.frames]
    return [operations for operations in held if len(operations) > 1]


def arrowheads(axes):
    return sum(type(patch) is Polygon for patch in axes.patches)


def test_the_full_darts_supernet_has_one_line_an_edge_that_names_every_operation():
    """With 196 lines, one for each operation, nobody could read it."""
    operations = [one.label for one in DARTS_SUPERNET.topology.operations]
    for axes in draw_cells(DARTS_SUPERNET.drawings(DARTS_SUPERNET.full())).axes:
        assert arrowheads(axes) == 14 + 4  # and four nodes of the cell lead to its output
        assert stacks(axes) == [operations] * 14
        colours = {text.get_text(): text.get_color() for text in axes.texts}
        for one in DARTS_SUPERNET.topology.operations:
            assert colours[one.label] == colour_of(one)


@pytest.mark.parametrize("seed", range(3))
def test_pruned_supernets_name_what_is_left_and_nothing_meets(seed):
    rng = np.random.default_rng(seed)
    supernet = NASBENCH201_SUPERNET.sample(rng)
    for name in NASBENCH201_SUPERNET.topology.names:
        supernet = supernet.without(seed, name)
    figure = draw_cells(NASBENCH201_SUPERNET.drawings(supernet))
    assert arrowheads(figure.axes[0]) == 6
    labels = [[OPERATIONS[name].label for name in held] for held in supernet.operations]
    wanted = [several for several in labels if len(several) > 1]
    assert stacks(figure.axes[0]) == wanted
    single = [one[0] for one in labels if len(one) == 1]
    shown = [text for text in texts_of(figure) if text not in ("cell", "0", "1", "2", "3")]
    assert sorted(shown) == sorted([*itertools.chain(*wanted), *single])


def test_nothing_meets_labels_of_several_lines():
    rng = random.Random(5)
    for _ in range(5):
        graph = darts_cell(rng)
        edges = [edge for edge in graph.edges for _ in range(rng.randint(1, 7) if edge[2] else 1)]
        axes = draw_cells([replace(graph, edges=tuple(edges))]).axes[0]
        wanted = [[one.label] * edges.count((a, b, one)) for a, b, one in graph.edges if one]
        assert stacks(axes) == [several for several in wanted if len(several) > 1]


def test_a_line_is_black_only_if_the_kinds_of_its_operations_differ():
    edges = (
        (0, 1, "sep_conv_3x3"), (0, 1, "sep_conv_5x5"), (0, 2, "avg_pool_3x3"), (0, 2, "none"),
        (1, 2, "skip_connect"), (1, 2, "max_pool_3x3"), (0, 3, ""), (0, 3, ""), (2, 3, ""),
    )  # fmt: skip
    [axes] = draw_cells([CellGraph("", ("in", "x", "y", "out"), edges_of(*edges), (0,), 3)]).axes
    heads = [patch for patch in axes.patches if type(patch) is Polygon]
    assert [matplotlib.colors.to_hex(head.get_facecolor()) for head in heads] == [
        colour_of(operation("sep_conv_3x3")), colour_of(operation("avg_pool_3x3")), INK, MUTED,
        MUTED,
    ]  # fmt: skip
    assert stacks(axes) == [["sep conv 3x3", "sep conv 5x5"], ["skip", "max pool 3x3"]]


TABLE = OptionTable(
    "mine",
    (("width", ("16", "32", "x" * 60), 1), ("kernel", ("3", "5"), None), ("a b", ("1",), 0)),
)


def test_what_was_chosen_is_filled():
    axes = draw_cells([TABLE]).axes[0]
    assert texts_of(axes.figure) == [
        "mine", "a b", "1", "kernel", "3", "5", "width", "16", "32", "x" * 39 + "\u2026",
    ]  # fmt: skip
    fills = [matplotlib.colors.to_hex(patch.get_facecolor()) for patch in axes.patches]
    assert fills == [INK, PAPER, PAPER, PAPER, INK, PAPER]
    faint = [t.get_text() for t in axes.texts if t.get_color() == MUTED]
    assert faint == ["kernel", "3", "5", "16", "x" * 39 + "\u2026"]


def test_tables_stand_beside_cells_and_nothing_overlaps():
    cells = [TABLE, darts_cell(random.Random(4)), TABLE]
    figure = draw_cells(cells, caption="width=16,depth=2," * 20)
    check_page(figure)
    assert all(text.endswith(("2,", "16,")) for text in texts_of(figure) if "=" in text)


def test_labels_are_short_and_own_operations_keep_their_names():
    edges = (
        (0, 1, "nor_conv_3x3"), (0, 1, "sep_conv_5x5"), (0, 1, "skip_connect"),
        (0, 1, "max_pool_3x3"), (0, 1, "my_op$_^{"), (0, 1, "none"),
    )  # fmt: skip
    cell = CellGraph("", ("in", "out"), edges_of(*edges), (0,), 1)
    assert sorted(texts_of(draw_cells([cell]))) == sorted(
        ["conv 3x3", "sep conv 5x5", "skip", "max pool 3x3", "my_op$_^{", "in", "out"]
    )


def test_hostile_names_are_drawn_as_text():
    name = "$\\frac{1}{0}$\x00\n\u4e00" + "x" * 500
    cell = CellGraph(name, (name, "out"), edges_of((0, 1, name)), (0,), 1)
    figure = draw_cells([cell], title=name, caption=name)
    assert render(figure, "svg").startswith(b"<?xml")
    assert max(map(len, texts_of(figure))) <= 120


def test_printable_replaces_what_the_font_lacks():
    assert printable("a\u4e00b\x07 \n c") == "a\ufffdb\ufffd c"


def test_what_passes_nothing_on_is_faint():
    dead = nb201_cell(["none", "none", "nor_conv_3x3", "avg_pool_3x3", "skip_connect", "none"])
    axes = draw_cells([dead]).axes[0]
    colours = {text.get_text(): text.get_color() for text in axes.texts}
    assert colours["avg pool 3x3"] == colour_of(operation("avg_pool_3x3"))
    assert colours["conv 3x3"] not in {kind.light for kind in KINDS}
    lines = [matplotlib.colors.to_hex(patch.get_edgecolor()) for patch in axes.patches]
    drawn = [line for line in lines if line not in (PAPER, INK)]
    assert drawn.count(FAINT) == 5 + 2  # edges and the two inner nodes
    assert colour_of(operation("avg_pool_3x3")) in drawn


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_same_cell_gives_the_same_bytes_whatever_the_callers_settings(kind):
    cell = darts_cell(random.Random(0))
    first = render(draw_cells([cell]), kind)
    with matplotlib.rc_context({"svg.hashsalt": "x", "font.size": 30, "savefig.bbox": "tight"}):
        before = dict(matplotlib.rcParams)
        assert render(draw_cells([cell]), kind) == first
        assert dict(matplotlib.rcParams) == before


def test_drawing_needs_no_pyplot():
    code = (
        "import sys; from anglenas._report import draw_cells; "
        "from anglenas.spaces import CellGraph;"
        "draw_cells([CellGraph('', ('a', 'b'), ((0, 1, None),), (0,), 1)]);"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_figures_are_saved_by_suffix(tmp_path):
    figure = draw_cells([nb201_cell(["skip_connect"] * 6)])
    for suffix, magic in ((".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF")):
        save_figure(figure, tmp_path / "new" / f"cell{suffix}")
        assert (tmp_path / "new" / f"cell{suffix}").read_bytes().startswith(magic)
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == [
        "cell.pdf", "cell.png", "cell.svg",
    ]  # fmt: skip


def test_other_suffixes_and_unwritable_places_are_refused(tmp_path):
    figure = draw_cells([nb201_cell(["skip_connect"] * 6)])
    with pytest.raises(SettingError, match=r"\.svg, \.png or \.pdf"):
        save_figure(figure, Path("cell.bmp"))
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match="cannot be written"):
        save_figure(figure, tmp_path / "file" / "cell.svg")


# Colours. Simulation matrices: Machado, Oliveira, Fernandes (2009), severity 1.

DEUTERANOPIA = np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                         [-0.011820, 0.042940, 0.968881]])  # fmt: skip
PROTANOPIA = np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                       [-0.003882, -0.048116, 1.051998]])  # fmt: skip
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour):
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    xyz = TO_XYZ @ np.clip(rgb, 0, 1) / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one, other):
    low, high = sorted(float(linear(c) @ TO_XYZ[1]) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("theme", "paper"), [("light", "#ffffff"), ("dark", "#161b22")])
def test_colours_can_be_read_and_told_apart_by_colour_blind_eyes(theme, paper):
    colours = [getattr(kind, theme) for kind in KINDS]
    assert all(contrast(colour, paper) >= 4.5 for colour in colours)
    for one, other in itertools.combinations(colours, 2):
        for sight in (np.eye(3), DEUTERANOPIA, PROTANOPIA):
            difference = lab(sight @ linear(one)) - lab(sight @ linear(other))
            assert np.linalg.norm(difference) > 20
