"""Trained generators as methods: a folder that `viewsweep train` wrote, told by its own configuration.

    train/eg3d/generator     a GAN                            config.json of the schema viewsweep.gan
    train/dfm/problem        diffusion with a forward model   config.json of the schema viewsweep.dfm
    train/ivid/pipeline      ivid                             model_index.json of an IvidPipeline

In tables it has the folder's name; where that says only what is in it, as these do, the name of the folder above.
Nothing in a folder is executed, and a pickle is not opened: the sentence that refuses it says what can be done.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from ..scenes.errors import UserError
from .fingerprint import sha256_file

__all__ = ["folder_hashes", "folder_name", "has_configuration", "is_trained_folder", "trained_target"]

GAN = "viewsweep.baselines.gan.method:load_folder"
DFM = "viewsweep.baselines.dfm.method:load_folder"
IVID = "viewsweep.baselines.ivid.method:IvidGenerator"

CONFIG, INDEX = "config.json", "model_index.json"
PARTS = ("generator", "problem", "pipeline")
"""What trainings call the folder of their result."""

PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt")


def is_trained_folder(spec: str) -> bool:
    """Whether `spec` is meant as a folder: a path with a slash in it, or the bare name of a folder that holds one.

    A bare name of anything else in the working folder is a mistyped method rather than a path.
    """
    path = Path(spec)
    if os.sep in spec or path.suffix.lower() in PICKLES:
        return True
    return has_configuration(path) or _part_of(path) is not None


def has_configuration(folder: Path) -> bool:
    """Whether a folder says what it holds."""
    return (folder / CONFIG).is_file() or (folder / INDEX).is_file()


def trained_target(folder: Path) -> str:
    """The loader of a trained folder as ``module:function``; it takes the folder, `name` and `device`.

    Raises:
        UserError: there is no such folder, none of a trained generator, or a pickle.
    """
    if folder.suffix.lower() in PICKLES:
        return GAN  # whose store says what to do with a pickle
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder of a trained generator, and no method of that name.")
    if (folder / INDEX).is_file():
        kind = _read(folder / INDEX).get("_class_name")
        if kind != "IvidPipeline":
            raise UserError(
                f"{folder}: a pipeline of the class {kind} is no method by itself.",
                hint="`viewsweep train ivid` writes one that is into OUT/pipeline.",
            )
        return IVID
    if not has_configuration(folder) and (part := _part_of(folder)) is not None:
        raise UserError(f"{folder}: this is the folder of a whole training.", hint=f"Give its result, {part}.")
    dfm = (folder / CONFIG).is_file() and str(_read(folder / CONFIG).get("schema")).startswith("viewsweep.dfm/")
    return DFM if dfm else GAN


def folder_name(folder: Path) -> str:
    """What the method is called in tables: lower-case letters, digits, dots and dashes."""
    whole = folder.resolve()
    said = whole.parent.name if whole.name in PARTS and whole.parent.name else whole.name
    return re.sub(r"[^a-z0-9._-]+", "-", said.lower()).strip("._-")[:64] or "trained"


def folder_hashes(folder: Path) -> dict[str, str]:
    """sha256 of each weight file and configuration below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".json", ".safetensors"))
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}


def _part_of(out: Path) -> Path | None:
    """The result in the folder of a whole training."""
    parts = (out / name for name in PARTS)
    return next((part for part in parts if has_configuration(part)), None)


def _read(path: Path) -> dict[str, Any]:
    """A configuration's content; empty where it is damaged, which the loader that is then tried says best."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
