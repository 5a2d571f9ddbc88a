"""EG3D's configurations: the paper's, and small ones for the embedded world."""

from __future__ import annotations

from typing import Any

__all__ = ["DISCRIMINATORS", "GENERATORS"]

# tabletop: the object stands inside the sphere of radius 0.5, cameras at 1.6
_TABLETOP = {"near": 1.1, "far": 2.1, "bound": 0.5, "box": 1.0, "background": "learned", "late": True, "classes": 10}

# FFHQ: cameras at 2.7, faces inside the unit cube
_FACES = {
    "neural": 64,
    "widths": [512, 512, 512, 512, 512, 256, 128],  # 4x4 to 256x256
    "near": 2.25,
    "far": 3.3,
    "noise": True,
}

GENERATORS: dict[str, dict[str, Any]] = {
    "paper": {**_FACES, "size": 512, "start": 128, "upper": [256, 128]},
    "paper-256": {**_FACES, "size": 256, "start": 128, "upper": [128, 64]},
    "paper-128": {**_FACES, "size": 128, "start": 64, "upper": [128, 64]},
    "small": {
        **_TABLETOP,
        "size": 64,
        "neural": 32,
        "widths": [128, 128, 64, 48, 32],  # 4x4 to 64x64
        "channels": 10,
        "features": 12,
        "hidden": 32,
        "start": 32,
        "upper": [24],
        "coarse": 12,
        "fine": 12,
        "latent_size": 64,
        "latent": 128,
    },
    "tiny": {
        **_TABLETOP,
        "size": 16,
        "neural": 8,
        "widths": [16, 16],
        "channels": 4,
        "features": 6,
        "hidden": 8,
        "start": 8,
        "upper": [8],
        "coarse": 6,
        "fine": 6,
        "latent_size": 8,
        "latent": 16,
    },
}
"""Constructor arguments of `EG3DGenerator`."""

DISCRIMINATORS: dict[str, dict[str, Any]] = {
    "paper": {"size": 512, "widths": [64, 128, 256, 512, 512, 512, 512, 512]},
    "paper-256": {"size": 256, "widths": [128, 256, 512, 512, 512, 512, 512]},
    "paper-128": {"size": 128, "widths": [256, 512, 512, 512, 512, 512]},
    "small": {"size": 64, "stride": 2, "widths": [48, 64, 96, 128], "embed": 64, "classes": 10, "down": "pool"},
    "tiny": {"size": 16, "widths": [8, 16, 16], "embed": 8, "classes": 10, "down": "pool"},
}
"""Constructor arguments of `EG3DDiscriminator`."""
