"""What holds for the package as a whole: names, docstrings, layers, versions, pins."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import entry_points, requires, version
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())


def module_name(file: Path) -> str:
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for file in sorted((SOURCE / "anglenas").rglob("*.py"))}


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", FILES)
def test_imports_are_absolute_and_take_no_names_from_the_root(name: str) -> None:
    nodes = list(ast.walk(ast.parse(FILES[name].read_text())))
    plain = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    assert "anglenas" not in plain
    sources = [n for n in nodes if isinstance(n, ast.ImportFrom)]
    assert all(source.level == 0 for source in sources)
    from_root = {a.name for s in sources if s.module == "anglenas" for a in s.names}
    assert {f"anglenas.{taken}" for taken in from_root} <= set(FILES)


def test_importing_the_package_does_not_import_torch() -> None:
    assert run_python("import sys, anglenas; print('torch' in sys.modules)") == "False\n"


def test_what_was_found_is_read_without_torch() -> None:
    code = "import sys, anglenas; anglenas.load_run; print('torch' in sys.modules)"
    assert run_python(code) == "False\n"


def test_help_does_not_import_torch() -> None:
    code = """
import sys
from anglenas.__main__ import main
sys.argv = ["anglenas", "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("torch imported:", "torch" in sys.modules)
"""
    lines = run_python(code).splitlines()
    assert "Usage" in "\n".join(lines)
    assert lines[-1] == "torch imported: False"


def test_layers_name_every_module() -> None:
    contract = SETTINGS["tool"]["importlinter"]["contracts"][0]
    layers = {layer.strip() for line in contract["layers"] for layer in re.split("[:|]", line)}
    modules = {name.split(".")[1] for name in FILES if "." in name}
    assert layers == modules
    assert contract["exhaustive"]
    assert contract["exhaustive_ignores"] == []


def test_the_page_on_architecture_shows_the_layers_as_they_are() -> None:
    contract = SETTINGS["tool"]["importlinter"]["contracts"][0]
    page = (ROOT / "docs" / "architecture.md").read_text()
    [table] = re.findall(r"^\| layer, from the top .*?\n(?=\n)", page, re.DOTALL | re.MULTILINE)
    shown = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in table.splitlines()[2:]]
    layers = [re.split("[:|]", line.replace(" ", "")) for line in contract["layers"]]
    assert shown == layers


def test_one_version_everywhere() -> None:
    stated = SETTINGS["project"]["version"]
    newest = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert newest is not None
    assert newest[1] == stated
    assert citation["version"] == stated
    assert version("anglenas") == stated
    assert importlib.import_module("anglenas").__version__ == stated


def test_one_licence_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["license"] == SETTINGS["project"]["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize("kind", ["spaces", "probes", "datasets", "strategies"])
def test_entry_points_are_those_of_pyproject_and_load(kind: str) -> None:
    stated = SETTINGS["project"]["entry-points"][f"anglenas.{kind}"]
    ours = [p for p in entry_points(group=f"anglenas.{kind}") if p.value.startswith("anglenas.")]
    assert {point.name: point.value for point in ours} == stated
    assert all(point.load() is not None for point in ours)


def pins() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    stated = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in stated}


def needed(requirements: Iterable[str]) -> dict[str, list[Requirement]]:
    """Everything that the requirements need here, directly or not, from the installed metadata."""
    found: dict[str, list[Requirement]] = {}
    todo = [(Requirement(text), {""}) for text in requirements]
    while todo:
        requirement, extras = todo.pop()
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in extras):
            continue
        known = found.setdefault(canonicalize_name(requirement.name), [])
        if requirement not in known:
            known.append(requirement)
            below = {"", *requirement.extras}
            todo += [(Requirement(text), below) for text in requires(requirement.name) or []]
    return found


def test_everything_installed_is_pinned_to_what_is_asked_for() -> None:
    pinned = pins()
    asked = needed([
        *SETTINGS["build-system"]["requires"],
        *SETTINGS["project"]["dependencies"],
        *SETTINGS["dependency-groups"]["dev"],
        *chain(*SETTINGS["project"]["optional-dependencies"].values()),
    ])  # fmt: skip
    assert [name for name in asked if name not in pinned] == []
    for name, requirements in asked.items():
        [pin] = pinned[name].specifier
        assert pin.operator == "=="
        for requirement in requirements:
            assert requirement.specifier.contains(pin.version), requirement


def test_pins_stand_once() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert len(pins()) == sum("==" in line and not line.startswith("#") for line in lines)


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))])
def test_links_between_pages_and_pictures_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    inside = [target for target in targets if "://" not in target]
    assert [target for target in inside if not (page.parent / target).exists()] == []
