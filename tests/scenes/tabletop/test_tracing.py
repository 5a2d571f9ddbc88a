"""Depth, normals and coverage are those of the distance field, pixel by pixel."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor
from viewsweep.scenes import Cameras, Scene, tabletop
from viewsweep.scenes.tabletop import TabletopObject, tracing
from viewsweep.scenes.tabletop.classes import OBJECT_CLASSES, TABLE, ObjectClass
from viewsweep.scenes.tabletop.tracing import BOUND, Field

SIZE = 48
CAMERAS = Cameras.orbit([0.0, 1.2, 2.9, 4.4], [0.26, 0.0, 0.5, 0.12])
LABELS = range(len(tabletop.CLASSES))
GRAZING = 2e-4
"""Rays that come this close to a surface at a flat angle count as hits: a hundredth of a pixel."""
LOST = 0.005
"""Share of the surface that may be lost: flat rays along creases that the tracer's steps do not suffice for."""

each_class = pytest.mark.parametrize("label", LABELS, ids=tabletop.CLASSES)


@pytest.fixture(scope="module")
def seen() -> dict[int, tuple[TabletopObject, Scene]]:
    objects = {label: tabletop.sample(11 + label, label) for label in LABELS}
    return {label: (entry, entry.render(CAMERAS, SIZE)) for label, entry in objects.items()}


def distance(entry: TabletopObject, points: Tensor) -> Tensor:
    return entry.field.distance(points.float(), entry.field.parameters)


def unit_rays(cameras: Cameras, size: int) -> tuple[Tensor, Tensor]:
    """Unit directions [V, H, W, 3], and their length when scaled to z-depth 1, [V, H, W]."""
    directions = cameras.rays(size, size)[1]
    length = directions.norm(dim=-1)
    return directions / length[..., None], length


@each_class
def test_depth_lies_on_the_surface(seen: dict[int, tuple[TabletopObject, Scene]], label: int) -> None:
    entry, scene = seen[label]
    away = distance(entry, CAMERAS.unproject(scene.depth)[scene.foreground]).abs()
    assert float(away.max()) <= GRAZING
    assert float((away < 1e-4).double().mean()) >= 0.995


def test_nothing_stands_in_front_of_what_is_hit_and_little_is_lost() -> None:
    size, lost, surface = 24, 0, 0
    unit, length = unit_rays(CAMERAS, size)
    for label in LABELS:
        entry = tabletop.sample(40 + label, label)
        depth = entry.render(CAMERAS, size).depth
        end = (depth * length).nan_to_num(nan=9.0)
        lowest = torch.full_like(end, 9.0)
        start = CAMERAS.positions[:, None, None]
        for travelled in torch.linspace(1.0, 2.2, 241).tolist():
            found = distance(entry, start + travelled * unit)
            lowest = torch.where(travelled < end - 2e-3, torch.minimum(lowest, found.double()), lowest)
        hit = torch.isfinite(depth)
        assert not bool((hit & (lowest < -1e-3)).any()), entry.name
        lost += int((~hit & (lowest < -1e-3)).sum())
        surface += int(hit.sum())
    assert lost <= LOST * surface


def test_depth_is_along_the_axis_not_along_the_ray() -> None:
    """The table top is the plane y = TABLE, whose z-depth has a closed form."""
    cameras = Cameras.orbit([0.0, 2.0], [0.9, 0.7], radius=0.9, fov=math.radians(80))
    entry = tabletop.sample(3, "ring")
    scene = entry.render(cameras, 40)
    origins, directions = cameras.rays(40, 40)
    exact = (TABLE - origins[:, None, None, 1]) / directions[..., 1]
    points = cameras.unproject(scene.depth).float()
    table = (points[..., 1] - TABLE).abs() < 1e-3
    table &= points[..., 0].hypot(points[..., 2]) < 0.37
    assert int(table.sum()) > 300
    torch.testing.assert_close(scene.depth[table].double(), exact[table], rtol=0, atol=1e-3)
    flat = table & (scene.normals[..., 1] > 0.999)
    assert float((scene.depth[flat] - exact[flat]).abs().median()) < 2e-5
    along_the_ray = exact * directions.norm(dim=-1)
    assert float((along_the_ray - exact)[table].max()) > 0.1  # it would have shown


@each_class
def test_normals_are_units_that_face_the_camera(seen: dict[int, tuple[TabletopObject, Scene]], label: int) -> None:
    _, scene = seen[label]
    hit = scene.foreground
    assert torch.equal(torch.isfinite(scene.normals).all(-1), hit)
    normal = scene.normals[hit].double()
    torch.testing.assert_close(normal.norm(dim=-1), torch.ones(len(normal), dtype=torch.float64), rtol=0, atol=1e-5)
    facing = -(normal * unit_rays(CAMERAS, SIZE)[0][hit]).sum(-1)
    assert float((facing > -0.02).double().mean()) >= 0.998  # edges sharper than the step of the difference


