"""From Jinja templates to Python source."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template


@cache
def _template(package: str, name: str) -> Template:
    from jinja2 import Environment, StrictUndefined  # not before a template is used

    environment = Environment(
        autoescape=False,  # what is put in are numbers, and texts as Python literals
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["python"] = _literal
    return environment.from_string(resources.files(package).joinpath(name).read_text("utf-8"))


def _literal(value: object) -> str:
    """A value as Python source; JSON writes texts in double quotes, with Python's own escapes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def render_source(package: str, name: str, **values: object) -> str:
    """The text that a template in the folder of a package makes of some values."""
    return _template(package, name).render(**values)
