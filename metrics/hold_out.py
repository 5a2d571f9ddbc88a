"""`ReconstructionHoldOut`: do half of the views predict the other half, given the commanded cameras? (C6)

The views are put in order of azimuth. A small radiance field without view dependence (`voxel_field`) is
fitted to every second one and rendered at the cameras of the others. Over the region R of a held-out
picture I, rendered as P in front of the picture's own backdrop (`cutouts`),

    R = {pixels covered by the object or by the field, at least half; within the volume looked at}
    holdout_mse  = mean over R of |P - I|^2 / 3              in [0, 1], lower is better
    holdout_psnr = 10 log10(1 / max(mse, 1e-6))              0 to 60 dB, higher is better
    holdout_ssim = mean over R of SSIM, not below 0          in [0, 1], higher is better
    fit_psnr     = the same as holdout_psnr of the two views beside it that were fitted

each a mean over held-out views. A view where neither shows anything has no value; a scene where no
view has one scores the worst, 0 dB, 1, 0 and 0 dB. A sweep of more than 96 views is thinned to 96.

What to read from it. The field needs no depth, so this is consistency of the pictures with their
cameras at all angles at once: camera disobedience, warps, flicker, a change of identity and a frozen view
all show. A fit as good as the oracle's with held-out views that are worse says that each view is
plausible alone and the views do not belong to one object.

Ratio to the oracle. How well a field can do depends on the object: plain ones score higher. And decibels
have no zero that means anything, so a ratio of PSNRs would not either. `ratio_to_oracle` is the ratio of
errors at the same scene, 10^((psnr - psnr of the oracle) / 10), averaged as decibels over the views:
1 is as consistent as the true views, 0.1 is ten times their error.

When it misleads. Blur raises it, above the oracle's too: read it beside `sharpness_ratio`. A billboard is
perfectly consistent and is not caught (but within 15 degrees of edge-on it is thinner than the voxels and
costs some decibels there): see `non_flatness`. A wrong field of view that is the same in all views is
another object of another size, just as consistent. Gloss, which moves with the camera, counts
as inconsistent. A region given by alpha or depth is believed: what a method leaves out of it is not
judged. A drift so slow that neighbours agree costs little. Plain backgrounds only can be told from the
object without alpha and depth. It sees nothing finer than 1/64 of the frame.

Source: 3D consistency scoring of 3DiM, Watson et al., "Novel view synthesis with diffusion models",
ICLR 2023; alternating halves as in MVGBench, Xie et al., ICCV 2025, which compares two reconstructions
with one another. SSIM: Wang et al., TIP 2004, Gaussian window of 1.5 pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from ..scenes.errors import InvalidCameras
from ..scenes.scene import Scene
from .base import azimuth_deg
from .cutouts import Cutouts, cut_out
from .result import Definition
from .truth_metric import OwnReasons
from .voxel_field import MAXIMUM_SIZE, VoxelField, fit_field, seen_volume

__all__ = ["HoldOut", "ReconstructionHoldOut", "hold_out", "ratio_to_oracle", "structural_similarity"]

MINIMUM_VIEWS = 4
MAXIMUM_VIEWS = 96
COVERED = 0.5
SMALLEST_MSE = 1e-6
WORST_MSE = 1.0
WINDOW_SIGMA, WINDOW_RADIUS = 1.5, 5
NOT_AROUND, TOO_FEW = 0, 1


@dataclass(frozen=True)
class HoldOut:
    """How well held-out views were predicted, and fitted ones fitted; a number a view.

    Args:
        held, fitted: indices of the views that have a value, by azimuth.
        psnr: of held-out views, dB, [held].
        mse: mean squared colour error, colours in [0, 1], [held].
        ssim: structural similarity in [0, 1], [held].
        fit_psnr: of fitted views, dB, [fitted].
        neighbour_psnr: mean fit_psnr of the views beside each held-out one, dB, [held].
    """

    held: tuple[int, ...]
    fitted: tuple[int, ...]
    psnr: tuple[float, ...]
    mse: tuple[float, ...]
    ssim: tuple[float, ...]
    fit_psnr: tuple[float, ...]
    neighbour_psnr: tuple[float, ...]


class ReconstructionHoldOut(OwnReasons):
    """PSNR of views predicted by a reconstruction of the others.

    Args:
        device: where fields are fitted. On a CPU the same scene gives the same bits.

    Example:
        >>> from viewsweep.scenes import sweep360, tabletop
        >>> metric = ReconstructionHoldOut()
        >>> metric.update(tabletop.sample(7).render(sweep360(8), 16), index=0)
        >>> metric.results()["holdout_psnr"].status
        'ok'
    """

    name = "hold_out"
    title = "Reconstruction hold-out"
    version = 1
    unit = "dB"
    higher_is_better = True
    needs = frozenset({"rgb", "cameras"})

    _ids = (
        Definition(
            "holdout_psnr",
            "Held-out PSNR",
            version,
            "dB",
            True,
            "Colour agreement of every second view with a voxel radiance field fitted to the others, on the object; "
            "0 to 60 dB, colours in [0, 1]. Comparable at equal objects only; blur raises it.",
        ),
        Definition(
            "holdout_mse",
            "Held-out MSE",
            version,
            "",
            False,
            "Mean squared colour error of the held-out views on the object, colours in [0, 1].",
        ),
        Definition(
            "holdout_ssim",
            "Held-out SSIM",
            version,
            "",
            True,
            "Structural similarity of the held-out views on the object, in [0, 1].",
        ),
        Definition(
            "fit_psnr",
            "Fit PSNR",
            version,
            "dB",
            True,
            "Colour agreement of the views the field was fitted to, on the object; 0 to 60 dB. "
            "High with a low held-out PSNR: each view is plausible alone, and they do not belong together.",
        ),
    )
    _bounds = (
        (0.0, 10 * math.log10(1 / SMALLEST_MSE)),
        (0.0, 1.0),
        (0.0, 1.0),
        (0.0, 10 * math.log10(1 / SMALLEST_MSE)),
    )

    def __init__(self, device: torch.device | str = "cpu") -> None:
        super().__init__()
        self.fitting_device = device

    def update(self, scene: Scene, index: int) -> None:
        """Measure `scene`, the protocol's scene number `index`.

        A scene without cameras, with fewer than four views or whose cameras do not surround anything
        counts as not measured.
        """
        if scene.cameras is None:
            self._skip(index, "cameras")
            return
        if scene.views < MINIMUM_VIEWS:
            self._skip_own(index, TOO_FEW)
            return
        try:
            found = hold_out(scene, device=self.fitting_device)
        except InvalidCameras:
            self._skip_own(index, NOT_AROUND)
            return
        yaw = azimuth_deg(scene.cameras.yaw)
        values = torch.tensor([found.psnr, found.mse, found.ssim, found.neighbour_psnr], dtype=torch.float64).T
        self._record(index, found.held, [-1] * len(found.held), [yaw[view] for view in found.held], values)

    def _own_reasons(self) -> tuple[str, ...]:
        return (
            "the cameras do not look at one place, so there is nothing to reconstruct",
            f"a reconstruction with held-out views needs {MINIMUM_VIEWS} views",
        )


def hold_out(scene: Scene, *, device: torch.device | str = "cpu") -> HoldOut:
    """Fit a field to every second view of `scene`, by azimuth, and predict the others.

    Args:
        scene: with cameras and at least 4 views; alpha or depth say what the object is.
        device: where the field is fitted.

    Raises:
        ValueError: no cameras, or fewer views.
        InvalidCameras: the cameras do not look at one place.
    """
    field, cutouts, fitted, held = reconstruction(scene, device=device)
    predicted, measured = _agreement(field, cutouts, scene, held), _agreement(field, cutouts, scene, fitted)
    if not predicted:
        worst = tuple(0.0 for _ in held)
        ones = tuple(WORST_MSE for _ in held)
        return HoldOut(tuple(held), tuple(fitted), worst, ones, worst, tuple(0.0 for _ in fitted), worst)
    psnr, mse, ssim = ([predicted[view][k] for view in predicted] for k in range(3))
    fit = {view: measured[view][0] for view in measured}
    beside = []
    for view in predicted:
        place = held.index(view)
        around = [fit[near] for near in (fitted[place], fitted[(place + 1) % len(fitted)]) if near in fit]
        beside.append(sum(around) / len(around) if around else 0.0)
    return HoldOut(
        tuple(predicted), tuple(fit), tuple(psnr), tuple(mse), tuple(ssim), tuple(fit.values()), tuple(beside)
    )


def ratio_to_oracle(result: HoldOut, oracle: HoldOut) -> float:
    """Error of the true views over that of `result`, at the same scene and cameras; above 0, 1 = as consistent.

    The geometric mean over held-out views, which is a difference of mean decibels.
    """
    own, true = (sum(found.psnr) / len(found.psnr) for found in (result, oracle))
    return float(10 ** ((own - true) / 10))


def reconstruction(
    scene: Scene, *, device: torch.device | str = "cpu"
) -> tuple[VoxelField, Cutouts, list[int], list[int]]:
    """The field fitted to half of the views, all pictures as used, and the views fitted and held out.

    Raises:
        ValueError: no cameras, or fewer than 4 views.
        InvalidCameras: the cameras do not look at one place.
    """
    if scene.cameras is None:
        raise ValueError("A reconstruction needs a scene with cameras.")
    if scene.views < MINIMUM_VIEWS:
        raise ValueError(f"A reconstruction with held-out views needs {MINIMUM_VIEWS} views, not {scene.views}.")
    fitted, held = _halves(scene)
    cutouts = cut_out(scene, MAXIMUM_SIZE)
    known = cutouts.select(fitted)
    cameras = scene.cameras
    field = fit_field(known.rgb, known.alpha, known.backdrop, cameras[fitted], seen_volume(cameras), device)
    return field, cutouts, fitted, held


def structural_similarity(a: Tensor, b: Tensor) -> Tensor:
    """SSIM of pictures [V, H, W, 3] in [0, 1] at each pixel, mean over colours, float64, [V, H, W].

    Beyond the edge there is nothing: the window is cut off and its weights sum to 1 again.
    """
    offset = torch.arange(-WINDOW_RADIUS, WINDOW_RADIUS + 1, dtype=torch.float64)
    window = torch.exp(-(offset**2) / (2 * WINDOW_SIGMA**2))

    def average(x: Tensor) -> Tensor:
        rows = conv2d(x, window.reshape(1, 1, -1, 1), padding=(WINDOW_RADIUS, 0))
        return conv2d(rows, window.reshape(1, 1, 1, -1), padding=(0, WINDOW_RADIUS))

    shape = a.shape
    first, second = (x.double().permute(0, 3, 1, 2).reshape(-1, 1, *shape[1:3]) for x in (a, b))
    weight = average(torch.ones_like(first[:1]))
    mean_a, mean_b = average(first) / weight, average(second) / weight
    var_a, var_b = average(first * first) / weight - mean_a**2, average(second * second) / weight - mean_b**2
    shared = average(first * second) / weight - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    value = (2 * mean_a * mean_b + c1) * (2 * shared + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return value.reshape(shape[0], shape[3], *shape[1:3]).mean(1)


def _halves(scene: Scene) -> tuple[list[int], list[int]]:
    """Views to fit and views to hold out, alternating in azimuth, then elevation, whatever their order."""
    assert scene.cameras is not None
    yaw, pitch = azimuth_deg(scene.cameras.yaw), torch.rad2deg(scene.cameras.pitch).tolist()
    # rounded, for the same azimuth may differ in its last bits; from the front on, and all ways round
    place = [(round(a, 4) % 360, round(b, 4), view) for view, (a, b) in enumerate(zip(yaw, pitch, strict=True))]
    order = [view for _, _, view in sorted(place)]
    if len(order) > MAXIMUM_VIEWS:
        order = [order[k * len(order) // MAXIMUM_VIEWS] for k in range(MAXIMUM_VIEWS)]
    return order[0::2], order[1::2]


def _agreement(
    field: VoxelField, cutouts: Cutouts, scene: Scene, views: list[int]
) -> dict[int, tuple[float, float, float]]:
    """PSNR, MSE and SSIM of those `views` where there is anything to compare."""
    assert scene.cameras is not None
    true, cameras = cutouts.select(views), scene.cameras[views]
    rgb, through = field.render(cameras, true.backdrop)
    region = (true.alpha >= COVERED) | (through <= 1 - COVERED)
    region &= field.crossed(cameras, *true.alpha.shape[1:])
    squares = ((rgb.double() - true.rgb.double()) ** 2).mean(-1)
    similar = structural_similarity(rgb, true.rgb)
    found = {}
    for k, view in enumerate(views):
        counted = squares[k][region[k]].numpy()
        if len(counted) == 0:
            continue
        # numpy's sum: one thread, one order
        mse = min(WORST_MSE, float(counted.mean()))
        ssim = max(0.0, float(similar[k][region[k]].numpy().mean()))
        found[view] = (10 * math.log10(1 / max(mse, SMALLEST_MSE)), mse, ssim)
    return found
