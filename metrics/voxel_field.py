"""`VoxelField`: a small radiance field without view dependence, fitted to pictures with known cameras.

A field is a density and a colour at the vertices of a cube of voxels, trilinear in between. A ray
marches through the sphere inside the cube in steps of one voxel. With optical depth tau_i and colour
c_i at its samples it sees

    C = sum_i T_i (1 - exp(-tau_i)) c_i + T B,    T_i = exp(-sum_{j<i} tau_j),    T = exp(-sum_j tau_j)

B being the picture's own backdrop at this pixel. `fit_field` minimises

    sum_rays |C - picture|^2 + 0.3 (T - (1 - alpha))^2   and   sum_vertices |value - mean of neighbours|^2

with Adam, from coarse (a quarter of the resolution, of voxels and pictures) to fine. After each level,
vertices with nothing near them are dropped, which is what makes it quick: five seconds on one thread
for 12 pictures of 64 x 64. The gradient is written out instead of left to autograd. Nothing is drawn at
random and every sum has one order, so that on a CPU a fit gives the same bits again.

Voxels are as fine as pixels at the middle of the volume, at most 64 across; larger pictures should be
averaged down first (see `hold_out`). The volume is a ball: its middle is the point closest to all
optical axes, and it fills the larger side of the median view. With all axes parallel that point
is not determined along them, and the one closest to the world's origin is taken.

Sources: Max, "Optical models for direct volume rendering", TVCG 1995 (the sum); Sun et al., "Direct
voxel grid optimization", CVPR 2022, and Fridovich-Keil et al., "Plenoxels", CVPR 2022 (fitting voxels
without a network, coarse to fine, with smoothness).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, embedding_bag, grid_sample, interpolate, max_pool3d, pad, softplus

from ..scenes.cameras import Cameras
from ..scenes.errors import InvalidCameras

__all__ = ["MAXIMUM_SIZE", "Volume", "VoxelField", "fit_field", "seen_volume"]

MAXIMUM_SIZE = 64
"""Voxels along each side at most; pictures larger than this are wasted on a field."""

MINIMUM_SIZE = 8
LEVELS = ((4, 40), (2, 40), (1, 60))  # how much coarser, and how many steps of Adam
RAYS = 12288  # a step; more are dealt into parts that take turns
LEARNING_RATE, DENSITY_FASTER, ANNEALED = 0.1, 5.0, 0.1  # the rate falls to a tenth within a level
MOMENTUM, VARIANCE = 0.9, 0.99
MASK_WEIGHT = 0.3
SMOOTH_DENSITY, SMOOTH_COLOUR = 3e-3, 1e-2
FOG = -2.0  # raw density to begin with: one voxel in eight of a ray is hit
NOTHING = -8.0  # raw density outside
DROPPED = 0.01  # vertices whose voxel and all neighbours are less opaque than this go
MARCHED = 8192  # rays placed at once; bounds memory
NEAREST = 0.9  # the volume ends this far on the way to the closest camera
DETERMINED = 1e-6  # smaller eigenvalues say that the axes do not determine the middle


@dataclass(frozen=True)
class Volume:
    """The ball that the cameras look at.

    Args:
        centre: in the world, [3].
        radius: in the world's unit.
    """

    centre: tuple[float, float, float]
    radius: float


def seen_volume(cameras: Cameras) -> Volume:
    """The ball that all cameras look at; none of them stands in it.

    Raises:
        InvalidCameras: the axes' closest point lies behind a camera.
    """
    axis, position = cameras.cam_to_world[:, :3, 2], cameras.positions
    across = torch.eye(3, dtype=torch.float64) - axis[:, :, None] * axis[:, None, :]
    # the least squares point; of the world's origin where the axes leave a direction open
    system = across.mean(0)
    centre = torch.linalg.pinv(system, atol=DETERMINED, hermitian=True) @ (across @ position[..., None]).mean(0)[:, 0]
    ahead = ((centre - position) * axis).sum(-1)
    if bool((ahead <= 0).any()):
        view = int(torch.nonzero(ahead <= 0)[0, 0])
        raise InvalidCameras(
            f"Camera {view}: the place that all cameras look at lies behind it.",
            hint="A reconstruction needs cameras around one object.",
        )
    matrix = cameras.intrinsics
    slope = torch.stack([torch.maximum(matrix[:, k, 2], 1 - matrix[:, k, 2]) / matrix[:, k, k] for k in (0, 1)])
    reach = ahead * torch.sin(torch.atan(slope.amax(0)))
    distance = (position - centre).norm(dim=1)
    radius = min(float(reach.median()), NEAREST * float(distance.min()))
    x, y, z = centre.tolist()
    return Volume((x, y, z), radius)


@dataclass(frozen=True, eq=False)
class VoxelField:
    """Density and colour on a cube of `size`^3 vertices around a volume.

    Args:
        volume: the ball in which there is anything.
        size: vertices along each side.
        index: number of each vertex among those held, -1 elsewhere, int32, [size^3], x fastest.
        values: raw density and three colours of the vertices held, float32, [N, 4]. The optical depth
            of a voxel is softplus(raw).
    """

    volume: Volume
    size: int
    index: Tensor
    values: Tensor

    def render(self, cameras: Cameras, backdrop: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures of the field in front of `backdrop` [V, H, W, 3].

        Returns:
            rgb: in [0, 1], float32, [V, H, W, 3].
            transparency: share of the backdrop in it, in [0, 1], float32, [V, H, W].
        """
        shape = backdrop.shape[:3]
        device = self.values.device
        origins, directions = _rays(cameras, self.volume, shape[1], shape[2])
        through, colour = torch.ones(math.prod(shape)), backdrop.reshape(-1, 3).float().clone()
        for part in torch.arange(math.prod(shape)).split(RAYS):
            march = _March(self.size, self.index, origins[part].to(device), directions[part].to(device))
            seen = march.look(self.values, colour[part].to(device))
            colour[part], through[part] = seen.colour.cpu(), seen.through.cpu()
        return colour.clamp(0, 1).reshape(*shape, 3), through.reshape(shape)

    def crossed(self, cameras: Cameras, height: int, width: int) -> Tensor:
        """Pixels whose ray passes through the volume, bool, [V, H, W]."""
        origins, directions = _rays(cameras, self.volume, height, width)
        return (_entry(origins, directions)[1] > 0).reshape(len(cameras), height, width)


