"""`CompletionFeatures` and `CompletionLPIPS`: K completions against the truth, as trained networks see them.

**feature_distance[tabletop]**, where LPIPS' weights are not at hand. The shipped network turns a view into maps of
features at three resolutions (the outputs of its first three blocks, 1/2, 1/4 and 1/8 of 64 pixels). At each place
features are scaled to length 1, and

    distance = mean over the three maps of   mean over places of   |f - g|^2 / 2

which is one minus the cosine where both have features. 0 for identical pictures, at most 1, lower is better. Over a
part of the pixels, places count by the share of their area that lies in the part. A scene's value is over
all its views together.

**lpips** is LPIPS 0.1 with AlexNet (see `lpips_distance`). The whole picture's value is the mean over views of what
`lpips` is there; that of a part is the mean of the map of distances over its pixels, of all views together. Lower
is better; 0 for identical pictures, rarely above 1. It needs weights that are not shipped.

Both make the three ids of `completion_accuracy` for each part: `best_`, `sample_` and `_gain`. The sample that is
best by this measure counts, chosen once for all views of a scene.

When they mislead. Features reach beyond their place, so what is wrong on one side of the line between seen and
unseen lowers the score of the other side next to it. The tabletop network belongs to the embedded world and says
nothing about photographs; values of one network compare with no other's. The mean of all answers, which wins one
sample's SSIM in the self-check, loses here; but these are still distances to one truth among several, so that
copies of that truth win: beside them read `mode_coverage` and FID. Noise of single pixels counts for more than
another object. Convolutions in float32 round differently with the number of threads and the machine, in the seventh
digit.

Sources: Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018, whose
distance the first is, without its trained weights of channels.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..scenes.scene import Scene
from .completion_accuracy import PARTS, by_measure, mean_over
from .completion_metric import Measure, Modes, SampleScores
from .lpips_distance import LPIPS, _NeedsNetwork
from .paired import unit_range
from .tabletop_network import INPUT, TabletopNetwork, load_tabletop_network
from .visibility import OPEN_QUESTIONS, Region, seen_and_unseen

__all__ = ["CompletionFeatures", "CompletionLPIPS", "feature_maps"]

BLOCKS = 3
"""How many of the network's blocks are compared; the fourth has four places in all."""


class CompletionFeatures(SampleScores):
    """The tabletop network's distance between the true views and the best, or one, of K samples."""

    name = "completion_features"
    title = "Completions against the truth, by features"
    version = 1
    unit = ""
    higher_is_better = False
    needs = frozenset({"rgb", "truth", "samples"})

    _measures = tuple(
        Measure(
            f"feature_distance{ending}[tabletop]",
            f"Feature distance{title}",
            "",
            False,
            f"Distance of the tabletop network's feature maps to those of the true views{where}; 0 to 1, identical "
            "pictures score 0.",
            (0.0, 1.0),
        )
        for ending, title, where in PARTS
    )

    def _scores(self, samples: Sequence[Scene], truth: Scene, modes: Modes) -> Sequence[Sequence[float] | int] | int:
        network = load_tabletop_network()
        true = feature_maps(network, truth.rgb)
        shapes = [tuple(maps.shape[2:]) for maps in true]
        everywhere = torch.ones(truth.rgb.shape[:3], dtype=torch.bool)
        weights = [_weights(part, shapes) for part in (everywhere, *seen_and_unseen(truth))]
        rows = []
        for sample in samples:
            found = feature_maps(network, sample.rgb)  # a sample at a time: the same bits whatever K
            apart = [((f - g) ** 2).sum(1).double() / 2 for f, g in zip(found, true, strict=True)]
            rows.append([own if isinstance(own, int) else _weighted(apart, own) for own in weights])
        return by_measure(rows)

    def _open_questions(self) -> tuple[str, ...]:
        return OPEN_QUESTIONS


class CompletionLPIPS(_NeedsNetwork, SampleScores):
    """LPIPS to the true views of the best, or one, of K samples.

    Args:
        network: the distance, where it was made already; without it the weights are looked for at the first scene.
        path: of the backbone's weights.
        device: where the network runs.
    """

    name = "completion_lpips"
    title = "Completions against the truth, perceptual"
    version = 1
    unit = ""
    higher_is_better = False
    needs = frozenset({"rgb", "truth", "samples", "weights"})

    _measures = tuple(
        Measure(
            f"lpips{ending}",
            f"LPIPS{title}",
            "",
            False,
            f"Perceptual distance (LPIPS 0.1, AlexNet) to the true views{where}; 0 for identical pictures, "
            "rarely above 1.",
            (0.0, float("inf")),
        )
        for ending, title, where in PARTS
    )

    def __init__(
        self,
        *,
        network: LPIPS | None = None,
        path: str | os.PathLike[str] | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__("alex", network=network, path=path, device=device)

    def _scores(self, samples: Sequence[Scene], truth: Scene, modes: Modes) -> Sequence[Sequence[float] | int] | int:
        obstacle = self._obstacle(truth)
        if obstacle is not None:
            return obstacle
        network = self._ready()
        assert network is not None
        parts, true = seen_and_unseen(truth), unit_range(truth.rgb)
        rows = []
        for sample in samples:
            ours = unit_range(sample.rgb)
            row: list[float | int] = [float(network.distance(ours, true).numpy().mean())]
            known = any(isinstance(part, Tensor) for part in parts)
            apart = network.map(ours, true) if known else torch.empty(0)
            row += [part if isinstance(part, int) else mean_over(apart, part) for part in parts]
            rows.append(row)
        return by_measure(rows)

    def _open_questions(self) -> tuple[str, ...]:
        return OPEN_QUESTIONS


def feature_maps(network: TabletopNetwork, rgb: Tensor) -> list[Tensor]:
    """The maps that are compared, of unit length at each place (or zero): float32 [V, C, h, w] each.

    Args:
        rgb: pictures, uint8 [V, H, W, 3].
    """
    x = rgb.to(network.device).permute(0, 3, 1, 2).float() / 127.5 - 1
    if x.shape[-2:] != (INPUT, INPUT):
        x = interpolate(x, (INPUT, INPUT), mode="bilinear", antialias=True)
    maps = []
    with torch.no_grad():
        x = torch.relu(network.module.stem(x))
        for block in list(network.module.blocks)[:BLOCKS]:
            x = block(x)
            maps.append(torch.nn.functional.normalize(x, dim=1).cpu())
    return maps


def _weights(part: Region, shapes: Sequence[tuple[int, ...]]) -> list[Tensor] | int:
    """How much of each place's area lies in the part, float64 [V, h, w] for each map."""
    if isinstance(part, int):
        return part
    return [interpolate(part[:, None].double(), shape, mode="area")[:, 0] for shape in shapes]


def _weighted(maps: Sequence[Tensor], weights: Sequence[Tensor]) -> float:
    means = [
        float((own * weight).numpy().sum()) / float(weight.numpy().sum())
        for own, weight in zip(maps, weights, strict=True)
    ]
    return sum(means) / len(means)
