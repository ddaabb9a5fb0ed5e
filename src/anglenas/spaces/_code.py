"""A number that changes with the code that a space is made of."""

import ast
import hashlib
import sysconfig
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.util import decode_source, find_spec, resolve_name
from pathlib import Path

from anglenas.errors import UsageError


def version_of(module: str) -> int:
    """A number made of the source of a module, and of the modules beside it that it imports.

    Beside it are those of the same package, from the top on; of a module that is in no package,
    those in the same folder. Whole modules count, since nobody can tell what of a module a network
    depends on: a class attribute, a constant, a statement that registers something. Comments and
    the layout of the code do not count.

    Args:
        module: Name of the module.

    Raises:
        UsageError: Its source cannot be read.
    """
    trees: dict[str, ast.Module] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in trees or not (name == module or _is_beside(name, module)):
            continue
        spec = _spec(name)
        source = _source(spec)
        if spec is not None and source is not None:
            trees[name] = ast.parse(source)
            for other in (name, *_imported(trees[name], spec.parent or "")):
                parts = other.split(".")  # packages are run before what they hold
                waiting += [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
        elif name == module:
            raise UsageError(
                f"The source of the module {module!r} cannot be read, so that scores of its space "
                "could not be told from those of another; put it into a file, or give a version."
            )
    digest = hashlib.sha256()
    for name, tree in sorted(trees.items()):
        # The name of the module itself does not count: a copy of a file is as good as the file.
        digest.update(f"{'' if name == module else name}\n{ast.unparse(tree)}\n".encode())
    return int(digest.hexdigest()[:12], 16)


def _spec(name: str) -> ModuleSpec | None:
    package = name.rpartition(".")[0]
    if package and not ((spec := _spec(package)) and spec.submodule_search_locations):
        return None  # the name of a function, say; to look for it would import the module
    try:
        return find_spec(name)
    except Exception:  # importing a package runs code that can be anybody's
        return None


def _source(spec: ModuleSpec | None) -> str | None:
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    try:
        return decode_source(Path(spec.origin).read_bytes())
    except OSError:
        return None


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    """Names of the modules that a module imports anywhere; some are names of what they define."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            base = resolve_name(relative, package) if node.level else relative
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))


def _is_beside(name: str, module: str) -> bool:
    top, _, inner = module.partition(".")
    other = name.partition(".")[0]
    if inner or other == top:
        return other == top
    specs = _spec(top), _spec(other)
    if any(spec is None or spec.origin is None for spec in specs):
        return False
    here, there = (Path(spec.origin) for spec in specs if spec and spec.origin)
    # In the folder of installed packages, what is beside a module has nothing to do with it.
    installed = {Path(sysconfig.get_path(key)) for key in ("purelib", "platlib")}
    return here.parent not in installed and here.parent in there.parents[:2]
