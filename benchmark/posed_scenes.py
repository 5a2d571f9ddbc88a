"""Protocols on posed videos: their data opened, and their true scenes taken from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..scenes.errors import UserError
from ..scenes.generator import Request
from ..scenes.scene import Scene
from .completion import Completion
from .picture_folder import DATA_VARIABLE
from .posed_data import PosedData, open_posed_data
from .progress import Progress
from .sequences import FramesOfVideo
from .true_scenes import TrueScenes

if TYPE_CHECKING:
    from .protocol import Protocol

__all__ = ["VideoScenes", "video_scenes", "with_videos"]


class VideoScenes(TrueScenes):
    """Truth and context of scenes that are videos.

    Args:
        name, completion, worlds: as `TrueScenes`.
        data: the opened videos.
    """

    def __init__(self, name: str, completion: Completion, worlds: Sequence[Request], data: PosedData) -> None:
        super().__init__(name, completion, worlds)
        self._data = data

    def context(self, scene: int) -> Scene:
        """What is given: rgb, cameras, mask and the scene's number as its seed; hidden pixels are grey."""
        if scene not in self._contexts:
            self._contexts[scene] = self._given(scene, self._data.context(scene))
        return self._contexts[scene]

    def _make(self, scene: int) -> Scene:
        return replace(self._data.truth(scene), context=self.context(scene))


def video_scenes(protocol: Protocol) -> VideoScenes:
    """The true scenes of a protocol on videos; the seed of each is its number.

    Raises:
        UserError: its data were not opened.
    """
    data, completion = protocol.data, protocol.completion
    if data is None:
        raise _no_folder(protocol)
    assert completion is not None
    worlds = [
        Request(index=index, seed=index, cameras=data.cameras(index), size=protocol.size) for index in range(len(data))
    ]
    return VideoScenes(protocol.name, completion, worlds, data)


def with_videos(protocol: Protocol, folder: Path | None, progress: Progress) -> Protocol:
    """The protocol with its data, which it needs before anything can be drawn or measured; others as they are.

    Raises:
        UserError: no folder was named, or it does not hold what the protocol asks for.
        UnreadableFile: a file in it is damaged.
    """
    if protocol.sequences is None:
        return protocol
    if folder is None:
        raise _no_folder(protocol)
    assert isinstance(protocol.sweep, FramesOfVideo)
    assert protocol.completion is not None
    data = open_posed_data(
        folder,
        protocol.sequences,
        protocol.sweep,
        context=protocol.completion.context,
        size=protocol.size,
        scenes=protocol.scenes,
        progress=progress,
    )
    data.prepare()
    return protocol.with_data(data)


def _no_folder(protocol: Protocol) -> UserError:
    return UserError(
        f"{protocol.name} takes its scenes from a folder of yours.",
        hint=f"Name it with --data or {DATA_VARIABLE}; docs/real-data.md says what lies in it.",
    )
