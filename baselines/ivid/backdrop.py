"""What stands behind a scene, from views of it: a smooth blend of the views' own backgrounds.

Each view's background, its hole behind the scene filled smoothly, stands on a plane across the view's
axis. A camera sees the planes of the views nearest in direction, blended, so that no view's edge shows.
Nobody knows how far a background is; planes at twice the depth of the scene move about as people expect.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...scenes.cameras import Cameras

__all__ = ["Backdrop", "fill"]

FRINGE = 1  # pixels beside a surface, which may hold some of its colour
NEAREST = 4  # views blended
SHARPNESS = 6.0  # of their weights, per radian between viewing directions


class Backdrop:
    """Backgrounds of N views.

    Args:
        rgb: colours in [-1, 1], [N, 3, H, W].
        empty: pixels without a surface, bool, [N, H, W].
        cameras: N cameras.
        distance: z-depth of the planes.
    """

    def __init__(self, rgb: Tensor, empty: Tensor, cameras: Cameras, distance: float) -> None:
        beside = nn.functional.max_pool2d((~empty).float()[:, None], 2 * FRINGE + 1, 1, FRINGE) > 0
        clear = ~beside & empty[:, None]
        some = torch.nonzero(clear.flatten(1).any(1).cpu())[:, 0]
        self.rgb = fill(rgb[some.to(rgb.device)], clear[some.to(rgb.device)])
        self.cameras, self.distance = cameras[some], distance

    def view(self, camera: Cameras, size: int) -> Tensor:
        """What one camera sees behind the scene, [3, size, size]; 0 if no view has a background."""
        device = self.rgb.device
        if not len(self.rgb):
            return torch.zeros(3, size, size, device=device)
        axes, axis = self.cameras.cam_to_world[:, :3, 2], camera.cam_to_world[0, :3, 2]
        angle = torch.arccos((axes @ axis).clamp(-1, 1))
        nearest = torch.sort(angle, stable=True).indices[:NEAREST]
        weight = torch.exp(-SHARPNESS * (angle[nearest] - angle[nearest[0]]))
        # fades out towards the farthest of them, so that none appears at once
        if len(self.rgb) > NEAREST:
            weight = weight * (1 - angle[nearest] / angle[nearest[-1]].clamp(min=1e-9)).clamp(min=1e-6)
        sources = self.cameras[nearest]
        origins, directions = camera.rays(size, size)
        inverse = sources.world_to_cam
        start = inverse[:, :3, :3] @ origins[0] + inverse[:, :3, 3]  # [K, 3]
        along = torch.einsum("kij,hwj->khwi", inverse[:, :3, :3], directions[0])
        towards = along[..., 2].clamp(min=1e-3)  # rays that never meet the plane look far along it
        place = start[:, None, None] + ((self.distance - start[:, 2, None, None]) / towards)[..., None] * along
        image = torch.einsum("kij,khwj->khwi", sources.intrinsics, place)
        grid = (2 * image[..., :2] / self.distance - 1).clamp(-9, 9).float().to(device)
        chosen = self.rgb[nearest.to(device)]
        shown = nn.functional.grid_sample(chosen, grid, mode="bilinear", padding_mode="border", align_corners=False)
        share = (weight / weight.sum()).float().to(device)
        return (shown * share[:, None, None, None]).sum(0)


def fill(rgb: Tensor, known: Tensor) -> Tensor:
    """Colours [N, 3, H, W] where `known` [N, 1, H, W], elsewhere a smooth continuation of these; 0 without any."""
    levels = [(rgb * known, known.float())]
    while float(levels[-1][1].min() if len(rgb) else 1.0) == 0 and max(levels[-1][1].shape[-2:]) > 1:
        colour, share = (nn.functional.avg_pool2d(part, 2, ceil_mode=True) for part in levels[-1])
        levels.append((colour, share))
    colour, share = levels.pop()
    filled = colour / share.clamp(min=1e-12)
    while levels:
        colour, share = levels.pop()
        coarse = nn.functional.interpolate(filled, size=colour.shape[-2:], mode="bilinear", align_corners=False)
        filled = torch.where(share > 0, colour / share.clamp(min=1e-12), coarse)
    return filled
