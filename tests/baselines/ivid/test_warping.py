"""Warps of RGBD pictures show what a moved camera would see, and nothing that was never seen."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from viewsweep.baselines.ivid.depth_code import DepthCode
from viewsweep.baselines.ivid.warping import (
    PAPER,
    SMALL,
    SUPERSAMPLING,
    Seen,
    Views,
    WarpSettings,
    aggregate,
    masked,
    see,
)
from viewsweep.scenes import Cameras, tabletop

CODE = DepthCode()
UNERODED = replace(SMALL, erode=0)
SIZE = 48
CARD, WALL = 0.25, -0.6
"""A card |x|, |y| < 0.2 at z = 0.25 before a wall at z = -0.6."""


def orbit_deg(*yaw: float, pitch: float = 0.0) -> Cameras:
    return Cameras.orbit([math.radians(angle) for angle in yaw], [pitch] * len(yaw))


def hit_plane(cameras: Cameras, size: int, normal: tuple[float, ...], offset: float) -> Tensor:
    """Z-depth of the plane normal . x = offset, float64, [V, H, W]."""
    origins, directions = cameras.rays(size, size)
    axis = torch.tensor(normal, dtype=torch.float64)
    return (offset - origins[:, None, None] @ axis) / (directions @ axis)


def hit_sphere(cameras: Cameras, size: int, radius: float) -> Tensor:
    """Z-depth of a sphere about the origin; NaN beside it."""
    origins, directions = cameras.rays(size, size)
    start = origins[:, None, None]
    a, b = directions.square().sum(-1), (start * directions).sum(-1)
    return (-b - (b * b - a * (start.square().sum(-1) - radius**2)).sqrt()) / a


def hit_card_and_wall(cameras: Cameras, size: int) -> tuple[Tensor, Tensor]:
    """Z-depth, and whether it is the card's."""
    card, wall = (hit_plane(cameras, size, (0.0, 0.0, 1.0), z) for z in (CARD, WALL))
    origins, directions = cameras.rays(size, size)
    place = origins[:, None, None] + card[..., None] * directions
    on_card = (place[..., :2].abs() < 0.2).all(-1)
    return torch.where(on_card, card, wall), on_card


def painted(cameras: Cameras, depth: Tensor) -> Tensor:
    """Colours that are linear in space, [V, 3, H, W], so that interpolation over a face is exact."""
    return (0.6 * cameras.unproject(depth)).movedim(-1, 1).nan_to_num(nan=0.0).float()


def views_of(cameras: Cameras, depth: Tensor) -> Views:
    return Views(painted(cameras, depth), depth.float(), torch.zeros(depth.shape, dtype=torch.bool), cameras)


def rim(size: int, width: int) -> Tensor:
    """True within `width` of the picture's edge, [size, size]."""
    inner = torch.zeros(size, size, dtype=torch.bool)
    inner[width:-width, width:-width] = True
    return ~inner


def test_own_camera_sees_the_picture_itself() -> None:
    """At one sample a pixel the samples are the vertices."""
    cameras = orbit_deg(30, pitch=0.2)
    depth = hit_plane(cameras, SIZE, (0.3, 0.1, 1.0), 0.1)
    views = views_of(cameras, depth)
    seen = see(views, cameras, SIZE)
    inside = ~rim(SIZE, 1)
    assert bool(seen.known[0][inside].all())
    assert float((seen.rgb - views.rgb)[0][:, inside].abs().max()) < 1e-4
    assert float((seen.depth / views.depth - 1)[0][inside].abs().max()) < 1e-5


@pytest.mark.parametrize("name", tabletop.CLASSES[::3])
def test_own_camera_keeps_a_tabletop_picture(name: str) -> None:
    cameras = orbit_deg(40, pitch=0.25)
    scene = tabletop.sample(5, name).render(cameras, SIZE)
    assert scene.depth is not None
    rgb = scene.rgb.permute(0, 3, 1, 2).float() / 127.5 - 1
    code = CODE.encode(scene.depth)
    views = Views(rgb, CODE.planes(code), torch.zeros(scene.depth.shape, dtype=torch.bool), cameras)
    condition = aggregate(see(views, cameras, SIZE * SUPERSAMPLING), CODE, UNERODED)
    mask = condition.mask[0, 0] > 0
    clear = ~rim(SIZE, 1)
    # everything but the rim and pixels beside a step in depth
    step = torch.nn.functional.max_pool2d(code, 3, 1, 1) + torch.nn.functional.max_pool2d(-code, 3, 1, 1) > 0.08
    assert bool(mask[clear & ~step[0]].all())
    assert not bool(mask[~clear].any())
    assert float((condition.depth[0, 0] - code[0])[mask].abs().mean()) < 0.01
    assert float((condition.rgb - rgb)[0][:, mask].abs().mean()) < 0.06  # four samples soften a pixel a little
    assert torch.equal(condition.mask, condition.rgb_mask)


