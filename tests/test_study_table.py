"""Tables of known accuracies: what is read of them, and what is refused."""

import csv
import gzip
import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from anglenas._study import read_benchmark
from anglenas.errors import DataError, UnknownNameError
from anglenas.spaces import NASBENCH201

CELLS = [str(NASBENCH201.at(index)) for index in range(4)]


@pytest.fixture
def write(tmp_path):
    """Writes a table of four networks; columns replace those that it has."""

    def write(name="table.csv", comments="", **columns):
        given = {"architecture": CELLS, "cifar10_test": ["91.5", "93.25", "10", "88"]} | columns
        lines = [",".join(given), *map(",".join, zip(*given.values(), strict=True))]
        path = tmp_path / name
        text = "\n".join([*comments.splitlines(), *lines]) + "\n"
        path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
        return path

    return write


def test_a_table_says_data_set_split_epochs_and_seeds(write):
    path = write(comments="# epochs: 200\n# seeds: mean of 777, 888 and 999\n# a remark")
    table = read_benchmark(path)
    assert table.architectures == tuple(CELLS)
    assert table.accuracy.tolist() == [91.5, 93.25, 10, 88]
    assert (table.dataset, table.split, table.epochs) == ("cifar10", "test", "200")
    assert table.about == (
        "cifar10 test accuracy, 200 epochs, mean of 777, 888 and 999 (table.csv, 4 networks)"
    )
    assert table.rows[CELLS[2]] == 2
    assert table.best(2).tolist() == [True, True, False, False]
    [notice] = table.notices
    assert notice.startswith("The table has 4 of the 15,625 networks of nasbench201")


@pytest.mark.parametrize("end", ["\n", "\r\n\r\n", "   \n", "\t", ",\n", " , \n\n"])
def test_blank_lines_are_no_rows(write, end):
    path = write()
    path.write_text(f"\n{path.read_text()}{end}")
    assert read_benchmark(path).architectures == tuple(CELLS)


def test_what_a_file_does_not_tell_is_said_or_told(write):
    path = write(ep12_cifar100_valid=["1.5", "2", "3", "4"])
    assert "epochs not told, seeds not told" in read_benchmark(path, "cifar10_test").about
    short = read_benchmark(path, "ep12_cifar100_valid", epochs="200", seeds="one")
    assert short.about.startswith("cifar100 validation accuracy, 12 epochs, one (")
    told = read_benchmark(write(score=["1.5", "2", "3", "4"]), "score", split="validation")
    assert (told.dataset, told.split) == ("score", "validation")


def test_numbers_of_networks_and_other_names_do_too(write, tmp_path):
    path = tmp_path / "numbers.csv"
    path.write_text("index,net_test\n3,50\n0,60\n")
    assert read_benchmark(path).architectures == (CELLS[3], CELLS[0])
    renamed = write(cell=CELLS, architecture=["a", "b", "c", "d"])
    assert read_benchmark(renamed, architecture="cell").architectures == tuple(CELLS)


def test_compressed_tables_and_parameters_in_millions(write):
    table = read_benchmark(
        write("table.csv.gz", params_M=["0.129306", "0.802426", "1", "1.531546"])
    )
    assert table.columns["params"].tolist() == [129306, 802426, 1000000, 1531546]


def test_fractions_become_percent_and_are_told_of(write):
    table = read_benchmark(write(cifar10_test=["0.915", "0.9325", "0.1", "0.88"]))
    np.testing.assert_allclose(table.accuracy, [91.5, 93.25, 10, 88])
    assert "The values of cifar10_test are fractions; they are shown in percent." in table.notices


def test_values_below_1_among_percentages_are_told_of(write):
    table = read_benchmark(write(cifar10_test=["0.915", "93.25", "0", "1"]))
    assert table.accuracy.tolist() == [0.915, 93.25, 0, 1]
    assert (
        "1 values of cifar10_test are below 1 beside others of up to 93.25; all are taken for "
        "percent." in table.notices
    )


