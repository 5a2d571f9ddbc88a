"""Which sequences of a folder of posed videos a protocol can use, found without reading a picture.

A sequence cannot be used when it is too short, when a picture that is needed was not downloaded, when a camera that
is needed is none, or when the unit is to come from depth and there is none. Each comes with the reason. Files that
are damaged are another matter: they raise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..scenes.co3d import list_co3d, read_co3d
from ..scenes.errors import InvalidCameras, UserError
from ..scenes.posed_sequence import PosedSequence
from ..scenes.re10k import list_re10k, read_re10k
from .progress import Progress
from .sequences import Co3dSequences, FramesOfVideo, Re10kSequences

__all__ = ["UsableVideo", "find_videos"]

DEPTH_FRAMES = 10


@dataclass(frozen=True, eq=False)
class UsableVideo:
    """What is needed of a sequence.

    Args:
        frames: one a view.
        depth: frames that the median depth is taken from; None where the unit stays.
        files: all that is read.
    """

    frames: PosedSequence
    depth: PosedSequence | None
    files: tuple[Path, ...]


Candidate = tuple[str, UsableVideo | str]
"""Name of a sequence, and what is needed of it or why it cannot be used."""


def find_videos(
    root: Path, sequences: Re10kSequences | Co3dSequences, frames: FramesOfVideo, progress: Progress
) -> Iterator[Candidate]:
    """The sequences in their order, each looked at when it is asked for.

    Raises:
        UserError: no such data there, or RealEstate10K with a unit that it has not.
        UnreadableFile: a camera file, set list or annotation file is damaged.
    """
    if isinstance(sequences, Co3dSequences):
        yield from _of_co3d(root, sequences, frames, progress)
    elif frames.unit == "median_depth":
        raise UserError("RealEstate10K has no depth; its protocols keep the source's unit (`unit: source`).")
    else:
        yield from _of_re10k(root, sequences, frames)


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
        yield entry.name, _needed(sequence, range(len(sequence)), frames, ())


def _of_co3d(root: Path, choice: Co3dSequences, frames: FramesOfVideo, progress: Progress) -> Iterator[Candidate]:
    for category in choice.categories:
        progress.say(f"reading the cameras of {category}")
        listed = list_co3d(root, category, subset=choice.subset, part=choice.part)
        spread = {name: _spread(len(own)) if frames.unit == "median_depth" else () for name, own in listed.items()}
        places = {
            name: sorted({*frames.frames, *spread[name]}) if len(own) >= frames.length else []
            for name, own in listed.items()
        }
        read = read_co3d(root, category, {name: [listed[name][place] for place in places[name]] for name in listed})
        used = 0
        for name, own in listed.items():
            sequence = read.get(name)
            if sequence is None:
                candidate: UsableVideo | str = _too_short(len(own), frames)
            elif isinstance(sequence, InvalidCameras):
                candidate = str(sequence)
            else:
                candidate = _needed(sequence, places[name], frames, spread[name])
            yield f"{category}/{name}", candidate
            used += isinstance(candidate, UsableVideo)
            if used == choice.each:
                break


def _needed(
    sequence: PosedSequence, places: Sequence[int], frames: FramesOfVideo, spread: Sequence[int]
) -> UsableVideo | str:
    """What is needed of a sequence whose frames stand at `places` of the whole, or why it cannot be used."""
    at = dict(zip(places, sequence.frames, strict=True))
    if frames.frames[-1] not in at:
        return _too_short(len(sequence), frames)
    needed = tuple(replace(at[place], depth=None) for place in frames.frames)
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
    return UsableVideo(kept, depth, tuple(files))


def _spread(count: int) -> list[int]:
    """Up to ten places, spread evenly over `count`."""
    return sorted(set(np.linspace(0, count - 1, DEPTH_FRAMES).round().astype(int).tolist()))


def _too_short(count: int, frames: FramesOfVideo) -> str:
    return f"it has {count} frames, and frame {frames.length - 1} is needed, counted from 0"
