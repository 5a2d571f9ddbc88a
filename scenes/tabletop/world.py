"""Objects of the tabletop world and their pictures.

A seed fixes class, shape, materials, light and background of an object. Light and background are
fixed in the world and surfaces are matte, so the colour of a surface point is the same from every
side: the pictures are exactly multi-view consistent up to sampling. Depth and normals are those of
the ray through the pixel's centre; colour and alpha average more rays where the picture has edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..cameras import Cameras
from ..errors import UnknownName
from ..generator import scene_generator
from ..scene import Scene
from . import tracing
from .classes import CLASSES, OBJECT_CLASSES, TABLE_PALETTES
from .deformation import Deformation
from .materials import MaterialTable, draw_material, linear_from_hex, shade_albedo, stack_materials
from .tracing import Field

__all__ = ["TabletopObject", "finish_materials", "render_batch", "sample"]

PARTS = max(len(entry.parts) for entry in OBJECT_CLASSES) + 1  # and the turntable

BACKDROPS = (
    ("#e9e4f0", "#b9c6e0"),
    ("#fbe9d7", "#f3c5c5"),
    ("#dff1ec", "#9fcfc9"),
    ("#f7f3e8", "#d8cdb4"),
    ("#dfe9f5", "#8fb0d6"),
    ("#fde2e4", "#c9b6dd"),
    ("#eef3dc", "#b4cf9d"),
    ("#e6e6e9", "#a3a8b4"),
    ("#394b63", "#1c2736"),
    ("#5a4a63", "#2b2335"),
)


@dataclass(frozen=True)
class TabletopObject:
    """One object on its turntable.

    Args:
        label: class index into CLASSES.
        seed: what it was drawn from.
        field: its distance field.
        material: one row a part, the turntable's last.
        light: direction towards the lamp, [3].
        lamp: lamp colour, linear RGB, [3].
        backdrop: colours of the background above and below the horizon, linear RGB, [2, 3].
        deformation: how the finished object, light and all, is stretched or bent; None = not at all.
    """

    label: int
    seed: int
    field: Field
    material: MaterialTable
    light: Tensor
    lamp: Tensor
    backdrop: Tensor
    deformation: Deformation | None = None

    @property
    def name(self) -> str:
        """The class name."""
        return CLASSES[self.label]

    def render(self, cameras: Cameras, size: int) -> Scene:
        """Pictures with exact depth, normals and coverage.

        Args:
            cameras: V cameras outside the unit the object lives in (a sphere of radius 0.5).
            size: image height and width, pixels.
        """
        rgb, depth, alpha, normal = render_batch([self] * len(cameras), cameras, size)
        return Scene(rgb, cameras, depth, alpha, normal, label=self.label, seed=self.seed)


def sample(seed: int, label: int | str | None = None) -> TabletopObject:
    """The object of `seed`; its class is drawn too unless `label` (index or name) asks for one.

    Raises:
        UnknownName: there is no such class.
    """
    if isinstance(label, str):
        if label not in CLASSES:
            raise UnknownName("tabletop class", label, CLASSES)
        label = CLASSES.index(label)
    shape = scene_generator(seed, "tabletop.shape")
    drawn = int(torch.randint(len(CLASSES), (), generator=shape))
    label = drawn if label is None else label
    if not 0 <= label < len(CLASSES):
        raise UnknownName("tabletop class", str(label), [str(i) for i in range(len(CLASSES))])
    kind = OBJECT_CLASSES[label]
    parameters = {
        name: low + (high - low) * torch.rand(1, generator=shape) for name, (low, high) in kind.ranges.items()
    }
    look = scene_generator(seed, "tabletop.look")
    rows = [draw_material(palettes, look) for palettes in kind.parts.values()]
    rows += [draw_material(TABLE_PALETTES, look)]
    azimuth = (torch.rand((), generator=look) - 0.5) * 2.4
    elevation = 0.7 + 0.45 * torch.rand((), generator=look)
    light = torch.stack([azimuth.sin() * elevation.cos(), elevation.sin(), azimuth.cos() * elevation.cos()])
    lamp = torch.tensor([1.0, 0.96, 0.9]) + 0.06 * (torch.rand(3, generator=look) - 0.5)
    top, bottom = BACKDROPS[int(torch.randint(len(BACKDROPS), (), generator=look))]
    backdrop = torch.stack([linear_from_hex(top), linear_from_hex(bottom)])
    return TabletopObject(label, seed, Field(kind, parameters), finish_materials(rows), light, lamp, backdrop)


def render_batch(
    objects: Sequence[TabletopObject], cameras: Cameras, size: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One picture an object, all of one class: rgb, depth, alpha, normals as in `Scene`.

    Objects given several times (a sweep) are looked up once. Either all are deformed or none.
    """
    unique = list({id(entry): entry for entry in objects}.values())
    row = {id(entry): index for index, entry in enumerate(unique)}
    owner = torch.tensor([row[id(entry)] for entry in objects])
    batch = _Batch.of(unique, size, cameras)
    origins, directions = cameras.rays(size, size)
    axis = cameras.cam_to_world[:, :3, 2].float()
    owner = owner[:, None].expand(-1, size * size).reshape(-1)
    start = origins.float()[:, None].expand(-1, size * size, -1).reshape(-1, 3)
    colour, hit, normal, point = batch.shoot(owner, start, _unit(directions.float().reshape(-1, 3)))
    # z-depth: the component along the optical axis of what the centre ray hit
    view = torch.arange(len(cameras)).repeat_interleave(size * size)
    depth = ((point - start) * axis[view]).sum(-1).reshape(len(cameras), size, size)
    coverage = hit.float()
    edges = _edges(colour, hit, normal, depth, len(cameras), size)
    where = torch.nonzero(edges.reshape(-1))[:, 0]
    if len(where):
        total, covered = torch.zeros(len(where), 3), torch.zeros(len(where))
        flat = directions.reshape(len(cameras), size, size, 3)
        step_x = (flat[:, :, 1:2] - flat[:, :, 0:1]).float() if size > 1 else torch.zeros_like(flat[:, :, :1]).float()
        step_y = (flat[:, 1:2] - flat[:, 0:1]).float() if size > 1 else torch.zeros_like(flat[:, :1]).float()
        step_x, step_y = step_x[:, 0, 0][view[where]], step_y[:, 0, 0][view[where]]
        centre = directions.float().reshape(-1, 3)[where]
        for dx, dy in ((-0.375, -0.125), (-0.125, 0.375), (0.125, -0.375), (0.375, 0.125)):  # rotated grid
            ray = _unit(centre + dx * step_x + dy * step_y)
            sub_colour, sub_hit, _, _ = batch.shoot(owner[where], start[where], ray)
            total += sub_colour / 4
            covered += sub_hit.float() / 4
        colour[where], coverage[where] = total, covered
    shape = (len(cameras), size, size)
    rgb = (_encode(colour) * 255).round().clamp(0, 255).to(torch.uint8).reshape(*shape, 3)
    alpha = (coverage * 255).round().to(torch.uint8).reshape(shape)
    return rgb, depth, alpha, normal.reshape(*shape, 3)


