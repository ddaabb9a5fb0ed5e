"""Rounds of pruning, against TE-NAS's rules."""

import numpy as np
import pytest

from anglenas import preset
from anglenas._measuring.plan import draw_repeats
from anglenas._pruning.rounds import contests, planned
from anglenas.data import from_arrays
from anglenas.spaces import DARTS_SUPERNET, DARTS_SUPERNET_IMAGENET, NASBENCH201_SUPERNET, Supernet


def play(space, number, score):
    """All rounds, and what is left, when ``score(base, edge, operation)`` says what goes first."""
    rounds, process = [], contests(space, number)
    try:
        rounds.append(next(process))
        while True:
            scores = [score(rounds[-1].base, *removal) for removal in rounds[-1].removals]
            rounds.append(process.send(scores))
    except StopIteration as end:
        return rounds, end.value


@pytest.mark.parametrize(
    ("number", "space", "sizes"),
    [
        (1, NASBENCH201_SUPERNET, [24, 18, 12]),
        (2, NASBENCH201_SUPERNET, [24, 12]),
        (9, NASBENCH201_SUPERNET, [24]),
        (3, DARTS_SUPERNET, [196, 112, 3, 4, 5, 3, 4, 5]),
        (2, DARTS_SUPERNET, [196, 140, 84, 3, 4, 5, 3, 4, 5]),
        (None, DARTS_SUPERNET_IMAGENET, [196, 140, 84, 3, 4, 5, 3, 4, 5]),
    ],
)
def test_rounds_are_as_many_and_as_large_as_tenas_has_them(number, space, sizes):
    """54 candidates in NAS-Bench-201; 332 in DARTS for CIFAR-10, 444 for ImageNet."""
    number = number or space.number
    rounds, left = play(space, number, lambda *_: 0.0)
    assert [len(one.removals) for one in rounds] == sizes
    assert planned(space, number) == (rounds, left)
    space.read(left)
    for one in rounds:
        for (edge, name), supernet in zip(one.removals, one.supernets, strict=True):
            assert one.base.holds(edge, name)
            assert supernet == one.base.without(edge, name)


def te_nas(space, number, score):
    """``prune_func_rank`` and ``prune_func_rank_group`` once more, on a table of booleans."""
    names, edges = space.topology.names, space.topology.edges
    alive = {(edge, name): True for edge in range(len(edges)) for name in names}
    operations = lambda edge: [name for name in names if alive[edge, name]]  # noqa: E731
    supernet = lambda: Supernet(  # noqa: E731
        space.topology, tuple(tuple(operations(edge)) for edge in range(len(edges)))
    )
    while any(len(operations(edge)) > 1 for edge in range(len(edges))):
        base = supernet()
        candidates = [(score(base, edge, name), -k, edge, name)
                      for k, (edge, name) in enumerate(alive) if alive[edge, name]]  # fmt: skip
        lost = min(number, len(operations(0)) - 1)
        for edge in range(len(edges)):
            mine = sorted((one for one in candidates if one[2] == edge), reverse=True)
            for _, _, _, name in mine[:lost]:
                alive[edge, name] = False
    starts = [0, 2, 5, 9] if len(edges) == 28 else []
    for cell in (0, 14):
        for start, end in zip(starts, [*starts[1:], 14], strict=False):
            base = supernet()
            group = range(cell + start, cell + end)
            mine = sorted(((score(base, edge, operations(edge)[0]), -edge, edge)
                           for edge in group), reverse=True)  # fmt: skip
            for _, _, edge in mine[: len(group) - 2]:
                alive[edge, operations(edge)[0]] = False
    return supernet()


@pytest.mark.parametrize(
    ("space", "number"), [(NASBENCH201_SUPERNET, 1), (DARTS_SUPERNET, 3), (DARTS_SUPERNET, 2)]
)
@pytest.mark.parametrize("seed", range(2))
def test_what_is_left_is_what_tenas_leaves(space, number, seed):
    def score(base, edge, name):
        """Chance, with ties, that depends on all of the supernet."""
        text = f"{seed}{base}{edge}{name}"
        return int(np.random.default_rng(list(text.encode())).integers(20))

    _, left = play(space, number, score)
    assert left == te_nas(space, number, score)


def test_the_recipe_for_imagenet_measures_as_tenas_does():
    """24 images of as many classes, and 3 rounds of operations that leave 5, 3 and 1."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(256, size=(60, 40, 40, 3), dtype=np.uint8)
    source = from_arrays(pixels, np.arange(60) % 30)
    [batch, *_] = draw_repeats(source, preset("tenas-darts-imagenet"), seed=1)
    assert batch.images.shape == (24, 3, 32, 32)
    assert len(set(batch.labels.tolist())) == 24
    titles = [one.title for one in planned(DARTS_SUPERNET, 2)[0]][:3]
    assert titles == [f"{a} operations on an edge, {b} stay" for a, b in ((7, 5), (5, 3))] + [
        "3 operations on an edge, 1 stays"
    ]
