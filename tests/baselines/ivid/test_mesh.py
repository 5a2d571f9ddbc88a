"""Faces are marked, and weighted, as the method says."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from viewsweep.baselines.ivid.mesh import HULL_WEIGHT, Mesh, Views, join, prepare
from viewsweep.baselines.ivid.visible import see
from viewsweep.baselines.ivid.warp_settings import PAPER, SMALL, WarpSettings
from viewsweep.scenes import Cameras
from viewsweep.scenes.errors import UserError

SIZE = 16
FRONT = Cameras.orbit([0.0], [0.0], radius=1.0, fov=math.radians(45))
OPEN = replace(PAPER, padding="none")


def views(depth: Tensor, cameras: Cameras = FRONT) -> Views:
    depth = depth.float()
    rgb = torch.linspace(-1, 1, depth.shape[1] * depth.shape[2]).reshape(1, 1, *depth.shape[1:])
    return Views(rgb.expand(len(depth), 3, -1, -1), depth, torch.zeros(depth.shape, dtype=torch.bool), cameras)


def flat(value: float = 1.0) -> Tensor:
    return torch.full((1, SIZE, SIZE), value)


def step(column: int = 8) -> Tensor:
    """A wall at 1, from `column` on at 1.5."""
    depth = flat()
    depth[..., column:] = 1.5
    return depth


def faces_at(mesh: Mesh, width: int) -> Tensor:
    """Row and column of the square each face is half of, [F, 2]."""
    return torch.stack([(mesh.corner[0] // width).amin(-1), (mesh.corner[0] % width).amin(-1)], -1)


def tilted(theta: float) -> Mesh:
    """A plane through the origin whose normal is `theta` off the camera's axis."""
    origins, directions = FRONT.rays(SIZE, SIZE)
    normal = torch.tensor([math.sin(theta), 0.0, math.cos(theta)], dtype=torch.float64)
    return prepare(views(-(origins[0] @ normal) / (directions @ normal)), OPEN)


@pytest.mark.parametrize("theta", [0.0, 0.1, 0.25])
def test_weight_falls_with_the_angle(theta: float) -> None:
    """theta is measured to the camera, so it differs from that of the plane by the ray's own angle."""
    mesh = tilted(theta)
    place = mesh.points[0][mesh.corner[0]].mean(1)
    normal = torch.tensor([math.sin(theta), 0.0, math.cos(theta)], dtype=torch.float64)
    angle = torch.arccos(torch.nn.functional.normalize(FRONT.positions - place, dim=-1) @ normal)
    expected = torch.exp(-20 * angle).clamp(min=1e-4).float()
    chosen = ~mesh.hull[0]
    assert bool(chosen.any())
    torch.testing.assert_close(mesh.weight[0][chosen], expected[chosen], rtol=1e-3, atol=1e-7)


def test_weight_is_one_face_on_and_the_floor_at_large_angles() -> None:
    generator = torch.full((1, 65, 65), 1.0)  # the middle square lies on the axis
    facing = prepare(views(generator), OPEN)
    assert float(facing.weight.max()) == pytest.approx(1.0, abs=0.25)
    steep = tilted(1.2)
    chosen = ~steep.hull & (steep.weight > HULL_WEIGHT * 2)
    eroded = steep.weight[chosen] < 1e-6
    assert float(steep.weight[chosen][~eroded].min() if bool((~eroded).any()) else 1e-4) == pytest.approx(1e-4)


def test_discontinuity_eroded_and_the_rest() -> None:
    mesh = prepare(views(step()), OPEN)
    column = faces_at(mesh, SIZE)[:, 1]
    across = column == 7
    assert torch.equal(mesh.hull[0], across)
    assert bool((mesh.weight[0][across] == HULL_WEIGHT).all())
    # vertices 7 and 8 are discontinuous; three rings of vertices about them, and faces with one of those
    near = (column >= 3) & (column <= 11) & ~across
    assert bool((mesh.weight[0][near] < 1e-8 * 1.001).all())
    assert bool((mesh.weight[0][near] > 1e-14).all())  # their depth counts
    clear = (column < 3) | (column > 11)
    assert bool((mesh.weight[0][clear] > 1e-6).all())
    assert not bool((prepare(views(step()), replace(OPEN, erode_source=0)).weight[0][near] < 1e-6).any())


@pytest.mark.parametrize(
    ("near", "far", "expected"),
    [
        pytest.param(1.0, 1.02, False, id="small step"),
        pytest.param(1.0, 1.2, True, id="both large"),
        pytest.param(4.0, 4.2, False, id="large in depth, small in 1 / depth"),
        pytest.param(0.3, 0.32, False, id="large in 1 / depth, small in depth"),
    ],
)
def test_discontinuity_needs_both_steps(near: float, far: float, expected: bool) -> None:
    depth = flat(near)
    depth[..., 8:] = far
    assert bool(prepare(views(depth), OPEN).hull.any()) == expected


