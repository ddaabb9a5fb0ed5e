"""From the text of a rank expression to its value."""

import re
from collections.abc import Callable
from typing import TypeVar

from anglenas._text import Cursor
from anglenas.errors import ExpressionError, UnknownNameError
from anglenas.ranking._expression import Expression, Factor, LogRank, Rank, Ranked, Standard, Term


def _sum_of(*metrics: str) -> Ranked:
    return Ranked(Expression(tuple(Term(Rank(metric)) for metric in metrics)))


_ALIASES = {
    "angle_loss": _sum_of("angle", "loss"),
    "tenas": _sum_of("ntk_fan_out", "regions"),
}
_FUNCTIONS = ("log", "logrank", "z")
_LARGEST_WEIGHT = 1e9
_DEEPEST = 32

_NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NAME = re.compile(r"[^\W\d][\w.:@]*")
_BEGINNING = re.compile(rf"{_NUMBER.pattern}|{_NAME.pattern}|[+*()]")

T = TypeVar("T")


def parse(text: str) -> Expression:
    """The rank expression that a text spells.

    ::

        expression = term {"+" term}
        term       = [number "*"] factor
        factor     = metric                     its ranks, 0 = worst .. N-1 = best
                   | "(" expression ")"         the ranks of a sum
                   | "logrank(" expression ")"  log((rank + 1) / N)
                   | "z(" value ")"             (value - mean) / standard deviation
        value      = metric | "log(" metric ")"

    Metric names begin with a letter or ``_`` and go on with letters, digits, ``_``, ``.``, ``:``
    and ``@``, so that ``module:probe.metric`` is one too. Signs are turned so that higher is
    better, whatever the metric's direction. Ranks weigh metrics alike; a sum in parentheses is
    ranked again, so that it weighs as much as one metric.

    * ``angle_loss`` stands for ``(angle+loss)``: ``angle_loss+params`` is AngleLoss+#Param of
      Yang et al. (WACV 2023), in which #Param weighs as much as angle and loss together.
    * ``ntk+regions`` is the sum of ranks of Chen et al. (TE-NAS, ICLR 2021); ``tenas`` is the same
      with the NTK's weights drawn by their fan-out, as there.
    * ``logrank(a)+logrank(b)+logrank(c)`` is the aggregation of Lee and Ham (AZ-NAS, CVPR 2024,
      equation 12), by which a low rank costs more than a high one gains. (``logrank(a+b+c)`` is
      something else: the logarithm of the sum's rank.)
    * ``z(log(params))+z(tse)`` adds standardised values, with the population's standard deviation.

    Args:
        text: The expression; spaces do not matter.

    Raises:
        ExpressionError: The text is no expression; points at the first wrong place.

    Example:
        >>> parse("angle_loss + params").metrics
        ('angle', 'loss', 'params')
        >>> str(parse("2 * angle_loss + z(log(params))"))
        '2*(angle+loss)+z(log(params))'
    """
    return _Parser(text).whole()


class _Parser:
    """One method for each rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._cursor = Cursor(text, ExpressionError, skips_blanks=True)
        self._depth = 0

    def _wrong(self, message: str) -> Exception:
        """What is wrong here; where nothing of an expression begins, that is said instead."""
        position = self._cursor.position
        rest = self._cursor.text[position:]
        if rest and not _BEGINNING.match(rest):
            message = (
                f"Unexpected character {rest[0]!r}; an expression has metric names, numbers, +, * "
                "and parentheses."
            )
        return self._cursor.wrong(message, position)

    def whole(self) -> Expression:
        if self._cursor.at_end:
            raise self._wrong("The expression is empty; write one such as angle_loss+params.")
        expression = self._expression()
        if self._cursor.at(")"):
            raise self._wrong("This ')' closes nothing; remove it, or open a '(' before it.")
        if not self._cursor.at_end:
            raise self._wrong("Expected '+' or the end here; a weight comes first, as in 2*angle.")
        return expression

    def _expression(self) -> Expression:
        terms = [self._term()]
        while self._cursor.take("+"):
            terms.append(self._term())
        return Expression(tuple(terms))

    def _term(self) -> Term:
        start = self._cursor.position
        number = self._cursor.read(_NUMBER)
        if not number:
            return Term(self._factor())
        if not 0 < float(number) <= _LARGEST_WEIGHT:
            raise self._cursor.wrong(
                f"A weight is a number above 0 and up to {_LARGEST_WEIGHT:g}.", start
            )
        if not self._cursor.take("*"):
            raise self._wrong("Expected '*' after a weight, as in 2*angle.")
        return Term(self._factor(), float(number))

    def _factor(self) -> Factor:
        if self._cursor.at("("):
            return Ranked(self._parenthesised(self._expression))
        start, name = self._name()
        if not self._cursor.at("("):
            return _ALIASES.get(name) or Rank(name)
        if name == "logrank":
            return LogRank(self._parenthesised(self._expression))
        if name == "z":
            return self._parenthesised(self._standard)
        if name == "log":
            message = "log stands inside z only, as in z(log(params))."
        else:
            message = str(UnknownNameError("function", name, _FUNCTIONS))
        raise self._cursor.wrong(message, start)

    def _parenthesised(self, inside: Callable[[], T]) -> T:
        opening = self._cursor.position
        self._cursor.expect("(")
        self._depth += 1
        if self._depth > _DEEPEST:  # Python's own recursion ends somewhere, too
            raise self._cursor.wrong(
                f"More than {_DEEPEST} parentheses are open; write it flatter.", opening
            )
        found = inside()
        if not self._cursor.take(")"):
            raise self._wrong(f"A ')' is missing here for the '(' at character {opening + 1}.")
        self._depth -= 1
        return found

    def _standard(self) -> Standard:
        start, name = self._name()
        if not self._cursor.at("("):
            return Standard(self._metric(start, name), False)
        if name != "log":
            raise self._cursor.wrong(
                "z takes a metric or its logarithm, as in z(log(params)).", start
            )
        return Standard(self._parenthesised(lambda: self._metric(*self._name())), True)

    def _metric(self, start: int, name: str) -> str:
        if name in _ALIASES:
            raise self._cursor.wrong(
                f"{name} is a sum of ranks, not a metric that z could take.", start
            )
        return name

    def _name(self) -> tuple[int, str]:
        """Where a name stands, and the name."""
        start = self._cursor.position
        name = self._cursor.read(_NAME)
        if not name:
            raise self._wrong("Expected the name of a metric here, such as angle.")
        return start, name
