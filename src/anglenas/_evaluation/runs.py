"""The folder of a finished search, read again."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from anglenas._evaluation.network import Subject, Weights
from anglenas._plugins import refuse_code
from anglenas.data import relocate
from anglenas.errors import SettingError
from anglenas.spaces import NetworkConfig

__all__ = ["Ranked", "Run", "read_run"]


@dataclass(frozen=True)
class Ranked:
    """A candidate of a finished search.

    Attributes:
        rank: Its place, 1 being the best.
        subject: Its network.
        score: What it was ranked by, higher being better; ``None`` if it could not be scored.
        values: Value of each metric by name, of those that have one.
        guarded: Whether the trivial-network guard put it behind.
    """

    rank: int
    subject: Subject
    score: float | None
    values: Mapping[str, float]
    guarded: bool


@dataclass(frozen=True)
class Run:
    """A finished search.

    Attributes:
        folder: Where it is.
        origin: What finds its images again; empty if nothing does.
        class_names: Their classes.
        flip: Whether a mirrored image was still one of its class.
        expression: What candidates were ranked by.
        ranked: The candidates, best first.
    """

    folder: Path
    origin: str
    class_names: tuple[str, ...]
    flip: bool
    expression: str
    ranked: tuple[Ranked, ...]

    def at(self, rank: int) -> Ranked:
        """The candidate at a place.

        Raises:
            SettingError: There is none.
        """
        if not 1 <= rank <= len(self.ranked):
            raise SettingError(f"The run has the ranks 1 to {len(self.ranked)}, not {rank}.")
        return self.ranked[rank - 1]

    def images(self, given: str | Path | None = None) -> str | Path:
        """The images that the user gives, else those of the search; never code that it names.

        Raises:
            SettingError: The folder does not tell where they are, or names code.
        """
        return relocate(self.origin, self.folder) if given is None else given

    def fresh_weights(self, rank: int = 1, seed: int = 1) -> Weights:
        """The network at a place with random weights, for images of 0 to 1 as they are."""
        subject = self.at(rank).subject
        channels = subject.config.in_channels
        tensors = subject.network(seed).state_dict()
        return Weights(subject, tensors, self.class_names, (0.0,) * channels, (1.0,) * channels)


def read_run(folder: str | Path, space: str = "") -> Run:
    """A finished search, from the folder that :func:`anglenas.write_run` wrote.

    Args:
        folder: The folder.
        space: The space, if it is named as ``"module:name"``: a folder may be somebody else's, and
            no module is imported because a folder names it.

    Raises:
        SettingError: It holds no finished search, or its space is code that was not named.
    """
    folder = Path(folder)
    try:
        facts = json.loads((folder / "run.json").read_text())
        with (folder / "table.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        refuse_code("space", facts["space"], folder, space)
        config = NetworkConfig(**facts["network"])
        ranked = tuple(_ranked(row, facts["space"], config) for row in rows)
        classes = tuple(map(str, facts["classes"]))
        return Run(folder, facts["origin"], classes, facts["flip"], facts["rank"], ranked)
    except SettingError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SettingError(
            f"The folder {str(folder)!r} holds no finished search ({type(error).__name__}: "
            f"{error}); give the folder that a search printed."
        ) from error


def _ranked(row: Mapping[str, str], space: str, config: NetworkConfig) -> Ranked:
    """A line of the table, whose metrics stand between the score and the ranks."""
    names = list(row)
    metrics = takewhile(
        lambda name: not name.startswith("rank_"), names[names.index("score") + 1 :]
    )
    values = {name: float(row[name]) for name in metrics if row[name]}
    return Ranked(
        rank=int(row["rank"]),
        subject=Subject(space, row["architecture"], config),
        score=float(row["score"]) if row["score"] else None,
        values=values,
        guarded=row["guarded"] == "yes",
    )
