"""The batched z-buffer draws what a loop over samples and faces draws."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from viewsweep.baselines.ivid.rasterise import Hits, rasterise
from viewsweep.scenes import Cameras


def naive(corners: Tensor, height: int, width: int) -> tuple[list[list[int]], list[list[float]], list[list[float]]]:
    """Nearest face, its depth, and how far (in pixels) the decision is from another one; faces [F, 3, 3]."""
    face, depth, margin = ([[value] * width for _ in range(height)] for value in (-1, math.inf, math.inf))
    for index, ((ax, ay, az), (bx, by, bz), (cx, cy, cz)) in enumerate(corners.tolist()):
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area <= 1e-8:
            continue
        for i in range(height):
            for j in range(width):
                x, y = j + 0.5, i + 0.5
                a = (cx - bx) * (y - by) - (cy - by) * (x - bx)
                b = (ax - cx) * (y - cy) - (ay - cy) * (x - cx)
                c = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
                edges = (
                    a / math.hypot(cx - bx, cy - by),
                    b / math.hypot(ax - cx, ay - cy),
                    c / math.hypot(bx - ax, by - ay),
                )
                margin[i][j] = min(margin[i][j], abs(min(edges)))
                if min(a, b, c) >= 0 and (z := area / (a / az + b / bz + c / cz)) < depth[i][j]:
                    face[i][j], depth[i][j] = index, z
    return face, depth, margin


def triangles(count: int, reach: float, size: float, seed: int) -> Tensor:
    """Random faces [count, 3, 3] of about `size` samples, centres within 0 to `reach`."""
    generator = torch.Generator().manual_seed(seed)
    centre = reach * torch.rand(count, 1, 2, generator=generator)
    corner = centre + size * (torch.rand(count, 3, 2, generator=generator) - 0.5) * 2
    return torch.cat([corner, 0.5 + 2 * torch.rand(count, 3, 1, generator=generator)], -1)


def draw(corners: Tensor, height: int, width: int) -> Hits:
    """All faces [F, 3, 3] or [B, F, 3, 3]."""
    corners = corners if corners.ndim == 4 else corners[None]
    return rasterise(corners.float(), torch.ones(corners.shape[:2], dtype=torch.bool), height, width)


def grid(side: int, span: float, *, jitter: float = 0.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Vertices [(side+1)^2, 2] over 0 to `span` and front faces [F, 3]; the rim is not moved."""
    line = torch.linspace(0, span, side + 1)
    y, x = torch.meshgrid(line, line, indexing="ij")
    vertices = torch.stack([x, y], -1)
    moved = torch.rand(side - 1, side - 1, 2, generator=torch.Generator().manual_seed(seed)) - 0.5
    vertices[1:-1, 1:-1] += jitter * (span / side) * moved
    index = torch.arange((side + 1) ** 2).reshape(side + 1, side + 1)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    faces = torch.stack([torch.stack([a, b, d], -1), torch.stack([a, d, c], -1)]).reshape(-1, 3)
    return vertices.reshape(-1, 2), faces


@pytest.mark.parametrize(
    ("count", "size"),
    [
        pytest.param(300, 0.4, id="below a sample"),
        pytest.param(80, 1.5, id="a few samples"),
        pytest.param(30, 8.0, id="many samples"),
        pytest.param(12, 60.0, id="larger than the picture"),
    ],
)
def test_equals_a_loop_over_samples_and_faces(count: int, size: float) -> None:
    height, width = 14, 19
    corners = torch.stack([triangles(count, 18.0, size, seed) for seed in (1, 2)])
    hits = draw(corners, height, width)
    compared = 0
    for picture in range(2):
        face, depth, margin = naive(corners[picture], height, width)
        for i in range(height):
            for j in range(width):
                if margin[i][j] < 1e-4:  # on an edge rounding decides
                    continue
                compared += 1
                assert int(hits.face[picture, i, j]) == face[i][j]
                if face[i][j] < 0:
                    assert math.isnan(hits.depth[picture, i, j])
                else:
                    assert float(hits.depth[picture, i, j]) == pytest.approx(depth[i][j], rel=1e-4)
    assert compared > 0.97 * 2 * height * width


