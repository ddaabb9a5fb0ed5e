"""From what a user passes to what a pruning needs."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from anglenas._measuring.memory import check_memory, gradients_memory, training_memory
from anglenas._measuring.plan import Plan
from anglenas._measuring.setup import choose_space
from anglenas._plugins import load
from anglenas._pruning.rounds import planned
from anglenas._recipe import Recipe
from anglenas.errors import SettingError
from anglenas.probes import find_metric, find_probe
from anglenas.ranking import parse
from anglenas.spaces import NetworkConfig, Space, Supernets

Reading = Literal["auto", "pruned", "change"]
"""How the metrics of a supernet that lacks an operation are read; see :func:`prune`."""


@dataclass(frozen=True)
class Pruner:
    """What is pruned and how, with every setting as it is used."""

    supernets: str
    space: Supernets[Any]
    number: int
    reading: Literal["pruned", "change"]


def settle(space: str, supernets: Any, number: int, reading: Reading, rank: str) -> Pruner:
    """The settings of a pruning as they are used, checked before anything is measured.

    Raises:
        SettingError: One of them does not fit, changes of metrics cannot be ranked by the
            expression, or what is left of the supernets is no architecture of the space.
        UnknownNameError: There is no such space of supernets.
    """
    searched: Space[Any] = load("space", space)
    own = searched.supernets.name if searched.supernets else ""
    name = choose_space(supernets or own) if supernets or own else ""
    if not name:
        raise SettingError(
            f"Pruning needs supernets, which the space {space!r} does not have; use a search "
            "with the strategy random or evolution."
        )
    found = load("space", name)
    if not isinstance(found, Supernets):
        raise SettingError(f"{name!r} is no space of supernets; leave out supernets={name}.")
    by_change = not _trains(rank) if reading == "auto" else reading == "change"
    if by_change and "z(log(" in rank.replace(" ", ""):
        raise SettingError(
            f"{rank} takes logarithms, but pruning by changes has values below 0; write "
            "logrank(params) or params in place of z(log(params)), or use reading=pruned."
        )
    number = number or found.number
    _check_result(found, number, name, space, own)
    return Pruner(name, found, number, "change" if by_change else "pruned")


def default_recipe(supernets: Supernets[Any], rank: str) -> str:
    """Name of the recipe of a pruning for which none is given: that of its metrics."""
    return (supernets.recipe if _trains(rank) else supernets.tenas_recipe).name


def _trains(rank: str) -> bool:
    return any(find_metric(name).probe == "short_training" for name in parse(rank).metrics)


def _check_result(supernets: Supernets[Any], number: int, name: str, space: str, own: str) -> None:
    """Make sure that pruning ends in the space that is searched."""
    searched = load("space", space)
    _, left = planned(supernets, number)
    try:
        architecture = supernets.read(left)
        if searched.parse(str(architecture)) == architecture:
            return
        reason = f"{str(architecture)!r} is another one there"
    except Exception as error:  # both can be the user's: their code can raise anything
        reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    way_out = f"leave out supernets={name}" if own and own != name else "search it instead"
    raise SettingError(
        f"What is left of {name!r} is no architecture of {space!r} ({reason}); {way_out}."
    )


def check_supernet_memory(
    supernets: Supernets[Any],
    plan: Plan,
    config: NetworkConfig,
    images: int,
    recipe: Recipe,
    workers: int,
) -> None:
    """Make sure that the largest supernet can be measured in each of some workers at once.

    Raises:
        SettingError: It cannot; tells which settings to change.
    """
    full = str(supernets.full())
    what, estimate = "train", training_memory
    on = f" on {images} images of {config.side} x {config.side} pixels"
    needs = [metric.needs for metric in plan.metrics if metric.probe != "short_training"]
    if not any(find_probe(metric.probe).uses_images for metric in plan.metrics):
        what, on, images = "build", "", 0
    elif any("gradients" in need for need in needs):
        rows = images * any({"batch", "gradients"} <= need for need in needs)
        what, estimate = "differentiate", partial(gradients_memory, rows=rows)
    check_memory(
        lambda size: estimate(supernets, full, size, images),
        config, workers, f"{what} the supernet{on}", recipe,
    )  # fmt: skip
