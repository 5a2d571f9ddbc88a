"""`PairedLPIPS` and `CovisibleLPIPS`: distances between pictures as a trained network sees them.

Definition. Features of an ImageNet network at five layers, each normalised to length 1 at each place;
squared differences weighted per channel by heads trained on human judgements, averaged over places and
summed over layers. The network and the arithmetic are those of the `lpips` package (version 0.1 of the
heads, which come with it); only the backbone's weights (AlexNet, or VGG-16) are loaded from elsewhere.

**lpips** is that distance between a view and the true view from the same camera. 0 for identical
pictures, usually below 1; lower is better; a scene's value is the mean over its views.

**lpips_covisible** compares neighbours. The source view is warped into the target through the target's
depth and both cameras. Where the warp says nothing (background, occlusion, edges) the target's own pixels
are put in, so that no hole enters the network's receptive field. The map of distances (bilinearly
enlarged layer by layer, `spatial=True`) is averaged over covisible pixels that lie at least 4 pixels (at
256) inside the covisible region. Target pixels next to a hole lower the value a little, never raise it.

Worst value. A pair with less than 5 % of the surface covisible, or with nothing left after that margin,
is the method's own doing and scores 1, where the value of other pairs is cut as well.

When they mislead. The network was trained on photographs: on pictures of 64 pixels or on renderings it is
a plausible ordering, not a calibrated one. AlexNet's values are not VGG's; compare with no other. A method
free to choose the unseen side is punished for choosing (`best_of`). Read lpips_covisible beside
`covisible`, and against the oracle at the same gap: warping blurs, and its value never reaches 0. Blurred
views agree better than sharp ones.

Weights. They are not part of viewsweep; where they are missing, results are not_run and say how to get
them. Convolutions in float32 round differently with the number of threads and the machine, in the seventh
digit; batches and order change nothing.

Sources: Zhang, Isola, Efros, Shechtman, Wang, "The unreasonable effectiveness of deep features as a
perceptual metric", CVPR 2018. The masked form follows the use of warped LPIPS in novel view synthesis.
"""

from __future__ import annotations

import copy
import os
import re
import warnings
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample, max_pool2d, pad

from ..scenes.errors import UnreadableFile, UserError
from ..scenes.scene import Scene
from .pair_metric import PairMetric
from .paired import unit_range
from .result import Definition
from .truth_metric import OwnReasons, TruthMetric
from .warp_error import MINIMUM_COVISIBLE, TOLERANCE
from .warping import REFERENCE_HEIGHT, Surfaces, both_ways, warp
from .weight_files import weight_path

__all__ = ["LPIPS", "CovisibleLPIPS", "PairedLPIPS", "covisible_distances", "load_lpips"]

Backbone = Literal["alex", "vgg"]
WEIGHTS = {"alex": "alexnet", "vgg": "vgg16"}
SMALLEST = 32
"""Pictures with fewer pixels than this in height or width vanish inside the network."""

MARGIN_PIXELS = 4.0  # at the reference height
WORST = 1.0


