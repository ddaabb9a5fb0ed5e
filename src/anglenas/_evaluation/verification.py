"""Does a ranking hold? Some of its networks trained for a short, equal budget."""

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cached_property, partial
from multiprocessing import connection
from pathlib import Path
from threading import Thread
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anglenas._evaluation.network import Subject
from anglenas._evaluation.recipe import TrainingRecipe, read_training_recipe
from anglenas._evaluation.training import train
from anglenas._measuring.result import Candidate, Result
from anglenas._measuring.workers import Workers
from anglenas._numerics import derive, single_thread
from anglenas._runs import load_run
from anglenas._searching.result import Found
from anglenas._settings import checked
from anglenas.data import relocate
from anglenas.errors import SettingError, TrainingError, WorkersError, needs_extra
from anglenas.ranking import Interval, bootstrap, kendall_tau

Part = Literal["top", "middle", "bottom"]

_BASELINE = "params"


@dataclass(frozen=True)
class Checked:
    """A candidate that was trained.

    Attributes:
        ranked: What the search said of it.
        part: From which part of the ranking it is.
        accuracy: Share of the images held out that it classifies rightly after the last epoch;
            ``None`` if it could not be trained.
        status: ``"ok"``, or why it could not be trained.
        seconds: How long its training took; outside of every comparison.
    """

    ranked: Candidate
    part: Part
    accuracy: float | None
    status: str
    seconds: float

    @property
    def params(self) -> float:
        """Its number of parameters, which everything that is trained has."""
        return float(self.ranked.values.get(_BASELINE) or 0)


@dataclass(frozen=True)
class Verification:
    """A ranking, and accuracies.

    Attributes:
        run: The search.
        folder: Where its trainings are.
        recipe: How its networks were trained.
        seed: Where all randomness came from.
        checked: Those that were trained, by rank.
        left_out: How many trivial or unscored candidates were not considered.
    """

    run: Result
    folder: Path
    recipe: TrainingRecipe
    seed: int
    checked: tuple[Checked, ...]
    left_out: int

    @cached_property
    def agreements(self) -> Mapping[str, Interval]:
        """Kendall's tau of the ranking with the accuracies, that of their parameters, and the gain.

        With intervals by the bootstrap over networks. What could not be trained counts as worse
        than all that could. Networks from both ends of a ranking are easier to order than networks
        at random, so all three are larger than they would be over all candidates.
        """
        accuracy = self._column(lambda trained: trained.accuracy)
        scores = self._column(lambda trained: trained.ranked.score)
        params = self._column(lambda trained: trained.params)

        def taus(chosen: NDArray[np.intp]) -> tuple[float, float, float]:
            pair = [kendall_tau(order[chosen], accuracy[chosen]) for order in (scores, params)]
            return pair[0], pair[1], pair[0] - pair[1]

        rng = np.random.default_rng(derive(self.seed, "bootstrap"))
        names = (self.run.rank, _BASELINE, "gain")
        return dict(zip(names, bootstrap(taus, len(accuracy), rng), strict=True))

    @cached_property
    def means(self) -> Mapping[Part, float]:
        """Mean accuracy of the networks of each part of the ranking that could be trained."""
        known: dict[Part, list[float]] = {}
        for trained in self.checked:
            accuracies = known.setdefault(trained.part, [])
            if trained.accuracy is not None:
                accuracies.append(trained.accuracy)
        return {part: float(np.mean(v)) if v else float("nan") for part, v in known.items()}

    def _column(self, read: Callable[[Checked], float | None]) -> NDArray[np.float64]:
        values = [read(trained) for trained in self.checked]
        return np.array([np.nan if value is None else value for value in values])


