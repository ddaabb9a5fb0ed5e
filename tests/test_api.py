"""What a user may import is promised on one page; run as a script, this file writes that page."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "api.md"
PACKAGE = ROOT / "src" / "anglenas"
PUBLIC = ("anglenas", *(f"anglenas.{name}" for name in
          ("errors", "spaces", "probes", "data", "ranking", "strategies", "testing")))  # fmt: skip
MARKED = re.compile(r"(?<=<!-- made by tests/test_api.py -->\n).*(?=<!-- end -->)", re.DOTALL)


def file_of(name: str) -> Path:
    path = PACKAGE.joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def isort_order(name: str) -> tuple[bool, bool, str]:
    """Constants, then classes, then the rest: the order that ruff sorts `__all__` in."""
    return not name.isupper(), not name[0].isupper(), name


def names_bound(name: str) -> Iterator[str]:
    """Names that a module defines, or takes over from modules of its own package."""
    for node in ast.parse(file_of(name).read_text()).body:
        match node:
            case ast.FunctionDef(name=bound) | ast.ClassDef(name=bound):
                yield bound
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=bound)):
                yield bound
            case ast.ImportFrom(module=str(module), names=aliases):
                if module.startswith(f"{name}."):
                    yield from (alias.asname or alias.name for alias in aliases)


def constants() -> dict[str, str]:
    """The texts below assignments to public names, which Python itself does not keep."""
    found = {}
    for file in PACKAGE.rglob("*.py"):
        body = ast.parse(file.read_text()).body
        for node, after in pairwise(body):
            match node, after:
                case (
                    ast.Assign(targets=[ast.Name(id=name)])
                    | ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = inspect.cleandoc(text)
    return found


CONSTANTS = constants()


def docstring(thing: Any, name: str) -> str:
    """The docstring, without the one that ``dataclass`` makes of the signature."""
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        return CONSTANTS.get(name, "")
    text = inspect.getdoc(thing) or ""
    return "" if text.startswith(f"{thing.__name__}(") else text


def public_methods(cls: type) -> Iterator[tuple[str, Any]]:
    kinds = (property, classmethod, staticmethod)
    for name, thing in vars(cls).items():
        if not name.startswith("_") and (inspect.isfunction(thing) or isinstance(thing, kinds)):
            yield name, getattr(cls, name)


def table(module_name: str) -> str:
    """A module's part of the page."""
    module = importlib.import_module(module_name)
    about = paragraph(inspect.getdoc(module) or "")
    rows = [f"## `{module_name}`\n\n{about}\n\n| name | what it is |\n|---|---|\n"]
    for name in sorted(module.__all__, key=isort_order):
        if not name.startswith("__"):
            text = paragraph(docstring(getattr(module, name), name)).replace("|", "\\|")
            rows.append(f"| `{name}` | {text} |\n")
    return "".join(rows)


def paragraph(text: str) -> str:
    """The first paragraph in one line, with Markdown's marks of code."""
    first = " ".join(text.partition("\n\n")[0].split()).removesuffix("::")
    return re.sub(r":\w+:`~?(?:anglenas\.)?([^`]+)`", r"`\1`", first).replace("``", "`")


def page() -> str:
    return "\n" + "\n".join(map(table, PUBLIC)) + "\n"


def test_the_page_lists_what_is_public() -> None:
    [shown] = MARKED.findall(PAGE.read_text())
    assert shown == page(), "run `make pages`"


def test_everything_else_begins_with_an_underscore() -> None:
    files = (file.relative_to(PACKAGE) for file in PACKAGE.rglob("*.py"))
    modules = {file for file in files if not any(part.startswith("_") for part in file.parts[:-1])}
    shown = {
        file for file in modules if not file.name.startswith("_") or file.name == "__init__.py"
    }
    assert shown == {file_of(name).relative_to(PACKAGE) for name in PUBLIC}


def test_the_root_shows_what_it_offers_and_nothing_else() -> None:
    import anglenas

    assert dir(anglenas) == sorted(anglenas.__all__)
    with pytest.raises(AttributeError, match="module 'anglenas' has no attribute 'serach'"):
        anglenas.serach  # noqa: B018


@pytest.mark.parametrize("name", PUBLIC)
def test_all_is_sorted_complete_and_there(name: str) -> None:
    module = importlib.import_module(name)
    assert list(module.__all__) == sorted(set(module.__all__), key=isort_order)
    assert {n for n in names_bound(name) if not n.startswith("_")} <= set(module.__all__)
    assert [n for n in module.__all__ if not hasattr(module, n)] == []


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_docstrings(name: str) -> None:
    module = importlib.import_module(name)
    assert inspect.getdoc(module)
    things = {n: getattr(module, n) for n in module.__all__ if not n.startswith("__")}
    without = [n for n, thing in things.items() if not docstring(thing, n)]
    for cls in filter(inspect.isclass, things.values()):
        without += [f"{cls.__name__}.{n}" for n, m in public_methods(cls) if not inspect.getdoc(m)]
    assert without == []


if __name__ == "__main__":
    PAGE.write_text(MARKED.sub(lambda _: page(), PAGE.read_text()))
