"""pi-GAN's configurations: the paper's, and small ones for the embedded world."""

from __future__ import annotations

from typing import Any

__all__ = ["DISCRIMINATORS", "GENERATORS"]

# cameras at distance 1; all other numbers of the networks are the constructor's defaults
_PAPER = {"near": 0.88, "far": 1.12, "box": 0.24, "coarse": 12, "fine": 12}

# tabletop: the object stands inside the sphere of radius 0.5, cameras at 1.6
_TABLETOP = {
    "near": 1.1,
    "far": 2.1,
    "bound": 0.5,
    "box": 1.0,
    "activation": "softplus",
    "gain": 30.0,  # surfaces must become opaque within a few hundredths
    "shift": -1.0,
    "placement": "cell",
    "last_delta": None,
    "smooth": True,
    "view_dependent": False,
    "classes": 10,
    "background": "backdrop",
}

GENERATORS: dict[str, dict[str, Any]] = {
    "paper": _PAPER,  # CelebA
    "paper-cats": {**_PAPER, "near": 0.8, "far": 1.2, "coarse": 24, "fine": 24},
    "paper-carla": {**_PAPER, "near": 0.7, "far": 1.3, "coarse": 48, "fine": 48, "background": "white"},
    "small": {
        **_TABLETOP,
        "coarse": 12,
        "fine": 8,
        "latent_size": 64,
        "hidden": 128,
        "width": 64,
        "layers": 4,
    },
    "tiny": {
        **_TABLETOP,
        "coarse": 6,
        "fine": 4,
        "latent_size": 8,
        "hidden": 16,
        "mapping_layers": 2,
        "width": 16,
        "layers": 2,
    },
}
"""Constructor arguments of `PiGANGenerator`."""

DISCRIMINATORS: dict[str, dict[str, Any]] = {
    "paper": {"size": 256, "widths": [32, 64, 128, 256, 400, 400, 400, 400]},
    "small": {"size": 64, "widths": [16, 32, 64, 128, 192, 192], "classes": 10, "group": 4},
    "tiny": {"size": 16, "widths": [8, 16, 16, 16], "classes": 10, "embed": 8, "group": 4},
}
"""Constructor arguments of `PiGANDiscriminator`; those of "paper" serve all of its generators."""
