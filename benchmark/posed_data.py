"""The scenes of a protocol on posed videos: contexts, cameras and true views, from a folder of the user's.

Sequences that cannot be used (too short, pictures that were not downloaded, a camera that is none) are
passed over in favour of the next one, and named with the reason: videos vanish from the web, so no two copies of
RealEstate10K are the same. `sha256` tells them apart; numbers of different data are not comparable.

True views hold pictures, cameras and, where there are masks, alpha. They hold no depth: what RealEstate10K does not
have and what CO3D's multi-view stereo did not measure is *unknown*, while a scene's NaN says that there is no surface.
What metrics need depth for is therefore not run, with that reason.

Prepared scenes are kept in the cache, by the state of every file they were made of.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from ..scenes.cameras import Cameras
from ..scenes.errors import UserError, ViewsweepError, WriteFailed
from ..scenes.files import cache_folder, make_folder
from ..scenes.posed_sequence import context_world, expose, median_depth
from ..scenes.scene import Scene, load_scene, save_scene
from .fingerprint import sha256_json
from .progress import Progress
from .sequences import Co3dSequences, FramesOfVideo, Re10kSequences
from .usable_videos import UsableVideo, find_videos

__all__ = ["PosedData", "open_posed_data"]

VERSION = 1
"""Changes whenever the same files would give other scenes."""

SHOWN = 5  # sequences that were passed over, named in an error


class PosedData:
    """The scenes of a protocol, by index.

    Args:
        root: the user's folder.
        names: of the sequences, one a scene; with its category where there are several.
        passed: name and reason of each sequence that stood before the last used one and could not be used.
    """

    def __init__(
        self,
        root: Path,
        sources: list[tuple[str, UsableVideo]],
        passed: list[tuple[str, str]],
        context: list[int],
        size: int,
        progress: Progress,
    ) -> None:
        self.root = root
        self.names = tuple(name for name, _ in sources)
        self.passed = tuple(passed)
        self._sources = [source for _, source in sources]
        self._context, self._size, self._progress = context, size, progress
        self._scenes: dict[int, Scene] = {}

    def __len__(self) -> int:
        return len(self.names)

    def truth(self, index: int) -> Scene:
        """The true views of scene `index`; `context` holds the view that is given.

        Raises:
            UserError: a picture, mask or depth map cannot be read.
        """
        if index not in self._scenes:
            self._scenes[index] = self._load(index)
        return self._scenes[index]

    def context(self, index: int) -> Scene:
        """What a method is given: views with their cameras."""
        context = self.truth(index).context
        assert context is not None
        return context

    def cameras(self, index: int) -> Cameras:
        """The cameras of the views that are asked for."""
        cameras = self.truth(index).cameras
        assert cameras is not None
        return cameras

    def prepare(self) -> None:
        """Read what is not in the cache, so that whatever cannot be read is found before anything is drawn.

        Raises:
            UserError: as `truth`.
        """
        self._progress.stage("read the videos", len(self))
        for index in range(len(self)):
            self.truth(index)
            self._progress.step()

    @cached_property
    def sha256(self) -> str:
        """Of all scenes: names, pictures, masks, and cameras to five decimals; the same wherever the files lie."""
        digest = hashlib.sha256()
        for index, name in enumerate(self.names):
            scene = self.truth(index)
            for part in (scene, scene.context):
                if part is not None and part.cameras is not None:
                    digest.update(part.rgb.numpy().tobytes())
                    digest.update(b"" if part.alpha is None else part.alpha.numpy().tobytes())
                    numbers = [*part.cameras.cam_to_world.flatten(), *part.cameras.intrinsics.flatten()]
                    digest.update(" ".join(f"{round(float(number), 5) + 0.0:.5f}" for number in numbers).encode())
            digest.update(name.encode())
        return digest.hexdigest()

    def _load(self, index: int) -> Scene:
        source = self._sources[index]
        path = cache_folder() / "posed" / f"{self._key(index)}.safetensors"
        if path.is_file():
            try:
                return load_scene(path)
            except ViewsweepError:
                pass  # an entry that cannot be read is no entry
        scene = _prepared(source, self._context, self._size, index)
        try:
            make_folder(path.parent)
            save_scene(path, scene)
        except WriteFailed as error:
            self._progress.say(f"a prepared scene was not cached: {error}")
        return scene

    def _key(self, index: int) -> str:
        source = self._sources[index]
        frames = source.frames.frames
        measured = source.depth.frames if source.depth else ()
        made_of = {
            "schema": "viewsweep.posed/1",
            "version": VERSION,
            "index": index,
            "size": self._size,
            "context": self._context,
            "cameras": [[frame.cam_to_world.tolist(), frame.intrinsics.tolist()] for frame in frames],
            "scales": [frame.depth.scale for frame in measured if frame.depth is not None],
            "files": [_state(file) for file in source.files],
        }
        return sha256_json(made_of)


def open_posed_data(
    root: str | os.PathLike[str],
    sequences: Re10kSequences | Co3dSequences,
    frames: FramesOfVideo,
    *,
    context: list[int],
    size: int,
    scenes: int,
    progress: Progress,
) -> PosedData:
    """Find the first `scenes` sequences that can be used; no picture is read yet.

    Args:
        root: the data set's folder (see `re10k` and `co3d` for what lies in it).
        context: which of `frames` are given, by place; the first decides the scene's world.
        size: side of the square pictures, pixels.

    Raises:
        UserError: no such data there, or fewer sequences that can be used.
        UnreadableFile: a camera file, set list or annotation file is damaged.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder.", hint="Name the data set's folder with --data.")
    found: list[tuple[str, UsableVideo]] = []
    passed: list[tuple[str, str]] = []
    for name, candidate in find_videos(folder, sequences, frames, progress):
        if isinstance(candidate, str):
            passed.append((name, candidate))
        else:
            found.append((name, candidate))
        if len(found) == scenes:
            break
    if len(found) < scenes:
        reasons = "".join(f"\n  {name}: {reason}" for name, reason in passed[:SHOWN])
        more = f"\n  and {len(passed) - SHOWN} more" if len(passed) > SHOWN else ""
        raise UserError(
            f"{folder}: {len(found)} sequences can be used, the protocol asks for {scenes}. "
            f"Take fewer with --scenes, or complete the data.{reasons}{more}"
        )
    if passed:
        progress.say(f"{len(passed)} sequences were passed over, first {passed[0][0]}: {passed[0][1]}")
    return PosedData(folder, found, passed, context, size, progress)


def _prepared(source: UsableVideo, context: list[int], size: int, index: int) -> Scene:
    """True views and context of a scene, in the world of the first view that is given."""
    exposed = expose(source.frames, range(len(source.frames)), size)
    distance = None
    if source.depth is not None:
        distance = median_depth(source.depth)
        if distance is None:
            raise UserError(f"{source.frames.source}: the depth maps of sequence {source.frames.name} are empty.")
    assert exposed.cameras is not None
    cameras = context_world(exposed.cameras[context[0]], distance).apply(exposed.cameras)
    given = Scene(rgb=exposed.rgb[context], cameras=cameras[context], seed=index)
    return replace(exposed, cameras=cameras, seed=index, context=given)


def _state(file: Path) -> list[str | int]:
    """What changes when a file does."""
    found = file.stat()
    return [str(file.resolve()), found.st_size, found.st_mtime_ns]
