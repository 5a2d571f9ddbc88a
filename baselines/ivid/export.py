"""Scenes on disk as a video: their own views in order, or a free camera path through fusion."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import torch
from torch import Tensor

from ...scenes.cameras import Cameras
from ...scenes.errors import UserError
from ...scenes.scene import Scene, load_scene
from ...scenes.video import FORMATS, FPS, write_video
from .fusion import SUPERSAMPLING, fuse_scene
from .trajectories import FRAMES, trajectory

__all__ = ["export", "scene_files"]

MOST = 16
"""Scenes side by side in one video."""


def export(
    sources: Sequence[Path],
    out: Path,
    *,
    fps: float | None = None,
    fusion: str | None = None,
    frames: int = FRAMES,
    size: int | None = None,
    supersampling: int = SUPERSAMPLING,
    device: str = "cpu",
) -> list[Path]:
    """Write one video of scenes side by side; the shorter ones start again.

    Args:
        sources: scene files, folders of them (a method's scenes), or run directories (each method's
            first scene).
        out: .webp, .gif or .mp4.
        fps: frames a second; 30, or 12 for the views of a scene.
        fusion: a path of `trajectories`, rendered by fusion from whatever method's scene; None = the
            scene's own views.
        frames, size, supersampling: of a fused path; size = height and width, the scene's if None.

    Returns:
        the scene files shown, from left to right.

    Raises:
        UserError: no scenes or too many, scenes of several sizes, or, for fusion, without depth or
            cameras; an ending that is no video's.
        UnreadableFile: a file that is no scene.
    """
    if out.suffix.lower() not in FORMATS:  # before the work, not after it
        raise UserError(f"{out}: videos are written as {', '.join(FORMATS)}; choose one by the file's ending.")
    files = [file for source in sources for file in scene_files(source)]
    if not files:
        raise UserError("There is nothing to show. Name a scene file, a folder of scenes or a run directory.")
    if len(files) > MOST:
        raise UserError(f"{len(files)} scenes do not fit side by side; name up to {MOST} scene files.")
    shown = []
    for file in files:
        scene = load_scene(file)
        try:
            shown.append(scene.rgb if fusion is None else _fused(scene, fusion, frames, size, supersampling, device))
        except UserError as error:
            raise UserError(f"{file}: {error}") from error
    heights = {pictures.shape[1] for pictures in shown}
    if len(heights) > 1:
        raise UserError(f"The scenes are {sorted(heights)} pixels high; only equally high ones fit side by side.")
    length = max(len(pictures) for pictures in shown)
    rows = [torch.stack(list(islice(cycle(pictures), length))) for pictures in shown]
    write_video(out, torch.cat(rows, 2), fps=(FPS if fusion else 12.0) if fps is None else fps)
    return files


def scene_files(source: Path) -> list[Path]:
    """The scenes that a path stands for.

    Raises:
        UserError: it is not there.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise UserError(f"{source}: there is no such file or folder.")
    if (source / "scenes").is_dir():
        methods = sorted(folder for folder in (source / "scenes").iterdir() if folder.is_dir())
        return [file for folder in methods for file in sorted(folder.glob("*.safetensors"))[:1]]
    return sorted(source.glob("*.safetensors"))


def _fused(scene: Scene, name: str, frames: int, size: int | None, supersampling: int, device: str) -> Tensor:
    """Pictures uint8 [F, S, S, 3] along a path about the scene, at its cameras' distance and mean height."""
    fusion = fuse_scene(scene, supersampling=supersampling, device=device)
    path = _placed(scene.cameras, trajectory(name, frames, pitch=_height(scene.cameras)))
    return fusion.render(path, size or scene.size[0]).rgb.cpu()


def _height(cameras: Cameras | None) -> float:
    assert cameras is not None  # fusing has looked
    return float(cameras.pitch.mean().clamp(-1.2, 1.2))


def _placed(cameras: Cameras | None, path: Cameras) -> Cameras:
    """The path at the distance of a scene's cameras, with the lens of its first one."""
    assert cameras is not None
    pose = path.cam_to_world.clone()
    pose[:, :3, 3] *= cameras.positions.norm(dim=1).median() / path.positions.norm(dim=1)[:, None]
    return Cameras(pose, cameras.intrinsics[0])