def test_padding_closes_the_frustum() -> None:
    mesh, bare = prepare(views(flat()), PAPER), prepare(views(flat()), OPEN)
    side = SIZE + 2
    assert mesh.points.shape[1] == side**2
    grid = mesh.points[0].reshape(side, side, 3)
    torch.testing.assert_close(grid[1:-1, 1:-1].reshape(-1, 3), bare.points[0], rtol=0, atol=1e-12)
    uv, z = FRONT.project(torch.cat([grid[0], grid[-1], grid[:, 0], grid[:, -1]]))
    torch.testing.assert_close(z, torch.full_like(z, 0.1))
    off = torch.minimum(uv, 1 - uv).amin(-1)
    torch.testing.assert_close(off, torch.full_like(off, -0.5 / SIZE))
    row, column = faces_at(mesh, side).unbind(1)
    ring = (row == 0) | (row == side - 2) | (column == 0) | (column == side - 2)
    assert torch.equal(mesh.hull[0], ring)
    assert bool((mesh.weight[0][ring] == HULL_WEIGHT).all())
    assert bool((mesh.weight[0][~ring] > 1e-6).all())  # the ring erodes nothing


def test_padding_hides_what_lies_beside_the_picture() -> None:
    """A camera from the side looks out of the source's frustum, whose side it meets from within."""
    aside = Cameras.orbit([0.5], [0.0], radius=1.0, fov=math.radians(75))
    seen, bare = see(views(flat()), aside, 64, PAPER), see(views(flat()), aside, 64, OPEN)
    closed = seen.hull[0] & torch.isnan(bare.depth[0])
    assert int(closed.sum()) > 100
    assert torch.equal(seen.known, bare.known)  # padding stands behind nothing that was seen
    origins, directions = aside.rays(64, 64)
    deeper = origins[0] + 1.05 * seen.depth[0][closed, None] * directions[0][closed]
    uv, _ = FRONT.project(deeper)
    edge = 0.5 / SIZE  # the centre of the last pixel
    assert bool(((uv[0] < edge) | (uv[0] > 1 - edge)).any(-1).all())  # nothing was seen behind the side


def test_squares_are_split_along_the_shorter_diagonal() -> None:
    depth = flat()
    depth[0, 4, 4] = 1.01  # its square's falling diagonal a - d grows
    mesh = prepare(views(depth), OPEN)
    place = mesh.points[0].reshape(SIZE, SIZE, 3)
    for row in range(SIZE - 1):
        for column in range(SIZE - 1):
            a, d = row * SIZE + column, (row + 1) * SIZE + column + 1
            b, c = a + 1, d - 1
            falling = float((place[row, column] - place[row + 1, column + 1]).norm())
            rising = float((place[row, column + 1] - place[row + 1, column]).norm())
            if abs(falling - rising) < 1e-9:
                continue
            own = [set(face) for face in mesh.corner[0].tolist() if set(face) <= {a, b, c, d}]
            assert len(own) == 2
            assert own[0] & own[1] == ({a, d} if falling < rising else {b, c})


def test_back_faces_contribute_nothing() -> None:
    behind = Cameras.orbit([math.pi], [0.0], radius=1.0, fov=math.radians(45))
    seen = see(views(flat()), behind, 32, OPEN)
    assert bool(torch.isnan(seen.depth).all())
    assert float(seen.weight.abs().max()) == 0


def test_unknown_pixels_have_no_faces_and_all_unknown_is_fine() -> None:
    depth = flat()
    depth[0, 5, 5] = math.nan
    mesh = prepare(views(depth), OPEN)
    assert int((~mesh.drawn).sum()) in (4, 5, 6, 7, 8)
    assert bool((mesh.corner[0][mesh.drawn[0]] != 5 * SIZE + 5).all())
    for settings in (SMALL, PAPER):
        seen = see(views(flat(math.nan)), FRONT, 32, settings)
        assert bool(torch.isnan(seen.depth).all())
        assert float(seen.rgb.abs().max()) == 0
        assert bool(torch.isfinite(seen.weight).all())


def test_meshes_are_cut_and_joined() -> None:
    cameras = Cameras.orbit([0.0, 0.3, 0.6], [0.0, 0.1, 0.2])
    mesh = prepare(views(torch.cat([flat(1.0), flat(1.1), step()]), cameras), PAPER)
    again = join([mesh[0:1], mesh[[1, 2]]])
    assert len(again) == 3
    for name in ("points", "colour", "corner", "drawn", "hull", "weight"):
        assert torch.equal(getattr(mesh, name), getattr(again, name))


@pytest.mark.parametrize(
    "wrong", [{"supersampling": 0}, {"erode": -1}, {"absolute_step": -0.1}, {"nearest": 0.0}, {"padding_depth": -1.0}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError):
        WarpSettings(**wrong)  # type: ignore[arg-type]


def test_settings_scale_with_the_unit_of_length() -> None:
    """Ten times as large a scene gives the same marks."""
    far = Cameras.orbit([0.0], [0.0], radius=10.0, fov=math.radians(45))
    small, large = prepare(views(step()), PAPER), prepare(views(10 * step(), far), PAPER.scaled(10))
    assert torch.equal(small.hull, large.hull)
    torch.testing.assert_close(small.weight, large.weight, rtol=1e-4, atol=1e-20)
