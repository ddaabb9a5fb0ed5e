"""Scores on disk: one SQLite file, addressed by content."""

import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import platformdirs

from anglenas._json import json_safe
from anglenas._measuring.exchange import read_csv, write_csv
from anglenas._measuring.task import Context, Outcome, Task, digest_of
from anglenas.errors import StoreError

_APPLICATION = int.from_bytes(b"angl", "big")

# The steps from each version of the schema to the next one; only ever append.
_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE contexts (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE,"
        " json TEXT NOT NULL)",
        "CREATE TABLE scores (context_id INTEGER NOT NULL REFERENCES contexts(id),"
        " subject TEXT NOT NULL, status TEXT NOT NULL, record_json TEXT, seconds REAL NOT NULL,"
        " host TEXT NOT NULL, PRIMARY KEY (context_id, subject)) WITHOUT ROWID",
    ),
    # A version of memory layouts was part of each address, and never any other than 1.
    (
        "UPDATE contexts SET json = without(json, 'layout')",
        "UPDATE contexts SET digest = digest_of(json)",
    ),
)

# A failure gives way to anything, a final outcome to nothing: it would come out the same again.
_PUT = """
    INSERT INTO scores VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (context_id, subject) DO UPDATE SET status = excluded.status,
        record_json = excluded.record_json, seconds = excluded.seconds, host = excluded.host
    WHERE scores.status LIKE 'failed: %'
"""

_BATCH = 500  # subjects in one query, well under SQLite's limit of parameters


@dataclass(frozen=True)
class ContextInfo:
    """How many outcomes a store holds under one context."""

    context: Context
    ok: int
    undefined: int
    failed: int


@dataclass(frozen=True)
class StoreInfo:
    """What a store holds.

    Attributes:
        path: The file; ``None`` for a store in memory.
        version: Version of the schema.
        size: Bytes on disk, 0 in memory.
        contexts: The contexts, in the order in which they came.
    """

    path: Path | None
    version: int
    size: int
    contexts: tuple[ContextInfo, ...]

    @property
    def scores(self) -> int:
        """How many outcomes there are."""
        return sum(one.ok + one.undefined + one.failed for one in self.contexts)


def default_path() -> Path:
    """Where scores are kept: ``$ANGLENAS_STORE``, or the user's data folder."""
    given = os.environ.get("ANGLENAS_STORE")
    return Path(given) if given else platformdirs.user_data_path("anglenas") / "scores.sqlite"


