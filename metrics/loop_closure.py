"""`LoopClosure`: does the sweep end where it began?

Definition. In a closed sweep the last view is a neighbour of the first. That pair, the *seam*, is
compared like any other pair of neighbours, by the warp error in both directions (see `warp_error`):

    loop_psnr    = PSNR of the seam in dB, 0 to 60
    loop_drop_db = median PSNR of the other pairs of neighbours - loop_psnr, at least 0, at most 60

A method that makes view after view may drift so slowly that neighbours always agree; where the
circle closes everything it has gathered shows at once. The drop is 0 where the seam is no worse
than the rest: a seam better than its neighbours is no virtue. Where the path ends at the very
camera it began with, first and last picture are compared directly, over the pixels at which either
shows a surface.

Worst value. A seam that cannot be compared, for too little is covisible or there is no surface,
scores loop_psnr 0 and loop_drop_db 60. Without a closed path there is nothing to measure.

When it misleads. It is one pair, so it varies more than a mean over pairs does. The drop says
nothing about methods that are bad everywhere, the frozen picture for one; read it beside warp_psnr.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from ..scenes.scene import Scene
from .base import SceneMetric
from .pairs import gap_pairs
from .result import Definition
from .warp_error import SMALLEST_MSE, WORST_MSE, warp_errors

__all__ = ["LoopClosure"]

BEST_PSNR = 10 * math.log10(1 / SMALLEST_MSE)


class LoopClosure(SceneMetric):
    """Agreement of the last view of a closed sweep with the first, alone and against other neighbours.

    Example:
        >>> from viewsweep.scenes import sweep360, tabletop
        >>> metric = LoopClosure()
        >>> metric.update(tabletop.sample(7).render(sweep360(24), 64), index=0)
        >>> bool(metric.results()["loop_drop_db"].value < 3)
        True
    """

    name = "loop_closure"
    title = "Loop closure"
    version = 1
    unit = "dB"
    higher_is_better = True
    needs = frozenset({"rgb", "depth", "cameras"})

    _ids = (
        Definition(
            "loop_psnr",
            "Loop closure",
            version,
            unit,
            True,
            "Warp PSNR between the last and the first view of a closed sweep; 0 to 60 dB, 0 where they see nothing "
            "in common.",
        ),
        Definition(
            "loop_drop_db",
            "Drop at the seam",
            version,
            "dB",
            False,
            "How much worse last and first view agree than other neighbours; 0 where they agree as well, 60 where "
            "they cannot be compared.",
        ),
    )
    _bounds = ((0.0, BEST_PSNR), (0.0, BEST_PSNR))

    def update(self, scene: Scene, index: int) -> None:
        """Measure `scene`, the protocol's scene number `index`."""
        lacking = self._lacks(scene) or ("views" if scene.views < 2 else None)
        if lacking or scene.cameras is None:
            self._skip(index, lacking or "cameras")
            return
        gaps = gap_pairs(scene.cameras)
        if not gaps["loop"]:
            self._skip(index, "loop")
            return
        (seam,) = gaps["loop"]
        direct = seam not in gaps["adjacent"]
        pairs = [pair for pair in gaps["adjacent"] if pair != seam]
        # mean of both directions
        psnr, mse = warp_errors(scene, pairs if direct else [*pairs, seam])[:, :2].reshape(-1, 2, 2).mean(1).T
        if direct:
            value, error = direct_psnr(scene, *seam)
        else:
            value, error = float(psnr[-1]), float(mse[-1])
        others = psnr[: len(pairs)].numpy()
        drop = BEST_PSNR if error >= WORST_MSE else max(0.0, float(np.median(others)) - value)
        self._record(index, [-1], [-1], [math.nan], torch.tensor([[value, drop]], dtype=torch.float64))


def direct_psnr(scene: Scene, a: int, b: int) -> tuple[float, float]:
    """Psnr and mse between two pictures of one camera, where either shows a surface."""
    surface = scene.foreground[a] | scene.foreground[b]
    if not bool(surface.any()):
        return 0.0, WORST_MSE
    first, second = (scene.rgb[view].to("cpu", torch.float64)[surface.cpu()] / 255 for view in (a, b))
    mse = float((first - second).square_().numpy().mean())
    return 10 * math.log10(1 / max(mse, SMALLEST_MSE)), mse
