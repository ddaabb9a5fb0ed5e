"""From what a user passes to the strategy of a search."""

from dataclasses import is_dataclass, replace
from typing import Any

from anglenas._measuring.setup import check_members
from anglenas._plugins import load
from anglenas._settings import read_changes
from anglenas.errors import SettingError
from anglenas.strategies import Strategy

__all__ = ["choose_strategy"]


def choose_strategy(strategy: str | Strategy) -> Strategy:
    """The strategy, or the one with a name, which settings may follow: ``"evolution,sample=5"``.

    Raises:
        UnknownNameError: There is no such strategy, or it has no such setting.
        SettingError: A setting does not fit.
    """
    if not isinstance(strategy, str):
        check_members("strategy", str(strategy), strategy)
        return strategy
    name, *changes = [part.strip() for part in strategy.split(",")]
    if name == "prune":
        raise SettingError(
            "Pruning is no strategy of a search; use anglenas.prune(), or 'anglenas prune' on the "
            "command line."
        )
    chosen: Any = load("strategy", name)
    check_members("strategy", name, chosen)
    if not changes:
        return chosen  # type: ignore[no-any-return]
    if not is_dataclass(chosen):
        raise SettingError(f"The strategy {name!r} has no settings; leave out {changes[0]!r}.")
    values = read_changes(chosen, changes, "strategy setting", ("name",))
    # Its name then tells the settings too, wherever a result says how it was found.
    return replace(chosen, **values, name=strategy)  # type: ignore[return-value, type-var]
