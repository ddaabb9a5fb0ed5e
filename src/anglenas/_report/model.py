"""What a report shows, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from anglenas.spaces import Drawing

__all__ = ["Column", "Row", "RunReport"]

Setting = str | int | float | bool | None


@dataclass(frozen=True)
class Column:
    """A metric.

    Attributes:
        name: Its name, such as ``"angle"``.
        direction: Whether a higher or a lower value is better; empty if neither is.
        unit: Unit of the values; empty for a pure number.
    """

    name: str
    direction: Literal["higher", "lower", ""] = "higher"
    unit: str = ""


@dataclass(frozen=True)
class Row:
    """A candidate.

    Attributes:
        rank: Its place, 1 being the best; ``None`` if it has none.
        proposal: When it was proposed.
        architecture: Its text.
        canonical: Text of the canonical form that was measured.
        values: Value of each metric by name; ``None`` where there is none.
        ranks: Its place by single metrics, 1 being the best.
        status: ``"ok"``, or why it could not be scored.
        score: What it was ranked by; higher is better.
        guarded: Whether the trivial-network guard put it behind.
    """

    rank: int | None
    proposal: int
    architecture: str
    canonical: str
    values: Mapping[str, float | None]
    ranks: Mapping[str, float | None] = field(default_factory=dict)
    status: str = "ok"
    score: float | None = None
    guarded: bool = False


@dataclass(frozen=True)
class RunReport:
    """A finished search.

    Attributes:
        title: What stands on top of the page.
        command: The command that repeats the run.
        space: Name of the search space.
        data: Name of the images.
        rank_expression: What candidates are ranked by, such as ``"angle_loss+params"``.
        recipe: Name of the recipe.
        recipe_settings: The recipe's settings by name.
        calibrated: Whether the recipe's ranking quality was measured.
        seed: Where all randomness came from.
        columns: The metrics, in the order of the table.
        rows: The candidates, in any order.
        graphs: Drawings of the best architectures, the best one first; at most three are drawn.
        snippet: Python code that uses the best architecture.
        notices: What the reader should know, a sentence each.
        versions: Versions of what the scores depend on, by name.
        data_facts: More about the images, by name, such as their number.
    """

    title: str
    command: str
    space: str
    data: str
    rank_expression: str
    recipe: str
    recipe_settings: Mapping[str, Setting]
    calibrated: bool
    seed: int
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    graphs: tuple[tuple[Drawing, ...], ...] = ()
    snippet: str = ""
    notices: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    data_facts: Mapping[str, Setting] = field(default_factory=dict)

    @property
    def ordered(self) -> tuple[Row, ...]:
        """The candidates by rank, those that could not be scored last, by proposal."""
        return tuple(
            sorted(
                self.rows, key=lambda r: (r.status != "ok", r.rank is None, r.rank or 0, r.proposal)
            )
        )

    @property
    def best(self) -> Row | None:
        """The first candidate; ``None`` if none could be scored."""
        first = self.ordered[:1]
        return first[0] if first and first[0].status == "ok" else None

    @property
    def ranked_by(self) -> tuple[str, ...]:
        """The metrics that single ranks are given of: the columns first, then all others."""
        named = {name for row in self.rows for name in row.ranks}
        columns = [column.name for column in self.columns]
        return (*(n for n in columns if n in named), *sorted(named - set(columns)))
