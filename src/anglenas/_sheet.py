"""Tables of texts, for pages and for papers."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

_SPECIAL = re.compile("[\\\\&%$#_{}~^\u2212]")
_ESCAPED = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\u2212": "$-$",
}


@dataclass(frozen=True)
class Sheet:
    """A table of texts.

    Attributes:
        title: What stands above it.
        head: Names of the columns; the first ones are texts, the others are aligned as numbers.
        rows: As many cells each.
        texts: How many of the first columns are texts.
        spare: Names of columns that a narrow page can do without, the first to go first.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1
    spare: tuple[str, ...] = ()

    def without(self, name: str) -> "Sheet":
        """The table without a column."""
        column = self.head.index(name)
        head, *rows = (row[:column] + row[column + 1 :] for row in (self.head, *self.rows))
        spare = tuple(one for one in self.spare if one != name)
        return Sheet(self.title, head, tuple(rows), self.texts - (column < self.texts), spare)


def markdown(sheet: Sheet) -> str:
    """The table in GitHub's Markdown, with its title in bold.

    >>> print(markdown(Sheet("Taus", ("metric", "tau"), (("params", "0.58"),))))
    **Taus**
    <BLANKLINE>
    | metric | tau |
    |---|---:|
    | params | 0.58 |
    <BLANKLINE>
    """
    rule = ["---" if k < sheet.texts else "---:" for k in range(len(sheet.head))]
    lines = [f"| {' | '.join(row)} |" for row in (_plain(sheet.head), *map(_plain, sheet.rows))]
    return "\n".join([f"**{sheet.title}**", "", lines[0], f"|{'|'.join(rule)}|", *lines[1:], ""])


def _plain(cells: Sequence[str]) -> list[str]:
    return [cell.replace("|", "\\|") for cell in cells]


def latex(sheet: Sheet) -> str:
    r"""The table as a LaTeX ``table`` with rules of the package ``booktabs``.

    >>> print(latex(Sheet("Taus", ("metric", "tau"), (("angle_loss", "0.58"),))))
    \begin{table}
      \centering
      \caption{Taus}
      \begin{tabular}{lr}
        \toprule
        metric & tau \\
        \midrule
        angle\_loss & 0.58 \\
        \bottomrule
      \end{tabular}
    \end{table}
    <BLANKLINE>
    """
    columns = "l" * sheet.texts + "r" * (len(sheet.head) - sheet.texts)
    head, *rows = (
        f"    {' & '.join(map(_escaped, row))} \\\\" for row in (sheet.head, *sheet.rows)
    )
    lines = [
        r"\begin{table}", r"  \centering", rf"  \caption{{{_escaped(sheet.title)}}}",
        rf"  \begin{{tabular}}{{{columns}}}", r"    \toprule", head, r"    \midrule", *rows,
        r"    \bottomrule", r"  \end{tabular}", r"\end{table}", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda match: _ESCAPED.get(match[0], f"\\{match[0]}"), text)


def number_text(value: float, digits: int = 3, *, signed: bool = False) -> str:
    """A number with a fixed count of digits and a typographic minus; empty for NaN.

    >>> number_text(0.1234), number_text(-0.02, 2), number_text(0.02, 2, signed=True)
    ('0.123', '−0.02', '+0.02')
    >>> number_text(-0.0004, 2), number_text(float("nan"))  # no sign where there is nothing left
    ('0.00', '')
    """
    if math.isnan(value):
        return ""
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    return text.replace("-", "\u2212") if float(text) else f"{0:.{digits}f}"