def test_test_and_validation_are_not_mixed(write, tmp_path):
    with pytest.raises(DataError, match=r"'cifar10_test' .* is of test images by its name, but va"):
        read_benchmark(write(), "cifar10_test", split="valid")
    with pytest.raises(DataError, match="split is 'test' or 'validation', not 'train'"):
        read_benchmark(write(), "cifar10_test", split="train")
    path = suite_zero(tmp_path, [85.0, 90.5, 80.0, 10.0])
    with pytest.raises(DataError, match="has accuracies of validation images alone"):
        read_benchmark(path, "cifar10", split="test")
    told = read_benchmark(path, "cifar10", split="val", epochs="200", seeds="seed 777")
    assert told.about.startswith("cifar10 validation accuracy, 200 epochs, seed 777")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"cifar10_test": ["91", "nan", "10", "88"]}, r"Row 2 .* accuracy nan, which is no perc"),
        ({"cifar10_test": ["91", "", "10", "88"]}, r"Row 2 .* accuracy nan"),
        ({"cifar10_test": ["0.9", "93", "10", "880"]}, r"Row 4 .* accuracy 880"),
        ({"cifar10_test": ["91", "-3", "10", "88"]}, r"Row 2 .* accuracy -3"),
        ({"cifar10_test": ["91", "good", "10", "88"]}, r"Column 'cifar10_test' .* holds a text"),
        ({"architecture": [*CELLS[:3], CELLS[1]]}, r"Rows 2 and 4 of 'table.csv' are the same"),
        ({"architecture": [*CELLS[:3], "|mlp~0|"]}, r"Row 4 .* no architecture of nasb"),
        ({"architecture": [*CELLS[:3], ""]}, r"Row 4 .* names no architecture of nasbench201: ''"),
        ({"cifar10_valid": ["1", "2", "3", "4"]}, r"Name one column .*: cifar10_test, ci"),
    ],
)  # fmt: skip
def test_a_bad_table_is_refused_in_one_sentence(write, columns, message):
    with pytest.raises(DataError, match=message) as caught:
        read_benchmark(write(**columns))
    assert len(str(caught.value).splitlines()) == 1


def test_names_that_do_not_fit_are_refused(write, tmp_path):
    path = write(score=["1", "2", "3", "4"])
    with pytest.raises(UnknownNameError, match="named 'cifar10_tst'; did you mean cifar10_test"):
        read_benchmark(path, "cifar10_tst")
    with pytest.raises(DataError, match=r"Nothing tells whether 'score' .* test or validation"):
        read_benchmark(path, "score")
    with pytest.raises(DataError, match="has no column 'cell'; its columns are architecture, cif"):
        read_benchmark(path, "cifar10_test", architecture="cell")
    with pytest.raises(DataError, match="has 4 networks, so there is no top 5 of it"):
        read_benchmark(path, "cifar10_test").best(5)
    with pytest.raises(DataError, match="cannot be read"):
        read_benchmark(tmp_path / "none.csv", "cifar10_test")
    (tmp_path / "empty.csv").write_text("architecture,cifar10_test\n")
    with pytest.raises(DataError, match="holds no rows"):
        read_benchmark(tmp_path / "empty.csv")
    (tmp_path / "ragged.csv").write_text("architecture,cifar10_test\na,b,c\n")
    with pytest.raises(DataError, match="has 2 columns, but a line of 3: a,b,c"):
        read_benchmark(tmp_path / "ragged.csv")
    (tmp_path / "twice.csv").write_text("architecture,x_test,x_test\na,1,2\n")
    with pytest.raises(DataError, match="has two columns named 'x_test'"):
        read_benchmark(tmp_path / "twice.csv")
    (tmp_path / "broken.csv.gz").write_bytes(gzip.compress(b"architecture,x_test\n")[:-9])
    with pytest.raises(DataError, match="cannot be read"):
        read_benchmark(tmp_path / "broken.csv.gz")


# NAS-Bench-Suite-Zero.


def naslib_key(text):
    """The operations of NASLib's edges (1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)."""
    names = ["skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3"]
    nodes = [
        dict(reversed(part.split("~")) for part in node.strip("|").split("|"))
        for node in text.split("+")
    ]
    edges = ((1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4))
    return str(tuple(names.index(nodes[end - 2][str(start - 1)]) for start, end in edges))


def suite_zero(tmp_path, accuracies):
    cells = {
        naslib_key(text): {
            "id": str(row),
            "val_accuracy": accuracy,
            "nwot": {"score": 700.0 + row, "time": 0.1},
            "grasp": {"score": -1e8, "time": 0.1},
        }
        for row, (text, accuracy) in enumerate(zip(CELLS, accuracies, strict=True))
    }
    path = tmp_path / "zc_nasbench201.json"
    path.write_text(json.dumps({"cifar10": cells, "cifar100": cells}))
    return path