@checked
def verify(
    run: Found | str | Path,
    *,
    each: int = 5,
    data: str | Path | None = None,
    recipe: str | TrainingRecipe = "quick,epochs=5",
    space: str = "",
    seed: int = 1,
    validation: float = 0.1,
    workers: Workers | int | None = None,
    folder: str | Path | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Verification:
    """Train networks from the top, the middle and the bottom of a finished search.

    Every network is trained by the same recipe with the same seed on the same images. Each has a
    folder of its own: what is trained is not trained again, and what was interrupted goes on.

    Args:
        run: The folder of a search; or the search, and then a folder for the trainings.
        each: Networks from each of the three parts of the ranking.
        data: The images, as in :func:`anglenas.search`; by default those that were searched on.
        recipe: The budget; see :func:`read_training_recipe`.
        space: The space, if it is named as ``"module:name"``.
        seed: Where all randomness comes from.
        validation: Share of the images to hold out, if the data hold out none.
        workers: Trainings at once, in processes with one thread each, and their device; by default
            one a core. A script that calls this needs ``if __name__ == "__main__":``, as with all
            processes of Python.
        folder: Where trainings go; by default ``verify`` in the folder of the search.
        on_progress: Called after every training, with how many are done, and of how many.

    Raises:
        MissingExtraError: A package of the extra ``train`` is not installed.
        UsageError: Something asked for does not fit; its subclasses say what.
        WorkersError: A process that trains has died.
    """
    with needs_extra("train"):
        import lightning  # noqa: F401 - before processes are started that would all say so
    workers = Workers.of(workers)
    workers.check_training()
    searched = run if isinstance(run, Result) else load_run(run, space)
    if folder is None and isinstance(run, Result):
        raise SettingError("A search has no folder of its own; say where its trainings go.")
    base = Path(folder) if folder else Path(str(run)) / "verify"
    recipe = read_training_recipe(recipe) if isinstance(recipe, str) else recipe
    images = data if data is not None else relocate(searched.origin, base)
    # Told before hours of training, not after them.
    if not any(_BASELINE in ranked.values for ranked in searched.candidates):
        raise SettingError(
            f"The search does not tell the {_BASELINE} of its candidates, which its ranking is "
            "compared with; search again, with 'params' among the metrics."
        )
    worth = [
        ranked
        for ranked in searched.candidates
        if ranked.scored and not ranked.guarded and ranked.values.get(_BASELINE) is not None
    ]
    chosen = _choose(worth, each)
    job = partial(
        _train, images=images, flip=searched.flip if data is None else None, recipe=recipe,
        seed=seed, validation=validation, device=workers.device, folder=base,
    )  # fmt: skip
    done: dict[int, Checked] = {}
    for trained in _trained(job, chosen, workers):
        done[trained.ranked.rank] = trained
        on_progress(len(done), len(chosen))
    checked = tuple(done[ranked.rank] for _, ranked in chosen)
    left_out = len(searched.candidates) - len(worth)
    return Verification(searched, base, recipe, seed, checked, left_out)


def _choose(worth: Sequence[Candidate], each: int) -> list[tuple[Part, Candidate]]:
    """The first, the middle and the last of a ranking, best first."""
    if each < 1:
        raise SettingError(f"{each} networks from each part prove nothing; train 1 at least.")
    if len(worth) < 3 * each:
        raise SettingError(
            f"The search has {len(worth)} candidates that are scored and not trivial, too few to "
            f"take {each} from each of its three parts; take {len(worth) // 3}, or search more."
        )
    start = (len(worth) - each) // 2
    parts: tuple[tuple[Part, Sequence[Candidate]], ...] = (
        ("top", worth[:each]),
        ("middle", worth[start : start + each]),
        ("bottom", worth[-each:]),
    )
    return [(name, ranked) for name, part in parts for ranked in part]


def _trained(
    job: Callable[[tuple[Part, Candidate]], Checked],
    chosen: Sequence[tuple[Part, Candidate]],
    workers: Workers,
) -> Iterator[Checked]:
    """The networks as they are trained, by processes of one thread each."""
    count = min(workers.processes, len(chosen))
    if count <= 1:
        yield from map(job, chosen)
        return
    # Not the workers that measure, whose tasks are short and give records for the store: a training
    # is long and keeps its epochs itself, and would need tasks and outcomes of another kind there.
    # The price is that Python imports the user's script in each of these processes.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _end_with_parent) as pool:
        futures = [pool.submit(job, network) for network in chosen]
        try:
            yield from (future.result() for future in as_completed(futures))
        except BrokenProcessPool:
            raise WorkersError(
                "A process that trains has died, as happens when memory is short; run the same "
                "again with fewer workers: what was trained is kept."
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _end_with_parent() -> None:
    """End this process when the one that started it is killed, and cannot say so itself.

    Else its training would go on, in a folder that the same command is to go on in.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def _train(
    chosen: tuple[Part, Candidate],
    *,
    images: str | Path,
    flip: bool | None,
    recipe: TrainingRecipe,
    seed: int,
    validation: float,
    device: str,
    folder: Path,
) -> Checked:
    """Train one network; what goes wrong with it alone is its status."""
    part, ranked = chosen
    subject = Subject.of(ranked)
    digest = hashlib.sha256(subject.architecture.encode()).hexdigest()[:8]
    try:
        # With as many threads as every other: sums depend on it, and so would the comparison.
        with single_thread():
            trained = train(
                subject, images, folder / f"rank{ranked.rank:04d}-{digest}", recipe=recipe,
                seed=seed, flip=flip, validation=validation, workers=Workers(0, device=device),
            )  # fmt: skip
    except TrainingError as error:
        return Checked(ranked, part, None, f"failed: {error}", 0.0)
    seconds = sum(epoch.seconds for epoch in trained.history)
    return Checked(ranked, part, trained.last.valid_accuracy, "ok", seconds)
