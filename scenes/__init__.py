"""The vocabulary: cameras, sweeps, scenes and their files, the embedded world, readers of real data."""

from .cameras import Cameras
from .errors import ViewsweepError
from .generator import Generator, GeneratorInfo, Request
from .scene import Scene, load_scene, save_scene
from .sweeps import GRID_3X9_PREFIXES, gaussian_poses, grid_3x9, sweep360

__all__ = [
    "GRID_3X9_PREFIXES",
    "Cameras",
    "Generator",
    "GeneratorInfo",
    "Request",
    "Scene",
    "ViewsweepError",
    "gaussian_poses",
    "grid_3x9",
    "load_scene",
    "save_scene",
    "sweep360",
]
