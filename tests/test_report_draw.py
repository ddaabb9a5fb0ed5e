"""Drawings of cells: nothing meets anything else, and the same cell gives the same bytes."""

import itertools
import json
import random
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.patches import FancyBboxPatch, Polygon

from anglenas._report import draw_cells, save_figure
from anglenas._report.layout import Box, Layout, arrange
from anglenas._report.render import render
from anglenas._report.style import FAINT, INK, KINDS, MUTED, PAPER, kind_of, label_of, printable
from anglenas.errors import SettingError
from anglenas.spaces import CellGraph, OptionTable
from anglenas.spaces._darts.values import DARTS as DARTS_SPACE
from anglenas.spaces._darts.values import Genotype
from anglenas.spaces._supernets import DARTS_SUPERNET, NASBENCH201_SUPERNET

NB201 = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
DARTS = ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5", "skip_connect",
         "max_pool_3x3", "avg_pool_3x3")  # fmt: skip


def nb201_cell(operations):
    pairs = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    edges = tuple((*pair, operation) for pair, operation in zip(pairs, operations, strict=True))
    return CellGraph("cell", ("in", "1", "2", "out"), edges, (0,), 3)


def darts_cell(rng, title="normal cell"):
    edges = [
        (start, node + 2, rng.choice(DARTS))
        for node in range(4)
        for start in rng.sample(range(node + 2), 2)
    ]
    edges += [(node, 6, "") for node in range(2, 6)]
    names = ("c_{k-2}", "c_{k-1}", "0", "1", "2", "3", "c_{k}")
    return CellGraph(title, names, tuple(edges), (0, 1), 6)


def lay_out(graph: CellGraph) -> Layout:
    return arrange(graph, [label_of(op) for *_, op in graph.edges], lambda text: 5.5 * len(text))


def bezier(start, end, steps=12):
    """An S-shaped curve with level ends: de Casteljau's points of the cubic."""
    (x0, y0), (x1, y1) = start, end
    middle = (x0 + x1) / 2
    corners = np.array([(x0, y0), (middle, y0), (middle, y1), (x1, y1)])
    for t in np.linspace(0, 1, steps):
        points = corners
        while len(points) > 1:
            points = (1 - t) * points[:-1] + t * points[1:]
        yield points[0]


def traced(route):
    """Points along an edge."""
    for k, (start, end) in enumerate(itertools.pairwise(route)):
        if k % 2:
            yield from bezier(start, end)
        else:
            yield from np.linspace(start, end, 12)


def inside(point, box: Box, room=1.0):
    return abs(point[0] - box.x) < box.width / 2 - room and (
        abs(point[1] - box.y) < box.height / 2 + room
    )


def check_layout(graph: CellGraph, layout: Layout) -> None:
    labels = {k: box for k, box in enumerate(layout.labels) if box}
    assert set(labels) == {k for k, edge in enumerate(graph.edges) if edge[2]}
    for one, other in itertools.combinations([*layout.nodes, *labels.values()], 2):
        assert not one.overlaps(other)
    for box in [*layout.nodes, *labels.values()]:
        assert box.width / 2 <= box.x + 0.01
        assert box.x <= layout.width - box.width / 2 + 0.01
        assert box.height / 2 <= box.y + 0.01
        assert box.y <= layout.height - box.height / 2 + 0.01
    for edge, route in enumerate(layout.routes):
        points = list(traced(route))
        assert all(a[0] <= b[0] + 1e-9 for a, b in itertools.pairwise(points))
        foreign = [*layout.nodes, *(box for k, box in labels.items() if k != edge)]
        assert not any(inside(point, box) for point in points for box in foreign)
        start, end, _ = graph.edges[edge]
        check_ends(layout.nodes[start], layout.nodes[end], route)
        if edge in labels:
            assert any(passes(*line, labels[edge]) for line in itertools.pairwise(route))


def passes(start, end, box: Box) -> bool:
    """Whether a level line goes right through the middle of a box."""
    left, right = box.x - box.width / 2, box.x + box.width / 2
    return start[1] == end[1] == box.y and start[0] <= left + 0.01 and right <= end[0] + 0.01


