"""`PairedQuality`: how close is each picture to the true picture from the same camera?

Definitions, for pictures x, y with values in [0, 1] (sRGB, all three channels alike):

    psnr = -10 log10(max(mse, 1e-10)) dB,   mse = mean over pixels and channels of (x - y)^2
    ssim = mean of (2 m_x m_y + c1)(2 s_xy + c2) / ((m_x^2 + m_y^2 + c1)(s_x^2 + s_y^2 + c2))

with means m, variances s^2 and covariance s_xy under an 11x11 Gaussian window of sigma 1.5,
c1 = 0.01^2, c2 = 0.03^2. The window is centred on every pixel, pictures being mirrored at their borders,
and the mean goes over pixels and channels, as torchmetrics does it by default. (Wang's own programme
works on grey pictures and leaves out the border; scikit-image by default takes a flat 7x7 window.
Their values differ.)

Direction and range. Higher is better. psnr is 0 to 100 dB; identical pictures score exactly 100, the
cap, which 8-bit pictures otherwise reach only when less than one value in 150 000 is off by one level.
ssim is -1 to 1, with 1 for identical pictures. A scene's value is the mean over its views (of dB, not
of squared errors). Worst values: psnr 0 (black for white), ssim -1.

When they mislead. They are right only where there is one right answer. A generator free to choose the
unseen side is punished for every plausible choice but one, and blurred averages win: read them beside
sharpness and LPIPS, or take the best of several samples (`best_of`). Plain background raises both:
an object that fills a tenth of the picture caps its own error. Pictures under 11 pixels have no SSIM.

Sources: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to
structural similarity", IEEE Transactions on Image Processing 13(4), 2004.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ..scenes.scene import Scene
from .result import Definition
from .truth_metric import TruthMetric

__all__ = ["PairedQuality", "psnr", "ssim", "unit_range"]

SMALLEST_MSE = 1e-10
BEST_PSNR = 100.0
WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


class PairedQuality(TruthMetric):
    """PSNR and SSIM of every view against the true view.

    Example:
        >>> from viewsweep.scenes import sweep360, tabletop
        >>> truth = tabletop.sample(7).render(sweep360(4), 32)
        >>> metric = PairedQuality()
        >>> metric.update(truth, 0, truth)
        >>> float(metric.compute())
        100.0
    """

    name = "paired"
    title = "Agreement with true views"
    version = 1
    unit = "dB"
    higher_is_better = True
    needs = frozenset({"rgb", "truth"})

    _ids = (
        Definition(
            "psnr",
            "PSNR",
            version,
            unit,
            True,
            "Peak signal-to-noise ratio of each view to the true view, colours in [0, 1]; mean over views; 0 to "
            "100 dB, identical pictures score the cap of 100.",
        ),
        Definition(
            "ssim",
            "SSIM",
            version,
            "",
            True,
            "Structural similarity of each view to the true view, 11x11 Gaussian window, mean over the three channels; "
            "-1 to 1, identical pictures score 1.",
        ),
    )
    _bounds = ((0.0, BEST_PSNR), (-1.0, 1.0))

    def _compare(self, scene: Scene, truth: Scene) -> tuple[list[int], Tensor] | int:
        if min(scene.size) < WINDOW:
            return 0
        rows = []
        for ours, theirs in zip(scene.rgb, truth.rgb, strict=True):  # one at a time: the same bits for any sweep
            x, y = unit_range(ours[None]), unit_range(theirs[None])
            rows.append(torch.cat([psnr(x, y), ssim(x, y)]))
        return list(range(scene.views)), torch.stack(rows)

    def _own_reasons(self) -> tuple[str, ...]:
        return (f"the pictures are smaller than SSIM's window of {WINDOW}x{WINDOW} pixels",)


def unit_range(rgb: Tensor) -> Tensor:
    """Pictures uint8 [N, H, W, 3] as float64 [N, 3, H, W] in [0, 1]."""
    return rgb.to("cpu", torch.float64).permute(0, 3, 1, 2) / 255


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """PSNR of each pair in dB, float64 [N], at most 100.

    Args:
        x, y: pictures [N, C, H, W] with values in [0, 1].

    Raises:
        ValueError: shapes that differ or are no pictures.
    """
    x, y = _pictures(x, y)
    # numpy's mean: one thread, one order
    errors = [float(((a - b) ** 2).numpy().mean()) for a, b in zip(x, y, strict=True)]
    return torch.tensor([-10 * math.log10(max(error, SMALLEST_MSE)) for error in errors], dtype=torch.float64)


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """SSIM of each pair, float64 [N].

    Args:
        x, y: pictures [N, C, H, W] with values in [0, 1], at least 11x11 pixels.

    Raises:
        ValueError: shapes that differ, are no pictures, or are smaller than the window.
    """
    x, y = _pictures(x, y)
    if min(x.shape[2:]) < WINDOW:
        raise ValueError(f"SSIM takes pictures of at least {WINDOW}x{WINDOW} pixels, not {x.shape[3]}x{x.shape[2]}.")
    mean_x, mean_y = _blur(x), _blur(y)
    variance = (_blur(x * x) - mean_x**2).clamp(min=0) + (_blur(y * y) - mean_y**2).clamp(min=0)
    covariance = _blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    similarity = luminance * (2 * covariance + C2) / (variance + C2)
    return torch.tensor([float(part.numpy().mean()) for part in similarity], dtype=torch.float64)


def _blur(images: Tensor) -> Tensor:
    """Gaussian means around every pixel, one direction after the other."""
    reach = WINDOW // 2
    place = torch.arange(-reach, reach + 1, dtype=torch.float64)
    weight = torch.exp(-(place**2) / (2 * SIGMA**2))
    weight = weight / weight.sum()
    flat = pad(images.flatten(0, 1)[:, None], (reach,) * 4, mode="reflect")
    flat = conv2d(conv2d(flat, weight[None, None, None, :]), weight[None, None, :, None])
    return flat.reshape(images.shape)


def _pictures(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    if x.ndim != 4 or x.shape != y.shape or not x.numel():
        raise ValueError(
            f"Pictures to compare must have one shape [N, C, H, W]; these have {list(x.shape)} and {list(y.shape)}."
        )
    return x.to("cpu", torch.float64), y.to("cpu", torch.float64)
