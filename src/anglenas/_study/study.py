"""What a study found, as a value that prints and exports itself."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from anglenas._json import json_safe
from anglenas._sheet import Sheet, markdown, number_text
from anglenas._study.estimates import Estimate
from anglenas._study.picks import Picks

_SPARE = ("s each", "undefined", "Spearman", "tau, ties broken", "tau-b with params", "networks",
          "sd over seeds", "precision", "over params")  # fmt: skip
"""Columns that a narrow terminal does without, the first to go first."""

_USUAL = {"guard": {"off"}, "ranks in": {"all"}}
"""What goes without saying: a column of nothing else is left out."""


@dataclass(frozen=True)
class Study:
    """What metrics are worth on a benchmark; ``str`` prints its tables as Markdown.

    Attributes:
        about: What the accuracies are: data set, split, epochs, seeds.
        estimates: How well each ranking orders each subset.
        picks: What random searches find by each ranking.
        seconds: By ranking, what measuring a network took, where that is known.
        strata: Subsets that more, or fewer, networks were drawn from than from the rest.
        replicates: How many replicates intervals come from.
        seeds: The seeds of the measurements.
        detectors: How many measured networks each combination of the two detectors of trivial
            networks catches: ``(by score, by structure)``; empty where angles were not measured.
        notices: What a reader should know of the accuracies and the sample, a sentence each.
    """

    about: str
    estimates: tuple[Estimate, ...]
    picks: tuple[Picks, ...]
    seconds: Mapping[str, float]
    strata: tuple[str, ...]
    replicates: int
    seeds: tuple[int, ...]
    detectors: Mapping[tuple[bool, bool], int]
    notices: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"Accuracies: {self.about}.", "", *map(markdown, self.sheets()),
                          *(f"* {line}" for line in self.remarks()), ""])  # fmt: skip

    def _repr_markdown_(self) -> str:
        """What a notebook shows."""
        return str(self)

    def to_dict(self) -> dict[str, object]:
        """All numbers in values that JSON can hold; an interval has value, low and high.

        What is not known is ``None``.
        """
        content = asdict(self) | {
            "detectors": [
                {"score": score, "structure": structure, "networks": count}
                for (score, structure), count in self.detectors.items()
            ],
            "notices": self.remarks(),
        }
        return {name: json_safe(value) for name, value in content.items()}

    def sheets(self) -> tuple[Sheet, ...]:
        """One table for each subset, and one of what random searches pick."""
        subsets = dict.fromkeys(one.subset for one in self.estimates)
        sheets = [self._subset_sheet(name) for name in subsets]
        return (*sheets, _picks_sheet(self.picks)) if self.picks else tuple(sheets)

    def _subset_sheet(self, subset: str) -> Sheet:
        estimates = [one for one in self.estimates if one.subset == subset]
        columns: dict[str, list[str]] = {
            "metric": [one.metric for one in estimates],
            "guard": [one.guard for one in estimates],
            "ranks in": [one.ranks for one in estimates],
            "tau-b": [str(one.tau) for one in estimates],
            "tau, ties broken": [str(one.tau_broken) for one in estimates],
            "Spearman": [str(one.spearman) for one in estimates],
            "over params": [one.gain.text(signed=True) for one in estimates],
            "tau-b with params": [number_text(one.with_params) for one in estimates],
            "sd over seeds": [number_text(one.deviation) for one in estimates],
            "precision": [str(one.precision) for one in estimates],
            "undefined": [str(one.undefined or "") for one in estimates],
            "networks": [f"{one.networks:,}" for one in estimates],
            "s each": [_seconds_text(self.seconds[one.metric]) for one in estimates],
        }
        shown = {
            name: cells for name, cells in columns.items()
            if name == "metric" or not set(cells) <= {"", *_USUAL.get(name, ())}
        }  # fmt: skip
        texts = sum(name in shown for name in ("metric", "guard", "ranks in"))
        title = f"{subset}: {estimates[0].population:,} networks"
        spare = tuple(name for name in _SPARE if name in shown)
        return Sheet(title, tuple(shown), tuple(zip(*shown.values(), strict=True)), texts, spare)

    def remarks(self) -> tuple[str, ...]:
        """What has to be known to read the tables, a sentence or two each."""
        chance = (
            f"Intervals of 95 % from {self.replicates:,} replicates of the sample, drawn within "
            f"{'its strata' if self.strata else 'it'}: what would vary had other networks been "
            "drawn, not with other images and weights. Where every network was measured, that of "
            "tau with ties broken is over orders of the ties. Tau-b with params and the picks have "
            "none. Empty cells: of a part of the subset too few networks were measured."
        )
        ranks = (
            "Ranks that are added are formed in the whole table (ranks in: all), or among the "
            "networks of the subset alone (subset)."
        )
        if not self.detectors:
            return (*self.notices, chance, ranks)
        total, both = sum(self.detectors.values()), self.detectors[True, True]
        agreed = (both + self.detectors[False, False]) / total
        detectors = (
            f"Of {total:,} networks, {both:,} are trivial by score and by structure, "
            f"{self.detectors[True, False]:,} by score alone, {self.detectors[False, True]:,} by "
            f"structure alone; the two agree on {agreed:.0%}."
        )
        return (*self.notices, chance, ranks, detectors)


def _picks_sheet(picks: Sequence[Picks]) -> Sheet:
    first = picks[0]
    head = ("metric", "guard", "accuracy", "sd", "over params", "below the best", "networks")
    rows = tuple(
        (one.metric, one.guard, f"{one.accuracy:.2f}", f"{one.deviation:.2f}",
         number_text(one.gain, 2, signed=True), f"{one.regret:.2f}", f"{one.networks:,}")
        for one in picks
    )  # fmt: skip
    title = (
        f"Picks of {first.searches:,} random searches among {first.size:,} networks, percent; "
        f"the best of a search reaches {first.best:.2f}"
    )
    return Sheet(title, head, rows, 2, ("networks", "below the best"))


def _seconds_text(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2g}" if value < 10 else f"{value:.0f}"
