"""CO3D, version 2, as it is downloaded: sequences of its set lists, with cameras, masks and depth.

Its layout, from the data set's own description; paths in the files are relative to the root:

    <category>/frame_annotations.jgz             gzipped JSON, a list with one entry for each frame
    <category>/sequence_annotations.jgz          likewise, one for each sequence
    <category>/set_lists/set_lists_<subset>.json {"train": [[sequence, frame number, picture], ...], "val": ...}
    <category>/<sequence>/images, masks, depths, depth_masks

An entry of the first says where the picture, the mask (255 = object) and the depth map are, and gives the camera
in PyTorch3D's convention (see `pytorch3d`, `half_depth`). Frame numbers are those of the entries and need not be
those in the file names. The unit is arbitrary, one for each sequence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import InvalidCameras, UnreadableFile, UserError
from .half_depth import HalfDepth
from .json_stream import stream_array
from .pictures import inside
from .posed_sequence import PosedFrame, PosedSequence
from .pytorch3d import intrinsics_of_ndc, pose_of_pytorch3d

__all__ = ["CATEGORIES", "SetList", "camera_quality", "list_co3d", "read_co3d"]

CATEGORIES = ("apple", "ball", "bench", "cake", "donut", "hydrant", "plant", "suitcase", "teddybear", "vase")
"""The ten categories that diffusion with forward models was trained on."""

MAXIMUM_LIST = 512 << 20
HINT = "Download the annotations of this category of CO3Dv2 again."

SetList = dict[str, list[tuple[int, str]]]
"""Name of each sequence to its frames, as frame number and path of the picture, by frame number."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class _Image(_Part):
    path: str = Field(max_length=1024)
    size: tuple[int, int]  # height, width


class _Depth(_Part):
    path: str = Field(max_length=1024)
    scale_adjustment: float = Field(gt=0)
    mask_path: str | None = Field(default=None, max_length=1024)


class _Mask(_Part):
    path: str = Field(max_length=1024)


class _Viewpoint(BaseModel):
    """Numbers are checked by `pytorch3d`, whose errors say what they should be."""

    model_config = ConfigDict(extra="ignore")

    R: Any
    T: Any
    focal_length: Any
    principal_point: Any
    intrinsics_format: str = "ndc_norm_image_bounds"


class _Frame(_Part):
    sequence_name: str
    frame_number: int
    image: _Image
    depth: _Depth | None = None
    mask: _Mask | None = None
    viewpoint: _Viewpoint | None = None


def list_co3d(
    root: Path, category: str, *, subset: str = "fewview_dev", part: Literal["train", "val", "test"] = "val"
) -> SetList:
    """The sequences of one part of a set list, sorted by name, with the frames that it lists.

    Raises:
        UserError: there is no such category or subset.
        UnreadableFile: the list is damaged, too large or of another format.
    """
    folder = _category(Path(root), category)
    path = folder / "set_lists" / f"set_lists_{subset}.json"
    if not path.is_file():
        there = sorted(found.stem.removeprefix("set_lists_") for found in path.parent.glob("set_lists_*.json"))
        raise UserError(
            f"{path}: there is no such list.",
            hint=f"Here are: {', '.join(there)}." if there else "Download the set lists of CO3Dv2.",
        )
    listed = _json(path).get(part)
    if not isinstance(listed, list):
        raise UnreadableFile(f"{path}: has no list '{part}'.", hint=HINT)
    found: SetList = {}
    for place, entry in enumerate(listed):
        match entry:
            case [str(sequence), int(number), str(picture)]:
                found.setdefault(sequence, []).append((number, picture))
            case _:
                raise UnreadableFile(
                    f"{path}: entry {place} of '{part}' is not [sequence, frame number, path].", hint=HINT
                )
    return {sequence: sorted(found[sequence]) for sequence in sorted(found)}


