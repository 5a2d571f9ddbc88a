"""CO3D's depth maps: 16-bit PNG files whose values are the *bits* of half-precision floats.

Its description of the format: ``depth = png * scale_adjustment``, in the unit of the camera positions; a second
picture, the depth mask, says where the map is to be trusted. The maps come of multi-view stereo, so they are
z-depth, and a pixel without a value was *not measured*; it is not known to be empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .errors import UnreadableFile
from .pictures import read_depth, read_picture

__all__ = ["HalfDepth"]


@dataclass(frozen=True)
class HalfDepth:
    """A depth map on disk.

    Args:
        path: the 16-bit PNG.
        scale: `scale_adjustment`, positive.
        mask: picture that is not 0 where the depth is to be trusted; None = everywhere.
    """

    path: Path
    scale: float = 1.0
    mask: Path | None = None

    @property
    def files(self) -> list[Path]:
        return [self.path, *([] if self.mask is None else [self.mask])]

    def read(self) -> npt.NDArray[np.float32]:
        """z-depth, float32, [H, W]; NaN where nothing was measured.

        Raises:
            UnreadableFile: missing, damaged, not of 16 bits, or a mask of another size.
        """
        stored = np.nan_to_num(read_depth(self.path, 1.0), nan=0.0)  # whole numbers below 2^24 pass float32 unchanged
        if stored.max(initial=0) > np.iinfo(np.uint16).max:
            raise UnreadableFile(f"{self.path}: holds values of more than 16 bits; CO3D's depth maps have 16.")
        with np.errstate(invalid="ignore", over="ignore"):
            depth = stored.astype(np.uint16).view(np.float16).astype(np.float32) * np.float32(self.scale)
        depth[~(np.isfinite(depth) & (depth > 0))] = np.nan
        if self.mask is not None:
            trusted = read_picture(self.mask).rgb[..., 0] > 0
            if trusted.shape != depth.shape:
                raise UnreadableFile(
                    f"{self.mask}: the depth mask is {trusted.shape[1]}x{trusted.shape[0]}, its depth map "
                    f"{depth.shape[1]}x{depth.shape[0]}. Both must come from the same release of the data set."
                )
            depth[~trusted] = np.nan
        return depth
