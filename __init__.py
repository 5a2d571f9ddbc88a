"""viewsweep: the benchmark for 3D-aware image generation."""

from __future__ import annotations

__version__ = "0.1.0"
