"""Training examples of the three problems."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ...scenes.cameras import Cameras
from ...scenes.sweeps import FOV, RADIUS
from ...scenes.tabletop.clips import MOTIONS
from ...scenes.tabletop.splits import PITCH_MEAN, PITCH_RANGE, PITCH_STD
from ..gan.base import GanGenerator, Views
from .core import Batch, Observation
from .data import Pictures

__all__ = ["HALVES", "Maker", "half_mask", "inversion_batches", "motion_batches", "scene_batches"]

Maker = Callable[[int, torch.Generator], Batch]
"""(examples, random numbers on the CPU) -> a batch on the CPU."""

HALVES = ("left", "right", "top", "bottom")


def motion_batches(clips: Pictures) -> Maker:
    """Pictures and what comes after them, the motions drawn by their weights; half of the examples mirrored.

    Motions to the left and to the right are equally likely, so the mirrored world is the same.
    """
    weights = torch.tensor([motion.weight for motion in MOTIONS])

    def make(count: int, random: torch.Generator) -> Batch:
        index = torch.randint(len(clips), (count,), generator=random)
        motion = torch.multinomial(weights, count, replacement=True, generator=random)
        mirrored = (torch.rand(count, generator=random) < 0.5)[:, None, None, None]
        before, after = (clips.pictures(index, view) for view in (torch.zeros_like(motion), motion + 1))
        before, after = (torch.where(mirrored, picture.flip(3), picture) for picture in (before, after))
        return Batch({"picture": before}, Observation({"share": torch.ones(count)}, after))

    return make


def scene_batches(pictures: Pictures, targets: int = 1) -> Maker:
    """One view as context; of the others the one furthest round the object diffuses; any but that is the novel one.

    That at times is the context itself: what is given is to be kept, and nothing else says so.

    Args:
        targets: how many views diffuse, each the furthest round from those before it and from the context.
    """
    views = pictures.rgb.shape[1]
    if views < targets + 2:
        raise ValueError(f"{views} views of each object; there must be a context, {targets} targets and a novel one")

    def make(count: int, random: torch.Generator) -> Batch:
        index = torch.randint(len(pictures), (count,), generator=random)
        order = torch.rand(count, views, generator=random).argsort(1)
        context, others = order[:, 0], order[:, 1:]
        taken = pictures.poses(index, context)[:, None, :3, 3]
        chosen = []
        for _ in range(targets):
            where = torch.stack([pictures.poses(index, view)[:, :3, 3] for view in others.unbind(1)], 1)
            far = (where @ taken.transpose(1, 2)).amax(2).argmin(1, keepdim=True)
            chosen.append(others.gather(1, far))
            taken = torch.cat([taken, where.gather(1, far[..., None].expand(-1, -1, 3))], 1)
            others = others.scatter(1, far, others[:, :1])[:, 1:]
        # the context first, then the others that are no target
        rest = torch.cat([order[:, :1], others], 1)
        novel = rest.gather(1, torch.randint(views - targets, (count, 1), generator=random))[:, 0]
        lens = pictures.intrinsics.expand(count, 3, 3)

        def seen(view: Tensor) -> Observation:
            return Observation({"pose": pictures.poses(index, view), "lens": lens}, pictures.pictures(index, view))

        def seen_together(every: list[Tensor]) -> Observation:
            if targets == 1:
                return seen(every[0][:, 0])
            parts = [seen(view[:, 0]) for view in every]
            poses = torch.stack([part.parameters["pose"] for part in parts], 1)
            cameras = {"pose": poses, "lens": lens[:, None].expand(-1, targets, 3, 3)}
            return Observation(cameras, torch.cat([part.picture for part in parts], 1))

        shown = seen(context)
        given = {
            "picture": shown.picture[:, None],
            "pose": shown.parameters["pose"][:, None],
            "lens": lens[:, None],
        }
        return Batch(given, seen_together(chosen), seen(novel))

    return make


def half_mask(which: Tensor, size: int) -> Tensor:
    """Masks of halves by index into HALVES, [N]: 1 where given, [N, 1, size, size]."""
    ramp = (torch.arange(size) < size // 2).float()
    across, down = ramp.expand(size, size), ramp[:, None].expand(size, size)
    kinds = torch.stack([across, 1 - across, down, 1 - down])
    return kinds[which][:, None]


def inversion_batches(generator: GanGenerator, conditioning: Tensor | None, size: int) -> Maker:
    """Objects the generator draws of random numbers, half of the picture given; the novel view is from anywhere.

    Args:
        conditioning: the pose label it is conditioned on, [25], if it is.
    """
    device = next(generator.parameters()).device

    @torch.no_grad()
    def make(count: int, random: torch.Generator) -> Batch:
        z = torch.randn(count, generator.latent_size, generator=random).to(device)
        label = torch.randint(max(1, generator.classes), (count,), generator=random).to(device)
        pose = conditioning.to(device).expand(count, -1) if conditioning is not None else None
        latents = generator.map(z, label if generator.classes else None, pose if generator.takes_pose else None)
        scene = generator.scene(latents)
        yaw = torch.rand(2 * count, generator=random, dtype=torch.float64) * 2 * torch.pi
        pitch = PITCH_MEAN + PITCH_STD * torch.randn(2 * count, generator=random, dtype=torch.float64)
        views = Views.of(Cameras.orbit(yaw, pitch.clamp(*PITCH_RANGE), radius=RADIUS, fov=FOV), device)
        seen = [generator.draw(scene, part, size).rgb.float() for part in (views[:count], views[count:])]
        mask = half_mask(torch.randint(len(HALVES), (count,), generator=random), size).to(device)
        first, novel = ({"pose": part.cam_to_world, "lens": part.intrinsics} for part in (views[:count], views[count:]))
        given = {"picture": seen[0] * mask, "mask": mask, **first}
        return Batch(given, Observation(first, seen[0]), Observation(novel, seen[1]))

    return make
