"""Where a scene is empty and where it is solid, found once and used for all of its views.

Only the renderer's bookkeeping: what is skipped would have contributed (nearly) nothing, so that pictures stay within
a grey level of those drawn without.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .base import GanGenerator, SceneState
from .marching import Marching

__all__ = ["Occupancy", "occupancy", "occupancy_in", "with_occupancy"]

FAINT = 1 / 255 / 16  # share of the light that all that is taken for empty may take from a ray together
SURE = 0.5  # density that makes even cells that only share a corner with it count as filled
FAR, NEAR = -2.0, -1.0  # codes of empty cells: nothing within reach either, or something


@dataclass(frozen=True, eq=False)
class Occupancy:
    """A grid of cells over the cube around the bounding sphere.

    Args:
        cells: [C, C, C] by z, y, x: a density that the cell and all its neighbours reach; -1 where they are empty; -2
            where all is empty within half the distance between a ray's coarse samples as well.
        bound: half the cube's side.
    """

    cells: Tensor
    bound: float

    @property
    def points(self) -> int:
        """Places at which densities were looked up to make it."""
        return len(_centres(self.bound, len(self.cells), self.cells.device)[1])

    @property
    def empty(self) -> float:
        """Share of the cube that is empty."""
        return float((self.cells < 0).float().mean())

    def along(self, starts: Tensor, units: Tensor, distances: Tensor) -> Tensor:
        """The cells' entries at distances [K, S] along rays with origins and unit directions [K, 3]: [K, S]."""
        count = len(self.cells)
        starts, units = starts * (count / 2 / self.bound) + count / 2, units * (count / 2 / self.bound)
        place = distances.new_zeros(1, 1)
        for axis in (2, 1, 0):  # whole numbers below 2^24 are exact in float32, and faster there than as integers
            along = torch.addcmul(starts[:, axis, None], distances, units[:, axis, None])
            place = along.clamp_(0, count - 1).floor_().add_(place, alpha=count)
        return self.cells.view(-1).index_select(0, place.int().view(-1)).view_as(place)


def occupancy(
    density: Callable[[Tensor], Tensor],
    marching: Marching,
    *,
    cells: int = 48,
    memory: int = 2**14,
    device: torch.device | str = "cpu",
) -> Occupancy:
    """Look a scene's densities up at the centres of cells.

    A cell counts as empty when the densities at its own centre and at those of the 6 cells that share a face with it
    are so low that all cells like it along an axis take a sixteenth of a grey level of the light at most, and nothing
    solid is at the centres of all 26 cells around it. What hides between the centres, less than a cell thick and with
    nothing of it at any centre, is missed: choose cells no larger than the field's details.

    Args:
        density: densities [P] at world points [P, 3].
        marching: with which the scene will be rendered; it needs a bound.
        cells: along each side of the cube around the bounding sphere.
        memory: densities looked up at once; few enough for a CPU's caches.
        device: where to.

    Raises:
        ValueError: `marching` has no bound.
    """
    centres, inside = _centres(_bound(marching), cells, device)
    found = torch.zeros(len(centres), device=device)
    with torch.no_grad():
        for part in inside.split(memory):
            found[part] = density(centres[part]).float()
    bound = _bound(marching)
    grid = found.view(cells, cells, cells)
    beside, around, lowest = _beside(grid), _widest(grid, 1), -_widest(-grid, 1)
    empty = (beside <= _faint(grid, beside, 2 * bound / cells)) & (around <= SURE)
    reach = math.ceil(cells / marching.coarse / 2)  # a ray's way is the sphere's diameter at most
    near = _widest((~empty).float(), reach) > 0
    return Occupancy(torch.where(empty, torch.where(near, NEAR, FAR), lowest), bound)


def _faint(grid: Tensor, highest: Tensor, step: float) -> float:
    """The highest density that can be taken for none: what is so faint adds up to FAINT at most along any axis."""
    limit = 1.0
    for _ in range(20):
        skipped = torch.where(highest <= limit, grid, 0.0)
        if all(float(skipped.sum(axis).max()) * step <= FAINT for axis in range(3)):
            break
        limit /= 2
    return limit


def _beside(grid: Tensor) -> Tensor:
    """The highest entry of each cell and those that share a face with it."""
    found = grid.clone()
    for axis in range(3):
        ahead, behind = grid.narrow(axis, 1, len(grid) - 1), grid.narrow(axis, 0, len(grid) - 1)
        here, there = found.narrow(axis, 0, len(grid) - 1), found.narrow(axis, 1, len(grid) - 1)
        torch.maximum(here, ahead, out=here)
        torch.maximum(there, behind, out=there)
    return found


def _widest(grid: Tensor, reach: int) -> Tensor:
    """The highest entry within `reach` cells, axis by axis."""
    for _ in range(3):
        rows = functional.max_pool1d(grid.flatten(0, 1)[None], 1 + 2 * reach, stride=1, padding=reach)
        grid = rows[0].view_as(grid).permute(1, 2, 0)
    return grid.contiguous()


def with_occupancy(generator: GanGenerator, scene: SceneState, marching: Marching, *, cells: int = 48) -> SceneState:
    """One scene [1, ...] together with its occupancy, for drawing it from many views."""
    device = next(iter(scene.values())).device
    found = occupancy(lambda points: generator.density(scene, points[None])[0], marching, cells=cells, device=device)
    return {**scene, "occupancy": found.cells[None]}


def occupancy_in(scene: SceneState, marching: Marching) -> Occupancy | None:
    """What `with_occupancy` put into a scene; None = nothing."""
    return Occupancy(scene["occupancy"][0], _bound(marching)) if "occupancy" in scene else None


def _bound(marching: Marching) -> float:
    if marching.bound is None:
        raise ValueError("occupancy needs a bounding sphere: Marching(bound=...)")
    return marching.bound


def _centres(bound: float, cells: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Centres of the cube's cells [cells^3, 3], by z, y, x, and which of them lie in or next to the sphere."""
    step = 2 * bound / cells
    middles = (torch.arange(cells, device=device) + 0.5) * step - bound
    centres = torch.stack(torch.meshgrid(middles, middles, middles, indexing="ij")[::-1], -1).reshape(-1, 3)
    return centres, (centres.norm(dim=1) <= bound + step).nonzero()[:, 0]