@pytest.mark.parametrize("yaw", [-25.0, 10.0, 40.0])
def test_plane_from_a_moved_camera(yaw: float) -> None:
    source, target = orbit_deg(5, pitch=0.1), orbit_deg(yaw, pitch=0.3)
    normal, offset = (0.2, 0.1, 1.0), 0.05
    seen = see(views_of(source, hit_plane(source, SIZE, normal, offset)), target, 2 * SIZE)
    exact = hit_plane(target, 2 * SIZE, normal, offset)
    known = seen.known
    uv, _ = source.project(target.unproject(exact)[0].reshape(-1, 3))
    expected = ((uv[0] > 0.75 / SIZE) & (uv[0] < 1 - 0.75 / SIZE)).all(-1).reshape(known.shape)
    assert bool((known | ~expected).all())  # all that the source saw, and nothing outside of its picture
    beyond = ((uv[0] < 0.25 / SIZE) | (uv[0] > 1 - 0.25 / SIZE)).any(-1).reshape(known.shape)
    assert not bool((known & beyond).any())
    assert int(known.sum()) > 2000
    assert float((seen.depth / exact - 1)[known].abs().max()) < 1e-4
    assert float((seen.rgb - painted(target, exact)).abs().amax(1)[known].max()) < 2e-3


def test_sphere_from_a_moved_camera() -> None:
    source, target = orbit_deg(0), orbit_deg(30, pitch=0.2)
    depth = hit_sphere(source, SIZE, 0.45)
    seen = see(views_of(source, depth), target, 2 * SIZE)
    exact = hit_sphere(target, 2 * SIZE, 0.45)
    known = seen.known & torch.isfinite(exact)
    assert not bool((seen.known & torch.isnan(exact)).any())
    error = (seen.depth / exact - 1)[known].abs()
    assert float(error.median()) < 5e-4  # chords of a circle
    assert float(error.quantile(0.95)) < 3e-3
    # the half turned away from the source was not seen
    place = target.unproject(exact)
    turned = (
        torch.nn.functional.normalize(place, dim=-1) * torch.nn.functional.normalize(source.positions[0], dim=0)
    ).sum(-1)
    assert not bool((known & (turned < 0.1)).any())
    assert float(known[(turned > 0.55) & torch.isfinite(exact)].double().mean()) > 0.99


@pytest.mark.parametrize("normal", [(0.0, 0.0, 1.0), (0.4, 0.2, 1.0), (-0.3, 0.5, 1.0)], ids=str)
@pytest.mark.parametrize("settings", [SMALL, PAPER], ids=["small", "paper"])
def test_planes_are_warped_to_a_twentieth_of_a_pixel(normal: tuple[float, ...], settings: WarpSettings) -> None:
    """The picture's colours are its own coordinates: what comes out must be where it came from."""
    source, target = orbit_deg(-5, pitch=0.15), orbit_deg(18, pitch=-0.05)
    depth = hit_plane(source, SIZE, normal, 0.05)
    line = 2 * (torch.arange(SIZE) + 0.5) / SIZE - 1
    texture = torch.stack([*torch.meshgrid(line, line, indexing="xy"), torch.zeros(SIZE, SIZE)])[None]
    views = Views(texture, depth.float(), torch.zeros(depth.shape, dtype=torch.bool), source)
    samples = SIZE * settings.supersampling
    seen = see(views, target, samples, replace(settings, absolute_step=1.0))
    exact = hit_plane(target, samples, normal, 0.05)
    uv, _ = source.project(target.unproject(exact)[0].reshape(-1, 3))
    known = seen.known[0]
    assert int(known.sum()) > 0.4 * samples**2
    found = (seen.rgb[0, :2].double().permute(1, 2, 0) + 1) / 2
    assert float(((found - uv[0].reshape(samples, samples, 2)) * SIZE)[known].norm(dim=-1).max()) <= 0.05
    assert float((seen.depth / exact - 1)[0][known].abs().max()) <= 1e-4