def test_plane_is_interpolated_in_perspective() -> None:
    """Depth of an oblique plane to 1e-4, and weights that lead back to the sample to 0.05 pixels."""
    cameras = Cameras.orbit([0.9], [0.5])
    flat, faces = grid(6, 1.6)
    place = torch.cat([flat - 0.8, torch.zeros(len(flat), 1)], -1).double()  # in the plane z = 0
    place[:, 1] *= -1  # rows of the grid run down, y up
    uv, z = cameras.project(place)
    vertices = torch.cat([uv[0] * 80, z[0][:, None]], -1)
    hits = draw(vertices[faces], 80, 80)
    seen = hits.face[0] >= 0
    assert int(seen.sum()) > 2000
    origins, directions = cameras.rays(80, 80)
    exact = -origins[0, 2] / directions[0, ..., 2]
    error = (hits.depth[0].double() / exact - 1).abs()[seen]
    assert float(error.max()) < 1e-4
    corner = place[faces][hits.face[0][seen]]
    found, _ = cameras.project((corner * hits.weights[0][seen][..., None]).sum(1))
    centre = torch.nonzero(seen).flip(-1) + 0.5
    assert float((found[0] * 80 - centre).abs().max()) < 0.05
    torch.testing.assert_close(hits.weights[0][seen].sum(-1), torch.ones(int(seen.sum())))


def test_back_faces_and_slivers_are_not_drawn() -> None:
    front = torch.tensor([[[1.0, 1, 1], [9, 1, 1], [1, 9, 1]]])
    assert int((draw(front, 10, 10).face >= 0).sum()) > 20
    for hidden in (front.flip(1), front[:, [0, 1, 1]], front[:, [0, 0, 0]]):
        hits = draw(hidden, 10, 10)
        assert bool((hits.face == -1).all())
        assert bool(torch.isnan(hits.depth).all())
        assert bool((hits.weights == 0).all())


def test_faces_that_are_not_kept_are_not_drawn() -> None:
    corners = triangles(20, 16.0, 8.0, 3)[None]
    keep = torch.arange(20)[None] % 2 == 0
    assert set(rasterise(corners, keep, 16, 16).face.unique().tolist()) <= {-1, *range(0, 20, 2)}
    nothing = rasterise(corners, torch.zeros_like(keep), 16, 16)
    assert bool((nothing.face == -1).all())


def test_nearest_face_wins_whatever_the_order() -> None:
    corners = triangles(25, 16.0, 10.0, 4)
    order = torch.randperm(25, generator=torch.Generator().manual_seed(0))
    hits, mixed = draw(corners, 16, 16), draw(corners[order], 16, 16)
    torch.testing.assert_close(hits.depth, mixed.depth, rtol=0, atol=0, equal_nan=True)
    seen = hits.face >= 0
    assert torch.equal(order[mixed.face[seen]], hits.face[seen])


def test_pictures_of_a_batch_do_not_mix() -> None:
    corners = torch.stack([triangles(15, 12.0, 5.0, seed) for seed in range(4)])
    together = draw(corners, 12, 13)
    for picture in range(4):
        alone = draw(corners[picture], 12, 13)
        assert torch.equal(alone.face[0], together.face[picture])
        torch.testing.assert_close(alone.depth[0], together.depth[picture], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    ("side", "span", "jitter"),
    [
        pytest.param(32, 32.0, 0.0, id="vertices at corners of samples"),
        pytest.param(64, 32.0, 0.0, id="vertices on the centres"),
        pytest.param(31, 32.0, 0.9, id="about a sample a face"),
        pytest.param(5, 32.0, 0.9, id="large faces"),
        pytest.param(150, 32.0, 0.9, id="faces below a sample"),
    ],
)
def test_shared_edges_leave_no_cracks(side: int, span: float, jitter: float) -> None:
    for seed in range(3):
        flat, faces = grid(side, span, jitter=jitter, seed=seed)
        vertices = torch.cat([flat, torch.full((len(flat), 1), 1.5)], -1)
        hits = draw(vertices[faces], 32, 32)
        assert bool((hits.face >= 0).all())
        torch.testing.assert_close(hits.depth, torch.full_like(hits.depth, 1.5))


def test_large_faces_in_any_direction_leave_no_cracks() -> None:
    """Fans about points of a picture that reach far out of it: rounding grows with the size of a face."""
    generator = torch.Generator().manual_seed(6)
    for _ in range(20):
        centre = 128 * torch.rand(2, generator=generator)
        angle = torch.sort(torch.rand(9, generator=generator) * 2 * math.pi / 9 + torch.arange(9) * 2 * math.pi / 9)[0]
        rim = centre + 400 * torch.stack([angle.cos(), angle.sin()], -1)
        faces = torch.stack([centre.expand(9, 2), rim, rim.roll(-1, 0)], 1)
        hits = draw(torch.cat([faces, torch.full((9, 3, 1), 2.0)], -1), 128, 128)
        assert int((hits.face < 0).sum()) == 0
