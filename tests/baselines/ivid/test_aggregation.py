"""Several sources become one condition, by our rule and by the authors'."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor
from viewsweep.baselines.ivid import aggregation
from viewsweep.baselines.ivid.aggregation import Sources, aggregate, combine, look, masked
from viewsweep.baselines.ivid.depth_code import DepthCode
from viewsweep.baselines.ivid.mesh import Mesh, Views, prepare
from viewsweep.baselines.ivid.visible import Seen, see
from viewsweep.baselines.ivid.warp_settings import PAPER, SMALL, WarpSettings
from viewsweep.scenes import Cameras

CODE = DepthCode(near=0.6, far=5.0, background=1.0)
SIZE = 24
BOTH = [pytest.param(SMALL, id="small"), pytest.param(PAPER, id="paper")]


def seen_by(*sources: tuple[float, float, bool, float], size: int = 6) -> Seen:
    """Sources that show one grey (value, depth, hull, weight) everywhere; depth NaN = nothing."""

    def full(position: int) -> Tensor:
        return torch.tensor([source[position] for source in sources])[:, None, None].repeat(1, size, size)

    return Seen(full(0)[:, None].repeat(1, 3, 1, 1), full(1), full(2).bool(), full(3))


def around(count: int = 5) -> Views:
    """A bumpy wall seen by cameras to both sides."""
    cameras = Cameras.orbit(torch.linspace(-0.5, 0.5, count), [0.1] * count, radius=1.0, fov=math.radians(45))
    generator = torch.Generator().manual_seed(3)
    depth = 1.0 + 0.01 * torch.rand(count, SIZE, SIZE, generator=generator)
    depth[:, 8:16, 6:12] = 0.8
    rgb = 2 * torch.rand(count, 3, SIZE, SIZE, generator=generator) - 1
    return Views(rgb, depth, torch.zeros(depth.shape, dtype=torch.bool), cameras)


TARGET = Cameras.orbit([0.1], [0.0], radius=1.0, fov=math.radians(45))


def test_authors_colour_is_weighted_and_depth_is_not() -> None:
    """Depth is averaged in window space, planes 0.01 and 200, whatever the weights; no source hides another."""
    found = combine(seen_by((1.0, 1.0, False, 0.3), (-1.0, 2.0, False, 0.1)), PAPER)
    torch.testing.assert_close(found.rgb, torch.full_like(found.rgb, 0.5))
    window = [200 / (200 - 0.01) * (1 - 0.01 / depth) for depth in (1.0, 2.0)]
    mean = sum(window) / 2
    expected = 0.01 / (1 - mean * (200 - 0.01) / 200)
    torch.testing.assert_close(found.depth, torch.full_like(found.depth, expected))
    assert bool(found.colour.all())


@pytest.mark.parametrize(
    ("weight", "colour"), [pytest.param(1e-4, True, id="floor"), pytest.param(1e-9, False, id="eroded")]
)
def test_authors_masks(weight: float, colour: bool) -> None:
    found = combine(seen_by((0.5, 1.5, False, weight), (0.0, 1.0, True, 1e-16)), PAPER)
    assert bool((found.colour == colour).all())
    torch.testing.assert_close(found.depth, torch.full_like(found.depth, 1.5))
    torch.testing.assert_close(found.hull, found.depth)


def test_hull_alone_bounds_by_the_farthest() -> None:
    found = combine(seen_by((0.0, 1.0, True, 1e-16), (0.6, 2.0, True, 1e-16), (0.0, math.nan, False, 0.0)), PAPER)
    assert bool(torch.isnan(found.depth).all())
    torch.testing.assert_close(found.hull, torch.full_like(found.hull, 2.0))
    condition = aggregate(seen_by((0.0, 1.0, True, 1e-16), (0.6, 2.0, True, 1e-16)), CODE, PAPER)
    assert not bool(condition.mask.any())
    assert condition.hull is not None
    torch.testing.assert_close(condition.hull, CODE.encode(torch.full_like(condition.hull, 2.0)))


def test_eroded_source_gives_depth_without_colour() -> None:
    condition = aggregate(seen_by((0.5, 1.5, False, 1e-9), size=18), CODE, PAPER)
    assert bool(condition.mask.all())
    assert not bool(condition.rgb_mask.any())
    assert not bool(condition.rgb.any())


@pytest.mark.parametrize("settings", BOTH)
def test_nothing_seen_is_an_empty_condition(settings: WarpSettings) -> None:
    """Zero covered pixels: masks and channels 0, the hull on the near plane, and no NaN anywhere."""
    condition = aggregate(seen_by((0.0, math.nan, False, 0.0), (0.0, math.nan, False, 0.0)), CODE, settings)
    for part in (condition.rgb, condition.depth, condition.rgb_mask, condition.mask):
        assert not bool(part.any())
        assert bool(torch.isfinite(part).all())
    assert (condition.hull is None) == (settings is SMALL)
    if condition.hull is not None:
        assert bool((condition.hull == -1).all())


@pytest.mark.parametrize("settings", BOTH)
@pytest.mark.parametrize("yaw", [math.pi, 2.5])
def test_cameras_behind_the_scene_see_nothing_of_it(settings: WarpSettings, yaw: float) -> None:
    behind = Cameras.orbit([yaw], [0.0], radius=1.0, fov=math.radians(30))
    front = Cameras.orbit([0.0], [0.0], radius=1.0, fov=math.radians(45))
    views = around(1)
    sources = Sources(CODE, settings)
    sources.add(torch.cat([views.rgb, CODE.encode(views.depth)[:, None]], 1), front)
    condition = sources.condition(behind, SIZE)
    assert not bool(condition.mask.any())
    assert all(bool(torch.isfinite(part).all()) for part in (condition.rgb, condition.depth))


@pytest.mark.parametrize("settings", BOTH)
def test_pictures_without_any_depth_are_empty_sources(settings: WarpSettings) -> None:
    views = around(3)
    views.depth[:] = math.nan
    found = look(prepare(views, settings), TARGET, SIZE * settings.supersampling, settings)
    assert bool(torch.isnan(found.depth).all())
    assert not bool(found.rgb.any())
    assert not bool(found.colour.any())


@pytest.mark.parametrize("settings", BOTH)
def test_bands_and_lots_give_the_same(settings: WarpSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = prepare(around(), settings)
    whole = look(mesh, TARGET, SIZE * settings.supersampling, settings)
    monkeypatch.setattr(aggregation, "BAND", 700)
    monkeypatch.setattr("viewsweep.baselines.ivid.visible.FACES", 2500)
    parts = look(mesh, TARGET, SIZE * settings.supersampling, settings)
    for field in fields(whole):
        one, other = getattr(whole, field.name), getattr(parts, field.name)
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("settings", BOTH)
def test_meshes_made_once_give_what_pictures_give(settings: WarpSettings) -> None:
    views = around()
    sources = Sources(CODE, settings)
    code = CODE.encode(views.depth)
    for k in range(5):
        sources.add(torch.cat([views.rgb[k : k + 1], code[k : k + 1, None]], 1), views.cameras[[k]])
    exact = replace(views, depth=CODE.planes(code))
    samples = SIZE * settings.supersampling
    for only in (None, [3], [0, 4]):
        rows = list(range(5)) if only is None else only
        some = Views(exact.rgb[rows], exact.depth[rows], exact.hull[rows], exact.cameras[rows])
        expected = aggregate(see(some, TARGET[[0] * len(rows)], samples, settings), CODE, settings)
        found = sources.condition(TARGET, SIZE, only=only)
        for field in fields(expected):
            one, other = getattr(expected, field.name), getattr(found, field.name)
            assert (one is None) == (other is None)
            if one is not None:
                torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_more_than_27_sources_are_taken() -> None:
    """The authors' renderer stops at 27."""
    found = combine(seen_by(*[(1.0, 1.0, False, 0.1)] * 27, *[(-1.0, 1.0, False, 0.1)] * 27), PAPER)
    torch.testing.assert_close(found.rgb, torch.zeros_like(found.rgb), rtol=0, atol=1e-6)


