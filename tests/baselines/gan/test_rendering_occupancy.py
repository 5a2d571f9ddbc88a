"""Skipping what is empty or hidden leaves pictures as they are, and says what it saved."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from viewsweep.baselines.gan.base import Views
from viewsweep.baselines.gan.occupancy import Occupancy, occupancy
from viewsweep.baselines.gan.rendering import Field, Marching, Rendered, rays_of, render
from viewsweep.scenes.sweeps import sweep360

MARCHINGS = {
    "EG3D": Marching(1.1, 2.1, 12, 12, 0.5, "softplus", -1.0, "midpoint", smooth=True),
    "cells": Marching(1.1, 2.1, 12, 8, 0.5, "softplus", -1.0, "cell", smooth=True),
    "nerf": Marching(1.1, 2.1, 12, 8, 0.5, "relu", smooth=True),
    "coarse only": Marching(1.1, 2.1, 24, 0, 0.5, "softplus", -1.0, "cell"),
}


def lumps(sharpness: float = 150.0, stem: float = 0.05) -> Field:
    """Two balls on a stem, soft enough for gradients, hard enough to hide what is behind."""

    def field(points: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
        low = (points - points.new_tensor([0.05, -0.12, 0.0])).norm(dim=-1) - 0.27
        high = (points - points.new_tensor([-0.08, 0.2, 0.05])).norm(dim=-1) - 0.2
        rod = torch.maximum((points[..., 0] - 0.1).abs(), points[..., 2].abs()) - stem
        rod = torch.maximum(rod, points[..., 1].abs() - 0.38)
        distance = torch.minimum(torch.minimum(low, high), rod)
        return -sharpness * distance, 0.5 + 0.5 * torch.sin(12 * points)

    return field


def cells_of(field: Field, marching: Marching, **settings: Any) -> Occupancy:
    def density(points: Tensor) -> Tensor:
        raw, _ = field(points[None, :, None], torch.nn.functional.normalize(points[None], dim=-1))
        return marching.density(raw)[0, :, 0]

    return occupancy(density, marching, **settings)


def drawn(field: Field, marching: Marching, cells: Occupancy | None, size: int = 32, views: int = 6) -> Rendered:
    rays = rays_of(Views.of(sweep360(views, 0.25)), size, size)
    with torch.no_grad():
        return render(field, rays, marching, shared=True, occupancy=cells)


@pytest.mark.parametrize("name", MARCHINGS)
def test_pictures_stay_within_a_grey_level(name: str) -> None:
    field, marching = lumps(), MARCHINGS[name]
    cells = cells_of(field, marching)
    plain, skipped = drawn(field, marching, None), drawn(field, marching, cells)
    assert 0.15 < float(plain.alpha.mean()) < 0.3
    assert float((plain.values - skipped.values).abs().max()) <= 1 / 255
    assert float((plain.alpha - skipped.alpha).abs().max()) <= 1 / 255
    both = ~plain.depth.isnan() & ~skipped.depth.isnan()
    torch.testing.assert_close(skipped.depth[both], plain.depth[both], atol=5e-3, rtol=0)
    assert float((plain.depth.isnan() != skipped.depth.isnan()).float().mean()) < 1e-3
    assert skipped.points < plain.points / 2


def test_points_are_what_the_field_was_asked_for() -> None:
    asked: list[int] = []
    inner = lumps()

    def field(points: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
        assert units.shape == (*points.shape[:2], 3)
        torch.testing.assert_close(units.norm(dim=-1), torch.ones(units.shape[:2]))
        asked.append(points.shape[:3].numel())
        return inner(points, units)

    marching = MARCHINGS["EG3D"]
    cells = cells_of(field, marching)
    assert sum(asked) == cells.points < 48**3
    for given in (None, cells):
        asked.clear()
        assert drawn(field, marching, given).points == sum(asked)


def test_what_is_hidden_is_not_looked_at() -> None:
    """Nothing is asked inside or behind a solid ball, but where rays graze it."""
    marching = MARCHINGS["coarse only"]
    asked: list[Tensor] = []

    def ball(points: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
        asked.append(points.flatten(0, 2))
        return 2000 * (0.35 - points.norm(dim=-1)), torch.ones_like(points)

    cells = cells_of(ball, marching)
    asked.clear()
    drawn(ball, marching, cells, views=1)
    toward = sweep360(1, 0.25).positions[0].float() / 1.6
    looked = torch.cat(asked)
    along = looked @ toward
    middle = along[(looked - along[:, None] * toward).norm(dim=1) < 0.2]
    assert float(middle.max()) > 0.3
    assert float(middle.min()) > 0.1  # the far side is at -0.35


def test_a_thin_rod_between_samples_is_not_lost() -> None:
    """It is thinner than samples are apart, so that only the reach of the grid keeps its rays alive."""
    marching = replace(MARCHINGS["EG3D"], coarse=8)
    field = lumps(stem=0.03)
    cells = cells_of(field, marching)
    plain, skipped = drawn(field, marching, None), drawn(field, marching, cells)
    assert float((plain.values - skipped.values).abs().max()) <= 1 / 255


def test_empty_scenes_and_fog() -> None:
    marching = MARCHINGS["EG3D"]

    def nothing(points: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
        return torch.full_like(points[..., 0], -50.0), torch.ones_like(points)

    cells = cells_of(nothing, marching)
    assert cells.empty == 1
    found = drawn(nothing, marching, cells)
    assert float(found.alpha.max()) < 1e-6
    assert found.values.shape == (6, 32 * 32, 3)
    assert found.points < 1000

    def fog(points: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
        return torch.full_like(points[..., 0], -3.0), torch.ones_like(points)

    cells = cells_of(fog, marching)  # softplus(-4) = 0.018 over a way of 1: visible, so nothing may be skipped
    assert drawn(fog, marching, cells).points == drawn(fog, marching, None).points
    torch.testing.assert_close(drawn(fog, marching, cells).alpha, drawn(fog, marching, None).alpha)


def test_chunks_do_not_matter() -> None:
    field, marching = lumps(), MARCHINGS["EG3D"]
    cells = cells_of(field, marching)
    rays = rays_of(Views.of(sweep360(3, 0.25)), 24, 24)
    with torch.no_grad():
        pieces, whole = (
            render(field, rays, marching, shared=True, occupancy=cells, memory=memory) for memory in (4096, 2**20)
        )
    torch.testing.assert_close(pieces.values, whole.values, atol=1e-6, rtol=0)
    torch.testing.assert_close(pieces.depth, whole.depth, atol=1e-5, rtol=0, equal_nan=True)


def test_what_cannot_be_combined_is_refused() -> None:
    field, marching = lumps(), MARCHINGS["EG3D"]
    cells = cells_of(field, marching, cells=12)
    rays = rays_of(Views.of(sweep360(2, 0.25)), 4, 4)
    with pytest.raises(ValueError, match="gradients"):
        render(field, rays, marching, shared=True, occupancy=cells)
    with torch.no_grad():
        with pytest.raises(ValueError, match="generator"):
            render(field, rays, marching, shared=True, occupancy=cells, generator=torch.Generator())
        with pytest.raises(ValueError, match="shared"):
            render(field, rays, marching, occupancy=cells)
    with pytest.raises(ValueError, match="bound"):
        cells_of(field, replace(marching, bound=None))


def test_a_cell_covers_its_place() -> None:
    """Cells are found along x, y and z as they were filled: only the lump's side of each axis is solid."""
    marching = MARCHINGS["cells"]

    def corner(points: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
        centre = points.new_tensor([0.3, -0.2, 0.1])
        return 300 * (0.05 - (points - centre).norm(dim=-1)), torch.ones_like(points)

    cells = cells_of(corner, marching)
    starts = torch.tensor([[0.3, -0.2, 1.6], [-0.3, 0.2, 1.6], [0.3, 0.1, 1.6]])
    units = torch.tensor([[0.0, 0, -1]]).expand(3, 3)
    found = cells.along(starts, units, torch.full((3, 1), 1.5))
    assert float(found[0]) > 1
    assert float(found[1:].max()) == -2
    assert math.isclose(cells.bound, 0.5)


@pytest.mark.parametrize("name", MARCHINGS)
def test_raw_densities_of_densities(name: str) -> None:
    marching = MARCHINGS[name]
    for density in (1e-3, 0.5, 7.0):
        assert float(marching.density(torch.tensor(marching.raw(density)))) == pytest.approx(density, rel=1e-3)


def test_what_only_importance_samples_meet_is_seen() -> None:
    """A bead between the first samples: they find nothing, so the further ones fall evenly, and some of them in it."""
    marching = Marching(1.1, 2.1, 4, 12, 0.5, "softplus", -1.0, "cell", smooth=True)

    def bead(points: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
        return 2000 * (0.06 - points.norm(dim=-1)), torch.ones_like(points)

    plain, skipped = (drawn(bead, marching, cells) for cells in (None, cells_of(bead, marching)))
    assert float(plain.alpha.max()) > 0.9
    torch.testing.assert_close(skipped.alpha, plain.alpha, atol=1 / 255, rtol=0)
