"""Views a sweep starts from instead of drawing its first one: pictures with depth and their cameras.

ivid warps what it has seen, so a picture without depth cannot be gone on from. Where only pictures
are at hand, estimate their depth first (`estimators`), as training on pictures does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...scenes.cameras import Cameras
from ...scenes.errors import UserError
from ...scenes.scene import Scene

if TYPE_CHECKING:
    from .depth_code import DepthCode

__all__ = ["Given"]

SAME_CAMERA = 1e-6  # in the unit of the camera positions; room for cameras kept in float32


@dataclass(frozen=True)
class Given:
    """G pictures of one scene.

    Args:
        rgb: uint8 sRGB, [G, H, W, 3].
        depth: z-depth in the unit of the camera positions, float32, [G, H, W]; NaN = no surface. What
            lies outside of the planes of the pipeline's depth code is taken to lie on them.
        cameras: where they were taken from; None = one picture, taken from the sweep's first camera.

    Raises:
        InvalidScene: shapes or types that do not fit together.
        UserError: depth is nowhere known, or several pictures have no cameras.
    """

    rgb: Tensor
    depth: Tensor
    cameras: Cameras | None = None
    _scene: Scene = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_scene", Scene(self.rgb, self.cameras, self.depth))
        unknown = ~torch.isfinite(self.depth).flatten(1).any(1)
        if bool(unknown.any()):
            raise UserError(
                f"Given view {int(torch.nonzero(unknown)[0, 0])} has no pixel with depth, so it shows nothing from "
                "another camera. Give z-depth, NaN only where there is no surface."
            )
        if self.cameras is None and len(self.rgb) != 1:
            raise UserError(f"{len(self.rgb)} given views without cameras; only a single one may be without.")

    @classmethod
    def of(cls, scene: Scene) -> Given:
        """The views of a scene, all of them.

        Raises:
            UserError: the scene has no depth.
        """
        if scene.depth is None:
            raise UserError(
                "The given views have no depth, and ivid warps by depth. Estimate it and give it as z-depth in the "
                "unit of the camera positions."
            )
        return cls(scene.rgb, scene.depth, scene.cameras)

    def __len__(self) -> int:
        return len(self.rgb)

    def check_size(self, size: int) -> None:
        """Refuse pictures that are not `size` x `size` pixels."""
        height, width = self._scene.size
        if (height, width) != (size, size):
            raise UserError(
                f"The given views are {width} x {height} pixels and the networks take {size} x {size}. "
                "Resize colour with Lanczos and depth to the nearest pixel."
            )

    def pictures(self, code: DepthCode, scale: float) -> Tensor:
        """RGBD in [-1, 1], [G, 4, H, W]; `scale` brings depth to the unit of the code."""
        rgb = self.rgb.permute(0, 3, 1, 2).float() / 127.5 - 1
        return torch.cat([rgb, code.encode(self.depth * scale)[:, None]], 1)

    def standing_at(self, camera: Cameras) -> int | None:
        """Number of the picture taken from `camera` (one camera), or None."""
        if self.cameras is None:
            return None
        apart = (self.cameras.cam_to_world - camera.cam_to_world).abs().amax((1, 2))
        otherwise = (self.cameras.intrinsics - camera.intrinsics).abs().amax((1, 2))
        same = torch.nonzero((apart <= SAME_CAMERA) & (otherwise <= SAME_CAMERA))
        return int(same[0, 0]) if len(same) else None