def read_co3d(
    root: Path, category: str, wanted: Mapping[str, Sequence[tuple[int, str]]]
) -> dict[str, PosedSequence | InvalidCameras]:
    """The sequences in `wanted`, which `list_co3d` gives, with the frames listed there and no others.

    The annotations are read once, from the beginning until every frame was found; those of others are not kept.

    Returns:
        name to sequence; or to the error that says which frame's camera is none, of which CO3D has some.

    Raises:
        UserError: there is no such category, or a path leads out of the root.
        UnreadableFile: the annotations are missing or damaged, lack a frame, or have another picture for it.
    """
    root = Path(root)
    path = _category(root, category) / "frame_annotations.jgz"
    missing = {(sequence, number): picture for sequence, frames in wanted.items() for number, picture in frames}
    found: dict[str, list[PosedFrame]] = {sequence: [] for sequence in wanted}
    faults: dict[str, InvalidCameras] = {}
    for place, entry in enumerate(stream_array(path, hint=HINT) if missing else ()):
        match entry:
            case {"sequence_name": str(name), "frame_number": int(number)} if (name, number) in missing:
                listed = missing.pop((name, number))
            case _:
                continue
        try:
            found[name].append(_frame(root, path, place, entry, listed))
        except InvalidCameras as error:
            faults.setdefault(name, error)
        if not missing:
            break
    if missing:
        name, number = next(iter(missing))
        raise UnreadableFile(
            f"{path}: {len(missing)} frames of the set list are not described here, first among them frame {number} "
            f"of sequence {name}. Lists and annotations must come from the same release.",
            hint=HINT,
        )
    sequences: dict[str, PosedSequence | InvalidCameras] = {}
    for name, frames in found.items():
        if name in faults:
            sequences[name] = faults[name]
        elif frames:
            in_order = tuple(sorted(frames, key=lambda frame: frame.number))
            sequences[name] = PosedSequence(name, path, in_order, category)
    return sequences


def camera_quality(root: Path, category: str) -> dict[str, float | None]:
    """How good the authors hold each sequence's cameras to be; the more the better, None = not said.

    Raises:
        UserError: there is no such category.
        UnreadableFile: `sequence_annotations.jgz` is missing or damaged.
    """
    path = _category(Path(root), category) / "sequence_annotations.jgz"
    found: dict[str, float | None] = {}
    for place, entry in enumerate(stream_array(path, hint=HINT)):
        match entry:
            case {"sequence_name": str(name), **rest}:
                score = rest.get("viewpoint_quality_score")
                if not isinstance(score, int | float | None):
                    raise UnreadableFile(f"{path}: the quality of sequence {name} is no number.", hint=HINT)
                found[name] = None if score is None else float(score)
            case _:
                raise UnreadableFile(f"{path}: entry {place} has no sequence_name.", hint=HINT)
    return found


def _frame(root: Path, path: Path, place: int, entry: dict[str, Any], listed: str) -> PosedFrame:
    """The frame of an entry of the annotations, whose picture the set list calls `listed`."""
    try:
        given = _Frame.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the top"
        raise UnreadableFile(f"{path}: entry {place}, at {where}: {first['msg']}.", hint=HINT) from error
    name = f"{path}: frame {given.frame_number} of sequence {given.sequence_name}"
    if given.image.path != listed:
        raise UnreadableFile(f"{name}: its picture is {given.image.path}, the set list says {listed}.", hint=HINT)
    height, width = given.image.size
    if min(height, width) < 1:
        raise UnreadableFile(f"{name}: its picture has size {width}x{height}.", hint=HINT)
    view = given.viewpoint
    if view is None:
        raise InvalidCameras(f"{name}: it has no viewpoint.", hint="Leave this sequence out.")
    try:
        pose = pose_of_pytorch3d(view.R, view.T)
        intrinsics = intrinsics_of_ndc(view.focal_length, view.principal_point, width, height, view.intrinsics_format)
    except InvalidCameras as error:
        raise InvalidCameras(f"{name}: {error}", hint="Leave this sequence out.") from error
    depth = None
    if given.depth is not None:
        mask = None if given.depth.mask_path is None else inside(root, given.depth.mask_path)
        depth = HalfDepth(inside(root, given.depth.path), given.depth.scale_adjustment, mask)
    picture = inside(root, given.image.path)
    coverage = None if given.mask is None else inside(root, given.mask.path)
    return PosedFrame(picture, given.frame_number, intrinsics, pose, coverage, depth, (width, height))


def _category(root: Path, category: str) -> Path:
    folder = inside(root, category)
    if folder.is_dir():
        return folder
    there = sorted(path.parent.name for path in root.glob("*/frame_annotations.jgz"))
    hint = f"Here are: {', '.join(there)}." if there else "Give the folder that holds <category>/frame_annotations.jgz."
    raise UserError(f"{root}: there is no category '{category}' of CO3D here.", hint=hint)


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAXIMUM_LIST:
            raise UnreadableFile(f"{path}: larger than {MAXIMUM_LIST >> 20} MiB; this is no set list.", hint=HINT)
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableFile(f"{path}: not readable as JSON ({error}).", hint=HINT) from error
    if not isinstance(content, dict):
        raise UnreadableFile(f"{path}: must hold the lists train, val and test.", hint=HINT)
    return content