@pytest.mark.parametrize("settings", BOTH)
def test_order_of_sources_does_not_matter(settings: WarpSettings) -> None:
    mesh = prepare(around(), settings)
    one = look(mesh, TARGET, SIZE * 2, settings)
    other = look(mesh[[3, 1, 4, 0, 2]], TARGET, SIZE * 2, settings)
    torch.testing.assert_close(one.rgb, other.rgb, rtol=0, atol=1e-5)
    torch.testing.assert_close(one.depth, other.depth, rtol=1e-5, atol=0, equal_nan=True)


def test_depth_edges_are_taken_off_ring_and_all() -> None:
    depth = torch.full((1, 36, 36), 1.0)
    depth[..., 18:] = 1.5
    known = torch.ones(1, 36, 36, dtype=torch.bool)
    none = torch.zeros(1, dtype=torch.int64)
    found = masked(torch.zeros(1, 3, 36, 36), depth, known, CODE, PAPER, erode=none)
    column = found.mask[0, 0, 0].tolist()
    assert column == [1] * 5 + [0, 0] + [1] * 5
    kept = masked(torch.zeros(1, 3, 36, 36), depth, known, CODE, replace(PAPER, depth_edges=False), erode=none)
    assert bool(kept.mask.all())


@pytest.mark.parametrize("missing", [2, 3])
def test_pixel_needs_more_than_three_quarters_of_its_samples(missing: int) -> None:
    known = torch.ones(1, 6, 6, dtype=torch.bool)
    known[0, 0, :missing] = False
    depth = torch.full((1, 6, 6), 1.0)
    found = masked(torch.zeros(1, 3, 6, 6), depth, known, CODE, PAPER, erode=torch.zeros(1, dtype=torch.int64))
    assert float(found.mask[0, 0, 0, 0]) == (1.0 if missing == 2 else 0.0)  # 7 or 6 of 9


def test_own_camera_gives_the_picture_back() -> None:
    """A near-identity warp at the authors' settings, inside of the rim that erosion takes."""
    views = around(1)
    views.depth[:] = 1.0
    rgb = torch.linspace(-1, 1, SIZE).expand(1, 3, SIZE, SIZE)
    sources = Sources(CODE, PAPER)
    sources.add(torch.cat([rgb, CODE.encode(views.depth)[:, None]], 1), views.cameras)
    found = sources.condition(views.cameras, SIZE)
    inside = slice(4, SIZE - 4)
    assert bool(found.rgb_mask[..., inside, inside].all())
    torch.testing.assert_close(found.rgb[..., inside, inside], rgb[..., inside, inside], rtol=0, atol=1e-4)
    torch.testing.assert_close(
        found.depth[..., inside, inside],
        CODE.encode(torch.ones_like(found.depth))[..., inside, inside],
        rtol=0,
        atol=1e-4,
    )
    assert isinstance(prepare(views, PAPER), Mesh)