def test_spheres_come_closer_as_pixels_shrink() -> None:
    """A mesh of chords: off by a twentieth of a pixel at most, in depth by the square of the pixel."""
    source, target = orbit_deg(0), orbit_deg(20, pitch=0.1)
    worst = {}
    for size in (64, 128, 256):
        depth = hit_sphere(source, size, 0.45)
        line = 2 * (torch.arange(size) + 0.5) / size - 1
        texture = torch.stack([*torch.meshgrid(line, line, indexing="xy"), torch.zeros(size, size)])[None]
        views = Views(texture, depth.float(), torch.zeros(depth.shape, dtype=torch.bool), source)
        seen = see(views, target, size, replace(SMALL, absolute_step=1.0))
        exact = hit_sphere(target, size, 0.45)
        place = target.unproject(exact)
        uv, _ = source.project(place[0].reshape(-1, 3))
        outward = torch.nn.functional.normalize(place, dim=-1)
        square = [
            (torch.nn.functional.normalize(camera.positions[0] - place, dim=-1) * outward).sum(-1) > 0.5
            for camera in (source, target)  # where neither sees it at a flat angle
        ]
        chosen = (seen.known & square[0] & square[1])[0]
        found = (seen.rgb[0, :2].double().permute(1, 2, 0) + 1) / 2
        off = ((found - uv[0].reshape(size, size, 2)) * size)[chosen].norm(dim=-1)
        relative = (seen.depth / exact - 1)[0][chosen].abs()
        worst[size] = float(off.max()), float(relative.max())
    assert worst[64][0] <= 0.05
    assert worst[128][1] <= 1e-4
    assert worst[64][1] > 8 * worst[256][1]


@pytest.mark.parametrize("yaw", [-20.0, 20.0])
def test_hull_hides_what_was_not_seen(yaw: float) -> None:
    """Behind the card's edge the moved camera would see wall that the source never saw."""
    source, target = orbit_deg(0), orbit_deg(yaw)
    depth, _ = hit_card_and_wall(source, SIZE)
    seen = see(views_of(source, depth), target, 2 * SIZE)
    exact, on_card = hit_card_and_wall(target, 2 * SIZE)
    place = target.unproject(exact)
    eye = source.positions[0]
    share = (CARD - eye[2]) / (place[..., 2] - eye[2])  # where the line of sight crosses the card's plane
    crossing = eye + share[..., None] * (place - eye)
    hidden = ~on_card & (crossing[..., :2].abs() < 0.2).all(-1)
    uv, _ = source.project(place[0].reshape(-1, 3))
    framed = ((uv[0] > 0) & (uv[0] < 1)).all(-1).reshape(hidden.shape)
    hidden &= framed
    assert int(hidden.sum()) > 150
    column = torch.nonzero(hidden[0])[:, 1].double().mean()
    assert (float(column) > SIZE) == (yaw > 0)  # from the right one looks behind the right edge
    assert not bool((seen.known & hidden).any())
    agree = ((seen.depth / exact - 1).abs() < 1e-3) & seen.known
    visible = ~hidden & framed
    assert float(agree[visible].double().mean()) > 0.9
    assert int((seen.known & ~agree).sum()) < 0.005 * int(seen.known.sum())


def test_hull_pixels_stay_hull_and_unknown_pixels_draw_nothing() -> None:
    cameras = orbit_deg(0)
    depth = hit_plane(cameras, SIZE, (0.0, 0.0, 1.0), 0.0)
    hull = torch.zeros(depth.shape, dtype=torch.bool)
    hull[:, 10:20, 10:20] = True
    flagged = see(replace(views_of(cameras, depth), hull=hull), cameras, SIZE)
    assert bool(flagged.hull[0, 10:20, 10:20].all())
    assert not bool(flagged.known[0, 10:20, 10:20].any())
    assert bool(torch.isfinite(flagged.depth[0, 10:20, 10:20]).all())
    assert bool(flagged.known[0, 22:-1, 22:-1].all())
    unknown = views_of(cameras, depth)
    unknown.depth[:, 10:20, 10:20] = torch.nan
    holes = see(unknown, cameras, SIZE)
    assert bool(torch.isnan(holes.depth[0, 10:20, 10:20]).all())
    assert not bool(holes.hull.any())