class LPIPS:
    """The distance, with a given backbone.

    Args:
        backbone: "alex" or "vgg".
        state: weights of the backbone as torchvision names them (features.0.weight, ...); what belongs to its
            classifier is ignored. None leaves the backbone random, which serves tests only.
        device: where it runs.

    Raises:
        ValueError: another backbone, or weights that are not its.
    """

    def __init__(
        self, backbone: Backbone = "alex", state: dict[str, Tensor] | None = None, device: str | torch.device = "cpu"
    ) -> None:
        if backbone not in WEIGHTS:
            raise ValueError(f"LPIPS has the backbones {', '.join(WEIGHTS)}, not {backbone!r}.")
        self.backbone, self.device = backbone, torch.device(device)
        self.mean = _network(backbone)
        if state is not None:
            _load(self.mean.net, state)
        self.mean.requires_grad_(False).eval().to(self.device)
        self.spatial = copy.copy(self.mean)  # the same layers, averaged differently
        self.spatial.spatial = True

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances of N pairs of pictures [N, 3, H, W] with values in [0, 1]: float64 [N]."""
        return self._run(self.mean, x, y)[:, 0, 0]

    def map(self, x: Tensor, y: Tensor) -> Tensor:
        """The same before averaging over the picture: float64 [N, H, W]."""
        return self._run(self.spatial, x, y)

    def _run(self, network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != 3 or x.shape != y.shape:
            raise ValueError(f"LPIPS compares pictures [N, 3, H, W]; these are {list(x.shape)} and {list(y.shape)}.")
        if min(x.shape[2:]) < SMALLEST:
            raise ValueError(
                f"LPIPS takes pictures of at least {SMALLEST}x{SMALLEST} pixels, not {x.shape[3]}x{x.shape[2]}."
            )
        parts = []
        with torch.inference_mode():
            for a, b in zip(x, y, strict=True):  # one pair at a time: the same bits whatever the batch
                pair = [picture[None].to(self.device, torch.float32) * 2 - 1 for picture in (a, b)]
                parts.append(network(*pair)[0, 0].cpu().double())
        return torch.stack(parts).clone()


def load_lpips(
    backbone: Backbone = "alex", path: str | os.PathLike[str] | None = None, device: str | torch.device = "cpu"
) -> LPIPS:
    """The distance with its published weights.

    Args:
        backbone: "alex" (the default of most papers) or "vgg".
        path: of the backbone's weights; without it they are looked for, and fetched, as `weight_files` says.
        device: where it runs.

    Raises:
        UserError: the weights are missing, or are not those published.
    """
    if backbone not in WEIGHTS:
        raise ValueError(f"LPIPS has the backbones {', '.join(WEIGHTS)}, not {backbone!r}.")
    return _loaded(backbone, weight_path(WEIGHTS[backbone], path), torch.device(device))


@lru_cache(maxsize=2)
def _loaded(backbone: Backbone, path: Path, device: torch.device) -> LPIPS:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return LPIPS(backbone, state, device)
    except (OSError, RuntimeError, ValueError) as error:
        raise UnreadableFile(f"{path}: not the weights of {backbone} ({error}).", hint="Fetch them again.") from error


def _network(backbone: Backbone) -> Any:
    """The package's network with its trained heads and a random backbone, without a download."""
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # the package passes torchvision an argument it deprecates
        import lpips  # type: ignore[import-untyped]

        return lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)


def _load(trunk: nn.Module, state: dict[str, Tensor]) -> None:
    """Give the trunk, cut into slices, the layers of torchvision's `features`."""
    found = {}
    for name in trunk.state_dict():
        source = re.sub(r"^slice\d+\.", "features.", name)
        if source not in state:
            raise ValueError(f"there is no tensor named {source}")
        found[name] = state[source]
    trunk.load_state_dict(found)


