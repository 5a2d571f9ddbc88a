"""Training pairs for G_c from single pictures: warp to a random camera and back.

What survives the round trip is what a moved camera would still know; the rest is what G_c must
learn to fill in. A small set of pictures is warped once and stored; for a large one each use of a
picture draws another camera. Noise before the warp is part of the round trip; the other
augmentations are drawn afresh each time a picture is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ...scenes.cameras import Cameras, look_at
from ...scenes.files import make_folder
from ...scenes.generator import scene_generator
from ...scenes.resumable import mark_done, pieces_done
from .augmentation import Augmentation
from .depth_code import DepthCode
from .image_data import Pictures
from .recipe import Recipe
from .sampling import Condition
from .warp_settings import SETTINGS
from .warping import Views, masked, see

__all__ = ["Conditions", "FreshConditions", "StoredConditions", "prepare_conditions", "round_trip"]

CHUNK = 32
NOISE = 0.005
REMESH_STEP = 0.02
"""Depth step, absolute and of 1 / depth, at which the authors cut the mesh on the way back."""

LIMIT = math.pi / 3

DECIDING = (
    *("size", "near", "far", "background", "radius", "fov", "warp"),
    *("yaw_std", "pitch_std", "radius_std", "target_std", "prewarp_noise", "seed"),
)
"""Fields of a recipe that round trips depend on."""


class Conditions(Protocol):
    """Conditions of training pictures."""

    def __len__(self) -> int: ...

    def batch(self, index: Tensor, clean: Tensor, generator: torch.Generator) -> Condition:
        """Augmented conditions of pictures `index` [n], whose clean RGBD is `clean` [n, 4, S, S]."""
        ...


@dataclass(frozen=True)
class StoredConditions:
    """Round trips made once, augmented whenever they are used.

    Args:
        rgb: colour, uint8 [N, S, S, 3].
        depth: depth code, float16 [N, S, S].
        mask: bool [N, S, S].
        augmentation: drawn at each use.
    """

    rgb: np.ndarray
    depth: np.ndarray
    mask: np.ndarray
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __len__(self) -> int:
        return len(self.rgb)

    def batch(self, index: Tensor, clean: Tensor, generator: torch.Generator) -> Condition:
        """See `Conditions`."""
        rows = index.numpy()
        rgb = torch.from_numpy(self.rgb[rows]).permute(0, 3, 1, 2).float() / 127.5 - 1
        depth = torch.from_numpy(self.depth[rows].astype(np.float32))[:, None]
        mask = torch.from_numpy(self.mask[rows])[:, None].float()
        return self.augmentation(rgb, depth, mask, clean, generator)


@dataclass(frozen=True)
class FreshConditions:
    """Round trips made anew at each use, to another camera each time.

    Args:
        count: number of pictures.
        recipe: how they are warped and augmented.
        code: the depth code.
        device: where they are warped.
    """

    count: int
    recipe: Recipe
    code: DepthCode
    device: str | torch.device = "cpu"

    def __len__(self) -> int:
        return self.count

    def batch(self, index: Tensor, clean: Tensor, generator: torch.Generator) -> Condition:
        """See `Conditions`; on this object's device."""
        clean = clean.to(self.device)
        parts = [round_trip(part, [generator] * len(part), self.recipe, self.code) for part in clean.split(CHUNK)]
        rgb, depth, mask = (torch.cat([getattr(part, name) for part in parts]) for name in ("rgb", "depth", "mask"))
        return Augmentation.of(self.recipe)(rgb, depth, mask, clean, generator)


