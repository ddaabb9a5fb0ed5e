"""From the text of a rank expression to its value."""

import re
from dataclasses import dataclass

from anglenas.errors import ExpressionError, UnknownNameError
from anglenas.ranking._expression import Expression, Factor, LogRank, Rank, Ranked, Standard, Term

__all__ = ["parse"]


def _sum_of(*metrics: str) -> Ranked:
    return Ranked(Expression(tuple(Term(Rank(metric)) for metric in metrics)))


_ALIASES = {
    "angle_loss": _sum_of("angle", "loss"),
    "tenas": _sum_of("ntk_fan_out", "regions"),
}
_FUNCTIONS = ("log", "logrank", "z")
_LARGEST_WEIGHT = 1e9
_DEEPEST = 32

_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[^\W\d][\w.:@]*)"
    r"|(?P<sign>[+*()])"
)
_SPACE = re.compile(r"\s*")


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


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int


def _tokens(text: str) -> list[_Token]:
    found = []
    position = _skip_space(text, 0)
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(
                f"Unexpected character {text[position]!r}; an expression has metric names, "
                "numbers, +, * and parentheses.",
                text,
                position,
            )
        found.append(_Token(match.lastgroup or "", match.group(), position))
        position = _skip_space(text, match.end())
    return [*found, _Token("end", "", len(text))]


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


class _Parser:
    """One method for each rule of the grammar, over a cursor into the tokens."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._rest = _tokens(text)[::-1]
        self._depth = 0

    @property
    def _next(self) -> _Token:
        return self._rest[-1]

    def _take(self, text: str) -> bool:
        found = self._next.text == text
        if found:
            self._rest.pop()
        return found

    def _error(self, message: str, at: _Token | None = None) -> ExpressionError:
        return ExpressionError(message, self._text, (at or self._next).position)

    def whole(self) -> Expression:
        if self._next.kind == "end":
            raise self._error("The expression is empty; write one such as angle_loss+params.")
        expression = self._expression()
        if self._next.text == ")":
            raise self._error("This ')' closes nothing; remove it, or open a '(' before it.")
        if self._next.kind != "end":
            raise self._error("Expected '+' or the end here; a weight comes first, as in 2*angle.")
        return expression

    def _expression(self) -> Expression:
        terms = [self._term()]
        while self._take("+"):
            terms.append(self._term())
        return Expression(tuple(terms))

    def _term(self) -> Term:
        if self._next.kind != "number":
            return Term(self._factor())
        weight = self._weight()
        if not self._take("*"):
            raise self._error("Expected '*' after a weight, as in 2*angle.")
        return Term(self._factor(), weight)

    def _weight(self) -> float:
        token = self._rest.pop()
        weight = float(token.text)
        if not 0 < weight <= _LARGEST_WEIGHT:
            raise self._error(f"A weight is a number above 0 and up to {_LARGEST_WEIGHT:g}.", token)
        return weight

    def _factor(self) -> Factor:
        if self._next.text == "(":
            return Ranked(self._parenthesised())
        name = self._name()
        if self._next.text == "(":
            return self._call(name)
        return _ALIASES.get(name.text) or Rank(name.text)

    def _name(self) -> _Token:
        if self._next.kind != "name":
            raise self._error("Expected the name of a metric here, such as angle.")
        return self._rest.pop()

    def _parenthesised(self) -> Expression:
        opening = self._open()
        expression = self._expression()
        self._close(opening)
        return expression

    def _open(self) -> _Token:
        opening = self._rest.pop()
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error(
                f"More than {_DEEPEST} parentheses are open; write it flatter.", opening
            )
        return opening

    def _close(self, opening: _Token) -> None:
        if not self._take(")"):
            raise self._error(
                f"A ')' is missing here for the '(' at character {opening.position + 1}."
            )
        self._depth -= 1

    def _call(self, function: _Token) -> Factor:
        if function.text == "logrank":
            return LogRank(self._parenthesised())
        if function.text == "z":
            return self._standard()
        if function.text == "log":
            raise self._error("log stands inside z only, as in z(log(params)).", function)
        raise self._error(str(UnknownNameError("function", function.text, _FUNCTIONS)), function)

    def _standard(self) -> Standard:
        opening = self._open()
        name = self._name()
        log = self._next.text == "("
        standard = Standard(self._logarithm(name) if log else self._metric(name), log)
        self._close(opening)
        return standard

    def _logarithm(self, function: _Token) -> str:
        if function.text != "log":
            raise self._error("z takes a metric or its logarithm, as in z(log(params)).", function)
        opening = self._open()
        metric = self._metric(self._name())
        self._close(opening)
        return metric

    def _metric(self, name: _Token) -> str:
        if name.text in _ALIASES:
            raise self._error(
                f"{name.text} is a sum of ranks, not a metric that z could take.", name
            )
        return name.text
