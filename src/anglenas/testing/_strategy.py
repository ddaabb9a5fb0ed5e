"""What holds for every search strategy."""

from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np

from anglenas._numerics import derive
from anglenas.spaces import NASBENCH201, Space
from anglenas.strategies import Request, Strategy, Trial


class StrategyConformance:
    """Tests of a strategy; subclass it, set ``strategy``, and let pytest run it.

    A strategy passes if

    * it has a name, and a number of proposals that are open at once, or ``None``;
    * equal requests get equal proposals, in whatever order they are made: there is no hidden state,
      and all chance comes from the generators of the request;
    * each proposal is an architecture of the space, or its text, and satisfies what is asked for;
    * no proposal computes what another one computes, and there are no more than asked for;
    * a search that was stopped goes on with the proposals that it would have made, and one with a
      smaller budget begins alike;
    * where nothing fits, it proposes nothing, and ends.

    Attributes:
        strategy: The strategy under test.
        space: What is searched.
        budget: Proposals of a search.
    """

    strategy: Strategy
    space: Space[Any] = NASBENCH201
    budget = 40

    def test_it_says_what_it_is(self) -> None:
        """Its name, and how many proposals are open at once."""
        assert self.strategy.name.strip()
        assert self.strategy.concurrency is None or self.strategy.concurrency >= 1

    def test_equal_requests_get_equal_proposals(self) -> None:
        """Also after others in between, of another seed and another length."""
        request = self._request([], self.strategy.concurrency or self.budget)
        first, second, third = (list(self.strategy.propose(request)) for _ in range(3))
        assert first
        assert first == second == third
        whole = self._search(seed=1)
        self._search(budget=3, seed=2)
        assert self._search(seed=1) == whole

    def test_nothing_is_proposed_twice(self) -> None:
        """Two architectures that compute the same function are one."""
        forms = [self.space.canonical(architecture) for architecture in self._search()]
        assert len(set(forms)) == len(forms)

    def test_proposals_satisfy_what_is_asked_for(self) -> None:
        """And nothing that is not admitted is proposed."""
        assert all(map(_is_admitted, self._search(admitted=_is_admitted)))

    def test_no_more_is_proposed_than_is_asked_for(self) -> None:
        """Of one request."""
        for count in (1, self.strategy.concurrency or 7):
            assert len(list(self.strategy.propose(self._request([], count)))) <= count

    def test_a_search_goes_on_as_if_it_had_not_been_stopped(self) -> None:
        """Its proposals depend on those before, and on nothing that is not in the request."""
        whole = self._search()
        step = self.strategy.concurrency or self.budget // 2
        assert self._search(before=whole[:step]) == whole
        assert self._search(budget=self.budget // 2) == whole[: self.budget // 2]

    def test_it_ends_where_nothing_fits(self) -> None:
        """Without an error, so that the search can tell what the limits are."""
        assert self._search(admitted=lambda architecture: False) == []

    def _request(
        self,
        history: list[Any],
        count: int,
        seed: int = 1,
        admitted: Callable[[object], bool] = lambda architecture: True,
    ) -> Request:
        forms = {self.space.canonical(architecture) for architecture in history}
        return Request(
            space=self.space,
            history=[
                Trial(number, architecture, _score(architecture))
                for number, architecture in enumerate(history)
            ],
            count=count,
            stream=lambda number: np.random.default_rng(derive(seed, "strategy", number)),
            admits=lambda architecture: (
                admitted(architecture) and self.space.canonical(architecture) not in forms
            ),
        )

    def _search(
        self,
        budget: int = 0,
        seed: int = 1,
        before: list[Any] | None = None,
        admitted: Callable[[object], bool] = lambda architecture: True,
    ) -> list[Any]:
        """The architectures of a search whose scores are known beforehand."""
        budget, found = budget or self.budget, list(before or ())
        while len(found) < budget:
            count = min(budget - len(found), self.strategy.concurrency or budget)
            proposed = self.strategy.propose(self._request(found, count, seed, admitted))
            known = len(found)
            found += [self.space.parse(str(proposal)) for proposal in islice(proposed, count)]
            if len(found) == known:
                break
        return found


def _score(architecture: object) -> float:
    """A score that no strategy can know: the architecture's text as a number of 0 to 1."""
    return derive(0, str(architecture)) / 2**63


def _is_admitted(architecture: object) -> bool:
    return _score(architecture) < 0.7