def check_ends(start: Box, end: Box, route) -> None:
    assert route[0][0] == pytest.approx(start.x + start.width / 2)
    assert route[-1][0] == pytest.approx(end.x - end.width / 2)
    assert abs(route[0][1] - start.y) < start.height / 2
    assert abs(route[-1][1] - end.y) < end.height / 2


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_nothing_meets_in_nb201_cells(count):
    rng = random.Random(1)
    for _ in range(count):
        graph = nb201_cell(rng.choices(NB201, k=6))
        check_layout(graph, lay_out(graph))


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_nothing_meets_in_darts_cells(count):
    rng = random.Random(2)
    for _ in range(count):
        graph = darts_cell(rng)
        check_layout(graph, lay_out(graph))


def test_parallel_edges_and_long_names_keep_apart():
    edges = ((0, 1, "a"), (0, 1, "b" * 30), (0, 1, "c"), (0, 2, "d"), (0, 3, ""), (2, 3, "e"))
    graph = CellGraph("cell", ("in", "x", "y" * 20, "out"), edges, (0,), 3)
    check_layout(graph, lay_out(graph))


def crossings(layout: Layout) -> int:
    """Naive: sample every edge at the same places and count changes of order."""
    count = 0
    places = np.linspace(0, layout.width, 400)
    traces = [np.array(list(traced(route))) for route in layout.routes]
    heights = [np.interp(places, t[:, 0], t[:, 1], left=np.nan, right=np.nan) for t in traces]
    for one, other in itertools.combinations(heights, 2):
        gap = one - other
        signs = np.sign(gap[np.abs(gap) > 1e-6])
        signs = signs[~np.isnan(signs)]
        count += int(np.sum(signs[1:] != signs[:-1]))
    return count


def test_planar_cells_are_drawn_without_a_crossing():
    assert crossings(lay_out(nb201_cell(["nor_conv_3x3"] * 6))) == 0


def test_few_edges_cross_in_darts_cells():
    rng = random.Random(3)
    counts = [crossings(lay_out(darts_cell(rng))) for _ in range(20)]
    assert np.mean(counts) < 3


def test_first_input_stands_on_top_of_a_symmetric_cell():
    edges = ((0, 2, "skip_connect"), (1, 2, "skip_connect"))
    layout = lay_out(CellGraph("cell", ("a", "b", "out"), edges, (0, 1), 2))
    assert layout.nodes[0].y > layout.nodes[1].y
    assert layout.nodes[2].y == pytest.approx((layout.nodes[0].y + layout.nodes[1].y) / 2)


# The drawing itself.


def drawn_boxes(figure):
    """What really stands on the canvas: labels as drawn, and the nodes' shapes."""
    figure.set_dpi(200)  # as files have; with fewer, letters are as wide as their pixels
    axes, renderer = figure.axes[0], figure.canvas.get_renderer()
    texts = [text.get_window_extent(renderer) for text in axes.texts]
    shapes = [p for p in axes.patches if isinstance(p, FancyBboxPatch)]
    nodes = [p.get_window_extent(renderer) for p in shapes if p.get_linewidth() > 1]
    return axes.texts, texts, nodes


def overlap(one, other):
    return one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1


@pytest.mark.parametrize("seed", range(4))
def test_drawn_texts_overlap_neither_each_other_nor_foreign_nodes(seed):
    rng = random.Random(seed)
    cells = [
        darts_cell(rng),
        darts_cell(rng, "reduction cell"),
        nb201_cell(rng.choices(NB201, k=6)),
    ]
    figure = draw_cells(cells, title="A title " * 20, caption="a caption " * 30)
    texts, boxes, nodes = drawn_boxes(figure)
    assert not any(overlap(a, b) for a, b in itertools.combinations(boxes, 2))
    assert not any(overlap(a, b) for a, b in itertools.combinations(nodes, 2))
    names = {"in", "1", "2", "0", "3", "out", "$c_{k-2}$", "$c_{k-1}$", "$c_{k}$"}
    for text, box in zip(texts, boxes, strict=True):
        around = [node for node in nodes if overlap(box, node)]
        assert len(around) == (text.get_text() in names)
    page = figure.bbox
    assert all(page.x0 <= b.x0 and b.x1 <= page.x1 for b in boxes)
    assert all(page.y0 <= b.y0 and b.y1 <= page.y1 for b in boxes)


