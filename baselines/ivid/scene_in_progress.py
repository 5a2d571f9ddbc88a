"""One scene while it is drawn: its cameras in the networks' unit, what was drawn, and the meshes of it."""

from __future__ import annotations

import torch
from torch import Tensor

from ...scenes.cameras import Cameras
from ...scenes.errors import UserError
from .conditioning import Condition
from .depth_code import DepthCode
from .given import Given
from .warping import Sources, WarpSettings

__all__ = ["SceneInProgress"]

UNCHANGED = 1e-6  # a scale this close to 1 is rounding
SAME_ANGLE = 1e-4  # radians; angles that differ by less are one


class SceneInProgress:
    """A sweep of V views, some of which may be given.

    Args:
        cameras: of the sweep.
        start: views to go on from, or None.
        radius: distance from the origin, in the networks' unit, at which the first camera is put.
        code: the networks' depth code.
        warp: how views are warped.
        size: height and width of the pictures.
        device: where pictures and meshes are kept.

    Raises:
        UserError: the first camera stands in the origin, or given views of another size.
    """

    def __init__(
        self,
        cameras: Cameras,
        start: Given | None,
        *,
        radius: float,
        code: DepthCode,
        warp: WarpSettings,
        size: int,
        device: torch.device,
    ) -> None:
        self.code, self.size = code, size
        given = None if start is None else start.cameras or cameras[:1]
        self.scale = _scale(cameras if given is None else given, radius)
        self.cameras = _scaled(cameras, self.scale)
        self._from = cameras[:1] if given is None else given[:1]
        self.sources = Sources(code, warp)
        self._drawn: dict[int, Tensor] = {}
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}
        if start is not None and given is not None:
            start.check_size(size)
            self.sources.add(start.pictures(code, self.scale).to(device), _scaled(given, self.scale))
            for view in range(len(cameras)):
                number = start.standing_at(cameras[[view]]) if start.cameras else (0 if view == 0 else None)
                if number is not None:
                    self._kept[view] = start.rgb[number], start.depth[number]

    def keeps(self, view: int) -> bool:
        """Whether this view is a given one."""
        return view in self._kept

    def order(self, *, outward: bool) -> list[int]:
        """In which order views are drawn: as they were asked, or by their angle from the first, to both sides in turn.

        From the first given view, where there is one.
        """
        if not outward:
            return list(range(len(self.cameras)))
        first, axes = self._from.cam_to_world[0, :3, 2], self.cameras.cam_to_world[:, :3, 2]
        away = torch.linalg.cross(axes, first.expand_as(axes)).norm(dim=1).atan2(axes @ first)
        nearest = (away / SAME_ANGLE).round().tolist()  # rounding decides no order between two sides
        return sorted(range(len(nearest)), key=nearest.__getitem__)

    def add(self, view: int, picture: Tensor) -> None:
        """Take in a drawn view, RGBD [4, H, W], which later ones are conditioned on."""
        self._drawn[view] = picture
        self.sources.add(picture[None], self.cameras[[view]])

    def condition(self, view: int) -> Condition:
        """What all views so far show from the camera of `view`."""
        return self.sources.condition(self.cameras[[view]], self.size)

    def conditions(self, view: int) -> list[Condition]:
        """What each of the views so far shows from there on its own."""
        camera = self.cameras[[view]]
        return [self.sources.condition(camera, self.size, only=[k]) for k in range(len(self.sources))]

    def result(self) -> tuple[Tensor, Tensor]:
        """rgb uint8 [V, H, W, 3] and z-depth float32 [V, H, W] in the unit of the cameras, on the CPU."""
        rgb, depth = [], []
        for view in range(len(self.cameras)):
            if view in self._kept:
                colour, distance = self._kept[view]
            else:
                picture = self._drawn[view].cpu()
                colour = ((picture[:3] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).movedim(0, -1)
                distance = self.code.decode(picture[3])
                distance = distance if self.scale == 1 else distance / self.scale
            rgb.append(colour)
            depth.append(distance)
        return torch.stack(rgb).contiguous(), torch.stack(depth)


def _scale(cameras: Cameras, radius: float) -> float:
    distance = float(cameras.positions[0].norm())
    if distance < UNCHANGED:
        raise UserError(
            "The first camera stands in the origin, where the scene is. ivid looks at the origin from outside: "
            "move the cameras away from it."
        )
    scale = radius / distance
    return 1.0 if abs(scale - 1) < UNCHANGED else scale


def _scaled(cameras: Cameras, scale: float) -> Cameras:
    if scale == 1:
        return cameras
    pose = cameras.cam_to_world.clone()
    pose[:, :3, 3] *= scale
    return Cameras(pose, cameras.intrinsics)
