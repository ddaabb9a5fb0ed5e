"""What holds for every search space."""

import pickle
import random
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch

from anglenas.errors import ArchitectureError
from anglenas.spaces import CellGraph, NetworkConfig, Space

_COUNTED = 100_000
_IMPORTS = "import torch\nimport torch.nn.functional as F\nfrom torch import nn"


class SpaceConformance:
    """Tests of a search space; subclass it, set ``space``, and let pytest run it.

    A space passes if

    * architectures are hashable values that can be pickled, and ``parse(str(a)) == a``;
    * all chance comes from the generator it is given, and two draws from it differ;
    * a mutation is another architecture of the space, and the one that it started from stays;
    * ``enumerate`` gives ``size`` different architectures (of a large space the first 100 000 are
      looked at), always in the same order, or is ``None`` where ``size`` is;
    * it builds networks of the size asked for, from a text and from its canonical form, and the
      canonical form of equal texts is equal;
    * its source, where it writes any, is a network with the tensors of the one that it builds.

    Attributes:
        space: The space under test.
        config: Size of the networks that are built; a small one by default.
        samples: How many architectures are looked at.
    """

    space: Space[Any]
    config = NetworkConfig(num_classes=3, channels=4, cells=1, side=8)
    samples = 20

    def test_it_says_what_it_is(self) -> None:
        """Name, size, version and the module that workers find it in."""
        assert self.space.name.strip()
        assert self.space.size is None or self.space.size >= 1
        assert self.space.version >= 0
        assert self.space.home.strip()

    def test_architectures_are_values(self) -> None:
        """Printed and parsed, or pickled, they are what they were."""
        for architecture in self._drawn():
            parsed = self.space.parse(str(architecture))
            assert parsed == architecture
            assert hash(parsed) == hash(architecture)
            assert str(parsed) == str(architecture)
            assert pickle.loads(pickle.dumps(architecture)) == architecture

    def test_what_is_no_architecture_is_refused(self) -> None:
        """With the place of the mistake."""
        text = str(self._drawn()[0])
        for wrong in ("", "?", f"{text}?", text[: len(text) // 2]):
            with pytest.raises(ArchitectureError):
                self.space.parse(wrong)

    def test_all_chance_comes_from_the_generator(self) -> None:
        """The same generator, the same draws and mutations; global random states stay."""
        before = random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002
        runs = [self._walk(np.random.default_rng(seed)) for seed in (1, 1, 2)]
        assert runs[0] == runs[1]
        assert runs[0] != runs[2]
        assert before == (
            random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002
        )  # fmt: skip

    def test_a_mutation_is_another_architecture(self) -> None:
        """Of the space, and the one that was mutated stays as it was."""
        rng = np.random.default_rng(3)
        for architecture in self._drawn():
            text = str(architecture)
            mutated = self.space.mutate(architecture, rng)
            assert mutated != architecture
            assert self.space.parse(str(mutated)) == mutated
            assert str(architecture) == text

    def test_enumeration_is_complete_or_refused(self) -> None:
        """Every architecture once, in a fixed order."""
        every = self.space.enumerate
        if self.space.size is None or every is None:
            assert self.space.size is None
            assert every is None
            return
        everything = [str(a) for a in islice(every(), _COUNTED)]
        assert len(everything) == len(set(everything)) == min(self.space.size, _COUNTED)
        assert everything[:100] == [str(a) for a in islice(every(), 100)]
        if self.space.size <= _COUNTED:
            assert {str(architecture) for architecture in self._drawn()} <= set(everything)

    def test_the_canonical_form_is_a_text_of_its_own(self) -> None:
        """It is equal for equal architectures."""
        for architecture in self._drawn():
            form = self.space.canonical(architecture)
            assert form == self.space.canonical(self.space.parse(str(architecture)))
            assert isinstance(form, str)

    def test_networks_are_built_as_asked(self) -> None:
        """From the text and from the canonical form; both give logits."""
        images = torch.zeros(2, self.config.in_channels, self.config.side, self.config.side)
        for architecture in self._drawn()[:5]:
            for text in (str(architecture), self.space.canonical(architecture)):
                network = self.space.build(text, self.config)
                with torch.no_grad():
                    logits = network.eval()(images)
                assert logits.shape == (2, self.config.num_classes)

    def test_source_is_a_network_with_the_same_tensors(self) -> None:
        """Where the space writes source."""
        for architecture in self._drawn()[:3] if self.space.source else []:
            assert self.space.source is not None
            names: dict[str, Any] = {}
            exec(f"{_IMPORTS}\n{self.space.source(architecture, self.config)}", names)
            built = self.space.build(str(architecture), self.config)
            built.load_state_dict(names["Network"]().state_dict())

    def test_drawings_and_trivial_ones_are_told(self) -> None:
        """Cells or choices for drawing, and whether anything in them could be trained."""
        for architecture in self._drawn():
            for graph in self.space.drawings(architecture):
                assert graph.edges if isinstance(graph, CellGraph) else graph.rows
            assert isinstance(self.space.is_trivial(architecture), bool)

    def _drawn(self) -> list[Any]:
        rng = np.random.default_rng(0)
        return [self.space.sample(rng) for _ in range(self.samples)]

    def _walk(self, rng: np.random.Generator) -> list[str]:
        drawn = [self.space.sample(rng) for _ in range(self.samples)]
        return [str(a) for a in (*drawn, *(self.space.mutate(a, rng) for a in drawn))]
