"""Marching rays through one scene that look at the field only where something can be seen.

Samples fall where they would without skipping. Left out are those in empty cells and those behind more solid matter
than light gets through; their densities are taken as zero.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from .importance import fine_distances, quantiles
from .marching import Field, Marching, edges_of, on_samples, shares_of
from .occupancy import FAR, Occupancy

__all__ = ["Marched", "march_skipping"]

EMPTY = -1e4  # a raw density that both activations make zero
OPAQUE = 7.0  # optical depth that leaves 1/1100 of the light
THIN = 1e-3  # density that takes a sixteenth of a grey level of the light on a way of 0.25


class Marched(NamedTuple):
    """What K rays see."""

    values: Tensor  # [K, C]
    distance: Tensor  # shares times distances, summed, [K]
    alpha: Tensor  # [K]
    points: int  # places at which the field was evaluated


def march_skipping(
    field: Field,
    starts: Tensor,
    units: Tensor,
    begin: Tensor,
    end: Tensor,
    marching: Marching,
    occupancy: Occupancy,
) -> Marched:
    """Follow K rays through one scene.

    Args:
        field: for a batch of one.
        starts: origins, [K, 3].
        units: unit directions, [K, 3].
        begin: distances at which the rays' ways begin, [K].
        end: and end, [K].
        marching: where the field would be looked at.
        occupancy: of the scene.
    """
    distances = begin[:, None] + (end - begin)[:, None] * quantiles(marching.coarse, None, begin)
    cells = occupancy.along(starts, units, distances)
    alive = _meeting(starts, units, begin, end, distances, cells, marching, occupancy)
    count = len(starts)
    of_alive = (starts, units, begin, end, distances, cells)
    starts, units, begin, end, distances, cells = (part.index_select(0, alive) for part in of_alive)
    lengths = edges_of(distances, begin, end, marching).diff(dim=-1)
    solid = cells.clamp(min=0)[:, : lengths.shape[1]] * lengths
    behind = torch.zeros_like(cells)
    behind[:, 1:] = solid.cumsum(1)[:, : cells.shape[1] - 1]
    wanted = (cells >= 0) & (behind < OPAQUE)
    wanted[0, 0] |= ~wanted.any()
    seen = _Samples(field, starts, units, distances, marching)
    between = marching.placement == "midpoint"
    # where importance samples fall depends on every stretch: neighbours show details that the grid has missed
    seen.look(wanted if between else _beside(wanted))
    if between:
        seen.look(_beside(seen.matter()))
    if marching.fine:
        shares = shares_of(distances, seen.raw, begin, end, marching)
        edges = edges_of(distances, begin, end, marching)
        further = fine_distances(edges, shares, marching.fine, None, marching.smooth)
        seen.append(further)
        seen.look(functional.pad(occupancy.along(starts, units, further) >= 0, (marching.coarse, 0)))
        distances, order = seen.distances.sort(1)
        if between:
            near = _beside(seen.matter().gather(1, order))
            seen.look(torch.zeros_like(near).scatter_(1, order, near))
        raw = seen.raw.gather(1, order)
    else:
        raw, order = seen.raw, None
    weights = on_samples(shares_of(distances, raw, begin, end, marching), marching)
    distance, alpha = (weights * distances).sum(1), weights.sum(1)
    if order is not None:
        weights = torch.zeros_like(weights).scatter_(1, order, weights)
    total = torch.einsum("rs,rsc->rc", weights, seen.values)
    whole = [part.new_zeros(count, *part.shape[1:]).index_copy(0, alive, part) for part in (total, distance, alpha)]
    return Marched(whole[0], whole[1], whole[2], seen.points)


def _meeting(
    starts: Tensor,
    units: Tensor,
    begin: Tensor,
    end: Tensor,
    distances: Tensor,
    cells: Tensor,
    marching: Marching,
    occupancy: Occupancy,
) -> Tensor:
    """Which rays have a sample where the scene is not empty; one at least, for the number of values."""
    meets = (cells >= 0).any(1)
    late = (~meets & (cells > FAR).any(1)).nonzero()[:, 0]
    if marching.fine and len(late):  # where nothing was found, importance samples fall evenly
        some = (starts, units, begin, end, distances)
        starts, units, begin, end, distances = (part.index_select(0, late) for part in some)
        edges = edges_of(distances, begin, end, marching)
        further = fine_distances(edges, torch.zeros_like(edges[:, 1:]), marching.fine, None, marching.smooth)
        meets[late] = (occupancy.along(starts, units, further) >= 0).any(1)
    found = meets.nonzero()[:, 0]
    return found if len(found) else found.new_zeros(1)


class _Samples:
    """What is known of a scene at samples along K rays; what has not been looked at counts as empty.

    With placement "midpoint" a stretch has the mean of the raw densities at its ends, so that both must be known where
    one of them is in matter: `look` at what is beside `matter`.
    """

    def __init__(self, field: Field, starts: Tensor, units: Tensor, distances: Tensor, marching: Marching) -> None:
        self.field, self.starts, self.units = field, starts, units
        self.distances = distances  # [K, S]
        self.raw = torch.full_like(distances, EMPTY)  # densities, [K, S]
        self.known = torch.zeros_like(distances, dtype=torch.bool)
        self.values = distances.new_zeros(*distances.shape, 0)  # [K, S, C]
        self.thin = marching.raw(THIN)
        self.points = 0

    def append(self, distances: Tensor) -> None:
        """More samples, [K, S]."""
        more = distances.shape[1]
        self.distances = torch.cat([self.distances, distances], 1)
        self.raw = functional.pad(self.raw, (0, more), value=EMPTY)
        self.known = functional.pad(self.known, (0, more))
        self.values = functional.pad(self.values, (0, 0, 0, more))

    def matter(self) -> Tensor:
        """Which samples are known to be in matter, [K, S]."""
        return self.raw > self.thin

    def look(self, where: Tensor) -> None:
        """Ask the field at samples [K, S], once."""
        place = (where & ~self.known).flatten().nonzero()[:, 0]
        if not len(place):
            return
        ray = place // where.shape[1]
        units = self.units.index_select(0, ray)
        distances = self.distances.flatten().index_select(0, place)[:, None]
        points = torch.addcmul(self.starts.index_select(0, ray), distances, units)
        raw, values = self.field(points[None, :, None], units[None])
        values = values.flatten(0, 2).float()
        if not self.values.shape[2]:
            self.values = values.new_zeros(*where.shape, values.shape[1])
        self.raw.view(-1).index_copy_(0, place, raw.flatten().to(self.raw))
        self.values.view(-1, values.shape[1]).index_copy_(0, place, values)
        self.known |= where
        self.points += len(place)


def _beside(wanted: Tensor) -> Tensor:
    """Also the neighbours of what is wanted [K, S]."""
    more = wanted.clone()
    more[:, 1:] |= wanted[:, :-1]
    more[:, :-1] |= wanted[:, 1:]
    return more