def test_a_file_of_suite_zero_gives_validation_accuracies_and_scores(tmp_path):
    table = read_benchmark(suite_zero(tmp_path, [85.0, 90.5, 80.0, 10.0]), "cifar100")
    assert table.architectures == tuple(CELLS)
    assert (table.dataset, table.split) == ("cifar100", "validation")
    assert table.accuracy.tolist() == [85.0, 90.5, 80.0, 10.0]
    assert table.columns["nwot"].tolist() == [700, 701, 702, 703]
    assert np.isnan(table.columns["grasp"]).all()
    packed = tmp_path / "zc_nasbench201.json.gz"
    packed.write_bytes(gzip.compress((tmp_path / "zc_nasbench201.json").read_bytes()))
    assert read_benchmark(packed, "cifar100").accuracy.tolist() == table.accuracy.tolist()


def test_a_file_of_suite_zero_that_is_none_is_refused(tmp_path):
    path = suite_zero(tmp_path, [85.0, 90.5, 80.0, 10.0])
    with pytest.raises(DataError, match=r"Name one column .* cifar10, cifar100"):
        read_benchmark(path)
    with pytest.raises(UnknownNameError, match="named 'cifar1000'; did you mean cifar100"):
        read_benchmark(path, "cifar1000")
    with pytest.raises(DataError, match="JSON files are not read for darts"):
        read_benchmark(path, "cifar10", space="darts")
    for content in ('{"cifar10": {"(0, 1)": {"val_accuracy": 1}}}', '{"cifar10": 3}', "[", "3"):
        path.write_text(content)
        with pytest.raises(DataError, match="is no file of NAS-Bench-Suite-Zero"):
            read_benchmark(path, "cifar10")


# The whole benchmark.


def test_the_whole_benchmark_is_read_as_it_stands(dev_data):
    path = dev_data / "nasbench201.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    table = read_benchmark(path, "cifar100_test")
    assert table.accuracy.tolist() == [float(row["cifar100_test"]) for row in rows]
    assert list(table.architectures) == [row["arch_str"] for row in rows]
    assert table.notices == ()
    assert table.accuracy.max() == pytest.approx(73.5133, abs=1e-3)  # the benchmark's optimum
    counts = [
        73_306 + 243_040 * text.count("3x3~") + 28_000 * text.count("1x1~")
        - 243_040 * text.count("pool_3x3~")
        for text in table.architectures
    ]  # fmt: skip
    assert table.columns["params"].tolist() == counts


# What owners of the benchmark are told to run.


class FakeBenchmark:
    """As much of ``nats_bench``'s interface as the page uses."""

    meta_archs = tuple(str(NASBENCH201.at(index)) for index in range(3))

    def get_more_info(self, index, dataset, *, hp, is_random):
        assert (hp, is_random) == ("200", False)
        kind = "valid-accuracy" if dataset == "cifar10-valid" else "test-accuracy"
        return {kind: {"cifar10": 90.5, "cifar10-valid": 89.5, "cifar100": 70.25}[dataset] + index}


def test_the_page_s_export_of_the_benchmark_is_a_table(tmp_path, monkeypatch):
    page = (Path(__file__).parents[1] / "docs" / "study.md").read_text()
    [code] = [block for block in page.split("```python notest\n")[1:] if "nats_bench" in block]
    fake = types.ModuleType("nats_bench")
    fake.create = lambda name, space, *, fast_mode, verbose: FakeBenchmark()
    monkeypatch.setitem(sys.modules, "nats_bench", fake)
    monkeypatch.chdir(tmp_path)
    exec(code.partition("```")[0], {})
    table = read_benchmark(tmp_path / "nasbench201.csv", "cifar100_test")
    assert table.architectures == FakeBenchmark.meta_archs
    assert table.accuracy.tolist() == [70.25, 71.25, 72.25]
    assert (table.dataset, table.split, table.epochs) == ("cifar100", "test", "200")
    assert table.seeds == "mean of all trainings"
    validation = read_benchmark(tmp_path / "nasbench201.csv", "cifar10_valid")
    assert validation.accuracy.tolist() == [89.5, 90.5, 91.5]
