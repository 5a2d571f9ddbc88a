from __future__ import annotations

import math
from dataclasses import replace

import torch
from viewsweep.metrics.warping import Surfaces, lift, project, warp
from viewsweep.scenes import Cameras, sweep360

from .analytic import NAN, balls, plane

FIRST, SECOND = torch.tensor([0]), torch.tensor([1])


def test_lift_undoes_project() -> None:
    cameras = sweep360(6, 0.4)
    views = torch.arange(6)
    points = 0.6 * torch.rand(6, 50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.3
    uv, depth = project(cameras, views, points)
    torch.testing.assert_close(lift(cameras, views, uv, depth), points, rtol=0, atol=1e-12)


def test_projection_is_that_of_the_cameras() -> None:
    cameras = sweep360(5, -0.3)
    cameras = Cameras(
        cameras.cam_to_world, cameras.intrinsics + torch.tensor([[0.2, 0.05, 0.03], [0, 0.1, -0.02], [0, 0, 0]])
    )
    points = torch.rand(20, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 0.5
    uv, depth = project(cameras, torch.arange(5), points.expand(5, -1, -1))
    expected_uv, expected_depth = cameras.project(points)
    torch.testing.assert_close(uv, expected_uv)
    torch.testing.assert_close(depth, expected_depth)


def test_warp_of_a_plane_is_exact() -> None:
    scene = plane(Cameras.orbit([0.1, 0.4], [0.0, 0.2]), 32, normal=(0.3, 0.2, 1.0))
    carried = warp(Surfaces(scene), FIRST, SECOND)
    solid = carried.found.solid
    assert int(solid.sum()) > 200
    torch.testing.assert_close(carried.found.depth[solid], carried.depth[solid], rtol=2e-7, atol=0)  # float32 depth


def test_point_lands_where_the_camera_sees_it() -> None:
    scene = plane(Cameras.orbit([0.0, 0.5], [0.0, 0.0]), 65)
    surfaces = Surfaces(scene)
    carried = warp(surfaces, FIRST, SECOND)
    middle = int(torch.nonzero(surfaces.pixel[0] == 32 * 65 + 32)[0, 0])
    torch.testing.assert_close(carried.uv[0, middle], torch.tensor([0.5, 0.5], dtype=torch.float64))
    assert math.isclose(float(carried.depth[0, middle]), 1.6, rel_tol=1e-6)


def test_footprints_across_a_jump_or_a_hole_are_mixed() -> None:
    flat = plane(Cameras.orbit([0.0, 0.0], [0.0, 0.0]), 16, half=9.0)
    assert flat.depth is not None
    depth = flat.depth.clone()
    depth[1, :, 8:] += 0.8  # a step
    depth[1, 3, 3] = NAN  # a hole
    surfaces = Surfaces(replace(flat, depth=depth))
    mixed = ~surfaces.solid[1, :-1, :-1] & ~surfaces.empty[1, :-1, :-1]
    expected = torch.zeros(15, 15, dtype=torch.bool)
    expected[:, 7] = True
    expected[2:4, 2:4] = True
    assert torch.equal(mixed, expected)


def test_interior_keeps_clear_of_edges() -> None:
    scene = plane(Cameras.orbit([0.0], [0.0]), 40, half=0.3)
    surfaces = Surfaces(scene)
    width = math.isqrt(int(surfaces.listed.sum()))
    for radius in (1, 2, 3):
        assert int(surfaces.interior(radius).sum()) == (width - 2 * radius) ** 2


def test_background_is_empty_and_never_solid() -> None:
    scene = balls(size=24)
    surfaces = Surfaces(scene)
    found = surfaces.lookup(torch.arange(24), torch.full((24, 1, 2), 0.05, dtype=torch.float64))
    assert bool(found.empty.all())
    assert not bool(found.solid.any())
    assert bool(torch.isnan(found.depth).all())


def test_points_behind_the_camera_or_out_of_frame_are_not_inside() -> None:
    scene = plane(Cameras.orbit([0.0, math.pi], [0.0, 0.0], target=(0.0, 0.0, 3.0)), 16, half=9.0)
    carried = warp(Surfaces(scene), torch.tensor([1, 0]), torch.tensor([0, 1]))
    behind = carried.depth <= 0
    assert bool(behind.any())
    assert not bool(carried.found.inside[behind].any())


def test_images_one_pixel_wide_have_nothing_solid() -> None:
    for rows, columns in ((1, 1), (1, 6), (6, 1)):
        scene = plane(Cameras.orbit([0.0, 0.1], [0.0, 0.0]), 6, half=9.0)
        assert scene.depth is not None
        thin = replace(scene, rgb=scene.rgb[:, :rows, :columns], depth=scene.depth[:, :rows, :columns])
        carried = warp(Surfaces(thin), FIRST, SECOND)
        assert not bool(carried.found.solid.any())