def test_any_two_darts_cells_stand_side_by_side():
    """The widest ones: each node takes the one before it, with the longest of labels."""
    edges = [(max(node + 1, 1), node + 2, "max_pool_3x3") for node in range(4)]
    edges += [(0, node + 2, "sep_conv_5x5") for node in range(4)]
    edges += [(node, 6, "") for node in range(2, 6)]
    names = ("c_{k-2}", "c_{k-1}", "0", "1", "2", "3", "c_{k}")
    cells = [CellGraph(title, names, tuple(edges), (0, 1), 6) for title in ("normal", "reduction")]
    for widest, levels in ((None, 1), (900, 2)):
        figure = draw_cells(cells, **({"widest": widest} if widest else {}))
        titles = [t for t in figure.axes[0].texts if t.get_text() in ("normal", "reduction")]
        assert len({round(title.get_position()[1], 3) for title in titles}) == levels


@pytest.mark.parametrize("name", ["DARTS_V1", "DARTS_V2", "TENAS_cifar10", "TENAS_imagenet"])
def test_nothing_meets_in_published_cells(dev_data, name):
    found = json.loads((dev_data / "darts_genotypes.json").read_text())[name]
    genotype = Genotype(*(tuple(map(tuple, found[cell])) for cell in ("normal", "reduce")))
    graphs = DARTS_SPACE.graphs(genotype)
    for graph in graphs:
        check_layout(graph, lay_out(graph))
    shown = texts_of(draw_cells(graphs))
    for operation, _ in genotype.normal + genotype.reduce:
        assert shown.count(label_of(operation)) == sum(
            op == operation for op, _ in genotype.normal + genotype.reduce
        )


# Supernets: many operations on an edge.


def stacks(figure):
    """The operations in each frame, from the top, and the frames."""
    texts, boxes, nodes = drawn_boxes(figure)
    renderer = figure.canvas.get_renderer()
    faint = [p for p in figure.axes[0].patches if isinstance(p, FancyBboxPatch)
             and matplotlib.colors.to_hex(p.get_edgecolor()) == FAINT
             and p.get_linewidth() <= 1]  # fmt: skip
    frames = [patch.get_window_extent(renderer) for patch in faint]
    placed = sorted(zip(texts, boxes, strict=True), key=lambda pair: -pair[1].y0)
    held = [[t.get_text() for t, box in placed if overlap(box, frame)] for frame in frames]
    for one, other in itertools.combinations([*frames, *nodes], 2):
        assert not overlap(one, other)
    for one, other in itertools.combinations(boxes, 2):
        assert not overlap(one, other)
    for box in boxes:
        around = [frame for frame in frames if overlap(box, frame)]
        assert all(f.x0 < box.x0 and box.x1 < f.x1 for f in around)
        assert all(f.y0 < box.y0 and box.y1 < f.y1 for f in around)
    return held


def arrowheads(figure):
    return sum(type(patch) is Polygon for patch in figure.axes[0].patches)


def test_the_full_darts_supernet_has_one_line_an_edge_that_names_every_operation():
    """196 lines, one for each operation, would take long to lay out, and nobody could read them."""
    figure = draw_cells(DARTS_SUPERNET.graphs(DARTS_SUPERNET.full()))
    assert arrowheads(figure) == 28 + 2 * 4  # and four nodes of each cell lead to its output
    operations = [label_of(name) for name in DARTS_SUPERNET.layout.operations]
    assert stacks(figure) == [operations] * 28
    colours = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
    for name in DARTS_SUPERNET.layout.operations:
        assert colours[label_of(name)] == kind_of(name).light


@pytest.mark.parametrize("seed", range(3))
def test_pruned_supernets_name_what_is_left_and_nothing_meets(seed):
    rng = np.random.default_rng(seed)
    supernet = NASBENCH201_SUPERNET.sample(rng)
    for name in NASBENCH201_SUPERNET.layout.operations:
        supernet = supernet.without(seed, name)
    figure = draw_cells(NASBENCH201_SUPERNET.graphs(supernet))
    assert arrowheads(figure) == 6
    wanted = [[label_of(name) for name in held] for held in supernet.operations if len(held) > 1]
    assert stacks(figure) == wanted
    single = [label_of(held[0]) for held in supernet.operations if len(held) == 1]
    shown = [text for text in texts_of(figure) if text not in ("cell", "0", "1", "2", "3")]
    assert sorted(shown) == sorted([*itertools.chain(*wanted), *single])


