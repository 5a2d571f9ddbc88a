"""Training pairs for G_c from single pictures: warp to a random camera and back.

What survives the round trip is what a moved camera would still know; the rest is what G_c must
learn to fill in. The warps are computed once and stored; blur and erosion are drawn afresh each
time a picture is used. Augmentations as in ivid's public code: noise before the warp, blur that
replaces the warped colours by the blurred original, erosion of the colour mask.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...scenes.cameras import Cameras
from ...scenes.files import atomic_write, make_folder
from ...scenes.generator import scene_generator
from ...scenes.sweeps import FOV, RADIUS
from ...scenes.tabletop.dataset import TabletopViews
from .depth_code import DepthCode
from .recipe import Recipe
from .sampling import Condition
from .warping import SUPERSAMPLING, Views, masked, see

__all__ = ["ConditionViews", "prepare_conditions", "round_trip"]

CHUNK = 32
NOISE = 0.005
BLUR_SHARE = 0.8
MOST_EROSION = 3


@dataclass(frozen=True)
class ConditionViews:
    """Stored round trips and the augmentations drawn when they are used.

    Args:
        rgb: colour, uint8 [N, S, S, 3].
        depth: depth code, float16 [N, S, S].
        mask: bool [N, S, S].
        blur, erosion: augmentations that are on. Each draws its numbers whether it is on or off, so
            that trainings which differ in one see the same pictures otherwise.
    """

    rgb: np.ndarray
    depth: np.ndarray
    mask: np.ndarray
    blur: bool = True
    erosion: bool = True

    def __len__(self) -> int:
        return len(self.rgb)

    def batch(self, index: Tensor, clean: Tensor, generator: torch.Generator) -> Condition:
        """Augmented conditions of pictures `index`, whose clean RGBD is `clean` [n, 4, S, S]."""
        rows = index.numpy()
        rgb = torch.from_numpy(self.rgb[rows]).permute(0, 3, 1, 2).float() / 127.5 - 1
        depth = torch.from_numpy(self.depth[rows].astype(np.float32))[:, None]
        mask = torch.from_numpy(self.mask[rows])[:, None].float()
        count = len(index)
        sigma = torch.rand(count, generator=generator) + 1e-3
        blurred = _blur(clean[:, :3], sigma)
        blur = (torch.rand(count, generator=generator) < BLUR_SHARE)[:, None, None, None]
        rings = torch.randint(MOST_EROSION + 1, (count,), generator=generator)
        rgb_mask = mask.clone()
        for ring in range(1, MOST_EROSION + 1 if self.erosion else 1):
            smaller = -nn.functional.max_pool2d(-rgb_mask, 3, 1, 1)
            rgb_mask = torch.where((rings >= ring)[:, None, None, None], smaller, rgb_mask)
        colour = torch.where(blur, blurred, rgb) if self.blur else rgb
        return Condition(colour * rgb_mask, depth * mask, rgb_mask, mask)


def prepare_conditions(
    folder: Path,
    views: TabletopViews,
    recipe: Recipe,
    code: DepthCode,
    *,
    log: Callable[[str], None] = print,
) -> ConditionViews:
    """Warp the first `recipe.pairs` training views away and back, or go on where an earlier call stopped."""
    make_folder(folder)
    count = min(recipe.pairs, len(views))
    wanted = {
        "schema": "viewsweep.ivid-conditions/2",
        "pairs": count,
        "size": recipe.size,
        "yaw_std": recipe.yaw_std,
        "pitch_std": recipe.pitch_std,
        "prewarp_noise": recipe.prewarp_noise,
        "seed": recipe.seed,
    }
    record = folder / "conditions.json"
    held = json.loads(record.read_text()) if record.exists() else {}
    done = held.pop("done", 0)
    if held != wanted:
        done = 0
    if not done:  # or a call killed before its first mark would leave a record that vouches for other pairs
        record.unlink(missing_ok=True)
    shape = (count, recipe.size, recipe.size)
    mode = "r+" if done else "w+"
    stored = ConditionViews(
        np.lib.format.open_memmap(folder / "rgb.npy", mode=mode, dtype=np.uint8, shape=(*shape, 3)),
        np.lib.format.open_memmap(folder / "depth.npy", mode=mode, dtype=np.float16, shape=shape),
        np.lib.format.open_memmap(folder / "mask.npy", mode=mode, dtype=np.bool_, shape=shape),
        blur=recipe.blur,
        erosion=recipe.erosion,
    )
    for first in range(done, count, CHUNK):
        index = torch.arange(first, min(first + CHUNK, count))
        rgb, depth, _ = views.batch(index)
        condition = round_trip(rgb, depth, index.tolist(), recipe, code)
        stored.rgb[first : first + len(index)] = (
            ((condition.rgb.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
        )
        stored.depth[first : first + len(index)] = condition.depth[:, 0].half().numpy()
        stored.mask[first : first + len(index)] = condition.mask[:, 0].bool().numpy()
        finished = first + len(index)
        if finished % (CHUNK * 32) == 0 or finished == count:
            for array in (stored.rgb, stored.depth, stored.mask):
                array.flush()  # type: ignore[attr-defined]
            atomic_write(record, json.dumps({**wanted, "done": finished}))
            log(f"warped {finished} of {count} training views")
    return stored


def round_trip(rgb: Tensor, depth: Tensor, indices: list[int], recipe: Recipe, code: DepthCode) -> Condition:
    """Pictures (uint8 [n, S, S, 3], z-depth [n, S, S]) warped to a random camera and back.

    The camera a picture was taken from is not known and not needed: it is called the frontal one,
    the random one is placed relative to it.
    """
    count, size = depth.shape[:2]
    picture = torch.cat([rgb.permute(0, 3, 1, 2).float() / 127.5 - 1, code.encode(depth)[:, None]], 1)
    angles = []
    for row, index in enumerate(indices):
        generator = scene_generator(index, f"ivid.pair.{recipe.seed}")
        angles.append(torch.randn(2, generator=generator, dtype=torch.float64))
        noise = torch.randn(picture.shape[1:], generator=generator)
        strength = NOISE * torch.rand((), generator=generator)
        if recipe.prewarp_noise:
            picture[row] += strength * noise
    yaw, pitch = torch.stack(angles).unbind(1)
    here = Cameras.orbit(torch.zeros(count), torch.zeros(count), radius=RADIUS, fov=FOV)
    limit = math.pi / 3
    there = Cameras.orbit(
        (recipe.yaw_std * yaw).clamp(-limit, limit),
        (recipe.pitch_std * pitch).clamp(-limit, limit),
        radius=RADIUS,
        fov=FOV,
    )
    nothing = torch.zeros(depth.shape, dtype=torch.bool)
    away = see(Views(picture[:, :3], code.planes(picture[:, 3]), nothing, here), there, size)
    back = see(Views(away.rgb, away.depth, away.hull, there), here, size * SUPERSAMPLING)
    return masked(back.rgb, back.depth, back.known, code, erode=torch.zeros(count, dtype=torch.int64))


def _blur(pictures: Tensor, sigma: Tensor) -> Tensor:
    """3x3 Gaussian blur, its own sigma (pixels) for each picture."""
    count, channels = pictures.shape[:2]
    distance = torch.tensor([1.0, 0.0, 1.0])
    kernel = torch.exp(-distance / (2 * sigma[:, None] ** 2))
    kernel = kernel / kernel.sum(1, keepdim=True)
    square = (kernel[:, :, None] * kernel[:, None, :]).repeat_interleave(channels, 0)[:, None]
    padded = nn.functional.pad(pictures.reshape(1, -1, *pictures.shape[2:]), (1, 1, 1, 1), mode="replicate")
    return nn.functional.conv2d(padded, square, groups=count * channels).reshape(pictures.shape)
