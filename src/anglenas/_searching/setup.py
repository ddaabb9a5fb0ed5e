"""From what a user passes to the strategy of a search."""

from dataclasses import is_dataclass, replace

from anglenas._plugins import load
from anglenas._settings import read_changes
from anglenas.errors import SettingError
from anglenas.strategies import Strategy

_MEMBERS = ("name", "concurrency", "propose")


def choose_strategy(strategy: str | Strategy) -> Strategy:
    """The strategy, or the one with a name, which settings may follow: ``"evolution,sample=5"``.

    Raises:
        UnknownNameError: There is no such strategy, or it has no such setting.
        SettingError: A setting does not fit.
    """
    if not isinstance(strategy, str):
        return _checked(strategy, str(strategy))
    name, *changes = [part.strip() for part in strategy.split(",")]
    if name == "prune":
        raise SettingError(
            "Pruning is no strategy of a search; use anglenas.prune(), or 'anglenas prune' on the "
            "command line."
        )
    chosen = _checked(load("strategy", name), name)
    if not changes:
        return chosen
    if not is_dataclass(chosen):
        raise SettingError(f"The strategy {name!r} has no settings; leave out {changes[0]!r}.")
    values = read_changes(chosen, changes, "strategy setting", ("name",))
    # Its name then tells the settings too, wherever a result says how it was found.
    return replace(chosen, **values, name=strategy)


def _checked(strategy: Strategy, name: str) -> Strategy:
    """The strategy, if it has what the protocol asks for, which ``isinstance`` could not tell."""
    missing = [member for member in _MEMBERS if not hasattr(strategy, member)]
    if isinstance(strategy, type) or missing:
        lacking = f"it lacks {', '.join(missing)}" if missing else "make an object of the class"
        raise SettingError(f"What {name!r} names is no strategy; {lacking}.")
    return strategy
