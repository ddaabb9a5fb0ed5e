"""From templates to Python source."""

import json
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ["render"]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("anglenas._export"),
        autoescape=False,  # what is put in are numbers, and texts as Python literals
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["python"] = _literal
    return environment


def _literal(value: object) -> str:
    """A value as Python source; JSON writes texts in double quotes, with Python's own escapes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def render(template: str, **values: object) -> str:
    """The text that a template of this package makes of some values."""
    return _environment().get_template(f"{template}.py.jinja").render(**values)
