"""`Cutouts`: pictures with the object's coverage and the backdrop behind it, at most 64 pixels across.

A reconstruction is about the object. What is behind it need not be a surface at all: the backdrop of
tabletop, for one, moves with the camera. So each picture keeps a backdrop of its own,

    picture = alpha * object + (1 - alpha) * backdrop,

which is the picture itself where nothing covers it, and a smooth continuation of it where something
does. The continuation comes from ever coarser averages of the pixels that are certainly uncovered.

alpha is that of the scene; else 1 where its depth is finite; else it is estimated from the picture:
a quadratic polynomial is fitted to its rim, robustly, and what differs by more than 0.06 in any colour is
the object. Where the polynomial does not explain the rim (a photograph, a face that fills the frame)
the whole picture counts as object.

Larger pictures are averaged down before anything else, so that the cost is bounded and numbers do not
depend on the resolution. What they say about detail finer than 1/64 of the frame is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, interpolate, max_pool2d

from ..scenes.scene import Scene

__all__ = ["Cutouts", "cut_out", "estimated_alpha", "filled_in"]

RIM = 1 / 16
"""Width of the rim from which a plain backdrop is read, as a share of the picture's height."""

DIFFERENT = 0.06
EXPLAINED = 0.9  # share of the rim that a plain backdrop must explain
ROUNDS = 4


@dataclass(frozen=True, eq=False)
class Cutouts:
    """Pictures of V views.

    Args:
        rgb: in [0, 1], float32, [V, H, W, 3].
        alpha: coverage by the object in [0, 1], float32, [V, H, W].
        backdrop: what is behind it, in [0, 1], float32, [V, H, W, 3].
    """

    rgb: Tensor
    alpha: Tensor
    backdrop: Tensor

    def select(self, views: list[int]) -> Cutouts:
        """Some of the views."""
        return Cutouts(self.rgb[views], self.alpha[views], self.backdrop[views])


def cut_out(scene: Scene, largest: int) -> Cutouts:
    """The pictures of `scene`, reduced so that neither side exceeds `largest` pixels."""
    rgb = scene.rgb.cpu().float() / 255
    if scene.alpha is not None:
        alpha = scene.alpha.cpu().float() / 255
    elif scene.depth is not None:
        alpha = torch.isfinite(scene.depth.cpu()).float()
    else:
        alpha = estimated_alpha(rgb)
    height, width = scene.size
    if max(height, width) > largest:
        shrink = largest / max(height, width)
        size = max(1, round(height * shrink)), max(1, round(width * shrink))
        rgb = adaptive_avg_pool2d(rgb.permute(0, 3, 1, 2), size).permute(0, 2, 3, 1)
        alpha = adaptive_avg_pool2d(alpha[:, None], size)[:, 0]
    # pixels beside the object may hold a little of it, above all where alpha is all or nothing
    clear = max_pool2d((alpha > 0).float()[:, None], 3, 1, 1)[:, 0] == 0
    behind = torch.where((alpha > 0)[..., None], filled_in(rgb, clear), rgb)
    return Cutouts(rgb.contiguous(), alpha.contiguous(), behind.contiguous())


def filled_in(rgb: Tensor, known: Tensor) -> Tensor:
    """Pictures [V, H, W, 3] whose pixels outside `known` (bool, [V, H, W]) continue those inside.

    A picture without any known pixel becomes black.
    """
    weight = known.float()[:, None]
    colour = rgb.permute(0, 3, 1, 2) * weight
    levels = [(colour, weight)]
    while max(colour.shape[-2:]) > 1:
        colour, weight = (avg_pool2d(part, 2, ceil_mode=True, count_include_pad=False) for part in levels[-1])
        levels.append((colour, weight))
    result = torch.zeros_like(levels[-1][0])
    for colour, weight in reversed(levels):
        continued = interpolate(result, colour.shape[-2:], mode="bilinear", align_corners=False)
        result = torch.where(weight > 0, colour / weight.clamp(min=1e-9), continued)
    return result.permute(0, 2, 3, 1)


def estimated_alpha(rgb: Tensor) -> Tensor:
    """0 where a picture [V, H, W, 3] shows a plain backdrop, 1 elsewhere; float32, [V, H, W]."""
    views, height, width = rgb.shape[:3]
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    terms = torch.stack([torch.ones_like(x), x, y, x * x, x * y, y * y], -1).double()
    thick = max(1, round(RIM * height))
    rim = torch.ones(height, width, dtype=torch.bool)
    rim[thick : height - thick, thick : width - thick] = False
    result = torch.ones(views, height, width)
    for view in range(views):
        colour, fits = rgb[view][rim].double(), torch.ones(int(rim.sum()), dtype=torch.bool)
        factors = torch.zeros(6, 3, dtype=torch.float64)
        for _ in range(ROUNDS):  # the object may reach over the rim
            held = terms[rim][fits]
            ridge = 1e-6 * max(1, len(held)) * torch.eye(6, dtype=torch.float64)
            factors = torch.linalg.solve(held.T @ held + ridge, held.T @ colour[fits])
            error = (terms[rim] @ factors - colour).abs().amax(-1)
            fits = error <= max(DIFFERENT, float(error.median()))
        if float((error <= DIFFERENT).double().mean()) >= EXPLAINED:
            result[view] = ((terms @ factors - rgb[view].double()).abs().amax(-1) > DIFFERENT).float()
    return result
