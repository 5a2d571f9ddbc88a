"""EpiGRAF's configurations: the paper's, and small ones for the embedded world."""

from __future__ import annotations

from typing import Any

__all__ = ["DISCRIMINATORS", "GENERATORS"]

# tabletop: the object stands inside the sphere of radius 0.5, cameras at 1.6
_TABLETOP = {
    "near": 1.1,
    "far": 2.1,
    "bound": 0.5,
    "box": 1.0,
    "shift": -1.0,
    "background": "learned",
    "late": True,
    "classes": 10,
}

# FFHQ and the Megascans: cameras at 1
_UNIT = {
    "widths": [512, 512, 512, 512, 512, 256, 128, 64],  # 4x4 to 512x512, whatever the pictures
    "near": 0.88,
    "far": 1.12,
    "box": 0.4,
}

GENERATORS: dict[str, dict[str, Any]] = {
    "paper": {**_UNIT, "size": 512},
    "paper-256": {**_UNIT, "size": 256},
    "small": {
        **_TABLETOP,
        "size": 64,
        "widths": [128, 128, 64, 48, 32],  # 4x4 to 64x64
        "channels": 10,
        "hidden": 32,
        # as the small EG3D has it, whose tri-planes it begins with
        "box": 63 / 64,
        "activation": "softplus",
        "squash": True,
        "pose": True,
        "noise": False,
        "coarse": 12,
        "fine": 12,
        "latent_size": 64,
        "latent": 128,
    },
    "tiny": {
        **_TABLETOP,
        "size": 16,
        "widths": [16, 16],
        "channels": 4,
        "hidden": 8,
        "coarse": 6,
        "fine": 6,
        "latent_size": 8,
        "latent": 16,
    },
}
"""Constructor arguments of `EpiGRAFGenerator`."""

DISCRIMINATORS: dict[str, dict[str, Any]] = {
    "paper": {"size": 64, "flat": 3, "widths": [32, 64, 128, 256, 512, 512, 512, 512]},
    "paper-256": {"size": 64, "flat": 2, "widths": [64, 128, 256, 512, 512, 512, 512]},
    "small": {
        "size": 32,
        "widths": [48, 64, 96, 128],
        "code": 64,
        "embed": 64,
        "classes": 10,
        "pose": True,
        "down": "pool",
    },
    "tiny": {"size": 8, "flat": 1, "widths": [8, 16, 16], "code": 8, "embed": 8, "classes": 10, "down": "pool"},
}
"""Constructor arguments of `PatchDiscriminator`; `size` is that of the patches."""
