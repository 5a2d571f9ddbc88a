"""From outside to scene files: nerfstudio captures, COLMAP models, folders of pictures.

Written below `out`, so that ``viewsweep evaluate OUT`` finds them like any method's scenes:

    scenes/<name>/00000.safetensors ...   the scenes
    imports/<name>.json                   where they came from: pictures, world, what failed and why

Sizes: with `size`, the largest centred square of each picture, resized by LANCZOS; without, the pictures'
own size, which must be one within a scene. Intrinsics follow crop and resize exactly; distortion is taken
out first.

Worlds: with `normalise` (the default) a scene is moved, turned and scaled into the canonical world, so
that yaw and pitch mean something: what the cameras look at in the origin, level cameras' up on +y, the
first picture in front, median distance 1.6; depth is scaled along. The similarity is in the record. With
``normalise=False`` poses and depth stay as the source has them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .capture import Developed, Failure, develop, develop_pictures
from .colmap import holds_model, read_colmap
from .errors import UserError
from .files import atomic_write, make_folder, remove_leftovers
from .nerfstudio import read_nerfstudio
from .pictures import SUFFIXES, natural
from .scene import save_scene

__all__ = ["ImportReport", "import_colmap", "import_images", "import_nerfstudio"]

SCHEMA = "viewsweep.import/1"


@dataclass(frozen=True)
class ImportReport:
    """What came of an import.

    Args:
        scenes: scene files written.
        views: pictures in them.
        failed: pictures and folders left out, each with a reason that names it.
        folder: where the scene files are.
    """

    scenes: int
    views: int
    failed: list[tuple[Path, str]]
    folder: Path


def import_nerfstudio(
    source: Path, out: Path, *, size: int | None = None, normalise: bool = True, name: str = "imported"
) -> ImportReport:
    """Import a ``transforms.json``, or each sub-folder of `source` that has one as a scene of its own.

    Args:
        source: the file, its folder, or a folder of such folders.
        out: the run directory to write to.
        size: side of the square images, pixels; None keeps the pictures' size.
        normalise: move scenes to the canonical world (see above).
        name: the method name the scenes get.

    Raises:
        UserError: nothing there could be imported, or `out` holds scenes of that name from elsewhere.
        WriteFailed: disk full or folder not writable; scenes written before are kept.
    """
    source = Path(source)
    places = [source] if source.is_file() else _places(source, lambda folder: (folder / "transforms.json").is_file())
    if not places:
        raise UserError(f"{source}: there is no transforms.json here, nor in a sub-folder.")

    def read(place: Path) -> Developed:
        return develop(read_nerfstudio(place), size=size, normalise=normalise)

    return _Import("nerfstudio", source, Path(out), name, size, normalise).run(places, read)


def import_colmap(
    source: Path, out: Path, *, size: int | None = None, normalise: bool = True, name: str = "imported"
) -> ImportReport:
    """Import a COLMAP text model, or each sub-folder of `source` that has one as a scene of its own.

    Args:
        source: the project folder, the model's folder, or a folder of projects. Of several models in
            one project the first (``sparse/0``) is taken.
        out, size, normalise, name: as `import_nerfstudio`.

    Raises:
        UserError, WriteFailed: as `import_nerfstudio`.
    """
    source = Path(source)
    places = _places(source, holds_model)
    if not places:
        raise UserError(f"{source}: there is no COLMAP model (cameras.txt, images.txt) here, nor in a sub-folder.")

    def read(place: Path) -> Developed:
        return develop(read_colmap(place), size=size, normalise=normalise)

    return _Import("colmap", source, Path(out), name, size, normalise).run(places, read)


def import_images(source: Path, out: Path, *, size: int | None = None, name: str = "imported") -> ImportReport:
    """Import pictures without cameras.

    Args:
        source: a folder. Each picture directly in it is a scene of one view; each sub-folder is a scene
            of its pictures in natural order (2 before 10). Other files are passed over.
        out, size, name: as `import_nerfstudio`.

    Raises:
        UserError, WriteFailed: as `import_nerfstudio`.
    """
    source = Path(source)
    if source.is_file():
        places = [source]
    else:
        places = [*_pictures(source), *(folder for folder in _folders(source) if _pictures(folder))]
    if not places:
        raise UserError(f"{source}: no pictures here, nor in sub-folders ({', '.join(SUFFIXES)}).")

    def read(place: Path) -> Developed:
        return develop_pictures(place, _pictures(place) if place.is_dir() else [place], size=size)

    return _Import("images", source, Path(out), name, size, False).run(places, read)


@dataclass(frozen=True)
class _Import:
    """One import into ``out``: where it writes, and the record it keeps."""

    kind: str
    source: Path
    out: Path
    name: str
    size: int | None
    normalise: bool

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name):
            raise UserError(f"'{self.name}' is no name for imported scenes; use letters, digits, '.', '_' and '-'.")
        if self.size is not None and self.size < 1:
            raise UserError(f"The image size must be at least 1 pixel, not {self.size}.")

    @property
    def folder(self) -> Path:
        return self.out / "scenes" / self.name

    @property
    def record(self) -> Path:
        return self.out / "imports" / f"{self.name}.json"

    def run(self, places: list[Path], read: Callable[[Path], Developed]) -> ImportReport:
        """Import each place as a scene; one that fails does not keep the others from being imported."""
        self._refuse_foreign_scenes()
        failed: list[Failure] = []
        scenes: list[dict[str, Any]] = []
        for place in places:
            try:
                developed = read(place)
            except UserError as error:
                failed.append(_named(place, str(error)))
                continue
            if not scenes:
                make_folder(self.folder)
                make_folder(self.record.parent)
                self._write_record("running", [], [])
            save_scene(self._path(len(scenes)), developed.scene)
            failed += [_named(*failure) for failure in developed.failed]
            scenes.append(_describe(place, len(scenes), developed))
        if not scenes:
            raise UserError(f"{self.source}: nothing could be imported. {failed[0][1]}{_more(len(failed) - 1)}")
        for leftover in self.folder.glob("*.safetensors"):  # of an earlier import from here that had more
            if leftover.stem.isdecimal() and int(leftover.stem) >= len(scenes):
                leftover.unlink()
        remove_leftovers(self.folder)
        self._write_record("finished", scenes, failed)
        return ImportReport(len(scenes), sum(len(scene["views"]) for scene in scenes), failed, self.folder)

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:05d}.safetensors"

    def _identity(self) -> dict[str, Any]:
        return {"schema": SCHEMA, "kind": self.kind, "source": str(self.source.resolve())}

    def _refuse_foreign_scenes(self) -> None:
        """Nothing that is on disk is lost: only an import from the same source is written over."""
        count = len(list(self.folder.glob("*.safetensors")))
        if not count:
            return
        try:
            earlier = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            earlier = None
        if not isinstance(earlier, dict) or {key: earlier.get(key) for key in self._identity()} != self._identity():
            raise UserError(
                f"{self.folder} holds {count} scenes that did not come from {self.source} by this import. "
                "Choose another --out or --name, or delete that folder."
            )

    def _write_record(self, status: str, scenes: list[dict[str, Any]], failed: list[Failure]) -> None:
        content = self._identity() | {
            "status": status,
            "size": self.size,
            "normalise": self.normalise,
            "scenes": scenes,
            "failed": [{"path": str(path), "reason": reason} for path, reason in failed],
        }
        atomic_write(self.record, json.dumps(content, indent=2) + "\n")


def _named(path: Path, reason: str) -> Failure:
    """The failure with a reason that can stand alone: it says where."""
    return path, reason if str(path) in reason else f"{path}: {reason}"


def _describe(place: Path, index: int, developed: Developed) -> dict[str, Any]:
    return {
        "index": index,
        "source": str(place),
        "views": [str(view) for view in developed.views],
        "world": None if developed.world is None else developed.world.to_json(),
    }


def _places(source: Path, holds_one: Callable[[Path], bool]) -> list[Path]:
    """`source` if it holds one, else its sub-folders that do."""
    return [source] if holds_one(source) else [folder for folder in _folders(source) if holds_one(folder)]


def _folders(source: Path) -> list[Path]:
    return [path for path in _listed(source) if path.is_dir()]


def _pictures(folder: Path) -> list[Path]:
    return [path for path in _listed(folder) if path.suffix.lower() in SUFFIXES and path.is_file()]


def _listed(folder: Path) -> list[Path]:
    """What is in `folder`, in natural order, without hidden entries."""
    try:
        found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror}). Give the folder with the pictures.") from error
    return sorted(found, key=lambda path: natural(path.name))


def _more(count: int) -> str:
    return f" ({count} more failed.)" if count > 0 else ""
