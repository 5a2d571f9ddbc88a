"""Marching rays through one scene that look at the field only where something can be seen.

Samples fall where they would without skipping. Left out are those in empty cells and those behind more solid matter
than light gets through; their densities are taken as zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .importance import fine_distances, quantiles
from .marching import Marching, edges_of, on_samples, shares_of
from .occupancy import FAR, Occupancy

__all__ = ["Marched", "march_skipping"]

EMPTY = -1e4  # a raw density that both activations make zero
OPAQUE = 7.0  # optical depth that leaves 1/1100 of the light


class Marched(NamedTuple):
    """What K rays see."""

    values: Tensor  # [K, C]
    distance: Tensor  # shares times distances, summed, [K]
    alpha: Tensor  # [K]
    points: int  # places at which the field was evaluated


def march_skipping(
    field: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    starts: Tensor,
    units: Tensor,
    begin: Tensor,
    end: Tensor,
    marching: Marching,
    occupancy: Occupancy,
) -> Marched:
    """Follow K rays through one scene.

    Args:
        field: as `rendering.Field`, for a batch of one.
        starts: origins, [K, 3].
        units: unit directions, [K, 3].
        begin: distances at which the rays' ways begin, [K].
        end: and end, [K].
        marching: where the field would be looked at.
        occupancy: of the scene.
    """
    distances = begin[:, None] + (end - begin)[:, None] * quantiles(marching.coarse, None, begin)
    cells = occupancy.along(starts, units, distances)
    alive = (cells > FAR).any(1).nonzero()[:, 0]  # at least one, for the number of values
    count = len(starts)
    if not len(alive):
        alive = alive.new_zeros(1)
    starts, units, begin, end = starts[alive], units[alive], begin[alive], end[alive]
    distances, cells = distances[alive], cells[alive]
    lengths = edges_of(distances, begin, end, marching).diff(dim=-1)
    solid = cells.clamp(min=0)[:, : lengths.shape[1]] * lengths
    behind = torch.zeros_like(cells)
    behind[:, 1:] = solid.cumsum(1)[:, : cells.shape[1] - 1]
    wanted = (cells >= 0) & (behind < OPAQUE)
    wanted[0, 0] |= ~wanted.any()
    between = marching.placement == "midpoint"
    first = _beside(wanted)
    raw, values = _look(field, starts, units, distances, first)
    points = len(values)
    have = first
    if marching.fine:
        shares = shares_of(distances, raw, begin, end, marching)
        edges = edges_of(distances, begin, end, marching)
        further = fine_distances(edges, shares, marching.fine, None, marching.smooth)
        seen = occupancy.along(starts, units, further) >= 0
        distances, order = torch.cat([distances, further], 1).sort(1)
        wanted = torch.cat([wanted, seen], 1).gather(1, order)
        have = torch.cat([first, torch.zeros_like(seen)], 1).gather(1, order)
        raw = torch.cat([raw, torch.full_like(further, EMPTY)], 1).gather(1, order)
        missing = (_beside(wanted) if between else wanted) & ~have
        more, more_values = _look(field, starts, units, distances, missing)
        raw = torch.where(missing, more, raw)
    weights = on_samples(shares_of(distances, raw, begin, end, marching), marching)
    seen_values = values.new_zeros(*weights.shape, values.shape[1])
    if marching.fine:
        # the coarse samples keep their order among all of them
        seen_values[have] = values
        seen_values[missing] = more_values
        points += len(more_values)
    else:
        seen_values[have] = values
    total = torch.einsum("rs,rsc->rc", weights, seen_values)
    found = (total, (weights * distances).sum(1), weights.sum(1))
    whole = [part.new_zeros(count, *part.shape[1:]).index_copy(0, alive, part) for part in found]
    return Marched(whole[0], whole[1], whole[2], points)


def _beside(wanted: Tensor) -> Tensor:
    """Also the neighbours of what is wanted [K, S]: a stretch between two samples needs both."""
    more = wanted.clone()
    more[:, 1:] |= wanted[:, :-1]
    more[:, :-1] |= wanted[:, 1:]
    return more


def _look(
    field: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    starts: Tensor,
    units: Tensor,
    distances: Tensor,
    where: Tensor,
) -> tuple[Tensor, Tensor]:
    """Raw densities [K, S], empty where not looked at, and the values of the places looked at, [P, C]."""
    place = where.flatten().nonzero()[:, 0]
    ray = place // where.shape[1]
    units = units.index_select(0, ray)
    points = torch.addcmul(starts.index_select(0, ray), distances.flatten().index_select(0, place)[:, None], units)
    found, values = field(points[None, :, None], units[None])
    raw = torch.full_like(distances, EMPTY)
    raw.view(-1).index_copy_(0, place, found.flatten().to(raw))
    return raw, values.flatten(0, 2).float()
