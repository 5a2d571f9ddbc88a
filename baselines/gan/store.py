"""A trained generator's folder: what it holds, how it is written, and what is refused when it is read.

    config.json             schema, family, class, constructor arguments, cameras, size, names of the classes
    generator.safetensors   weights and running means, in half precision
    training.json           the recipe and where it ran; not read back
    README.md               model card

Nothing in it is executed: the class is looked up by the family's name, weights are plain tensors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...scenes.errors import UnknownName, UnreadableFile, UserError
from ...scenes.files import atomic_write, make_folder
from ..weight_file import file_digest, read_weights, write_weights
from .base import GanGenerator
from .families import FAMILIES, Family
from .model_card import model_card
from .viewpoint import Viewpoint

__all__ = ["CONFIG", "SCHEMA", "WEIGHTS", "Stored", "load_generator", "save_generator"]

SCHEMA = "viewsweep.gan/1"
CONFIG, WEIGHTS = "config.json", "generator.safetensors"
CHECKPOINT, LOSSES = "checkpoint.pt", "losses.csv"  # what our own trainings leave beside ``generator/``
PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".bin", ".tar")


@dataclass(frozen=True, eq=False)
class Stored:
    """A generator as it was found.

    Args:
        generator: float32, on the CPU, in evaluation mode.
        family: which GAN it is.
        viewpoint: the cameras it was trained with.
        size: of the pictures it was trained for.
        classes: names of its classes; empty = unconditional.
        sha256: hash of the weight file.
    """

    generator: GanGenerator
    family: Family
    viewpoint: Viewpoint
    size: int
    classes: tuple[str, ...]
    sha256: str


def save_generator(
    folder: Path,
    generator: GanGenerator,
    family: Family,
    viewpoint: Viewpoint,
    *,
    size: int,
    classes: tuple[str, ...],
    record: Mapping[str, Any],
) -> None:
    """Write a generator's folder, the configuration last: without it the folder is none.

    Args:
        record: for ``training.json`` and the model card; ``files`` is added.

    Raises:
        UserError: a weight too large for half precision.
        WriteFailed: disk full or folder not writable.
    """
    make_folder(folder)
    digest = write_weights(folder / WEIGHTS, generator, {"viewsweep": json.dumps({"family": family.name})})
    whole = {**record, "files": {WEIGHTS: digest}}
    atomic_write(folder / "training.json", json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    parameters = sum(value.numel() for value in generator.parameters())
    atomic_write(folder / "README.md", model_card(whole, family, parameters=parameters, size=size, classes=classes))
    config = {
        "schema": SCHEMA,
        "family": family.name,
        "class": type(generator).__name__,
        "settings": generator.settings,
        "cameras": asdict(viewpoint),
        "size": size,
        "classes": list(classes),
    }
    atomic_write(folder / CONFIG, json.dumps(config, indent=2, ensure_ascii=False) + "\n")


def load_generator(folder: Path, family: str | None = None) -> Stored:
    """Read a generator's folder.

    Args:
        folder: its folder.
        family: name of the family it must be of; None = any.

    Raises:
        UserError: there is no such folder, it is a pickle, it holds no generator or one of another family.
        UnreadableFile: damaged, or written by another version; tensors that are missing, left over or of
            another shape than its configuration says.
    """
    config = _read_config(folder)
    name = str(config.get("family"))
    if name not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise UnreadableFile(f"{folder / CONFIG}: the family {name!r} is not known here; known are {known}.")
    if family is not None and name != family:
        raise UserError(
            f"{folder}: this is a generator of {FAMILIES[name].title}, not of {FAMILIES[family].title}.",
            hint=f"Load it as {name}, or give a folder that `viewsweep train {family}` wrote.",
        )
    found = FAMILIES[name]
    try:
        generator = found.generator(**config["settings"])
        viewpoint = Viewpoint.from_json(config["cameras"])
        size, classes = int(config["size"]), tuple(str(entry) for entry in config["classes"])
    except UnknownName as error:
        raise UnreadableFile(f"{folder / CONFIG}: {error}") from error
    except (AssertionError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise UnreadableFile(
            f"{folder / CONFIG}: not the configuration of a generator of {found.title} "
            f"({type(error).__name__}: {error}).",
            hint="Train it again, or use the version of viewsweep that wrote it.",
        ) from error
    if len(classes) != generator.classes:
        raise UnreadableFile(
            f"{folder / CONFIG}: it names {len(classes)} classes, its generator has {generator.classes}."
        )
    hint = "The file belongs to another generator than config.json describes; both come from one training."
    generator.load_state_dict(read_weights(folder / WEIGHTS, generator, hint=hint))
    digest = file_digest(folder / WEIGHTS)
    return Stored(generator.eval().requires_grad_(False), found, viewpoint, size, classes, digest)


def _read_config(folder: Path) -> dict[str, Any]:
    _point_to_generator(folder.parent if folder.name == CHECKPOINT else folder)
    if folder.suffix.lower() in PICKLES and not folder.is_dir():
        raise UserError(
            f"{folder}: this file may be a pickle, which can run any program when it is opened, so it is not.",
            hint="A method is a folder that `viewsweep train` wrote. The tensors of a published pickle are taken out "
            f"by `viewsweep convert FAMILY {folder} --out DIR --trust-pickle`, under their authors' names, for an "
            "adapter of your own.",
        )
    path = folder / CONFIG
    if not path.is_file():
        loose = [file for file in sorted(folder.glob("*")) if file.suffix.lower() in PICKLES] if folder.is_dir() else []
        if loose:
            return _read_config(loose[0])
        raise UserError(
            f"{folder}: there is no {CONFIG}, so this is no folder of a trained generator.",
            hint="Train one with `viewsweep train eg3d --config small --out DIR` and give DIR/generator.",
        )
    try:
        config: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableFile(f"{path}: not readable ({error}).") from error
    if not isinstance(config, dict) or config.get("schema") != SCHEMA:
        raise UnreadableFile(f"{path}: not the configuration of a GAN of this version ({SCHEMA}).")
    return config


def _point_to_generator(out: Path) -> None:
    """Say where the generator lies to whom names the folder of a training of ours, or its checkpoint."""
    if (out / CONFIG).is_file():
        return
    if (out / "generator" / CONFIG).is_file():
        raise UserError(
            f"{out}: this is the folder of a whole training.", hint=f"Give its generator, {out / 'generator'}."
        )
    if (out / CHECKPOINT).is_file() and (out / LOSSES).is_file():
        raise UserError(
            f"{out}: this training has written no generator yet.",
            hint=f"The same `viewsweep train` command goes on with it; then give {out / 'generator'}.",
        )