class Store:
    """Outcomes by task, in one SQLite file that several processes may use at once.

    Every call of :meth:`put_many` is one transaction: a process that is killed loses nothing that
    was put. Floats come back bit for bit.

    Args:
        path: The file, made where it is missing; ``None`` stands for ``$ANGLENAS_STORE``, or else
            ``scores.sqlite`` in the user's data folder.

    Raises:
        StoreError: The file cannot be opened, is none of anglenas' or is of a newer release.

    >>> with Store.memory() as store:
    ...     store.info().scores
    0
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._open(default_path() if path is None else Path(path))

    @classmethod
    def memory(cls) -> Self:
        """A store that ends with the process."""
        store = cls.__new__(cls)
        store._open(None)
        return store

    @classmethod
    def existing(cls, path: str | os.PathLike[str] | None = None) -> Self:
        """The store in a file that is there already, which is not made if it is missing.

        Raises:
            StoreError: There is no such file, or it cannot be used.
        """
        chosen = default_path() if path is None else Path(path)
        if not chosen.is_file():
            raise StoreError(
                f"There is no store at {chosen}; a search makes one, or give the path of another."
            )
        return cls(chosen)

    def _open(self, path: Path | None) -> None:
        self.path = path
        self._ids: dict[Context, int] = {}
        with self._explained():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path or ":memory:", 60.0, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA trusted_schema = OFF")
        with self._transaction("DEFERRED"):  # one look, while another process may make the file
            version = self._version()
        if version < len(_MIGRATIONS):
            with self._transaction():  # which waits for another process that does the same
                self._migrate()
        # Switching needs a moment alone with the file, and not every file system can.
        with suppress(sqlite3.OperationalError):
            if self._one("PRAGMA journal_mode") != "wal":
                self._one("PRAGMA journal_mode = WAL")
        if self._one("PRAGMA journal_mode") == "wal":
            self._connection.execute("PRAGMA synchronous = NORMAL")

    def _version(self) -> int:
        version, application = self._one("PRAGMA user_version"), self._one("PRAGMA application_id")
        ours = application == _APPLICATION
        if not ours and (version or application or self._one("SELECT count(*) FROM sqlite_schema")):
            raise StoreError(
                f"{self.path} is a database of another program; give another path for the scores."
            )
        if version > len(_MIGRATIONS):
            raise StoreError(
                f"{self.path} was written by a newer release of anglenas (schema {version}, here "
                f"{len(_MIGRATIONS)}); upgrade anglenas, or give another path for the scores."
            )
        return int(version)

    def _migrate(self) -> None:
        self._connection.create_function("without", 2, _without, deterministic=True)
        self._connection.create_function("digest_of", 1, digest_of, deterministic=True)
        for step in _MIGRATIONS[self._version() :]:
            for statement in step:
                self._connection.execute(statement)
        self._connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        self._connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    def get(self, task: Task) -> Outcome | None:
        """What is known of a task, failures included; ``None`` if nothing is."""
        return self.get_many([task]).get(task)

    def get_many(self, tasks: Iterable[Task]) -> dict[Task, Outcome]:
        """What is known of many tasks; those that nothing is known of are left out."""
        subjects: dict[Context, list[str]] = defaultdict(list)
        for task in tasks:
            subjects[task.context].append(task.subject)
        with self._explained():
            found = [
                outcome
                for context, texts in subjects.items()
                for some in _batches(texts, _BATCH)
                for outcome in self._look_up(context, some)
            ]
        return {outcome.task: outcome for outcome in found}

    def _look_up(self, context: Context, subjects: list[str]) -> Iterator[Outcome]:
        marks = ", ".join("?" * len(subjects))
        rows = self._connection.execute(
            "SELECT subject, status, record_json, seconds, host FROM scores"
            f" WHERE context_id = ? AND subject IN ({marks})",
            (self._id(context), *subjects),
        )
        return (_outcome(context, row) for row in rows)

    def put_many(self, outcomes: Iterable[Outcome]) -> int:
        """Keep outcomes, in one transaction: all of them, or after an error none.

        A final outcome that is there already stays; a failure is replaced.

        Returns:
            How many outcomes were added, or took the place of a failure.
        """
        kept = list(outcomes)
        with self._explained():
            for context in dict.fromkeys(outcome.task.context for outcome in kept):
                self._register(context)
            with self._transaction():
                return self._connection.executemany(_PUT, map(self._row, kept)).rowcount

    def _row(self, outcome: Outcome) -> tuple[object, ...]:
        record = outcome.record
        text = None if record is None else json.dumps(record, allow_nan=False)
        number = self._id(outcome.task.context)
        return number, outcome.task.subject, outcome.status, text, outcome.seconds, outcome.host

    def _register(self, context: Context) -> None:
        """Give a context its number, outside the transaction so that it outlives a rollback."""
        if self._id(context) is None:
            self._connection.execute(
                "INSERT OR IGNORE INTO contexts (digest, json) VALUES (?, ?)",
                (context.digest, context.json),
            )

    def _id(self, context: Context) -> int | None:
        if context not in self._ids:
            number = self._one("SELECT id FROM contexts WHERE digest = ?", context.digest)
            if number is None:
                return None
            self._ids[context] = number
        return self._ids[context]

    def outcomes(self) -> Iterator[Outcome]:
        """Everything, ordered by context and subject."""
        with self._explained():
            rows = self._connection.execute("SELECT id, json FROM contexts ORDER BY id").fetchall()
            for number, text in rows:
                context = _context(text)
                for row in self._connection.execute(
                    "SELECT subject, status, record_json, seconds, host FROM scores"
                    " WHERE context_id = ? ORDER BY subject",
                    (number,),
                ):
                    yield _outcome(context, row)

    def info(self) -> StoreInfo:
        """How much there is of what."""
        with self._explained():
            rows = self._connection.execute(
                "SELECT json, sum(status = 'ok'), sum(status LIKE 'undefined: %'),"
                " sum(status LIKE 'failed: %')"
                " FROM contexts JOIN scores ON context_id = id GROUP BY id ORDER BY id"
            ).fetchall()
            size = self._one("PRAGMA page_count") * self._one("PRAGMA page_size")
            version = self._one("PRAGMA user_version")
        contexts = tuple(ContextInfo(_context(text), *counts) for text, *counts in rows)
        return StoreInfo(self.path, version, size if self.path else 0, contexts)

    def export_csv(self, path: str | os.PathLike[str]) -> None:
        """Write everything as one table, a row a score; :meth:`import_csv` reads it back whole.

        Raises:
            StoreError: The file cannot be written.
        """
        write_csv(self.outcomes(), Path(path))

    def import_csv(self, path: str | os.PathLike[str]) -> int:
        """Add the scores of a table that :meth:`export_csv` wrote.

        Returns:
            How many were added, or took the place of a failure.

        Raises:
            StoreError: The file cannot be read, or is no such table; nothing is added then.
        """
        return self.put_many(read_csv(Path(path)))

    def export_sqlite(self, path: str | os.PathLike[str]) -> None:
        """Write a compact copy, to be opened as a store elsewhere.

        Raises:
            StoreError: The file exists, or cannot be written.
        """
        if Path(path).exists():
            raise StoreError(f"{path} exists; give the path of a new file for the copy.")
        with self._explained():
            self._connection.execute("VACUUM INTO ?", (os.fspath(path),))

    def merge(self, other: "Store") -> int:
        """Add the scores of another store.

        Returns:
            How many were added, or took the place of a failure.
        """
        outcomes = other.outcomes()
        return sum(map(self.put_many, iter(lambda: list(islice(outcomes, 10_000)), [])))

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _one(self, query: str, *values: object) -> Any:
        """The first column of the first row; ``None`` if there is no row."""
        row = self._connection.execute(query, values).fetchone()
        return row[0] if row else None

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        self._connection.execute(f"BEGIN {kind}")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite and the file system say into an error that tells the way out."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"The scores in {self.path or 'memory'} cannot be used ({error}); give the path of "
                "a file that can be written, or of a new one."
            ) from error


def _outcome(context: Context, row: tuple[str, str, str | None, float, str]) -> Outcome:
    subject, status, text, seconds, host = row
    with _whole():
        record = None if text is None else json_safe(json.loads(text))
        return Outcome(Task(context, subject), status, record, seconds, host)


def _context(text: str) -> Context:
    with _whole():
        return Context.from_json(text)


@contextmanager
def _whole() -> Iterator[None]:
    """Turn what parsing says of a row that no release has written into an error."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StoreError(
            f"The store holds a row that is no score ({error}); move the file away and run again."
        ) from error


def _without(text: str, name: str) -> str:
    """The JSON of a context without one of its fields."""
    values = json.loads(text)
    return json.dumps({key: values[key] for key in values if key != name}, sort_keys=True)


def _batches(items: list[str], size: int) -> Iterator[list[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))
