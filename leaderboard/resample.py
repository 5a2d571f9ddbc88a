"""`resample`: draws some scenes of an entry again with the method and compares them with the archived ones.

Which ones is up to chance, so nobody can prepare for it. Each is drawn in a batch of its own: a scene follows
from its seed alone. Networks round differently in other batches and on other machines, so pictures may differ
a little; drawn from another seed, by other weights or by hand, they differ by far more than the tolerances.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..benchmark.determinism import deterministic
from ..benchmark.method_record import info_record
from ..benchmark.posed_scenes import with_videos
from ..benchmark.progress import Progress
from ..benchmark.protocol import Protocol
from ..benchmark.registry import find_method, method_names
from ..benchmark.sampling import mismatch
from ..scenes.errors import UserError, ViewsweepError
from ..scenes.generator import Generator, Request
from ..scenes.scene import Scene, load_scene
from .entry import Entry
from .strict_json import load_entry
from .verify import OpenedScenes, opened_scenes, protocol_of

__all__ = ["DEPTH_TOLERANCE", "OUTLINE_TOLERANCE", "PIXEL_TOLERANCE", "Redrawn", "Resampling", "resample"]

PIXEL_TOLERANCE = 2.0
"""Mean absolute difference of the pictures of a scene, in levels of 255."""

DEPTH_TOLERANCE = 0.01
"""Mean relative difference of depth where both scenes have some."""

OUTLINE_TOLERANCE = 0.01
"""Share of pixels where one has depth and the other has none."""


@dataclass(frozen=True)
class Redrawn:
    """One scene drawn again beside the archived one.

    Args:
        index, seed: which scene.
        pixels: mean absolute difference, in levels of 255.
        depth: mean relative difference; None where one of them has no depth.
        outline: share of pixels with depth in one of them only; None likewise.
        fault: why there was nothing to compare.
    """

    index: int
    seed: int
    pixels: float | None = None
    depth: float | None = None
    outline: float | None = None
    fault: str | None = None

    @property
    def agrees(self) -> bool:
        """Within the tolerances of this module."""
        limits = ((self.pixels, PIXEL_TOLERANCE), (self.depth, DEPTH_TOLERANCE), (self.outline, OUTLINE_TOLERANCE))
        return self.fault is None and all(value is None or value <= limit for value, limit in limits)


@dataclass(frozen=True)
class Resampling:
    """How scenes drawn again compare with the archived ones.

    Args:
        entry: whose scenes they are.
        scenes: those that were drawn again.
        changed: what the method at hand says of itself that the entry says otherwise.
    """

    entry: Entry
    scenes: list[Redrawn] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return bool(self.scenes) and not self.changed and all(scene.agrees for scene in self.scenes)

    @property
    def largest_difference(self) -> float:
        """Relative to the full range of pixels, and of depth to itself."""
        parts = [((scene.pixels or 0.0) / 255, scene.depth or 0.0, scene.outline or 0.0) for scene in self.scenes]
        return max((value for part in parts for value in part), default=0.0)


def resample(
    entry: Path,
    *,
    scenes: Path,
    seeds: int,
    method: str | None = None,
    device: str = "cpu",
    data: Path | None = None,
    draw: int | None = None,
    progress: Progress | None = None,
) -> Resampling:
    """Draw `seeds` scenes of an entry again and compare.

    Args:
        entry: its file on a board.
        scenes: the archive of its scenes, or a folder of them.
        seeds: how many; all where there are no more.
        method: where the method comes from, where its name is none that is registered here: ``module:Class`` or a
            ``.py`` file. An entry's own name never leads to a file.
        device: `cpu` or `cuda`.
        data: the folder of videos, for protocols that need one.
        draw: seed of the choice; None = nobody knows beforehand.
        progress: where to report to.

    Raises:
        UserError: entry or archive cannot be read, or the method is not here.
    """
    claimed = load_entry(entry)
    with opened_scenes(claimed, scenes) as opened:
        return resample_opened(
            claimed,
            entry,
            opened,
            seeds=seeds,
            method=method,
            device=device,
            data=data,
            draw=draw,
            progress=progress,
        )


def resample_opened(
    claimed: Entry,
    entry: Path,
    opened: OpenedScenes,
    *,
    seeds: int,
    method: str | None = None,
    device: str = "cpu",
    data: Path | None = None,
    draw: int | None = None,
    progress: Progress | None = None,
) -> Resampling:
    """As `resample`, with scenes that have been opened before."""
    if seeds < 1:
        raise UserError(f"--resample {seeds}: at least one scene.")
    progress = progress or Progress()
    generator = _method_of(claimed, method, device)
    protocol = with_videos(protocol_of(claimed, entry), data, progress)
    info = generator.info()
    pairs = (
        ("version", claimed.method.revision, info.version),
        ("weights", claimed.method.weights_sha256, info.weights_sha256),
        *_details(claimed.method.details, info_record(info)["details"]),
    )
    changed = [f"{what}: the entry says {theirs}, here it is {ours}" for what, theirs, ours in pairs if theirs != ours]
    result = Resampling(claimed, changed=changed)
    requests = protocol.requests()
    chosen = _chosen(opened, protocol, seeds, draw)
    progress.stage(f"draw {claimed.method.name} again", len(chosen))
    for index in chosen:
        request = requests[index]
        with deterministic():
            result.scenes.append(_redrawn(generator, request, opened.folder / f"{index:05d}.safetensors"))
        progress.step()
    return result


def compare_scenes(archived: Scene, drawn: Scene, request: Request) -> Redrawn:
    """How far two scenes of one request are apart."""
    pixels = float((archived.rgb.float() - drawn.rgb.float()).abs().mean())
    if archived.depth is None or drawn.depth is None:
        one_sided = archived.depth is not None or drawn.depth is not None
        fault = "only one of the scenes has depth" if one_sided else None
        return Redrawn(request.index, request.seed, pixels, fault=fault)
    surface, other = archived.depth.isfinite(), drawn.depth.isfinite()
    theirs, ours = archived.depth[surface & other].double(), drawn.depth[surface & other].double()
    return Redrawn(
        request.index,
        request.seed,
        pixels,
        depth=float(((theirs - ours).abs() / theirs).mean()) if len(theirs) else 0.0,
        outline=float((surface ^ other).float().mean()),
    )


def _method_of(entry: Entry, given: str | None, device: str) -> Generator:
    """The method of the entry.

    The name in an entry is text from somebody else: it is looked up among registered names and nowhere else.
    """
    name = entry.method.name
    if given is None and (name not in method_names() or name.endswith(".py")):
        raise UserError(
            f"There is no method named '{name}' here, so its scenes cannot be drawn again.",
            hint="Install its package, or say where it is with --method module:Class or --method file.py.",
        )
    found = find_method(given or name, device, 1)
    if found.name != name:
        raise UserError(f"--method {given}: is called '{found.name}', and the entry is of '{name}'.")
    return found.load(device, 1)


def _details(claimed: dict[str, Any], found: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """What the method says of its settings: what, by the entry, here; None where one of them is silent."""
    for key in sorted({*claimed, *found}):
        yield key, claimed.get(key), found.get(key)


def _chosen(opened: OpenedScenes, protocol: Protocol, seeds: int, draw: int | None) -> Sequence[int]:
    last = protocol.scenes * protocol.samples
    there = sorted(int(path.stem) for path in opened.folder.glob("*.safetensors") if path.stem.isdecimal())
    there = [index for index in there if index < last]
    source = random.SystemRandom() if draw is None else random.Random(draw)
    return sorted(source.sample(there, min(seeds, len(there))))


def _redrawn(generator: Generator, request: Request, path: Path) -> Redrawn:
    try:
        archived = load_scene(path)
        drawn = next(iter(generator.generate([request])))
    except ViewsweepError as error:
        return Redrawn(request.index, request.seed, fault=str(error))
    except Exception as error:
        return Redrawn(request.index, request.seed, fault=f"{type(error).__name__}: {error}")
    for what, scene in (("the archived scene", archived), ("the scene drawn now", drawn)):
        fault = mismatch(scene, request)
        if fault is not None:
            return Redrawn(request.index, request.seed, fault=f"{what}: {fault}")
    with torch.no_grad():
        return compare_scenes(archived, drawn, request)
