"""In how many linear regions of a network small patches of the images fall.

``regions`` is the expressivity of "Neural Architecture Search on ImageNet in Four GPU Hours: A
Theoretically Inspired Perspective" (TE-NAS, Chen et al., ICLR 2021, arXiv 2102.11535, section
3.2), with the sizes of its released code: 3000 samples of 3x3 pixels in batches of 1000. A linear
region is known by the signs of all rectifiers, dead ones included, so the metric depends on the
network as written. ``regions_as_released`` counts them with the weights that PyTorch gives to new
modules, which the released code ends up with (see ``ntk_as_released``).
"""

from collections.abc import Iterable
from functools import partial

import torch
from torch import nn

from anglenas._blocks import Thinnable
from anglenas._numerics import derive
from anglenas._recipe import Recipe
from anglenas.data import FewShot, normalised
from anglenas.probes._base import Metric, Probe, Record, Undefined
from anglenas.probes._initialise import Initialiser, fan_in_normal, initialise, torch_uniform
from anglenas.probes._isolation import device_of, fresh_copy, run
from anglenas.probes._rectifiers import Rectifiers, by_sample, row_codes


@torch.no_grad()
def count_regions(network: nn.Module, batches: Iterable[torch.Tensor]) -> int:
    """The number of distinct codes that the rectifiers of a network give to samples.

    Equal to ``sum_i 1 / (number of samples with the code of i)``. The network runs once a batch,
    in the mode that it is in; only the packed codes of earlier batches are kept.

    Args:
        network: Any module.
        batches: Inputs, samples first.

    Raises:
        Undefined: No rectifier runs.

    >>> network = nn.Sequential(nn.Linear(1, 2), nn.ReLU())
    >>> _ = network[0].weight.data.fill_(1.0), network[0].bias.data.copy_(torch.tensor([0.0, 1.0]))
    >>> count_regions(network, [torch.tensor([[-2.0], [-0.5], [1.0], [2.0]])])
    3
    """
    regions: set[bytes] = set()
    for inputs in batches:
        signs: list[torch.Tensor] = []
        with Rectifiers(lambda positive, _, signs=signs: signs.append(positive)):  # type: ignore[misc]
            network(inputs)
        if not signs:
            raise Undefined("the network runs no rectifier (ReLU and its kin)")
        codes = [by_sample(positive, len(inputs)) for positive in signs]
        regions.update(row_codes(torch.cat(codes, dim=1)))
    return len(regions)


def crops(images: torch.Tensor, side: int, count: int, generator: torch.Generator) -> torch.Tensor:
    """Square parts of random images at random places, without padding.

    Args:
        images: ``(N, C, H, W)``.
        side: Side of the parts in pixels; at most that of the images.
        count: How many.
        generator: Where all randomness comes from.

    Returns:
        ``(count, C, side, side)``.
    """
    number, _, height, width = images.shape
    image = torch.randint(number, (count, 1, 1), generator=generator)
    top = torch.randint(height - side + 1, (count, 1, 1), generator=generator)
    left = torch.randint(width - side + 1, (count, 1, 1), generator=generator)
    offsets = torch.arange(side)
    parts = images[image, :, top + offsets[:, None], left + offsets]  # (count, side, side, C)
    return parts.movedim(-1, 1).contiguous()


def random_channels(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """One channel of each image, drawn at random: ``(N, C, H, W) -> (N, 1, H, W)``."""
    number, channels = images.shape[:2]
    channel = torch.randint(channels, (number,), generator=generator)
    return images[torch.arange(number), channel].unsqueeze(1)


def measure_regions(
    network: nn.Module,
    batch: FewShot,
    recipe: Recipe,
    seed: int,
    *,
    batches: int = 3,
    batch_size: int = 1000,
    side: int = 3,
    initialiser: Initialiser = fan_in_normal,
    probe: str = "regions",
) -> Record:
    """Count the regions of a freshly initialised copy of the network.

    A :class:`Thinnable` network is measured in its thin form, on one channel of the patches. Any
    other is measured as it is, on all channels, if it takes inputs of ``side`` pixels.

    Args:
        network: Any module.
        batch: The images.
        recipe: Not used.
        seed: Where the weights and the patches come from.
        batches: How many batches of patches.
        batch_size: Patches in each; BatchNorm uses the batch's own statistics.
        side: Side of the patches in pixels.
        initialiser: How weights are drawn.
        probe: What messages call the probe.

    Returns:
        ``regions`` and ``samples``, how many patches there were.

    Raises:
        Undefined: No rectifier runs, or the network takes no inputs so small.
        NetworkError: The network cannot be copied, or fails on the images themselves.
    """
    with fresh_copy(network, seed) as measured:
        images = normalised(batch)
        thin = isinstance(measured, Thinnable)
        if isinstance(measured, Thinnable):
            measured = measured.thin().train().requires_grad_(False)
        # Again: names of layers, by which weights are drawn, are others in the thin form.
        initialise(measured, seed, initialiser)
        device = device_of(measured)
        if not thin:  # what fails on whole images does not fail for their size
            run(measured, images[:2].to(device), probe)
        generator = torch.Generator().manual_seed(derive(seed, "crops"))
        parts = (crops(images, side, batch_size, generator) for _ in range(batches))
        if thin:
            parts = (random_channels(part, generator) for part in parts)
        try:
            regions = count_regions(measured, (part.to(device) for part in parts))
        except (RuntimeError, ValueError, AssertionError) as error:
            raise Undefined(
                f"the network fails on patches of {side} x {side} pixels ({error}); "
                "a method thin() may give a form of it that does not"
            ) from error
    return {"regions": regions, "samples": batches * batch_size}


def _metric(name: str, remark: str = "") -> Metric:
    return Metric(
        name,
        higher_is_better=True,
        read=lambda record: float(record["regions"]),
        source="Chen et al., ICLR 2021, arXiv 2102.11535, section 3.2",
        unit="linear regions",
        needs=frozenset({"relu"}),
        formula="number of different on-off patterns of all rectifiers over 3000 patches of 3 x 3 "
        f"pixels, in the network's thin form{remark}",
    )


REGIONS = Probe("regions", (_metric("regions"),), measure_regions, subject="network")
REGIONS_AS_RELEASED = Probe(
    "regions_as_released",
    (_metric("regions_as_released", ", with the weights that PyTorch gives to new modules"),),
    partial(measure_regions, initialiser=torch_uniform, probe="regions_as_released"),
    subject="network",
    variant=True,
)