@each_class
def test_normals_agree_with_depth(seen: dict[int, tuple[TabletopObject, Scene]], label: int) -> None:
    _, scene = seen[label]
    points, normal, depth = CAMERAS.unproject(scene.depth), scene.normals.double(), scene.depth
    inner = normal[:, 1:-1, 1:-1]
    neighbours = normal[:, 1:-1, 2:], normal[:, 1:-1, :-2], normal[:, 2:, 1:-1], normal[:, :-2, 1:-1]
    smooth = torch.stack([(other * inner).sum(-1) > 0.98 for other in neighbours]).all(0)
    bend = 2 * depth[:, 1:-1, 1:-1]
    smooth &= (depth[:, 1:-1, 2:] + depth[:, 1:-1, :-2] - bend).abs() < 0.003
    smooth &= (depth[:, 2:, 1:-1] + depth[:, :-2, 1:-1] - bend).abs() < 0.003
    right = points[:, 1:-1, 2:] - points[:, 1:-1, :-2]
    down = points[:, 2:, 1:-1] - points[:, :-2, 1:-1]
    # image right x image down points away from the camera
    measured = -torch.nn.functional.normalize(torch.linalg.cross(right, down), dim=-1)
    agreement = (measured * inner).sum(-1)[smooth]
    assert len(agreement) > 300
    assert float((agreement > 0.98).double().mean()) >= 0.98


@each_class
def test_alpha_is_the_coverage(seen: dict[int, tuple[TabletopObject, Scene]], label: int) -> None:
    entry, scene = seen[label]
    hit = scene.foreground[:, None].double()
    inside = torch.nn.functional.max_pool2d(1 - hit, 3, 1, 1)[:, 0] == 0
    outside = torch.nn.functional.max_pool2d(hit, 3, 1, 1)[:, 0] == 0
    alpha = scene.alpha
    assert bool((alpha[outside] == 0).all())
    assert float((alpha[inside] == 255).double().mean()) >= 0.98  # of creases in which a ray in four is lost
    silhouette = ~inside & ~outside
    blended = silhouette & (alpha > 0) & (alpha < 255)
    assert int(blended.sum()) > 0.25 * int(silhouette.sum())  # the band is two pixels wide
    fine = entry.render(CAMERAS[[0]], 4 * SIZE).foreground[0].double()
    truth = fine.reshape(SIZE, 4, SIZE, 4).mean((1, 3))
    error = (alpha[0].double() / 255 - truth)[silhouette[0]]
    assert float(error.abs().mean()) < 0.12
    assert abs(float(error.mean())) < 0.03


@pytest.mark.parametrize("kind", OBJECT_CLASSES, ids=lambda kind: kind.name)
def test_objects_stay_within_their_sphere(kind: ObjectClass) -> None:
    """Whatever the parameters: all corners of their ranges, and points between."""
    low, high = torch.tensor(list(kind.ranges.values()), dtype=torch.float32).T
    generator = torch.Generator().manual_seed(5)
    corners = torch.tensor(list(itertools.product([0.0, 1.0], repeat=len(low))))
    share = torch.cat([corners, torch.rand(200, len(low), generator=generator)])
    drawn = low + (high - low) * share
    field = Field(kind, dict(zip(kind.ranges, drawn.unbind(1), strict=True)))
    points = torch.nn.functional.normalize(torch.randn(400, 3, generator=generator), dim=-1) * BOUND
    rows = torch.arange(len(drawn)).repeat_interleave(len(points))
    assert float(field.distance(points.repeat(len(drawn), 1), field.at(rows)).min()) > 0


@each_class
def test_no_ray_hits_beyond_the_sphere(seen: dict[int, tuple[TabletopObject, Scene]], label: int) -> None:
    _, scene = seen[label]
    assert float(CAMERAS.unproject(scene.depth)[scene.foreground].norm(dim=-1).max()) < BOUND


def test_rays_that_miss_or_look_away_hit_nothing() -> None:
    field = tabletop.sample(1, "mug").field
    origins = torch.tensor([[0.0, 0, 1.6], [0.0, 0, 1.6], [0, 0.6, 1.6], [0.0, 0, 1.6]])
    headings = torch.tensor([[0.0, 0, 1], [0, 1, 0], [0, 0, -1], [0, 0, -1]])
    found = tracing.trace(field, torch.zeros(4, dtype=torch.int64), origins, headings)
    assert torch.isfinite(found).tolist() == [False, False, False, True]


def test_rays_of_several_objects_do_not_mix() -> None:
    objects = [tabletop.sample(seed, "animal") for seed in range(4)]
    kind = objects[0].field.kind
    together = Field(kind, {name: torch.cat([e.field.parameters[name] for e in objects]) for name in kind.ranges})
    origins, directions = CAMERAS.rays(24, 24)
    start = origins.float()[:, None].expand(-1, 24 * 24, -1).reshape(-1, 3)
    ray = torch.nn.functional.normalize(directions.float().reshape(-1, 3), dim=-1)
    rows = torch.arange(4).repeat_interleave(24 * 24)
    mixed = tracing.trace(together, rows, start, ray)
    for row, entry in enumerate(objects):
        own = rows == row
        alone = tracing.trace(entry.field, torch.zeros(int(own.sum()), dtype=torch.int64), start[own], ray[own])
        torch.testing.assert_close(mixed[own], alone, rtol=0, atol=3e-4, equal_nan=True)
