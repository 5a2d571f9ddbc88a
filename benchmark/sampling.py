"""Drawing the scenes of a protocol with one method, one file a scene, from where it stopped.

Batches are cut by index, not by what is missing: networks round differently in batches of another
make-up, and a run that was killed shall end with the bits of one that was not. A batch with a
missing scene is therefore drawn whole, and what it already has on disk stays.

Of a completion each request counts on its own: one file a sample, which keeps the context it was
drawn from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ..scenes.errors import UserError, ViewsweepError
from ..scenes.files import make_folder
from ..scenes.generator import Generator, GeneratorInfo, Request
from ..scenes.scene import Scene, load_scene, save_scene
from .determinism import deterministic
from .memory import PeakMemory
from .method_record import MethodRecord, info_record
from .progress import Progress
from .protocol import Protocol
from .registry import Method
from .run_directory import RunDirectory
from .tasks import check_task
from .true_scenes import outlines

__all__ = ["Sampled", "mismatch", "sample_method"]

POSE_TOLERANCE = 1e-6  # room for a method that keeps its cameras in float32


@dataclass
class Sampled:
    """How drawing one method's scenes went.

    Args:
        drawn: how many scenes were drawn now.
        failed: index of each scene that could not be drawn, and why.
        refused: those among them that broke a rule; the others are failures of the method itself.
        record: what `method.json` now says.
    """

    method: str
    drawn: int = 0
    failed: dict[int, str] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)
    record: MethodRecord | None = None


@dataclass(frozen=True)
class Fault:
    """Why there is no scene; `refused` where what came of the method broke a rule."""

    reason: str
    refused: bool


def sample_method(
    run: RunDirectory,
    protocol: Protocol,
    requests: Sequence[Request],
    method: Method,
    *,
    device: str,
    batch_size: int,
    progress: Progress,
    begin: Callable[[], object],
) -> Sampled:
    """Draw what is missing of one method's scenes.

    A scene whose drawing raises is counted as failed with its reason and the others go on; a
    generator that cannot be loaded, was not made for the task or lacks classes that are asked for, fails
    all of its scenes.
    `begin` is called before anything on disk changes.

    Raises:
        UserError: the folder holds scenes of another protocol or of a method that has changed.
        WriteFailed: the disk refused a scene; the ones before are kept.
    """
    folder = run.method_folder(method.name)
    record_file = folder / "method.json"
    record = _open_record(run, protocol, method)
    asked = outlines(requests)
    missing = [request for request in asked if not _is_done(run, method.name, request)]
    result = Sampled(method.name, record=record)
    fingerprint = method.fingerprint()
    unchanged = fingerprint is not None and record.fingerprint == fingerprint
    if not missing and unchanged:
        return result
    if len(missing) == len(requests):
        record.info, record.sessions = None, []  # nothing there that could be mixed up
    record.failed, record.refused = {}, []
    begin()
    make_folder(folder)
    trouble = "the method could not be loaded: "
    try:
        generator = method.load(device, batch_size)
        own, trouble = generator.info(), ""
        check_task(own, protocol)
        _check_classes(own, asked)
        info = info_record(own)
    except Exception as error:
        fault = _fault(error)
        run.log("method failed", method=method.name, reason=fault.reason)
        record.failed = {request.index: f"{trouble}{fault.reason}" for request in missing}
        record.refused = [request.index for request in missing if fault.refused]
        record.write(record_file)
        progress.say(f"{method.name}: {trouble}{fault.reason}")
        result.failed, result.refused = record.failed, record.refused
        return result
    record.accept(info)
    if not unchanged and None not in (fingerprint, record.fingerprint) and len(missing) < len(requests):
        run.log("source changed", method=method.name)
        progress.say(
            f"{method.name}: its source has changed since its scenes were drawn, and they are kept. "
            "Draw them anew with --fresh."
        )
    record.fingerprint = fingerprint
    if not missing:
        record.write(record_file)
        return result
    session: dict[str, Any] = {"device": device, "batch_size": batch_size, "scenes": 0, "seconds": 0.0}
    memory = PeakMemory(device)
    record.sessions.append(session)
    record.write(record_file)
    progress.stage(f"sample {method.name}", len(missing))
    wanted = {request.index for request in missing}
    with deterministic():
        for first in range(0, len(requests), batch_size):
            if not wanted & {request.index for request in asked[first : first + batch_size]}:
                continue
            batch = requests[first : first + batch_size]
            began = time.monotonic()
            for request, answer in _draw(generator, batch, wanted, run.log):
                if request.index not in wanted:
                    continue
                scene = _checked(answer, request, needs_depth=info["has_depth"])
                if isinstance(scene, Scene):
                    if request.context is not None:
                        scene = replace(scene, context=request.context)
                    save_scene(run.scene_file(method.name, request.index), scene)
                    session["scenes"] += 1
                else:
                    record.failed[request.index] = scene.reason
                    record.refused += [request.index] if scene.refused else []
                    run.log("scene failed", method=method.name, index=request.index, reason=scene.reason)
                    progress.say(f"{method.name}: {protocol.called(request.index)} failed: {scene.reason}")
                progress.step()
            session["seconds"] = round(session["seconds"] + time.monotonic() - began, 3)
            session["peak_memory_bytes"] = memory.measured()
            record.write(record_file)
    result.drawn, result.failed, result.refused = session["scenes"], dict(record.failed), list(record.refused)
    return result


def _check_classes(info: GeneratorInfo, requests: Sequence[Request]) -> None:
    """Refuse a method that has classes, but not all that are asked for; one without any may draw what it likes."""
    last = max((request.label for request in requests if request.label is not None), default=-1)
    if info.classes and last >= len(info.classes):
        raise UserError(
            f"the protocol asks for class {last}, and {info.name} has {len(info.classes)} classes, counted from 0. "
            "Use a protocol with its classes, or another method."
        )


def mismatch(scene: object, request: Request, *, needs_depth: bool = False) -> str | None:
    """Why `scene` is no answer to `request`; None when it is one."""
    if not isinstance(scene, Scene):
        return f"the method gave a {type(scene).__name__} instead of a Scene"
    views, size = len(request.cameras), (request.size, request.size)
    if scene.views != views or scene.size != size:
        return f"it has {scene.views} views of {_by(scene.size)}; asked for were {views} of {_by(size)}"
    if scene.seed != request.seed:
        return f"it is of seed {scene.seed}; asked for was {request.seed}"
    if scene.label != request.label:
        return f"it is of class {scene.label}; asked for was {request.label}"
    if scene.cameras is None:
        return "it has no cameras; hand back those of the request"
    for ours, asked in (
        (scene.cameras.cam_to_world, request.cameras.cam_to_world),
        (scene.cameras.intrinsics, request.cameras.intrinsics),
    ):
        if not torch.allclose(ours, asked, rtol=0, atol=POSE_TOLERANCE):
            return "its cameras are not those of the request"
    if needs_depth and scene.depth is None:
        return "it has no depth, although info() promises depth"
    return None


def _checked(answer: object, request: Request, *, needs_depth: bool) -> Scene | Fault:
    """The scene that answers `request`, or what is wrong with it."""
    if isinstance(answer, Fault):
        return answer
    reason = mismatch(answer, request, needs_depth=needs_depth)
    return answer if reason is None and isinstance(answer, Scene) else Fault(reason or "", refused=True)


def _open_record(run: RunDirectory, protocol: Protocol, method: Method) -> MethodRecord:
    folder = run.method_folder(method.name)
    record = MethodRecord.read(folder / "method.json")
    if record is None:
        if folder.is_dir() and any(folder.glob("*.safetensors")):
            raise UserError(
                f"{folder}: holds scenes that were not drawn here (there is no method.json).",
                hint="Choose another --out.",
            )
        return MethodRecord(method.name, protocol.hash)
    if record.protocol != protocol.hash:
        raise UserError(
            f"{folder}: its scenes were drawn for another protocol ({record.protocol[:12]}; now {protocol.hash[:12]}).",
            hint="Choose another --out, or --fresh to start over.",
        )
    return record


def _is_done(run: RunDirectory, method: str, request: Request) -> bool:
    path = run.scene_file(method, request.index)
    if not path.exists():
        return False
    try:
        fault = mismatch(load_scene(path), request)
    except ViewsweepError as error:
        fault = str(error)
    if fault is not None:
        run.log("scene drawn again", method=method, index=request.index, reason=fault)
    return fault is None


def _draw(
    generator: Generator, batch: Sequence[Request], wanted: set[int], log: Callable[..., None]
) -> Iterator[tuple[Request, object]]:
    """Each request with what the method gave for it, or with the fault for which there is nothing.

    When a batch raises, what it did not yield is asked for one by one, to know which scene is at
    fault and to lose no other.
    """
    answered = 0
    try:
        for scene in generator.generate(batch):
            if answered == len(batch):
                log("surplus scenes ignored", indices=[request.index for request in batch])
                break
            yield batch[answered], scene
            answered += 1
        fault = Fault(f"the method yielded {answered} scenes for {len(batch)} requests", refused=False)
    except Exception as error:
        fault = _fault(error)
    left = batch[answered:]
    if not left:
        return
    log("batch failed", indices=[request.index for request in left], reason=fault.reason)
    for request in left:
        if len(batch) == 1:
            yield request, fault
        elif request.index in wanted:
            yield from _draw(generator, [request], wanted, log)


def _fault(error: Exception) -> Fault:
    text = " ".join(str(error).split())
    known = isinstance(error, ViewsweepError) and bool(text)
    return Fault(text if known else f"{type(error).__name__}: {text or 'no message'}", isinstance(error, UserError))


def _by(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"
