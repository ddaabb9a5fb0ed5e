"""What a user gets: the wheel, installed elsewhere, and the Python versions that are stated.

Other interpreters are used where they are found. torch is not installed for them, since pip would
fetch a build of several GB; everything else is, and everything that needs no torch is run.
"""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
RUNNING = ".".join(map(str, sys.version_info[:2]))

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    # Neither the sources nor the tools of this environment may leak into the one under test.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def empty_venv(interpreter: str | Path, folder: Path) -> Path:
    run(interpreter, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    return folder / "venv" / "bin"


def install(bin_folder: Path, *requirements: str | Path) -> None:
    pip = (sys.executable, "-m", "pip", "--python", bin_folder / "python", "install", "--quiet")
    # Few modules of what is installed are imported; compiling all takes longer than unpacking.
    options = ("--no-compile", "--constraint", ROOT / "constraints.txt")
    run(*pip, *options, *requirements, cwd=bin_folder)


def is_interpreter(command: str | Path, version: str) -> bool:
    # A shim of pyenv stands on the PATH for versions that are not switched on, and then fails.
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([command, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() == version


def find_interpreter(version: str) -> Path:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    on_path = shutil.which(f"python{version}")
    found = [*([on_path] if on_path else []), *sorted(pyenv.glob(f"{version}.*/bin/python"))]
    for command in found:
        if is_interpreter(command, version):
            return Path(command)
    pytest.skip(f"no Python {version} on this machine")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    run(*build, cwd=folder)  # the wheel by way of the source distribution, as it is published
    [made] = folder.glob("*.whl")
    return made


def test_wheel_holds_exactly_the_package(wheel: Path) -> None:
    package = ROOT / "src"
    files = (path for path in (package / "anglenas").rglob("*") if path.is_file())
    expected = {str(f.relative_to(package)) for f in files if f.suffix != ".pyc"}
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in packed if ".dist-info/" not in name} == expected
    assert "anglenas/py.typed" in packed
    assert any(name.endswith("licenses/LICENSE") for name in packed)


USE = """
import sys
import numpy as np
import anglenas
from anglenas import _plugins as plugins

space = plugins.load("space", "nasbench201")
architecture = space.sample(np.random.default_rng(0))
assert space.parse(str(architecture)) == architecture
loaded = [plugins.load(k, n) for k in ("space", "probe", "dataset", "strategy")
          for n in plugins.names(k)]
print(len(loaded), anglenas.__file__.startswith(sys.prefix))
"""


def test_installed_wheel_works_in_another_folder(wheel: Path, tmp_path: Path) -> None:
    bin_folder = empty_venv(sys.executable, tmp_path)
    install(bin_folder, wheel)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert "Usage" in run(bin_folder / "anglenas", "--help", cwd=elsewhere)
    count = sum(map(len, PROJECT["entry-points"].values()))
    assert run(bin_folder / "python", "-c", USE, cwd=elsewhere) == f"{count} True\n"
    cell = "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
    train = (bin_folder / "anglenas", "train", cell, "--data", "digits")
    done = subprocess.run(train, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert done.returncode == 2  # the extras are left out
    assert "run: pip install 'anglenas[train]'" in done.stderr


def test_stated_versions_are_the_tested_ones() -> None:
    stated = SpecifierSet(PROJECT["requires-python"])
    assert [v for v in (f"3.{minor}" for minor in range(5, 30)) if v in stated] == list(VERSIONS)
    prefix = "Programming Language :: Python :: 3."
    classifiers = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if c.startswith(prefix)]
    assert classifiers == list(VERSIONS)


USE_WITHOUT_TORCH = """
import sys
import numpy as np
import anglenas, anglenas._cli, anglenas.errors, anglenas.ranking, anglenas.spaces
from anglenas import _plugins as plugins

space = plugins.load("space", "nasbench201")
architecture = space.sample(np.random.default_rng(0))
assert space.parse(str(architecture)) == architecture
assert space.canonical(architecture)
print(*sys.version_info[:2], sep=".")
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_stated_python_runs_what_needs_no_torch(version: str, wheel: Path, tmp_path: Path) -> None:
    if version == RUNNING:
        pytest.skip("every other test runs on this version, with torch")
    bin_folder = empty_venv(find_interpreter(version), tmp_path)
    others = [text for text in PROJECT["dependencies"] if Requirement(text).name != "torch"]
    install(bin_folder, *others)
    install(bin_folder, "--no-deps", wheel)
    [package] = (tmp_path / "venv").glob("lib/python*/site-packages/anglenas")
    run(bin_folder / "python", "-W", "error", "-m", "compileall", "-q", "-f", package, cwd=tmp_path)
    assert run(bin_folder / "python", "-c", USE_WITHOUT_TORCH, cwd=tmp_path) == f"{version}\n"
    assert "Usage" in run(bin_folder / "anglenas", "--help", cwd=tmp_path)
