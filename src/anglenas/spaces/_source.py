"""What a function's behaviour depends on in the source of its module."""

import ast
from collections.abc import Iterable

__all__ = ["source_of"]


def source_of(module: str, name: str) -> str:
    r"""The statements of a module that define a name, and all names that these use, and so on.

    Comments and layout are left out, so that two sources which differ in them are equal. What is
    imported is followed no further than its import.

    Args:
        module: The module's source.
        name: What the module defines.

    >>> source_of("a = 1\nb = 2  # unused\ndef f(x):\n    return x + a\n", "f")
    'a = 1\ndef f(x):\n    return x + a'
    """
    statements = ast.parse(module).body
    needed, wanted = set[int](), [name]
    while wanted:
        one = wanted.pop()
        for place, statement in enumerate(statements):
            if place not in needed and one in _bound([statement]):
                needed.add(place)
                wanted += sorted(_used(statement))
    return "\n".join(map(ast.unparse, (statements[place] for place in sorted(needed))))


def _bound(statements: Iterable[ast.AST]) -> set[str]:
    """The names that statements at the top of a module give a value to."""
    found: set[str] = set()
    for one in statements:
        match one:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(one.name)
            case ast.alias():
                found.add(one.asname or one.name.partition(".")[0])
            case ast.Name(ctx=ast.Store()):
                found.add(one.id)
            case _:
                found |= _bound(ast.iter_child_nodes(one))
    return found


def _used(statement: ast.AST) -> set[str]:
    """The names that a statement reads; those of local variables do no harm."""
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