@dataclass(frozen=True)
class _Batch:
    """B objects of one class, and how to see them along a ray."""

    field: Field
    material: MaterialTable
    light: Tensor
    lamp: Tensor
    backdrop: Tensor
    footprint: float
    deformation: Deformation | None

    @classmethod
    def of(cls, objects: Sequence[TabletopObject], size: int, cameras: Cameras) -> _Batch:
        kind = objects[0].field.kind
        parameters = {name: torch.cat([entry.field.parameters[name] for entry in objects]) for name in kind.ranges}
        tables = [entry.material for entry in objects]
        material = MaterialTable(*(torch.stack(f) for f in zip(*(t.fields() for t in tables), strict=True)))
        distance = float(cameras.positions.norm(dim=1).mean())
        footprint = distance / float(cameras.intrinsics[:, 0, 0].mean()) / size
        deformations = [entry.deformation for entry in objects if entry.deformation is not None]
        if deformations and len(deformations) != len(objects):
            raise ValueError(f"{len(deformations)} of {len(objects)} objects are deformed; it must be all or none.")
        stack = torch.stack
        return cls(
            Field(kind, parameters),
            material,
            stack([entry.light for entry in objects]),
            stack([entry.lamp for entry in objects]),
            stack([entry.backdrop for entry in objects]),
            footprint,
            Deformation.stacked(deformations) if deformations else None,
        )

    def shoot(self, owner: Tensor, start: Tensor, ray: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Linear colour [N, 3], hit [N], normal [N, 3] and point [N, 3] (NaN where nothing is hit)."""
        travelled = tracing.trace(self.field, owner, start, ray, self.deformation)
        hit = torch.isfinite(travelled)
        colour = self._background(owner, ray)
        point = start + travelled[:, None] * ray
        normal = torch.full_like(point, float("nan"))
        found = torch.nonzero(hit)[:, 0]
        if len(found):
            bend = None if self.deformation is None else self.deformation.at(owner[found])
            rest = point[found] if bend is None else bend.rest(point[found])
            upright = tracing.normals(self.field, owner[found], rest)
            colour[found] = self._surface(owner[found], rest, upright)
            normal[found] = upright if bend is None else bend.normals(point[found], upright)
        return colour, hit, normal, point

    def _background(self, owner: Tensor, ray: Tensor) -> Tensor:
        blend = (0.5 - 1.1 * ray[:, 1:2]).clamp(0, 1)
        blend = blend * blend * (3 - 2 * blend)
        top, bottom = self.backdrop[owner].unbind(1)
        return top + (bottom - top) * blend

    def _surface(self, owner: Tensor, point: Tensor, normal: Tensor) -> Tensor:
        part = tracing.part_index(self.field, owner, point)
        last = len(self.field.kind.parts)
        part = torch.where(part == last, PARTS - 1, part)
        albedo = shade_albedo(point, normal, self.material.at(owner * PARTS + part), self.footprint)
        light, lamp = self.light[owner], self.lamp[owner]
        facing = (normal * light).sum(-1).clamp(min=0)
        lit = torch.zeros_like(facing)
        front = torch.nonzero(facing > 0)[:, 0]
        if len(front):
            lit[front] = tracing.soft_shadow(self.field, owner[front], point[front], normal[front], light[front])
        sky = tracing.ambient_occlusion(self.field, owner, point, normal)
        up = normal[:, 1:2]
        ambient = (0.5 + 0.5 * up) * point.new_tensor([0.46, 0.5, 0.58])
        ambient = ambient + (0.5 - 0.5 * up) * point.new_tensor([0.27, 0.24, 0.21])
        return albedo * (0.92 * (facing * lit)[:, None] * lamp + ambient * sky[:, None])


def finish_materials(rows: list[MaterialTable]) -> MaterialTable:
    """The table of an object from one row a part and the turntable's: filled up to as many as any class has."""
    body = stack_materials(rows[:-1], PARTS - 1)
    return stack_materials([body, rows[-1]], 2)


def _edges(colour: Tensor, hit: Tensor, normal: Tensor, depth: Tensor, views: int, size: int) -> Tensor:
    """Pixels whose neighbours differ enough for one ray not to be a fair average, [V, H, W]."""
    shown = _encode(colour).reshape(views, size, size, 3)
    mask = hit.reshape(views, size, size)
    result = torch.zeros(views, size, size, dtype=torch.bool)
    for axis in (1, 2):
        if size == 1:
            continue
        a, b = slice(None, -1), slice(1, None)
        first = (slice(None), a) if axis == 1 else (slice(None), slice(None), a)
        second = (slice(None), b) if axis == 1 else (slice(None), slice(None), b)
        differs = mask[first] != mask[second]
        differs |= (shown[first] - shown[second]).abs().amax(-1) > 0.09
        result[first] |= differs
        result[second] |= differs
    return result


def _unit(vector: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vector, dim=-1)


def _encode(linear: Tensor) -> Tensor:
    """Linear light to sRGB in [0, 1], highlights rolled off instead of clipped."""
    rolled = torch.where(linear > 0.8, 0.8 + 0.2 * (1 - torch.exp(-(linear - 0.8) / 0.2)), linear)
    rolled = rolled.clamp(0, 1)
    return torch.where(rolled <= 0.0031308, 12.92 * rolled, 1.055 * rolled.clamp(min=1e-9) ** (1 / 2.4) - 0.055)