class _NeedsNetwork(OwnReasons):
    """A metric that works with LPIPS, and says so where the weights are missing.

    Args:
        backbone: "alex" or "vgg", whose ids end in [vgg].
        network: the distance, where it was made already; without it the weights are looked for at the first scene.
        path: of the backbone's weights.
        device: where the network runs.
    """

    def __init__(
        self,
        backbone: Backbone = "alex",
        *,
        network: LPIPS | None = None,
        path: str | os.PathLike[str] | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__()
        self.backbone, self.path, self._where = backbone, path, device
        self._network, self._given = network, network is not None
        self._missing: str | None = None

    def _ready(self) -> LPIPS | None:
        """The network; None where its weights are missing, which is found out once."""
        if self._network is None and self._missing is None:
            try:
                self._network = load_lpips(self.backbone, self.path, self._where)
            except UserError as error:
                self._missing = str(error).rstrip(".")
        return self._network

    def _own_reasons(self) -> tuple[str, ...]:
        missing = self._missing or f"the weights of LPIPS ({WEIGHTS[self.backbone]}) are missing on another process"
        return missing, f"the pictures are smaller than LPIPS takes, {SMALLEST}x{SMALLEST} pixels"

    def _obstacle(self, scene: Scene) -> int | None:
        """The number of the own reason why `scene` cannot be measured."""
        if min(scene.size) < SMALLEST:
            return 1
        return 0 if self._ready() is None else None

    def _definitions(self) -> dict[str, Definition]:
        found = super()._definitions()
        if self.backbone == "alex":
            return found
        # another backbone is another number, under another id
        entries = [
            replace(
                entry,
                id="@".join([f"{entry.id.split('@')[0]}[{self.backbone}]", *entry.id.split("@")[1:]]),
                description=entry.description.replace("AlexNet", "VGG-16"),
            )
            for entry in found.values()
        ]
        return {entry.id: entry for entry in entries}

    def __getstate__(self) -> dict[str, Any]:
        # a quarter of a gigabyte that is loaded again where it is needed need not travel with the metric
        state = super().__getstate__()
        return state if self._given else {**state, "_network": None}


class PairedLPIPS(_NeedsNetwork, TruthMetric):
    """LPIPS of every view to the true view."""

    name = "paired_lpips"
    title = "Perceptual distance to true views"
    version = 1
    unit = ""
    higher_is_better = False
    needs = frozenset({"rgb", "truth", "weights"})

    _ids = (
        Definition(
            "lpips",
            "LPIPS",
            version,
            unit,
            False,
            "Perceptual distance (LPIPS 0.1, AlexNet) of each view to the true view; 0 for identical pictures, "
            "rarely above 1.",
        ),
    )
    _bounds = ((0.0, float("inf")),)

    def _compare(self, scene: Scene, truth: Scene) -> tuple[list[int], Tensor] | int:
        obstacle = self._obstacle(scene)
        if obstacle is not None:
            return obstacle
        network = self._ready()
        assert network is not None
        ours, theirs = (unit_range(found.rgb) for found in (scene, truth))
        return list(range(scene.views)), network.distance(ours, theirs)[:, None]


class CovisibleLPIPS(_NeedsNetwork, PairMetric):
    """LPIPS between views and their neighbours warped into them, where both see the same surface."""

    name = "covisible_lpips"
    title = "Perceptual warp error"
    version = 1
    unit = ""
    higher_is_better = False
    needs = frozenset({"rgb", "depth", "cameras", "weights"})

    _ids = (
        Definition(
            "lpips_covisible",
            "Warp LPIPS",
            version,
            unit,
            False,
            "Perceptual distance (LPIPS 0.1, AlexNet) of neighbouring views where their depths say they see the same "
            "surface; 0 to 1. Pairs that see nothing in common score 1.",
        ),
    )
    _bounds = ((0.0, WORST),)

    def update(self, scene: Scene, index: int) -> None:
        """Measure `scene`, the protocol's scene number `index`."""
        obstacle = None if self._lacks(scene) or scene.views < 2 else self._obstacle(scene)
        if obstacle is not None:
            self._skip_own(index, obstacle)
            return
        super().update(scene, index)

    def _compare(self, scene: Scene, pairs: list[tuple[int, int]]) -> Tensor:
        network = self._ready()
        assert network is not None
        return covisible_distances(scene, pairs, network)


def covisible_distances(scene: Scene, pairs: list[tuple[int, int]], network: LPIPS) -> Tensor:
    """LPIPS of each pair in both directions on covisible pixels, float64, [2 P, 1].

    Args:
        scene: with depth and cameras, at least 32x32 pixels.
        pairs: views (a, b); rows 2k and 2k + 1 have a and b as target.
        network: the distance.
    """
    surfaces = Surfaces(scene)
    reach = max(1, round(MARGIN_PIXELS * surfaces.height / REFERENCE_HEIGHT))
    pictures = unit_range(scene.rgb)  # [V, 3, H, W]
    rows = []
    for targets, sources in both_ways(pairs, surfaces):
        carried = warp(surfaces, targets, sources)
        covisible = carried.agrees(TOLERANCE) & surfaces.listed[targets]
        for k, (target, source) in enumerate(zip(targets.tolist(), sources.tolist(), strict=True)):
            surface, seen = int(surfaces.listed[target].sum()), covisible[k]
            place = surfaces.pixel[target][seen]
            mask = torch.zeros(surfaces.height * surfaces.width, dtype=torch.bool)
            mask[place] = True
            inner = _eroded(mask.reshape(surfaces.height, surfaces.width), reach)
            if int(seen.sum()) < MINIMUM_COVISIBLE * max(surface, 1) or not bool(inner.any()):
                rows.append([WORST])
                continue
            filled = pictures[target].flatten(1).clone()
            # covisible points lie on solid footprints, so that nothing but surface is blended
            at = carried.uv[k][seen][None, None] * 2 - 1
            shown = grid_sample(pictures[source][None], at, padding_mode="border", align_corners=False)
            filled[:, place] = shown[0, :, 0]
            distances = network.map(pictures[target][None], filled.reshape(pictures[target].shape)[None])[0]
            rows.append([min(WORST, float(distances[inner].numpy().mean()))])  # numpy's sum: one thread, one order
    return torch.tensor(rows, dtype=torch.float64)


def _eroded(mask: Tensor, reach: int) -> Tensor:
    """Where nothing but `mask` [H, W] lies within `reach` pixels; the picture's border counts as outside."""
    outside = pad((~mask).double(), (reach,) * 4, value=1.0)
    return max_pool2d(outside[None, None], 2 * reach + 1, 1)[0, 0] == 0
