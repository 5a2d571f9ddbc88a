"""`ViewRange`: how fast do the pictures get worse as the camera leaves the front?

Definition. ivid's 3x9 order lays 27 views round the front so that its prefixes of 1, 9, 15, 21 and 27 views
are full grids, up to yaw 0, 0.15, 0.3, 0.45, 0.6 rad either way: 0, 17.2, 34.4, 51.6, 68.8 degrees in
all. For each prefix KID, FID and the Inception Score are taken of pictures of which *every scene gives one*,
so that all rows hold equally many and their numbers can be compared: FID and the score depend on how
many pictures there are, and views of one scene are no independent pictures. Which view a scene gives is the
same for every method: its place in the prefix follows from the scene's index by steps of the golden ratio, and
over the scenes all views come equally often. Where the scenes are few, the same is repeated with the places
moved on, and the mean is taken, until about 2048 pictures were looked at or every view of every scene.

KID is the headline, because it has no bias of sample size. KID and FID: lower is better. Inception
Score: higher is better, from 1.

Reference pictures whose cameras are known are compared view range by view range: front views with true front
views. Of these FID takes equally many in each row too. Real pictures without cameras are all used in every
row, as in the paper's table.

Intervals are the delete-group jackknife over scenes.

When it misleads. Rows with real pictures without cameras also measure how much the range of views differs from
that of the real pictures. A method that ignores the camera has equal rows. n is the number of scenes, so that
with fewer scenes than features have dimensions FID is not run.

Source: the view-range table of Xiang et al., "3D-aware image generation using 2D diffusion models", ICCV 2023
(arXiv 2303.17905); how many pictures its rows hold is not known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..scenes.sweeps import GRID_3X9_PREFIXES, grid_3x9
from .base import Array
from .features import Features
from .frechet import Moments, frechet_distance, gaussian, leave_out_distances, too_few
from .inception_score import InceptionScore
from .kernel import kid_with_leave_outs, too_few_scenes
from .result import Definition, MetricResult
from .set_metric import GOLDEN, Pictures, SetMetric, Whole

__all__ = ["ROWS", "ViewRange"]

ROWS = GRID_3X9_PREFIXES[::-1]
"""How many views, the widest range first."""

PICTURES = 2048
"""About as many pictures a row looks at where the scenes are fewer."""

TOLERANCE = 0.05  # degrees between a camera and its place in the grid
UNKNOWN, ELSEWHERE = -2.0, -1.0  # places of pictures without a camera, and of those off the grid

Value = tuple[float, list[float]]


def _definitions() -> tuple[Definition, ...]:
    every = "One picture a scene, spread over these views; "
    kinds: list[tuple[str, str, str, bool, str]] = [
        ("kid", "KID", "", False, "squared kernel distance to the reference pictures; 0 expected at best"),
        ("fid", "FID", "", False, "Fréchet distance to the reference pictures; compare values of equal n only"),
        ("is", "Inception Score", "classes", True, "from 1 to the number of classes; compare values of equal n only"),
    ]
    found = []
    for stem, title, unit, direction, text in kinds:
        for views in ROWS:
            reach = "front view" if views == 1 else f"first {views} views"
            found.append(
                Definition(
                    f"{stem}_views_{views}",
                    f"{title}, {reach}",
                    1,
                    unit,
                    direction,
                    f"Of the {reach} of the 3x9 order, {math.degrees(_widest(views)):.1f} degrees of yaw in all. "
                    f"{every}{text}. n counts scenes, one picture of each.",
                )
            )
    return tuple(found)


def _widest(views: int) -> float:
    """The range of yaw of the first `views`, radians, from left to right."""
    yaw = grid_3x9().yaw[:views]
    return float(yaw.max() - yaw.min())


class ViewRange(SetMetric):
    """KID, FID and Inception Score over growing prefixes of the 3x9 order.

    Args:
        network: name of the feature network, part of the metric's ids.
    """

    name = "view_range"
    title = "View range"
    version = 1
    unit = ""
    higher_is_better = False
    needs = frozenset({"rgb", "cameras", "reference"})

    _keeps = "embedding"
    _ids = _definitions()
    _bounds = tuple(
        bounds
        for bounds in ((float("-inf"), float("inf")), (0.0, float("inf")), (1.0, float("inf")))
        for _ in GRID_3X9_PREFIXES
    )

    def __init__(self, network: str = "tabletop") -> None:
        super().__init__(network)
        self._moments: Moments | None = None

    def refer(self, moments: Moments) -> None:
        """Let FID compare with these moments of all real pictures; see `FID.refer`."""
        self._moments = moments

    def update(self, features: Features, *, real: bool = False, index: int | Tensor | None = None) -> None:
        """Add pictures; their cameras are known from `azimuth_deg` and `pitch_deg`. See `SetMetric.update`."""
        rows = features.embedding
        place = _places(features.azimuth_deg, features.pitch_deg)
        head = torch.stack([place, torch.full_like(place, rows.shape[1])], 1)
        chances = features.log_probabilities[:, :0] if real else features.log_probabilities
        # one record a picture: its place, where the embedding ends, the embedding, log-probabilities
        super().update(replace(features, embedding=torch.cat([head, rows, chances], 1)), real=real, index=index)

    def _width(self) -> int:
        return 0  # real pictures carry no probabilities: the sides differ

    def _keep(self, kind: str, rows: Tensor, scene: Tensor, azimuth_deg: Tensor) -> None:
        held = getattr(self, kind)
        if len(held) and len(held[0]) // len(getattr(self, f"{kind}_scene")[0]) != rows.shape[1]:
            raise ValueError("features of another width than those of earlier pictures.")
        super()._keep(kind, rows, scene, azimuth_deg)

    def _measure(self, fake: Pictures, real: Pictures) -> Sequence[MetricResult]:
        place, reals = fake.rows[:, 0].astype(np.int64), real.rows[:, 0]
        refused = _off_grid(place) or _reference_off_grid(reals)
        if fake.rows[0, 1] != real.rows[0, 1]:
            widths = f"{fake.rows[0, 1]:.0f} and {real.rows[0, 1]:.0f}"
            refused = f"generated and reference pictures have {widths} features, from two networks."
        if refused:
            return [MetricResult.not_run(refused, len(fake))] * len(self._ids)
        where = np.full((fake.units, ROWS[0]), -1)
        where[fake.unit, place] = np.arange(len(fake))
        if (where >= 0).sum() != len(fake):
            return [MetricResult.failed("a scene holds two pictures of one view.", len(fake))] * len(self._ids)
        fewest = min(len(_seen(real, reals, views)) for views in ROWS)
        found: list[MetricResult] = []
        for measure in (self._kid, partial(self._fid, count=fewest), self._is):
            for views in ROWS:
                found.append(self._row(fake, where, views, _seen(real, reals, views), measure, len(found)))
        return found

    def _row(
        self,
        fake: Pictures,
        where: Whole,
        views: int,
        real: Pictures,
        measure: Callable[[Pictures, Pictures], Value | MetricResult],
        which: int,
    ) -> MetricResult:
        """One number over the first `views`: the mean over draws of one picture a scene."""
        units = len(where)
        which_views = f"the first {views} views of the 3x9 order"
        lost = int((where[:, :views] < 0).any(1).sum())
        if lost == units:
            return MetricResult.not_run(f"the sweeps do not hold all of {which_views}.", units)
        if lost:
            return MetricResult.failed(f"{lost} of {units} scenes lack some of {which_views}.", units)
        scene = fake.scene[where[:, 0]]
        start = np.floor(np.maximum(scene, 0) * GOLDEN % 1.0 * views).astype(np.int64)
        draws = max(1, min(views, PICTURES // units))
        values: list[Value] = []
        for draw in range(draws):
            chosen = fake.where(where[np.arange(units), (start + draw * views // draws) % views])
            found = measure(chosen, real)
            if isinstance(found, MetricResult):
                return found
            values.append(found)
        deleted = [deleted for _, deleted in values]
        without = np.mean(deleted, axis=0).tolist() if all(deleted) else []
        groups, _ = fake.groups()
        return self._ok(math.fsum(value for value, _ in values) / draws, without, groups, units, which)

    def _kid(self, fake: Pictures, real: Pictures) -> Value | MetricResult:
        refused = too_few_scenes(fake, real)
        if refused:
            return refused
        groups, _ = fake.groups()
        return kid_with_leave_outs(_embedded(fake), groups, _embedded(real))

    def _fid(self, fake: Pictures, real: Pictures, count: int) -> Value | MetricResult:
        """FID against `count` of the reference pictures, or against the moments of all."""
        rows = _embedded(fake).rows
        refused = too_few(len(rows), count, rows.shape[1])
        if refused:
            return refused
        # their order is that of hashes: the first are a random sample
        moments = self._moments or gaussian(_embedded(real).rows[:count])
        _, own = fake.groups()
        deleted = leave_out_distances(rows, own, moments) if fake.units > 1 else []
        return frechet_distance(*gaussian(rows), *moments), deleted

    def _is(self, fake: Pictures, real: Pictures) -> Value | MetricResult:
        width = int(fake.rows[0, 1])
        if fake.rows.shape[1] == width + 2:
            return MetricResult.not_run(f"the network {self.network} names no classes.", len(fake))
        score = InceptionScore(self.network)
        (result,) = score._measure(replace(fake, rows=fake.rows[:, width + 2 :]), real)
        return result if result.value is None else (result.value, score._deleted[0])


def _places(azimuth_deg: Tensor, pitch_deg: Tensor) -> Tensor:
    """The place of each camera in the 3x9 order, float32, [N]."""
    grid = grid_3x9()
    poses = torch.rad2deg(torch.stack([grid.yaw, grid.pitch], 1))
    own = torch.stack([azimuth_deg, pitch_deg], 1).to(torch.float64)
    off, place = (own[:, None] - poses[None]).abs().amax(2).min(1)
    found = torch.where(off <= TOLERANCE, place.to(torch.float64), torch.full_like(off, ELSEWHERE))
    known = torch.isfinite(own).all(1)
    return torch.where(known, found, torch.full_like(found, UNKNOWN)).to(torch.float32)


def _off_grid(place: Whole) -> str | None:
    for code, what in ((UNKNOWN, "have no known camera"), (ELSEWHERE, "were taken from elsewhere")):
        count = int((place == code).sum())
        if count:
            return (
                f"{count} of {len(place)} pictures {what}; this metric needs the 27 views of the 3x9 order "
                "(yaw 0 to 0.6 rad either way, pitch 0 and 0.15 rad), or a prefix of it."
            )
    return None


def _reference_off_grid(place: Array) -> str | None:
    known = place != UNKNOWN
    if not known.any() or (place >= 0).all():
        return None
    return "some of the reference pictures were taken from elsewhere than the views of the 3x9 order."


def _seen(real: Pictures, place: Array, views: int) -> Pictures:
    """The reference pictures of the first `views`; all of them where nobody knows the cameras."""
    return real if bool((place == UNKNOWN).all()) else real.where(place < views)


def _embedded(pictures: Pictures) -> Pictures:
    return replace(pictures, rows=pictures.rows[:, 2 : 2 + int(pictures.rows[0, 1])])
