"""`AzimuthQuality`: from which side do the pictures look worst?

Definition. Generated and reference pictures are sorted into 8 bins of 45 degrees of camera azimuth,
centred on 0 (front), 45, 90 ... degrees, and KID and FID are taken bin by bin: views of the back
against true views of the back. From the bins' values d follow

    worst bin      = max over bins of d
    side-front gap = (d(90) + d(-90)) / 2 - d(0)
    back-front gap = d(180) - d(0)

Lower is better; KID is 0 expected at best and slightly negative at times, FID is from 0. The gaps are 0
for a method that draws all sides equally well, above 0 for one that knows fronts only, and they have no
bound; since equally bad sides have no gap either, they only help to read the others. Only bins that hold
generated pictures count, so a frontal protocol has no back to be bad at.

KID is the headline, because a bin holds few pictures and KID has no bias of sample size. FID needs more
pictures in a bin than features have dimensions, and is not run otherwise.

Intervals are the delete-group jackknife over generated scenes, the same scenes left out of all bins at
once. The one of the worst bin is that of a maximum: it tells how sure the number is, not which bin it is.

When it misleads. The worst of eight numbers is above the mean of any of them by chance alone: read it
against the oracle's. A method that ignores the camera has bins that are good by turns. The same feature
network must know backs: one trained on fronts cannot tell.

Precedents: pose-wise FID in LPFF (Wu et al., ICCV 2023); evaluation at steep poses in SideGAN (Jo et
al., ICCV 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .base import Array
from .frechet import frechet_distance_from_features, gaussian, leave_out_distances, too_few
from .kernel import kid_with_leave_outs, too_few_scenes
from .result import Definition, MetricResult
from .set_metric import Pictures, SetMetric, Whole

__all__ = ["BINS", "AzimuthQuality", "azimuth_bins"]

BINS = (0, 45, 90, 135, 180, -135, -90, -45)
"""Centres, in degrees, the front first."""

Measured = tuple[float, list[float]]
"""A value, and the values with each group of scenes left out; none where they cannot be told."""

Measure = Callable[[Pictures, Whole, Pictures, int], Measured | str]
"""From pictures of one bin, and the groups of its scenes out of so many; else the reason."""


def _definitions(stem: str, title: str, what: str) -> tuple[Definition, ...]:
    what = f"{what} of the pictures from one side to the reference pictures from the same side"
    gap = "0 if both are drawn equally well, or equally badly"
    entries: list[tuple[str, str, bool | None, str]] = [
        ("worst_bin", "worst side", False, "the highest of 8 bins of azimuth; lower is better"),
        ("side_front_gap", "sides less front", None, f"mean of left and right less the front; {gap}"),
        ("back_front_gap", "back less front", None, f"the back less the front; {gap}"),
        *((f"bin_{b}", f"at {b}°", False, f"cameras within 22.5° of {b}°; lower is better") for b in BINS),
    ]
    return tuple(
        Definition(f"{stem}_{name}", f"{title}, {head}", 1, "", direction, f"{what}: {text}. n counts pictures.")
        for name, head, direction, text in entries
    )


class AzimuthQuality(SetMetric):
    """KID and FID by the side the camera stood on.

    Args:
        network: name of the feature network, part of the metric's ids.
    """

    name = "azimuth_quality"
    title = "Quality by azimuth"
    version = 1
    unit = ""
    higher_is_better = False
    needs = frozenset({"rgb", "cameras", "reference"})

    _keeps = "embedding"
    _ids = _definitions("kid", "KID", "Kernel distance") + _definitions("fid", "FID", "Fréchet distance")
    _bounds = ((float("-inf"), float("inf")),) * 11 + (
        (0.0, float("inf")),
        *[(float("-inf"), float("inf"))] * 2,
        *[(0.0, float("inf"))] * 8,
    )

    def worst_bin(self) -> int | None:
        """Centre, in degrees, of the bin with the highest KID; None where it could not be measured.

        In distributed runs all processes must call it, as `results`.
        """
        results = self.results()
        values = {b: results[f"kid_bin_{b}[{self.network}]"].value for b in BINS}
        if results[f"kid_worst_bin[{self.network}]"].status != "ok":
            return None
        return max((value, -place, b) for place, (b, value) in enumerate(values.items()) if value is not None)[2]

    def _measure(self, fake: Pictures, real: Pictures) -> Sequence[MetricResult]:
        for name, side in (("generated", fake), ("reference", real)):
            unknown = int((~np.isfinite(side.azimuth_deg)).sum())
            if unknown:
                reason = f"the azimuth of {unknown} of {len(side)} {name} pictures is unknown."
                return [MetricResult.not_run(reason, len(fake))] * len(self._ids)
        groups, _ = fake.groups()
        found: list[MetricResult] = []
        for measure in (_kid, _fid):
            found += self._by_bin(fake, real, groups, measure, len(found))
        return found

    def _by_bin(
        self, fake: Pictures, real: Pictures, groups: Whole, measure: Measure, first: int
    ) -> list[MetricResult]:
        """The worst bin, both gaps, and all bins, of one distance; `first` of `_ids` is the worst bin."""
        fake_bin, real_bin = azimuth_bins(fake.azimuth_deg), azimuth_bins(real.azimuth_deg)
        counts = np.bincount(fake_bin, minlength=len(BINS)).tolist()
        bins: list[Measured | str] = []
        for place, centre in enumerate(BINS):
            here = fake_bin == place
            entry: Measured | str = "there are no generated pictures."
            if counts[place]:
                own = groups[np.unique(fake.unit[here])]
                entry = measure(fake.where(here), own, real.where(real_bin == place), int(groups.max()) + 1)
            bins.append(f"around {centre} degrees: {entry}" if isinstance(entry, str) else entry)
        present = [entry for entry, count in zip(bins, counts, strict=True) if count]
        front, right, back, left = (bins[BINS.index(centre)] for centre in (0, 90, 180, -90))
        entries = [
            _combined(present, lambda values: float(values.max())),
            _combined([right, left, front], lambda values: float((values[0] + values[1]) / 2 - values[2])),
            _combined([back, front], lambda values: float(values[0] - values[1])),
            *bins,
        ]
        results = []
        for which, entry in enumerate(entries):
            count = counts[which - 3] if which >= 3 else len(fake)
            if not isinstance(entry, str):
                results.append(self._ok(entry[0], entry[1], groups, count, first + which))
            elif which == 0 and not all(isinstance(one, str) for one in present):
                results.append(MetricResult.failed(entry, count))
            else:
                results.append(MetricResult.not_run(entry, count))
        return results


def azimuth_bins(azimuth_deg: Array) -> Whole:
    """The place in `BINS` of each azimuth in degrees; 22.5 belongs to the bin of 45."""
    # angles come from radians in float32: a border case must not depend on their last bits
    return np.floor((np.round(azimuth_deg, 3) + 22.5) / 45.0).astype(np.int64) % len(BINS)


def _combined(entries: Sequence[Measured | str], together: Callable[[Array], float]) -> Measured | str:
    """One number of several bins; the first reason where one of them has none."""
    known: list[Measured] = []
    for entry in entries:
        if isinstance(entry, str):
            return entry
        known.append(entry)
    leave_outs = [deleted for _, deleted in known]
    deleted = [together(np.array(values)) for values in zip(*leave_outs, strict=True)] if all(leave_outs) else []
    return together(np.array([value for value, _ in known])), deleted


def _kid(fake: Pictures, groups: Whole, real: Pictures, count: int) -> Measured | str:
    refused = too_few_scenes(fake, real)
    if refused:
        return str(refused.reason)
    return kid_with_leave_outs(fake, groups, real, count)


def _fid(fake: Pictures, groups: Whole, real: Pictures, count: int) -> Measured | str:
    refused = too_few(len(fake), len(real), fake.rows.shape[1])
    if refused:
        return str(refused.reason)
    own = groups[fake.unit]
    value = frechet_distance_from_features(fake.rows, real.rows)
    if np.bincount(own).max() > len(fake) / 2:  # half of a bin in one group is no group to leave out
        return value, []
    return value, leave_out_distances(fake.rows, own, gaussian(real.rows), groups=count)
