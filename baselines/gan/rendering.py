"""One volume renderer for all GANs here: rays through a field, summed to values, z-depth and alpha.

A field is a function of points and directions; what it is made of (FiLM-SIREN, tri-planes) is the generator's business.
With gradients everything is computed at once; without, in pieces that fit a memory limit. Rays that miss the bounding
sphere cost nothing. Many views of one scene can skip empty space as well: `occupancy`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .importance import fine_distances, quantiles
from .marching import Field, Marching, edges_of, on_samples, shares_of
from .occupancy import Occupancy
from .rays import Rays, rays_of, spans
from .skipping import march_skipping

__all__ = ["Field", "Marching", "Occupancy", "Rays", "Rendered", "rays_of", "render"]


@dataclass(frozen=True, eq=False)
class Rendered:
    """What rays see.

    Args:
        values: colours or features, [N, R, C]; without `background` they fade to 0.
        depth: z-depth, [N, R], NaN where alpha < 0.5.
        alpha: share of the light that comes from the field, [N, R].
        points: places at which the field was evaluated, over the whole batch.
    """

    values: Tensor
    depth: Tensor
    alpha: Tensor
    points: int


@dataclass(frozen=True, eq=False)
class _Noise:
    """Random numbers of some rays; None = none."""

    coarse: Tensor | None = None  # places in [0, 1), [N, K, coarse]
    fine: Tensor | None = None  # places in [0, 1), [N, K, fine]
    density: Tensor | None = None  # added to raw densities, [N, K, coarse + fine]

    def __getitem__(self, rays: slice) -> _Noise:
        parts = (None if part is None else part[:, rays] for part in (self.coarse, self.fine, self.density))
        return _Noise(*parts)


def render(
    field: Field,
    rays: Rays,
    marching: Marching,
    *,
    generator: torch.Generator | None = None,
    density_noise: float = 0.0,
    background: Tensor | None = None,
    memory: int = 2**16,
    shared: bool = False,
    occupancy: Occupancy | None = None,
) -> Rendered:
    """What rays see of fields.

    Gradients flow into the field and the background; where importance samples fall is not differentiated.

    Args:
        field: N fields in one function.
        rays: [N, R].
        marching: where the field is looked at.
        generator: on the CPU; jitters the samples. None: samples at fixed places.
        density_noise: standard deviation of noise added to raw densities; needs `generator`.
        background: what is seen behind the field, broadcastable to [N, R, C].
        memory: evaluations of the field held at once when gradients are off. More are no faster on a CPU, whose caches
            they leave; a large GPU may take 2^21.
        shared: `field` is one field for all N pictures: it is called with all rays in a row, as for a batch of one.
        occupancy: of the one scene there is: samples where it is empty, or hidden, are left out. For fixed places
            without gradients. Pictures change by a grey level at most where importance samples are `smooth`; where
            they are not, the little that is in empty space may decide where they fall, and single pixels change more.

    Raises:
        ValueError: `density_noise` without `generator`, or `occupancy` with what it cannot be combined with.
    """
    if density_noise and generator is None:
        raise ValueError("density_noise needs a generator: noise comes from the caller's seed, never from elsewhere")
    if occupancy is not None and (generator is not None or torch.is_grad_enabled()):
        raise ValueError("occupancy is for drawing without gradients (torch.no_grad()) and without a generator")
    items, count = rays.directions.shape[:2]
    if shared:
        rays = rays.in_rows(1)
    if occupancy is not None and len(rays.directions) != 1:
        raise ValueError("occupancy is of one scene; for many views of it say shared=True")
    stretch = rays.directions.norm(dim=-1)
    units = rays.directions / stretch[..., None]
    begin, end = spans(rays.starts, units, marching.near, marching.far, marching.bound)
    index, shape = _meeting(end > begin)
    starts = _pick(rays.starts.expand_as(units), index)
    units, begin, end = _pick(units, index), _pick(begin, index), _pick(torch.maximum(begin, end), index)
    noise = _noise(units, marching, generator, density_noise)

    samples = marching.coarse + marching.fine
    points = units.shape[0] * units.shape[1] * samples if occupancy is None else 0

    def part(which: slice) -> tuple[Tensor, Tensor, Tensor]:
        nonlocal points
        if occupancy is None:
            ways = starts[:, which], units[:, which], begin[:, which], end[:, which]
            return _march(field, *ways, marching, noise[which])
        one = starts[0, which], units[0, which], begin[0, which], end[0, which]
        marched = march_skipping(field, *one, marching, occupancy)
        points += marched.points
        return marched.values[None], marched.distance[None], marched.alpha[None]

    size = units.shape[1] if torch.is_grad_enabled() else max(1, memory // (len(units) * samples))
    parts = [part(slice(first, first + size)) for first in range(0, units.shape[1], size)]
    values, distance, alpha = (
        torch.cat(every, 1) if len(parts) > 1 else every[0] for every in zip(*parts, strict=True)
    )
    values, distance, alpha = (_put(found, index, shape) for found in (values, distance, alpha))
    depth = torch.where(alpha >= 0.5, distance / (alpha.clamp(min=0.5) * stretch), torch.nan)
    values, depth, alpha = values.reshape(items, count, -1), depth.reshape(items, count), alpha.reshape(items, count)
    if background is not None:
        values = values + (1 - alpha)[..., None] * background
    return Rendered(values, depth, alpha, points)


def _march(
    field: Field, starts: Tensor, units: Tensor, begin: Tensor, end: Tensor, marching: Marching, noise: _Noise
) -> tuple[Tensor, Tensor, Tensor]:
    """Values [N, K, C], shares times distances summed [N, K], and alpha [N, K] of K rays an item."""

    def look(distances: Tensor) -> tuple[Tensor, Tensor]:
        raw, values = field(torch.addcmul(starts[:, :, None], distances[..., None], units[:, :, None]), units)
        return raw.to(distances), values

    places = quantiles(marching.coarse, noise.coarse, begin)
    distances = begin[..., None] + (end - begin)[..., None] * places
    raw, values = look(distances)
    if noise.density is not None:
        raw = raw + noise.density[..., : marching.coarse]
    if not marching.fine:
        weights = on_samples(shares_of(distances, raw, begin, end, marching), marching)
        return _weighted(weights, values), (weights * distances).sum(-1), weights.sum(-1)
    with torch.no_grad():
        shares = shares_of(distances, raw.detach(), begin, end, marching)
        edges = edges_of(distances, begin, end, marching)
        further = fine_distances(edges, shares, marching.fine, noise.fine, marching.smooth)
    fine_raw, fine_values = look(further)
    if noise.density is not None:
        fine_raw = fine_raw + noise.density[..., marching.coarse :]
    distances, order = torch.cat([distances, further], -1).sort(-1)
    raw = torch.cat([raw, fine_raw], -1).gather(-1, order)
    weights = on_samples(shares_of(distances, raw, begin, end, marching), marching)
    distance, alpha = (weights * distances).sum(-1), weights.sum(-1)
    # putting the weights in the samples' order, not the values in the weights', moves C times fewer numbers
    weights = torch.zeros_like(weights).scatter(-1, order, weights)
    first, second = weights.split([marching.coarse, marching.fine], -1)
    return _weighted(first, values) + _weighted(second, fine_values), distance, alpha


def _weighted(weights: Tensor, values: Tensor) -> Tensor:
    """Sum of values [N, K, S, C] with weights [N, K, S]: [N, K, C]."""
    with torch.autocast(weights.device.type, enabled=False):
        return torch.einsum("nrs,nrsc->nrc", weights, values.to(weights))


def _noise(units: Tensor, marching: Marching, generator: torch.Generator | None, density_noise: float) -> _Noise:
    """All random numbers at once, so that the pieces the work is cut into do not matter."""
    if generator is None:
        return _Noise()
    shape = units.shape[:2]
    coarse = torch.rand(*shape, marching.coarse, generator=generator).to(units)
    fine = torch.rand(*shape, marching.fine, generator=generator).to(units)
    if not density_noise:
        return _Noise(coarse, fine)
    density = torch.randn(*shape, marching.coarse + marching.fine, generator=generator).to(units)
    return _Noise(coarse, fine, density * density_noise)


def _meeting(meets: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """Which rays meet the bound, [N, K]: K of the item that has most, the others' lists filled up with R.

    Also the shape [N, R] that `_put` restores.
    """
    shape = meets.shape[0], meets.shape[1]
    most = max(1, int(meets.sum(1).max()))  # one at least, so that the field says how many values there are
    number = torch.arange(shape[1], device=meets.device).expand(shape)
    index = torch.where(meets, number, shape[1]).sort(1).values[:, :most]
    return index, shape


def _pick(rays: Tensor, index: Tensor) -> Tensor:
    """Entries of [N, R, ...] at `index` [N, K]; where that is filled up, those of any ray."""
    index = index.clamp(max=rays.shape[1] - 1)
    if rays.ndim == 2:
        return rays.gather(1, index)
    return rays.gather(1, index[..., None].expand(*index.shape, rays.shape[2]))


def _put(found: Tensor, index: Tensor, shape: tuple[int, int]) -> Tensor:
    """Entries [N, K, ...] at their rays in [N, R, ...], zero elsewhere."""
    whole = found.new_zeros(shape[0], shape[1] + 1, *found.shape[2:])
    where = index if found.ndim == 2 else index[..., None].expand_as(found)
    return whole.scatter(1, where, found)[:, :-1]
