"""A run on disk: ``run.json``, the one file of it that programs read."""

import json
import math
import platform
from dataclasses import fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_type_hints

from anglenas import _numerics as numerics
from anglenas._json import from_json, json_safe, json_text
from anglenas._measuring.result import Candidate
from anglenas._plugins import load, refuse_code
from anglenas._pruning.result import Pruned
from anglenas._searching.result import Found
from anglenas.errors import SettingError, UnknownNameError
from anglenas.spaces import NetworkConfig

_FORMAT = 1  # raised when files of before cannot be read any more
_KINDS: dict[str, type[Found] | type[Pruned]] = {"search": Found, "pruning": Pruned}
_SHARED = ("space", "config")  # by all candidates, which stand once above them


def versions() -> dict[str, str]:
    """What scores depend on besides their settings, by name."""
    return {
        "anglenas": version("anglenas"),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "numerics": numerics.platform(),
    }


def run_json(result: Found | Pruned, command: str = "") -> str:
    """The text of ``run.json``: the whole result, which :func:`load_run` gives back."""
    told = {field.name: getattr(result, field.name) for field in fields(result)}
    told["candidates"] = [
        {
            name: value
            for name, value in json_safe(
                replace(candidate, architecture=str(candidate.architecture))
            ).items()
            if name not in _SHARED
        }
        for candidate in result.candidates
    ]
    [kind] = [name for name, made in _KINDS.items() if isinstance(result, made)]
    # Command and versions are for people: a run that is read and written again gets new ones.
    head = {"format": _FORMAT, "kind": kind, "command": command, "versions": versions()}
    return json_text({**head, **told, "network": result.best.config}) + "\n"


def load_run(folder: str | Path, space: str = "") -> Found | Pruned:
    """The result of a search or a pruning, from the folder that was written of it.

    A folder may be somebody else's. Nothing is imported because a file names it: spaces are found
    by their registered names, and the images that a run names are not opened here.

    Args:
        folder: What :func:`anglenas.write_run` or the command line wrote.
        space: The run's space, if that is code of your own: name it as ``"module:name"`` here too.

    Returns:
        What :func:`anglenas.search` or :func:`anglenas.prune` had returned.

    Raises:
        SettingError: The folder holds no finished run, one of an earlier version, or one of a space
            that is code and was not named.
        UnknownNameError: Its space is not installed.

    >>> import tempfile, anglenas
    >>> found = anglenas.search(rank="params", budget=3, workers=0, store=":memory:")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = anglenas.write_run(found, folder)
    ...     load_run(folder) == found
    True
    """
    path = Path(folder) / "run.json"
    try:
        facts = json.loads(path.read_text("utf-8"), parse_constant=_refuse_constant)
        if facts.get("format") != _FORMAT:
            raise SettingError(
                f"The run in {str(folder)!r} is of another version of anglenas; search again: what "
                "was measured is in the store, and a moment is enough."
            )
        refuse_code("space", from_json(str, facts["space"], "space"), folder, space)
        return _result(facts)
    except (SettingError, UnknownNameError):
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise SettingError(
            f"The folder {str(folder)!r} holds no finished run ({reason}); give the folder that a "
            "search or a pruning printed."
        ) from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _result(facts: dict[str, Any]) -> Found | Pruned:
    kind = _KINDS[facts["kind"]]
    hints = get_type_hints(kind)
    config = from_json(NetworkConfig, facts["network"], "network")
    candidates = tuple(
        _candidate(written, facts["space"], config, f"candidates[{number}]")
        for number, written in enumerate(facts["candidates"])
    )
    if not candidates or [candidate.rank for candidate in candidates] != [
        *range(1, len(candidates) + 1)
    ]:
        raise ValueError("its candidates are not in the order of their ranks")
    told = {name: from_json(hint, facts[name], name)
            for name, hint in hints.items() if name != "candidates"}  # fmt: skip
    return kind(candidates=candidates, **told)


def _candidate(facts: Any, space: str, config: NetworkConfig, where: str) -> Candidate:
    # JSON has no infinity; whoever has no score has minus that.
    unscored = facts["score"] is None
    whole = {**facts, "score": 0.0 if unscored else facts["score"], "space": space}
    candidate: Candidate = from_json(Candidate, {**whole, "config": json_safe(config)}, where)
    text = from_json(str, facts["architecture"], f"{where}.architecture")
    searched = load("space", space)
    try:
        architecture = searched.parse(text)
    except Exception as error:  # the code of a space can be anybody's, and raise anything
        first = (str(error).splitlines() or [""])[0]
        raise ValueError(f"{where} is no architecture of {space!r}: {first}") from error
    score = -math.inf if unscored else candidate.score
    return replace(candidate, architecture=architecture, score=score)
