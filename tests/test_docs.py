"""Pages and docstrings name what there is: commands with their options, targets, scripts."""

import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from anglenas.__main__ import app

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TEXTS = [*PAGES, *SOURCES]
COMMANDS: Any = typer.main.get_command(app)

FENCED = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?:^|(?<=\n\n))(?: {4}[^\n]*\n+)+", re.MULTILINE)
INLINE = re.compile(r"(?<!`)(`{1,2})(?!`)([^`]+?)\1(?!`)")
QUOTED = re.compile(r"'(anglenas [a-z][^']*)'")
PLACEHOLDER = re.compile(r"\.\.\.|[A-Z][A-Z_]*")


class Line(NamedTuple):
    """A command line as somebody would type it; ``whole`` if it stands in a block of such lines."""

    words: list[str]
    whole: bool


def split(text: str, whole: bool) -> Iterator[Line]:
    """The commands of a line such as ``$ NAME=value anglenas train RUN && make test  # why``."""
    try:
        words = shlex.split(text.removeprefix("$ "), comments=True)
    except ValueError:  # no command line at all, but prose or code with an apostrophe
        return
    while words:
        end = next((at for at, word in enumerate(words) if word in {"&&", ";", "|"}), len(words))
        command, words = words[:end], words[end + 1 :]
        while command and re.fullmatch(r"[A-Z_]+=.*", command[0]):
            del command[0]
        if command:
            yield Line(command, whole)


def lines_of(text: str) -> Iterator[Line]:
    """The command lines of a page or docstring, in its blocks and between backticks."""
    blocks = [body for language, body in FENCED.findall(text) if language != "python"]
    prose = FENCED.sub("\n", text)
    blocks += INDENTED.findall(prose)
    for block in blocks:
        for line in block.replace("\\\n", " ").splitlines():
            yield from split(line.strip(), whole=True)
    for _, code in INLINE.findall(INDENTED.sub("\n", prose)):
        yield from split(" ".join(code.split()), whole=False)


def strings_of(source: str) -> Iterator[tuple[str, bool]]:
    """The texts in a module, and whether each is a docstring; X for what is put in when it runs."""
    tree = ast.parse(source)
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    docstrings = {
        ast.get_docstring(n, clean=False) for n in ast.walk(tree) if isinstance(n, documented)
    }
    inside = {id(v) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for v in n.values}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in inside:
                yield (inspect.cleandoc(text) + "\n", True) if text in docstrings else (text, False)
            case ast.JoinedStr(values=values):
                parts = [v.value if isinstance(v, ast.Constant) else "X" for v in values]
                yield "".join(map(str, parts)), False


def command_lines(path: Path) -> list[Line]:
    if path.suffix == ".md":
        return list(lines_of(path.read_text()))
    found: list[Line] = []
    for text, is_docstring in strings_of(path.read_text()):
        if is_docstring:
            found += lines_of(text)
        else:
            found += [one for told in QUOTED.findall(text) for one in split(told, whole=False)]
    return found


def context_of(command: Any, parent: Any = None) -> Any:
    return command.context_class(command, info_name=command.name, parent=parent)


def check(line: Line) -> None:
    """Compare a command line of anglenas with the command's own parameters, values too."""
    _, *words = line.words
    command, context = COMMANDS, context_of(COMMANDS)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        name = words.pop(0)
        if PLACEHOLDER.fullmatch(name):
            return
        assert name in command.commands, f"no command {name}"
        command = command.commands[name]
        context = context_of(command, context)
    if words in (["--help"], ["--version"]):
        return
    flags = {
        name for p in command.get_params(context) if getattr(p, "is_flag", 0) for name in p.opts
    }
    if not line.whole and words and words[-1].startswith("--") and words[-1] not in flags:
        words.append("VALUE")  # prose names an option without its value
    given, rest, _ = command.make_parser(context).parse_args([w for w in words if w != "..."])
    assert not rest, f"too much: {rest}"
    for parameter in command.get_params(context):
        value = given.get(parameter.name)
        values = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(v, str) and PLACEHOLDER.fullmatch(v) for v in values):
            continue
        if line.whole or value is not None:
            parameter.process_value(context, value)


def options_of(command: Any) -> set[str]:
    """All options of a command and of those below it."""
    found = {name for p in command.get_params(context_of(command)) for name in p.opts}
    return found.union(*map(options_of, getattr(command, "commands", {}).values()))


def check_make(line: Line) -> None:
    text = (ROOT / "Makefile").read_text()
    for word in line.words[1:]:
        name, is_variable, _ = word.partition("=")
        assert re.search(rf"^{name}( \?=|:)" if is_variable else rf"^{name}:", text, re.MULTILINE)


def check_script(line: Line) -> None:
    _, script, *words = line.words
    source = (ROOT / script).read_text()
    for option in (word.partition("=")[0] for word in words if word.startswith("--")):
        assert re.search(f'"(--)?{option[2:]}"', source), option


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_command_lines_are_those_of_the_program(path: Path) -> None:
    for line in command_lines(path):
        match line.words:
            case ["anglenas", *_]:
                checked = check
            case ["make", *_]:
                checked = check_make
            case ["python", str(script), *_] if script.endswith(".py"):
                checked = check_script
            case _:
                continue
        try:
            checked(line)
        except Exception as error:
            raise AssertionError(shlex.join(line.words)) from error


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_options_that_stand_alone_are_those_of_some_command(page: Path) -> None:
    lines = command_lines(page)
    known = options_of(COMMANDS) | {
        word for line in lines if line.words[0] not in {"anglenas", "make"} for word in line.words
    }  # a page on Dask may speak of Dask's options that it shows
    alone = {line.words[0].partition("=")[0] for line in lines if line.words[0].startswith("--")}
    assert alone <= known


def test_what_is_wrong_is_found() -> None:
    for text in (
        "train RUN --accelerator gpu",
        "trian RUN",
        "search --budget five",
        "train",
        "data ad X Y",
        "search photos/",
    ):
        line = Line(["anglenas", *text.split()], whole=True)
        with pytest.raises(
            Exception, match=r"No such option|no command|valid int|Missing|too much"
        ):
            check(line)
