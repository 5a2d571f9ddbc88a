"""What `render` computes, in a few plain lines and float64: every ray, every sample, one after the other.

For tests, not for use. It shares no formula with the fast one: light that is left is a product of 1 - alpha, importance
samples are found by walking along the distribution, and nothing is sorted but plain lists.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from torch import Tensor

from .marching import Marching

__all__ = ["march_reference", "sphere_reference"]

Sample = tuple[float, float, list[float]]  # distance, raw density, values


def sphere_reference(origin: Tensor, unit: Tensor, marching: Marching) -> tuple[float, float]:
    """Where one ray is inside the bounding sphere: the roots of |origin + t unit|^2 = bound^2."""
    if marching.bound is None:
        return marching.near, marching.far
    half, product = float(origin @ unit), float(origin @ origin) - marching.bound**2
    root = math.sqrt(max(0.0, half**2 - product))
    return max(marching.near, -half - root), min(marching.far, -half + root)


def march_reference(
    look: Callable[[float], Sample], begin: float, end: float, marching: Marching
) -> tuple[list[float], float, float]:
    """Values, mean distance and alpha of one ray; samples at fixed places.

    Args:
        look: the field at a distance along the ray.
        begin: distance at which the ray's way begins.
        end: and ends.
        marching: where to look.
    """
    samples = [look(begin + (end - begin) * (k + 0.5) / marching.coarse) for k in range(marching.coarse)]
    edges, shares, _ = _stretches(samples, begin, end, marching)
    if marching.smooth:
        larger = [max(a, b) for a, b in zip([0.0, *shares], [*shares, 0.0], strict=True)]
        shares = [(a + b) / 2 + 0.01 for a, b in pairwise(larger)]
    else:
        shares = [share + 1e-5 for share in shares]
    for k in range(marching.fine):
        left, stretch = sum(shares) * (k + 0.5) / marching.fine, 0
        while left >= shares[stretch] and stretch < len(shares) - 1:
            left, stretch = left - shares[stretch], stretch + 1
        way = edges[stretch + 1] - edges[stretch]
        samples.append(look(edges[stretch] + way * left / shares[stretch]))
    samples.sort(key=lambda sample: sample[0])
    _, shares, seen = _stretches(samples, begin, end, marching)
    values = [sum(w * s[2][c] for w, s in zip(shares, seen, strict=True)) for c in range(len(samples[0][2]))]
    alpha = sum(shares)
    return values, sum(w * s[0] for w, s in zip(shares, seen, strict=True)) / max(alpha, 1e-300), alpha


def _stretches(
    samples: list[Sample], begin: float, end: float, marching: Marching
) -> tuple[list[float], list[float], list[Sample]]:
    """Edges for importance samples, share of the light of each stretch, and what the stretch looks like."""
    places = [sample[0] for sample in samples]
    middles = [(a + b) / 2 for a, b in pairwise(places)]
    ways = [b - a for a, b in pairwise(places)]
    edges, seen = [begin, *middles, end], samples
    if marching.placement == "midpoint":
        edges = places
        seen = [_between(a, b) for a, b in pairwise(samples)]
    elif marching.placement == "cell":
        ways = [b - a for a, b in pairwise(edges)]
    else:
        ways.append(end - places[-1] if marching.last_delta is None else marching.last_delta)
    left, shares = 1.0, []
    for way, sample in zip(ways, seen, strict=True):
        raw = sample[1] + marching.shift
        density = max(raw, 0.0) if marching.activation == "relu" else math.log1p(math.exp(-abs(raw))) + max(raw, 0.0)
        alpha = 1 - math.exp(-density * way)
        shares.append(left * alpha)
        left *= 1 - alpha
    if marching.last_back:
        shares[-1] += left
    return edges, shares, seen


def _between(a: Sample, b: Sample) -> Sample:
    """The middle of two samples."""
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2, [(p + q) / 2 for p, q in zip(a[2], b[2], strict=True)]
