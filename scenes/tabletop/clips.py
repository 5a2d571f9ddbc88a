"""Clips: an object about to move, and every motion that is possible.

The picture does not say where the object will go: it turns on the spot to either side or slides to either side, with
known probabilities. Motions are rigid; light and backdrop go with what they would go with on a turntable: the light
with the object, while the backdrop, a function of height alone, stays. A picture of the moved object is therefore the
picture of the resting one from a camera moved the other way, and the flow between the two follows exactly from depth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..cameras import Cameras
from ..generator import scene_generator
from ..scene import Scene
from .splits import train_cameras
from .world import TabletopObject
from .world import sample as sample_object

__all__ = ["MOTIONS", "Clip", "Mode", "Motion", "moved_cameras", "sample"]

TURN = math.radians(8.0)
SLIDE = 0.06

TOLERANCE = 0.02
"""Relative: where the context's depth is nearer than this to a point's own, the context shows the point. Depth
between pixel centres is taken from the nearest one, so a slanted surface must be allowed its slope."""


@dataclass(frozen=True)
class Motion:
    """A rigid motion of an object on its table.

    Args:
        name: for people.
        weight: its probability.
        turn: about the vertical axis through the origin, radians, positive = anticlockwise seen from above.
        slide: along the camera's right axis, world units.
    """

    name: str
    weight: float
    turn: float = 0.0
    slide: float = 0.0


MOTIONS = (
    Motion("turns left", 0.3, turn=-TURN),
    Motion("turns right", 0.3, turn=TURN),
    Motion("slides left", 0.2, slide=-SLIDE),
    Motion("slides right", 0.2, slide=SLIDE),
)
"""All that can happen."""


@dataclass(frozen=True)
class Mode:
    """One of the motions that were possible.

    Args:
        weight: its probability.
        name: for people.
        scene: what it would have given: rgb and flow of one view.
    """

    weight: float
    name: str
    scene: Scene


@dataclass(frozen=True)
class Clip:
    """An object, the camera that watches it, and what it will do.

    Args:
        thing: the object at rest.
        camera: one camera; it does not move.
        motion: index into MOTIONS.
    """

    thing: TabletopObject
    camera: Cameras
    motion: int

    def context(self, size: int) -> Scene:
        """The picture before anything moves, with its depth: one view of height and width `size`."""
        return self.thing.render(self.camera, size)

    def truth(self, size: int) -> Scene:
        """The view after the motion, with the flow towards the context."""
        return self._after([self.motion], size)[0]

    def modes(self, size: int) -> tuple[Mode, ...]:
        """Every motion that was possible, in the order of MOTIONS."""
        scenes = self._after(range(len(MOTIONS)), size)
        return tuple(Mode(motion.weight, motion.name, scene) for motion, scene in zip(MOTIONS, scenes, strict=True))

    def _after(self, motions: Sequence[int], size: int) -> list[Scene]:
        before = self.context(size)
        given = Scene(before.rgb, self.camera, seed=self.thing.seed)
        moved = moved_cameras(self.camera[[0] * len(motions)], motions)
        after = self.thing.render(moved, size)
        assert before.depth is not None
        assert after.depth is not None
        flow = _backward_flow(after.depth, moved, before.depth, self.camera)
        return [
            Scene(
                after.rgb[i : i + 1],
                self.camera,
                alpha=None if after.alpha is None else after.alpha[i : i + 1],
                label=self.thing.label,
                seed=self.thing.seed,
                context=given,
                flow=flow[i : i + 1],
            )
            for i in range(len(motions))
        ]


def sample(seed: int, label: int | None = None, motion: int | None = None) -> Clip:
    """The clip of `seed`: the object of that seed seen by a camera as in training, and a motion drawn by its weight.

    Args:
        label: the class asked for; None = drawn.
        motion: index of the motion asked for; None = drawn.
    """
    if motion is None:
        drawn = torch.rand((), generator=scene_generator(seed, "tabletop.motion"), dtype=torch.float64)
        edges = torch.tensor([entry.weight for entry in MOTIONS], dtype=torch.float64).cumsum(0)
        motion = min(int((drawn >= edges).sum()), len(MOTIONS) - 1)
    return Clip(sample_object(seed, label), train_cameras([seed]), motion)


def moved_cameras(cameras: Cameras, motions: Sequence[int]) -> Cameras:
    """Cameras from which a resting object looks as its moved self does from `cameras`: one motion each."""
    poses = torch.stack(
        [
            torch.linalg.inv(_rigid(MOTIONS[motion], pose)) @ pose
            for motion, pose in zip(motions, cameras.cam_to_world, strict=True)
        ]
    )
    return Cameras(poses, cameras.intrinsics)


def _rigid(motion: Motion, pose: Tensor) -> Tensor:
    """The motion as a matrix [4, 4]; `pose` [4, 4] is the camera whose right axis a slide follows."""
    matrix = torch.eye(4, dtype=torch.float64)
    cos, sin = math.cos(motion.turn), math.sin(motion.turn)
    matrix[0, 0], matrix[0, 2], matrix[2, 0], matrix[2, 2] = cos, sin, -sin, cos
    matrix[:3, 3] = motion.slide * pose[:3, 0]
    return matrix


def _backward_flow(after: Tensor, moved: Cameras, before: Tensor, camera: Cameras) -> Tensor:
    """Where the context shows what each pixel shows, in pixels from there: float32 [N, H, W, 2]; NaN = nowhere.

    Args:
        after: z-depth from `moved`, [N, H, W].
        before: z-depth from `camera`, [1, H, W].
    """
    count, height, width = after.shape
    size = torch.tensor([width, height], dtype=torch.float64)
    flow = torch.full((count, height, width, 2), math.nan, dtype=torch.float64)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centres = torch.stack([columns, rows], -1).double() + 0.5
    points = moved.unproject(after.double())
    for i in range(count):
        solid = torch.isfinite(after[i])
        places, depth = camera.project(points[i][solid][None])
        places, depth = places[0] * size, depth[0]
        inside = ((places >= 0) & (places < size)).all(-1)
        column, row = places.clamp(min=0).floor().long().clamp(max=max(width, height) - 1).unbind(-1)
        shown = before[0][row.clamp(max=height - 1), column.clamp(max=width - 1)].double()
        found = inside & ((shown - depth).abs() <= TOLERANCE * depth)  # NaN compares false
        flow[i][solid] = torch.where(found[:, None], places - centres[solid], math.nan)
        still = ~solid & ~torch.isfinite(before[0])
        flow[i][still] = 0.0
    return flow.float()