def prepare_conditions(
    folder: Path,
    pictures: Pictures,
    recipe: Recipe,
    code: DepthCode,
    *,
    log: Callable[[str], None] = print,
) -> StoredConditions:
    """Warp the first `recipe.pairs` pictures away and back, or go on where an earlier call stopped."""
    make_folder(folder)
    count = min(recipe.pairs, len(pictures))
    wanted = {
        "schema": "viewsweep.ivid-conditions/3",
        "pictures": pictures.identity,
        "pairs": count,
        **{name: getattr(recipe, name) for name in DECIDING},
    }
    record = folder / "conditions.json"
    done = pieces_done(record, wanted, replace=True)
    shape = (count, recipe.size, recipe.size)
    mode = "r+" if done else "w+"
    stored = StoredConditions(
        np.lib.format.open_memmap(folder / "rgb.npy", mode=mode, dtype=np.uint8, shape=(*shape, 3)),
        np.lib.format.open_memmap(folder / "depth.npy", mode=mode, dtype=np.float16, shape=shape),
        np.lib.format.open_memmap(folder / "mask.npy", mode=mode, dtype=np.bool_, shape=shape),
        Augmentation.of(recipe),
    )
    for first in range(done, count, CHUNK):
        index = torch.arange(first, min(first + CHUNK, count))
        clean, _ = pictures.batch(index)
        generators = [scene_generator(row, f"ivid.pair.{recipe.seed}") for row in index.tolist()]
        condition = round_trip(clean, generators, recipe, code)
        stored.rgb[first : first + len(index)] = (
            ((condition.rgb.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
        )
        stored.depth[first : first + len(index)] = condition.depth[:, 0].half().numpy()
        stored.mask[first : first + len(index)] = condition.mask[:, 0].bool().numpy()
        finished = first + len(index)
        if finished % (CHUNK * 32) == 0 or finished == count:
            for array in (stored.rgb, stored.depth, stored.mask):
                array.flush()  # type: ignore[attr-defined]
            mark_done(record, wanted, finished)
            log(f"warped {finished} of {count} training views")
    return stored


def round_trip(clean: Tensor, generators: Sequence[torch.Generator], recipe: Recipe, code: DepthCode) -> Condition:
    """Pictures (RGBD in [-1, 1], [n, 4, S, S]) warped to a random camera and back.

    The camera a picture was taken from is not known and not needed: it is called the frontal one,
    the random one is placed relative to it.

    Args:
        generators: one a picture, on the CPU; the same one may serve several.
    """
    count, size = clean.shape[0], clean.shape[-1]
    settings = SETTINGS[recipe.warp]
    picture, places = clean.clone(), []
    for row, generator in enumerate(generators):
        angles = torch.randn(2, generator=generator, dtype=torch.float64)
        noise = torch.randn(picture.shape[1:], generator=generator)
        strength = NOISE * torch.rand((), generator=generator)
        if recipe.prewarp_noise:
            picture[row] += (strength * noise).to(picture.device)
        places.append(torch.cat([angles, torch.randn(4, generator=generator, dtype=torch.float64)]))
    here = Cameras.orbit(torch.zeros(count), torch.zeros(count), radius=recipe.radius, fov=recipe.fov)
    there = _placed(torch.stack(places), recipe)
    depth = code.planes(picture[:, 3])
    nothing = torch.zeros(depth.shape, dtype=torch.bool, device=depth.device)
    start = Views(picture[:, :3], depth, nothing, here)
    if recipe.warp == "paper":
        # the intermediate picture is drawn finer than it is kept, and its mesh is cut at smaller steps
        fine = see(start, there, size * settings.supersampling, settings)
        middle = _reduced(Views(fine.rgb, fine.depth, fine.hull, there), settings.supersampling)
        settings = replace(settings, absolute_step=REMESH_STEP, relative_step=REMESH_STEP)
    else:
        away = see(start, there, size, settings)
        middle = Views(away.rgb, away.depth, away.hull, there)
    back = see(middle, here, size * settings.supersampling, settings)
    whole = torch.zeros(count, dtype=torch.int64, device=depth.device)
    return masked(back.rgb, back.depth, back.known, code, settings, erode=whole)


def _placed(normal: Tensor, recipe: Recipe) -> Cameras:
    """Random cameras from standard normal numbers [n, 6]: yaw, pitch, distance and what they look at."""
    yaw = (recipe.yaw_std * normal[:, 0]).clamp(-LIMIT, LIMIT)
    pitch = (recipe.pitch_std * normal[:, 1]).clamp(-LIMIT, LIMIT)
    around = Cameras.orbit(yaw, pitch, radius=recipe.radius, fov=recipe.fov)
    if not recipe.radius_std and not recipe.target_std:
        return around
    distance = (1 + recipe.radius_std * normal[:, 2]).clamp(0.5, 2.0)
    target = recipe.target_std * recipe.radius * normal[:, 3:6]
    return Cameras(look_at(around.positions * distance[:, None], target), around.intrinsics)


def _reduced(views: Views, factor: int) -> Views:
    """Views at 1/factor of their size: colour by LANCZOS, everything else by the nearest sample."""
    middle = slice(factor // 2, None, factor)
    return Views(
        lanczos(views.rgb, factor), views.depth[:, middle, middle], views.hull[:, middle, middle], views.cameras
    )


def lanczos(pictures: Tensor, factor: int) -> Tensor:
    """[n, c, h, w] reduced by a whole `factor` with the three-lobed LANCZOS window, borders renormalised."""
    rows, columns = (_lanczos_matrix(length, factor).to(pictures) for length in pictures.shape[-2:])
    return rows @ pictures @ columns.T


@lru_cache(maxsize=8)
def _lanczos_matrix(length: int, factor: int) -> Tensor:
    """What each of length/factor pixels takes from `length` samples, [length / factor, length]."""
    centre = (torch.arange(length // factor, dtype=torch.float64) + 0.5) * factor
    away = (torch.arange(length, dtype=torch.float64) + 0.5 - centre[:, None]) / factor
    weight = torch.where(away.abs() < 3, torch.sinc(away) * torch.sinc(away / 3), 0.0)
    return (weight / weight.sum(1, keepdim=True)).float()