def test_squarely_seen_faces_weigh_one_and_flat_ones_almost_nothing() -> None:
    cameras = orbit_deg(0)
    facing = see(views_of(cameras, hit_plane(cameras, SIZE, (0.0, 0.0, 1.0), 0.0)), cameras, SIZE).weight[0]
    _, directions = cameras.rays(SIZE, SIZE)
    theta = torch.arccos(-torch.nn.functional.normalize(directions[0], dim=-1)[..., 2])
    middle = slice(SIZE // 2 - 8, SIZE // 2 + 8)
    assert float(facing[middle, middle].max()) == pytest.approx(1.0, abs=0.2)  # a face or so off the axis
    inside = ~rim(SIZE, 1)
    step = 2 * math.tan(math.radians(20)) / SIZE  # a face's centre is up to a pixel away from the sample
    ratio = (facing.double().log() + 20 * theta)[inside].abs()
    assert float(ratio.max()) < 20 * 1.5 * step
    steep = see(views_of(cameras, hit_plane(cameras, SIZE, (1.0, 0.0, 0.35), 0.1)), cameras, SIZE).weight[0]
    assert float(steep[inside].min()) == pytest.approx(1e-4)
    assert float(facing[inside].min()) >= 1e-4


def seen_by(*sources: tuple[float, float, float], size: int = 8) -> Seen:
    """Sources that show one grey (value, depth, weight) everywhere."""

    def full(position: int) -> Tensor:
        values = torch.tensor([source[position] for source in sources])
        return values[:, None, None].expand(-1, size, size).clone()

    return Seen(
        full(0)[:, None].repeat(1, 3, 1, 1), full(1), torch.zeros(len(sources), size, size, dtype=torch.bool), full(2)
    )


def test_nearest_surface_wins() -> None:
    for order in ([0, 1], [1, 0]):
        pair = [(0.5, 1.5, 1e-4), (-0.5, 2.0, 1.0)]
        found = aggregate(seen_by(*(pair[i] for i in order)), CODE, UNERODED)
        torch.testing.assert_close(found.rgb, torch.full_like(found.rgb, 0.5))
        torch.testing.assert_close(found.depth, CODE.encode(torch.full_like(found.depth, 1.5)))


def test_sources_of_one_surface_are_averaged() -> None:
    """Colour by weight, depth plainly."""
    found = aggregate(seen_by((1.0, 1.50, 0.3), (-1.0, 1.53, 0.1), (0.0, 1.8, 1.0)), CODE, UNERODED)
    torch.testing.assert_close(found.rgb, torch.full_like(found.rgb, 0.5))
    torch.testing.assert_close(found.depth, CODE.encode(torch.full_like(found.depth, 1.515)))
    assert bool((found.mask == 1).all())


def test_hull_of_one_source_does_not_hide_what_another_saw() -> None:
    both = seen_by((1.0, 1.2, 1.0), (-1.0, 2.0, 1.0))
    both.hull[0] = True
    found = aggregate(both, CODE, UNERODED)
    torch.testing.assert_close(found.rgb, torch.full_like(found.rgb, -1.0))


def test_what_nobody_saw_is_empty() -> None:
    nothing = seen_by((1.0, 1.2, 1.0))
    nothing.hull[:] = True
    found = aggregate(nothing, CODE)
    for part in (found.mask, found.rgb_mask, found.rgb, found.depth):
        assert bool((part == 0).all())


def test_colour_mask_is_eroded_ring_by_ring() -> None:
    rgb, depth = torch.ones(3, 3, 24, 24), torch.full((3, 24, 24), 1.6)
    known = torch.zeros(3, 24, 24, dtype=torch.bool)
    known[:, 4:20, 4:20] = True
    found = masked(rgb, depth, known, CODE, erode=torch.tensor([0, 1, 2]))
    assert found.mask.sum((1, 2, 3)).tolist() == [64, 64, 64]
    assert found.rgb_mask.sum((1, 2, 3)).tolist() == [64, 36, 16]
    assert bool((found.rgb == found.rgb_mask).all())


def test_pixel_is_known_where_all_samples_are_of_one_surface() -> None:
    rgb, depth = torch.zeros(1, 3, 4, 4), torch.full((1, 4, 4), 1.6)
    known = torch.ones(1, 4, 4, dtype=torch.bool)
    known[0, 0, 0] = False  # three samples of four are 75 %, not more
    depth[0, 2, 2] = 4.0  # card and wall
    depth[0, 0, 3] = 1.62  # one surface, a little tilted
    found = masked(rgb, depth, known, CODE, erode=torch.zeros(1, dtype=torch.int64))
    assert found.mask[0, 0].tolist() == [[0, 1], [1, 0]]
