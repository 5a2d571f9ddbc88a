"""Any camera's view of a scene, put together from views of it with depth.

Image-based rendering after ivid (arXiv 2303.17905): the views' meshes are drawn from the camera at
several samples a pixel, combined sample by sample with the weights of `mesh`, and reduced with a
Lanczos filter. What no view shows is filled:

    rule "none"      (the authors') by the hull: the stretched faces that bound what was not seen
    rule "nearest"   by the backdrop, the views' own background; in scenes without any by colours around
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...scenes.cameras import Cameras
from ...scenes.errors import UserError
from ...scenes.scene import Scene
from .aggregation import look
from .backdrop import Backdrop, fill
from .consensus import agreed
from .mesh import Views, prepare, unproject
from .warp_settings import SMALL, WarpSettings

__all__ = ["Fusion", "fuse_scene", "settings_for"]

SUPERSAMPLING = 5
LANCZOS = 3  # lobes
BEHIND = 2.0  # the backdrop stands this many times as far as the farthest surface


@dataclass(frozen=True)
class Rendered:
    """V views.

    Args:
        rgb: uint8 sRGB, [V, H, W, 3].
        depth: z-depth float32, [V, H, W]; NaN = no surface.
    """

    rgb: Tensor
    depth: Tensor


class Fusion:
    """Views of one scene, meshed once, to be drawn from anywhere.

    Args:
        rgb: colours in [-1, 1], [N, 3, H, W].
        depth: z-depth, [N, H, W]; NaN = background.
        cameras: N cameras.
        settings: of meshes and aggregation.
        supersampling: samples a pixel along each axis; odd, so that one lies at its centre.
        consensus: whether surfaces that other views see through are left out.

    Raises:
        UserError: an even number of samples.
    """

    def __init__(
        self,
        rgb: Tensor,
        depth: Tensor,
        cameras: Cameras,
        settings: WarpSettings = SMALL,
        *,
        supersampling: int = SUPERSAMPLING,
        consensus: bool = True,
    ) -> None:
        if supersampling < 1 or supersampling % 2 == 0:
            raise UserError(f"{supersampling} samples a pixel; it must be an odd number: 1, 3, 5 ...")
        self.cameras, self.settings, self.supersampling = cameras, settings, supersampling
        nothing = torch.zeros(depth.shape, dtype=torch.bool, device=depth.device)
        empty = torch.isnan(depth)
        if consensus:
            kept = agreed(depth, unproject(cameras, depth), cameras)
            depth = torch.where(kept, depth, torch.nan)
        self.surface = prepare(Views(rgb, depth, nothing, cameras), settings)
        far = float(depth.nan_to_num(nan=0.0).max()) * BEHIND or 1.0
        self.backdrop = Backdrop(rgb, empty, cameras, far) if bool(empty.any()) else None

    def render(self, cameras: Cameras, size: int) -> Rendered:
        """Views of `size` x `size` pixels."""
        shown = [self._view(cameras[view], size) for view in range(len(cameras))]
        return Rendered(torch.stack([rgb for rgb, _ in shown]), torch.stack([depth for _, depth in shown]))

    def _view(self, camera: Cameras, size: int) -> tuple[Tensor, Tensor]:
        samples = size * self.supersampling
        front = look(self.surface, camera, samples, self.settings)
        depth = front.hull if self.settings.occlusion == "none" else front.depth
        hit = torch.isfinite(depth)
        reduce = _lanczos(size, self.supersampling, depth.device)
        picture = reduce @ torch.where(hit, front.rgb, 0.0) @ reduce.T
        cover = (reduce @ hit.float() @ reduce.T).clamp(0, 1)
        if self.backdrop is not None:
            picture = picture + (1 - cover) * self.backdrop.view(camera, size)
        elif not bool(hit.all()):
            known = cover > 0.5
            picture = fill((picture / cover.clamp(min=0.5))[None], known[None, None])[0]
        middle = slice(self.supersampling // 2, None, self.supersampling)
        shown = ((picture.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        return shown.permute(1, 2, 0).contiguous(), depth[middle, middle].contiguous()


def fuse_scene(
    scene: Scene, *, supersampling: int = SUPERSAMPLING, consensus: bool = True, device: str = "cpu"
) -> Fusion:
    """A scene of any method, ready to be drawn from anywhere.

    Raises:
        UserError: a scene without depth or cameras.
    """
    if scene.depth is None or scene.cameras is None:
        missing = "depth" if scene.depth is None else "cameras"
        raise UserError(f"The scene has no {missing}; only scenes with depth and cameras can be drawn from elsewhere.")
    rgb = scene.rgb.to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    depth = scene.depth.to(device)
    return Fusion(rgb, depth, scene.cameras, settings_for(depth), supersampling=supersampling, consensus=consensus)


def settings_for(depth: Tensor) -> WarpSettings:
    """`SMALL` for depth maps [N, H, W] of any unit and size: steps per pixel shrink as pixels do."""
    finite = depth[torch.isfinite(depth)]
    unit = float(finite.median()) / 1.6 if len(finite) else 1.0
    return SMALL.scaled(unit, step=64 / depth.shape[1])


def _lanczos(size: int, factor: int, device: torch.device) -> Tensor:
    """The matrix [size, size * factor] that reduces rows of samples to pixels."""
    centre = (torch.arange(size, dtype=torch.float64) + 0.5)[:, None]
    x = (torch.arange(size * factor, dtype=torch.float64) + 0.5) / factor - centre
    weight = torch.where(x.abs() < LANCZOS, torch.sinc(x) * torch.sinc(x / LANCZOS), 0.0)
    return (weight / weight.sum(1, keepdim=True)).float().to(device)