def test_nothing_meets_labels_of_several_lines():
    rng = random.Random(5)
    for _ in range(5):
        graph = darts_cell(rng)
        labels = [op and "\n".join(["sep conv 3x3"] * rng.randint(1, 7)) for *_, op in graph.edges]
        layout = arrange(graph, labels, lambda text: 5.5 * len(text))
        check_layout(graph, layout)
        for label, box in zip(labels, layout.labels, strict=True):
            assert not label or box.height >= 11 * len(label.split("\n"))  # type of 9 points
            assert not label or box.width < 5.5 * len("sep conv 3x3") + 10


def test_a_line_is_black_only_if_the_kinds_of_its_operations_differ():
    edges = (
        (0, 1, "sep_conv_3x3"), (0, 1, "sep_conv_5x5"), (0, 2, "avg_pool_3x3"), (0, 2, "none"),
        (1, 2, "skip_connect"), (1, 2, "max_pool_3x3"), (0, 3, ""), (0, 3, ""), (2, 3, ""),
    )  # fmt: skip
    figure = draw_cells([CellGraph("", ("in", "x", "y", "out"), edges, (0,), 3)])
    heads = [patch for patch in figure.axes[0].patches if type(patch) is Polygon]
    assert [matplotlib.colors.to_hex(head.get_facecolor()) for head in heads] == [
        kind_of("sep_conv_3x3").light, kind_of("avg_pool_3x3").light, INK, MUTED, MUTED,
    ]  # fmt: skip
    assert stacks(figure) == [["sep conv 3x3", "sep conv 5x5"], ["skip", "max pool 3x3"]]


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
    texts, boxes, _ = drawn_boxes(figure)
    assert not any(overlap(a, b) for a, b in itertools.combinations(boxes, 2))
    page = figure.bbox
    assert all(page.x0 <= b.x0 and b.x1 <= page.x1 for b in boxes)
    assert all(t.get_text().endswith(("2,", "16,")) for t in texts if "=" in t.get_text())


def texts_of(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_labels_are_short_and_own_operations_keep_their_names():
    edges = (
        (0, 1, "nor_conv_3x3"), (0, 1, "sep_conv_5x5"), (0, 1, "skip_connect"),
        (0, 1, "max_pool_3x3"), (0, 1, "my_op$_^{"), (0, 1, "none"),
    )  # fmt: skip
    cell = CellGraph("", ("in", "out"), edges, (0,), 1)
    assert sorted(texts_of(draw_cells([cell]))) == sorted(
        ["conv 3x3", "sep conv 5x5", "skip", "max pool 3x3", "my_op$_^{", "in", "out"]
    )


def test_hostile_names_are_drawn_as_text():
    name = "$\\frac{1}{0}$\x00\n\u4e00" + "x" * 500
    cell = CellGraph(name, (name, "out"), ((0, 1, name),), (0,), 1)
    figure = draw_cells([cell], title=name, caption=name)
    assert render(figure, "svg").startswith(b"<?xml")
    assert max(map(len, texts_of(figure))) <= 120


def test_printable_replaces_what_the_font_lacks():
    assert printable("a\u4e00b\x07 \n c") == "a\ufffdb\ufffd c"


def test_what_passes_nothing_on_is_faint():
    dead = nb201_cell(["none", "none", "nor_conv_3x3", "avg_pool_3x3", "skip_connect", "none"])
    axes = draw_cells([dead]).axes[0]
    colours = {text.get_text(): text.get_color() for text in axes.texts}
    assert colours["avg pool 3x3"] == kind_of("avg_pool_3x3").light
    assert colours["conv 3x3"] not in {kind.light for kind in KINDS}
    lines = [matplotlib.colors.to_hex(patch.get_edgecolor()) for patch in axes.patches]
    drawn = [line for line in lines if line not in (PAPER, INK)]
    assert drawn.count(FAINT) == 5 + 2  # edges and the two inner nodes
    assert kind_of("avg_pool_3x3").light in drawn


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
        "draw_cells([CellGraph('', ('a', 'b'), ((0, 1, 'x'),), (0,), 1)]);"
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
