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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..scenes.cameras import Cameras
from ..scenes.co3d import list_co3d, read_co3d
from ..scenes.errors import InvalidCameras, UserError, ViewsweepError, WriteFailed
from ..scenes.files import cache_folder, make_folder
from ..scenes.posed_sequence import PosedSequence, context_world, expose, median_depth
from ..scenes.re10k import list_re10k, read_re10k
from ..scenes.scene import Scene, load_scene, save_scene
from .fingerprint import sha256_json
from .progress import Progress
from .sequences import Co3dSequences, FramesOfVideo, Re10kSequences

__all__ = ["PosedData", "open_posed_data"]

VERSION = 1
"""Changes whenever the same files would give other scenes."""

DEPTH_FRAMES = 10
SHOWN = 5  # sequences that were passed over, named in an error


@dataclass(frozen=True, eq=False)
class _Source:
    """One scene's frames.

    Args:
        context, views: place of the context and of each view in `frames`.
        frames: the frames of context and views.
        depth: frames that the median depth is taken from; None where the unit stays.
        files: all that is read.
    """

    frames: PosedSequence
    context: int
    views: list[int]
    depth: PosedSequence | None
    files: tuple[Path, ...]


Candidate = tuple[str, _Source | str]
"""Name of a sequence, and what is needed of it or why it cannot be used."""


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
        sources: list[tuple[str, _Source]],
        passed: list[tuple[str, str]],
        size: int,
        progress: Progress,
    ) -> None:
        self.root = root
        self.names = tuple(name for name, _ in sources)
        self.passed = tuple(passed)
        self._sources = [source for _, source in sources]
        self._size, self._progress = size, progress
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
        """What a method is given: one view with its camera."""
        context = self.truth(index).context
        assert context is not None
        return context

    def cameras(self, index: int) -> Cameras:
        """The cameras of the views that are asked for."""
        cameras = self.truth(index).cameras
        assert cameras is not None
        return cameras

    @property
    def sha256(self) -> str:
        """Of all scenes: names, pictures, and cameras to five decimals; the same whatever the files are called."""
        digest = hashlib.sha256()
        for index, name in enumerate(self.names):
            scene = self.truth(index)
            for part in (scene, scene.context):
                if part is not None and part.cameras is not None:
                    digest.update(part.rgb.numpy().tobytes())
                    numbers = [*part.cameras.cam_to_world.flatten(), *part.cameras.intrinsics.flatten()]
                    digest.update(" ".join(f"{float(number) + 0.0:.5f}" for number in numbers).encode())
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
        scene = _prepared(source, self._size, index)
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
            "views": [source.context, *source.views],
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
    size: int,
    scenes: int,
    progress: Progress,
) -> PosedData:
    """Find the first `scenes` sequences that can be used; no picture is read yet.

    Args:
        root: the data set's folder (see `re10k` and `co3d` for what lies in it).
        size: side of the square pictures, pixels.

    Raises:
        UserError: no such data there, or fewer sequences that can be used.
        UnreadableFile: a camera file, set list or annotation file is damaged.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder.", hint="Name the data set's folder with --data.")
    if isinstance(sequences, Co3dSequences):
        candidates = _of_co3d(folder, sequences, frames, progress)
    else:
        if frames.unit == "median_depth":
            raise UserError("RealEstate10K has no depth; its protocols keep the source's unit (`unit: source`).")
        candidates = _of_re10k(folder, sequences, frames)
    found: list[tuple[str, _Source]] = []
    passed: list[tuple[str, str]] = []
    for name, candidate in candidates:
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
    return PosedData(folder, found, passed, size, progress)


def _of_re10k(root: Path, choice: Re10kSequences, frames: FramesOfVideo) -> Iterator[Candidate]:
    for entry in list_re10k(root, choice.split):
        if entry.frames is None:
            yield entry.name, "its frames were not downloaded"
            continue
        try:
            sequence = read_re10k(entry.cameras, entry.frames)
        except InvalidCameras as error:
            yield entry.name, str(error)
            continue
        yield entry.name, _source(sequence, range(len(sequence)), frames, ())


def _of_co3d(root: Path, choice: Co3dSequences, frames: FramesOfVideo, progress: Progress) -> Iterator[Candidate]:
    for category in choice.categories:
        progress.say(f"reading the cameras of {category}")
        listed = list_co3d(root, category, subset=choice.subset, part=choice.part)
        spread = {name: _spread(len(own)) if frames.unit == "median_depth" else () for name, own in listed.items()}
        places = {
            name: sorted({*frames.needed, *spread[name]}) if len(own) >= frames.length else []
            for name, own in listed.items()
        }
        read = read_co3d(root, category, {name: [listed[name][place] for place in places[name]] for name in listed})
        used = 0
        for name, own in listed.items():
            sequence = read.get(name)
            if sequence is None:
                candidate: _Source | str = _too_short(len(own), frames)
            elif isinstance(sequence, InvalidCameras):
                candidate = str(sequence)
            else:
                candidate = _source(sequence, places[name], frames, spread[name])
            yield f"{category}/{name}", candidate
            used += isinstance(candidate, _Source)
            if used == choice.each:
                break


def _source(
    sequence: PosedSequence, places: Sequence[int], frames: FramesOfVideo, spread: Sequence[int]
) -> _Source | str:
    """What is needed of a sequence whose frames stand at `places` of the whole, or why it cannot be used."""
    at = dict(zip(places, sequence.frames, strict=True))
    if frames.needed[-1] not in at:
        return _too_short(len(sequence), frames)
    needed = tuple(replace(at[place], depth=None) for place in frames.needed)
    order = frames.needed.index
    measured = tuple(at[place] for place in spread if at[place].depth is not None)
    if frames.unit == "median_depth" and not measured:
        return "it has no depth, from which the unit is taken"
    files = [file for frame in needed for file in frame.files]
    files += [file for frame in measured if frame.depth is not None for file in frame.depth.files]
    missing = next((file for file in files if not file.is_file()), None)
    if missing is not None:
        return f"{missing} does not exist"
    depth = replace(sequence, frames=measured) if measured else None
    kept = replace(sequence, frames=needed)
    return _Source(kept, order(frames.context), [order(view) for view in frames.views], depth, tuple(files))


def _prepared(source: _Source, size: int, index: int) -> Scene:
    """True views and context of a scene, in the context's world."""
    exposed = expose(source.frames, range(len(source.frames)), size)
    distance = None
    if source.depth is not None:
        distance = median_depth(source.depth)
        if distance is None:
            raise UserError(f"{source.frames.source}: the depth maps of sequence {source.frames.name} are empty.")
    assert exposed.cameras is not None
    cameras = context_world(exposed.cameras[source.context], distance).apply(exposed.cameras)
    given = [source.context]
    context = Scene(rgb=exposed.rgb[given], cameras=cameras[given], seed=index)
    alpha = None if exposed.alpha is None else exposed.alpha[source.views]
    return Scene(rgb=exposed.rgb[source.views], cameras=cameras[source.views], alpha=alpha, seed=index, context=context)


def _spread(count: int) -> list[int]:
    """Up to ten places, spread evenly over `count`."""
    return sorted(set(np.linspace(0, count - 1, DEPTH_FRAMES).round().astype(int).tolist()))


def _too_short(count: int, frames: FramesOfVideo) -> str:
    return f"it has {count} frames, and frame {frames.length - 1} is needed, counted from 0"


def _state(file: Path) -> list[str | int]:
    """What changes when a file does."""
    found = file.stat()
    return [str(file.resolve()), found.st_size, found.st_mtime_ns]
