"""All metrics of a network in one call, against a call for each.

    python benchmarks/metrics_together.py [--networks 5] [--rounds 3] [--recipe draft]

Random networks of NAS-Bench-201 on the built-in digits; ``plain`` in the table is
``score(..., metrics=[metric])`` for one metric after the other, each with a store of its own, so
that none finds what another has measured. One call for all runs each probe once, however many of
its metrics are asked for. Five minutes on one core; ``--rounds 1`` takes two, and
``--recipe paper`` far longer.
"""

import argparse
import random
from functools import partial

import torch

from anglenas import score
from anglenas.probes import find_metric, metric_names
from anglenas.spaces import NASBENCH201
from timing import Pairs, headline, in_turns, row

SEED = 0


def groups() -> dict[str, list[str]]:
    """The metrics that are asked for, by what they are."""
    everything = list(metric_names())
    training = [name for name in everything if find_metric(name).probe == "short_training"]
    return {
        "all metrics": everything,
        "those of the short training": training,
        "all others": [name for name in everything if name not in training],
    }


def alone(ask: partial, metrics: list[str]) -> None:
    """One metric after the other."""
    for metric in metrics:
        ask(metrics=[metric])


def together(ask: partial, metrics: list[str]) -> None:
    """All of them at once."""
    ask(metrics=metrics)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--networks", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--recipe", default="draft")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    indices = random.Random(SEED).sample(range(NASBENCH201.size), arguments.networks)
    score(NASBENCH201.at(indices[0]), metrics=metric_names(), recipe="draft", store=":memory:")
    print(headline("metrics_together.py"), flush=True)
    for name, metrics in groups().items():
        times = []
        for index in indices:
            ask = partial(score, NASBENCH201.at(index), recipe=arguments.recipe, store=":memory:")
            works = (partial(way, ask, metrics) for way in (alone, together))
            times.append(in_turns(*works, rounds=arguments.rounds))
        work = f"{name} ({len(metrics)}), recipe {arguments.recipe}"
        print(row(work, Pairs(*zip(*times, strict=True))), flush=True)


if __name__ == "__main__":
    main()