def fit_field(
    rgb: Tensor, alpha: Tensor, backdrop: Tensor, cameras: Cameras, volume: Volume, device: torch.device | str = "cpu"
) -> VoxelField:
    """The field that explains the pictures best.

    Args:
        rgb: V pictures in [0, 1], [V, H, W, 3].
        alpha: coverage by the object in [0, 1], [V, H, W].
        backdrop: what is behind it, in [0, 1], [V, H, W, 3].
        cameras: V cameras.
        volume: where the field may be.
        device: where it is computed.
    """
    size = max(MINIMUM_SIZE, min(MAXIMUM_SIZE, max(alpha.shape[1:])))
    packed = torch.cat([rgb, alpha[..., None], backdrop], -1).float().permute(0, 3, 1, 2)
    weight = alpha.float()[..., None]
    colour = (rgb.float() * weight).sum((0, 1, 2)) / weight.sum().clamp(min=1e-6)
    field = _fog(volume, max(4, size // LEVELS[0][0]), colour, torch.device(device))
    for coarser, steps in LEVELS:
        height, width = (math.ceil(side / coarser) for side in alpha.shape[1:])
        seen = adaptive_avg_pool2d(packed, (height, width)).permute(0, 2, 3, 1).reshape(-1, 7)
        field = _refined(field, max(4, size // coarser)) if coarser != LEVELS[0][0] else field
        field = _improved(field, cameras, seen, height, width, steps)
    return field


def _fog(volume: Volume, size: int, colour: Tensor, device: torch.device) -> VoxelField:
    values = torch.cat([torch.tensor([FOG]), colour.cpu()]).expand(size**3, 4).contiguous()
    return VoxelField(volume, size, torch.arange(size**3, dtype=torch.int32, device=device), values.to(device))


def _refined(field: VoxelField, size: int) -> VoxelField:
    """The same field on more vertices, without those that have nothing near them."""
    old, held = field.size, torch.nonzero(field.index >= 0)[:, 0]
    dense = field.values.mean(0).repeat(old**3, 1)
    dense[:, 0] = NOTHING
    dense[held] = field.values
    cube = dense.T.reshape(1, 4, old, old, old)
    solid = (1 - torch.exp(-softplus(cube[:, :1])) > DROPPED).float()
    line = torch.linspace(-1, 1, size, device=dense.device)
    place = torch.stack(torch.meshgrid(line, line, line, indexing="ij")[::-1], -1)
    near = interpolate(max_pool3d(solid, 3, 1, 1), (size, size, size), mode="trilinear", align_corners=True)
    kept = torch.nonzero(near.flatten() > 0)[:, 0]
    index = torch.full((size**3,), -1, dtype=torch.int32, device=dense.device)
    index[kept] = torch.arange(len(kept), dtype=torch.int32, device=dense.device)
    where = place.reshape(1, 1, 1, -1, 3)[:, :, :, kept]
    values = grid_sample(cube, where, mode="bilinear", align_corners=True)[0, :, 0, 0].T.contiguous()
    return VoxelField(field.volume, size, index, values)


def _improved(field: VoxelField, cameras: Cameras, seen: Tensor, height: int, width: int, steps: int) -> VoxelField:
    """Adam on the rays of all pictures; `seen` [rays, 7] are colour, alpha and backdrop."""
    if len(field.values) == 0:
        return field
    values, device = field.values.clone(), field.values.device
    origins, directions = _rays(cameras, field.volume, height, width)
    parts = math.ceil(len(seen) / RAYS)
    turn = _turns(len(cameras), height, width, parts)
    marches = []
    for part in range(parts):
        own = torch.nonzero(turn == part)[:, 0]
        march = _March(field.size, field.index, origins[own].to(device), directions[own].to(device))
        marches.append((march, march.scatter(len(values)), seen[own].to(device)))
    around = _neighbours(field).flatten()
    smooth = torch.tensor([SMOOTH_DENSITY, *[SMOOTH_COLOUR] * 3], device=device) / parts
    speed = torch.tensor([DENSITY_FASTER, 1.0, 1.0, 1.0], device=device)
    first, second = torch.zeros_like(values), torch.zeros_like(values)
    for step in range(steps):
        march, scatter, target = marches[step % parts]
        slope = scatter.collect(march.slope(values, target))
        slope += smooth * (values - values.index_select(0, around).view(-1, 6, 4).mean(1))
        first.mul_(MOMENTUM).add_(slope, alpha=1 - MOMENTUM)
        second.mul_(VARIANCE).addcmul_(slope, slope, value=1 - VARIANCE)
        mean, spread = first / (1 - MOMENTUM ** (step + 1)), second / (1 - VARIANCE ** (step + 1))
        rate = LEARNING_RATE * ANNEALED ** (step / steps)
        values -= rate * speed * mean / (spread.sqrt() + 1e-8)
    return VoxelField(field.volume, field.size, field.index, values)


@dataclass(frozen=True, eq=False)
class _Seen:
    """What rays see: sums of each ray, and the optical depth, transmittance and weight of samples."""

    colour: Tensor
    through: Tensor
    sample: Tensor
    depth: Tensor
    reach: Tensor
    weight: Tensor


@dataclass(frozen=True, eq=False)
class _Scatter:
    """The way back from samples to vertices: for each vertex, the samples it touches, in order."""

    sample: Tensor
    weight: Tensor
    start: Tensor

    def collect(self, slope: Tensor) -> Tensor:
        return embedding_bag(self.sample, slope, self.start, mode="sum", per_sample_weights=self.weight)


class _March:
    """Samples of rays, one a voxel's length, where the field holds any vertex.

    Args:
        size, index: of the field.
        origins, directions: rays in units of the volume (a unit ball at 0), float32, [R, 3].

    Attributes:
        ray: ray of each sample, ascending, [S].
        start: first sample of each ray, and S, [R + 1].
        corner, weight: the eight vertices around each sample among those held, [S, 8].
        bags: where each sample's vertices begin among all, [S].
        missing: raw density added for vertices not held, [S].
    """

    def __init__(self, size: int, index: Tensor, origins: Tensor, directions: Tensor) -> None:
        device, spacing = origins.device, 2 / (size - 1)
        begin, length = _entry(origins, directions)
        count = torch.ceil(length / spacing).long()
        held = (index >= 0).reshape(1, 1, size, size, size).float()
        filled = max_pool3d(held, 2, 1).flatten() > 0  # cells with any vertex
        corners = torch.tensor([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], device=device)
        offsets = (corners[:, 2] * size + corners[:, 1]) * size + corners[:, 0]
        along = torch.arange(max(1, int(count.max())) if len(count) else 1, device=device)
        rays, vertices, weights = [], [], []
        for part in torch.arange(len(origins), device=device).split(MARCHED):
            travelled = begin[part, None] + (along + 0.5) * spacing
            place = (origins[part, None] + travelled[..., None] * directions[part, None] + 1) / spacing
            cell = place.floor().clamp(0, size - 2).long()
            flat = (cell[..., 2] * (size - 1) + cell[..., 1]) * (size - 1) + cell[..., 0]
            within = filled.index_select(0, flat.flatten()).view_as(flat)
            chosen = torch.nonzero(((along < count[part, None]) & within).flatten())[:, 0]
            cell = cell.flatten(0, 1).index_select(0, chosen)
            inside = place.flatten(0, 1).index_select(0, chosen) - cell
            rays.append(part.index_select(0, chosen // len(along)))
            corner = ((cell[:, 2] * size + cell[:, 1]) * size + cell[:, 0])[:, None] + offsets
            vertices.append(index.index_select(0, corner.flatten()).view_as(corner))
            weights.append(_trilinear(inside))
        self.ray, vertex, weight = torch.cat(rays), torch.cat(vertices), torch.cat(weights)
        self.weight = weight.where(vertex >= 0, weight.new_zeros(()))
        self.corner = vertex.clamp(min=0)
        self.bags = torch.arange(0, self.corner.numel(), 8, dtype=self.corner.dtype, device=device)
        self.missing = NOTHING * (1 - self.weight.sum(1))
        ends = torch.bincount(self.ray, minlength=len(origins)).cumsum(0)
        self.start = torch.cat([ends.new_zeros(1), ends])

    def scatter(self, vertices: int) -> _Scatter:
        flat = self.corner.flatten()
        order = torch.argsort(flat, stable=True)
        ends = torch.bincount(flat, minlength=vertices).cumsum(0)
        start = torch.cat([ends.new_zeros(1), ends[:-1]])
        return _Scatter((order // 8).int(), self.weight.flatten()[order], start.int())

    def look(self, values: Tensor, backdrop: Tensor) -> _Seen:
        """What the rays see of vertices `values` [N, 4] in front of `backdrop` [R, 3]."""
        if len(self.ray) == 0:
            nothing = backdrop.new_zeros(0)
            return _Seen(backdrop, backdrop.new_ones(len(backdrop)), backdrop.new_zeros(0, 4), *[nothing] * 3)
        corner, share = self.corner.flatten(), self.weight.flatten()
        sample = embedding_bag(corner, values, self.bags, mode="sum", per_sample_weights=share)
        sample[:, 0] += self.missing
        depth = softplus(sample[:, 0])
        before, whole = self._running(depth)
        reach, through = torch.exp(-before), torch.exp(-whole)
        weight = reach * (1 - torch.exp(-depth))
        shares = [self._whole(weight * sample[:, channel]) for channel in (1, 2, 3)]
        return _Seen(torch.stack(shares, 1) + through[:, None] * backdrop, through, sample, depth, reach, weight)

    def slope(self, values: Tensor, target: Tensor) -> Tensor:
        """Derivative of the loss by the samples' raw density and colour, [S, 4]; `target` [R, 7]."""
        picture, alpha, backdrop = target[:, :3], target[:, 3], target[:, 4:]
        seen = self.look(values, backdrop)
        slope = torch.empty_like(seen.sample)
        if len(slope) == 0:
            return slope
        by_colour = 2 * (seen.colour - picture)
        by_through = 2 * MASK_WEIGHT * (seen.through - (1 - alpha))
        own = by_colour.index_select(0, self.ray)
        slope[:, 1:] = own * seen.sample[:, 1:]
        gain = slope[:, 1] + slope[:, 2] + slope[:, 3]
        shown = seen.weight * gain
        before, whole = self._running(shown)
        # a denser sample shows more of itself and less of all that lies behind it
        behind = whole.index_select(0, self.ray) - before - shown
        last = seen.through * ((by_colour * backdrop).sum(1) + by_through)
        by_depth = (seen.reach - seen.weight) * gain - behind - last.index_select(0, self.ray)
        slope[:, 0] = by_depth * torch.sigmoid(seen.sample[:, 0])
        slope[:, 1:] = own * seen.weight[:, None]
        return slope

    def _running(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Sum of x [S] along each ray before every sample, [S], and over the whole ray, [R]."""
        total, first = self._sums(x)
        return (total[:-1] - first.index_select(0, self.ray)).float(), first.diff().float()

    def _whole(self, x: Tensor) -> Tensor:
        """Sum of x [S] over each ray, [R]."""
        return self._sums(x)[1].diff().float()

    def _sums(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Sum of x [S] over all samples before each, float64, [S + 1], and of those where rays start, [R + 1]."""
        total = x.new_zeros(len(x) + 1, dtype=torch.float64)
        torch.cumsum(x, 0, dtype=torch.float64, out=total[1:])
        return total, total.index_select(0, self.start)


def _rays(cameras: Cameras, volume: Volume, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Origins and unit directions of all pixels in units of the volume, float32, [V H W, 3]."""
    origins, directions = cameras.rays(height, width)
    start = (origins - torch.tensor(volume.centre, dtype=torch.float64)) / max(volume.radius, 1e-12)
    unit = torch.nn.functional.normalize(directions, dim=-1)
    return start[:, None, None].expand_as(unit).reshape(-1, 3).float(), unit.reshape(-1, 3).float()


def _entry(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays enter the unit ball, and how far they run in it (0 where they miss), [R]."""
    along = -(origins * directions).sum(-1)
    # the foot of the perpendicular, not |o|^2 - along^2: no cancellation for distant cameras
    offset = origins + along[:, None] * directions
    half = (1 - (offset * offset).sum(-1)).clamp(min=0).sqrt()
    half = half.where(along > 0, half.new_zeros(()))
    return along - half, 2 * half


def _trilinear(inside: Tensor) -> Tensor:
    """Weights [S, 8] of a cell's vertices, x fastest, for places inside it [S, 3]."""
    (x, y, z), (left, low, near) = inside.unbind(1), (1 - inside).unbind(1)
    rows = [across * along for along in (low, y) for across in (left, x)]
    return torch.stack([row * ahead for ahead in (near, z) for row in rows], 1)


def _turns(views: int, height: int, width: int, parts: int) -> Tensor:
    """In whose turn each pixel is, [V H W]: neighbours in different ones."""
    view, row, column = (torch.arange(side) for side in (views, height, width))
    return ((column + 2 * row[:, None] + 3 * view[:, None, None]) % parts).reshape(-1)


def _neighbours(field: VoxelField) -> Tensor:
    """The six neighbours of each vertex held, itself where there is none, [N, 6]."""
    size = field.size
    padded = pad(field.index.reshape(size, size, size), (1,) * 6, value=-1)
    held = torch.nonzero(field.index >= 0)[:, 0]
    around = []
    for z, y, x in ((0, 1, 1), (2, 1, 1), (1, 0, 1), (1, 2, 1), (1, 1, 0), (1, 1, 2)):
        around.append(padded[z : z + size, y : y + size, x : x + size].reshape(-1)[held])
    found = torch.stack(around, 1).long()
    return found.where(found >= 0, torch.arange(len(held), device=found.device)[:, None])
