"""`viewsweep convert ivid`: the authors' checkpoints as parts of our pipeline folder.

    imagenet128_uncond.pt    4 input channels     OUT/first       draws first views
    imagenet128_cond.pt     10 input channels     OUT/following   draws the others
    an upsampler             8 input channels     OUT/upsampler   128 to 256 pixels, a pipeline of its own

The order of writing makes a killed conversion harmless: parts are written beside their place and
moved there whole, and model_index.json, without which a folder is no pipeline, comes last and only
when both parts of a sweep are there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from safetensors import SafetensorError

from ...scenes.errors import UserError, WriteFailed
from ...scenes.files import make_folder
from .adm_checkpoint import FILES, Checkpoint, blank_network, read_checkpoint
from .networks import RGBDUNet
from .pipeline import PAPER_SETTINGS, IvidPipeline
from .sampling import ddim_scheduler
from .upsampler import UpsamplerPipeline
from .upsampler_recipe import PAPER

__all__ = ["convert"]

SHARED = ("size", "classes", "channels", "attention", "layers", "head", "groups", "patch", "resample")


def convert(
    checkpoints: Sequence[str | Path],
    out: str | Path,
    *,
    half: bool = False,
    size: int | None = None,
    log: Callable[[str], None] = print,
) -> None:
    """Write the networks of `checkpoints` to their parts of the pipeline folder `out`.

    Args:
        checkpoints: the authors' files, each of another part.
        out: the folder; parts that are there already and are not given again stay.
        half: store half precision: half the disk, rounded to 11 bits.
        size: picture height and width of networks that are not of the authors' size.
        log: told what was written and what is still missing.

    Raises:
        UserError: a file that is no such checkpoint, two for one part, or networks that do not belong
            together; nothing has been written then.
        WriteFailed: the disk refused.
    """
    out = Path(out)
    read = [read_checkpoint(path, size=size) for path in checkpoints]
    given = _by_part(read)
    _check_belonging({**_present(out), **{part: (one.path, one.arguments) for part, one in given.items()}})
    kind = torch.float16 if half else torch.float32
    for one in read:
        one.check_numbers(kind)
    make_folder(out)
    with FileLock(out / ".convert.lock"):
        for leftover in out.glob(".*.tmp"):  # of a conversion that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        (out / "model_index.json").unlink(missing_ok=True)  # until all parts are whole again
        for part, one in given.items():
            network = one.network(kind)
            _write(partial(_save_part, network, one), out / part)
            millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
            log(f"{one.path.name}: {millions:.1f} million parameters, {network.dtype}, written to {out / part}")
        missing = [part for part in FILES if part not in _present(out)]
        if not missing:
            _write_index(out)
    if missing:
        files = " ".join(FILES[part] for part in missing)
        log(f"Still missing: {' and '.join(missing)}. Next: viewsweep convert ivid {files} --out {out}")
    else:
        log(f"The pipeline is complete. Next: VIEWSWEEP_IVID_PAPER={out} viewsweep show ivid-paper")


def _by_part(read: Sequence[Checkpoint]) -> dict[str, Checkpoint]:
    given: dict[str, Checkpoint] = {}
    for one in read:
        if one.part in given:
            raise UserError(
                f"{given[one.part].path} and {one.path} are both the network '{one.part}', which a pipeline has once."
            )
        given[one.part] = one
    return given


def _present(out: Path) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Parts that lie in `out`, with the arguments of their networks."""
    found = {}
    for part in FILES:
        file = out / part / "config.json"
        if file.is_file():
            try:
                content = dict(json.loads(file.read_text()))
                found[part] = (out / part, {name: content.get(name) for name in SHARED})
            except (ValueError, TypeError) as error:
                raise UserError(f"{file}: is no configuration of a network. Choose another --out.") from error
    return found


def _check_belonging(parts: Mapping[str, tuple[Path, Mapping[str, Any]]]) -> None:
    """G_c is a G_u that sees more: everything else about the two must agree."""
    if not all(part in parts for part in FILES):
        return
    (one, mine), (other, theirs) = (parts[part] for part in FILES)
    for name in SHARED:
        pair = [list(value) if isinstance(value, tuple) else value for value in (mine[name], theirs[name])]
        if pair[0] != pair[1]:
            raise UserError(
                f"{one} and {other} do not belong together: {name} is {pair[0]} in the one and {pair[1]} in the other. "
                "Both networks of a pipeline come from one data set; give the other a folder of its own."
            )


def _save_part(network: RGBDUNet, source: Checkpoint, folder: str) -> None:
    """The network, and where it comes from; of an upsampler all that `load_upsampler` wants."""
    if source.part == "upsampler":
        planes = {"near": PAPER.sampling["near"], "far": PAPER.sampling["far"], "background": PAPER.background}
        UpsamplerPipeline(network, ddim_scheduler(PAPER.prediction), **planes).save_pretrained(folder)
    else:
        network.save_pretrained(folder)
    with source.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    record = {"file": source.path.name, "sha256": digest, "stored": str(network.dtype).removeprefix("torch.")}
    (Path(folder) / "source.json").write_text(json.dumps(record, indent=2) + "\n")


def _write_index(out: Path) -> None:
    """What makes the parts a pipeline: the scheduler, and model_index.json at last."""
    parts = {part: blank_network(_arguments_of(out / part)) for part in FILES}
    pipeline = IvidPipeline(scheduler=ddim_scheduler("epsilon"), **parts, **PAPER_SETTINGS)
    _write(pipeline.scheduler.save_pretrained, out / "scheduler")
    _write(pipeline.save_config, out / "model_index.json", inner="model_index.json")


def _arguments_of(folder: Path) -> dict[str, Any]:
    config = dict(RGBDUNet.load_config(folder, local_files_only=True))
    return {name: value for name, value in config.items() if not name.startswith("_")}


def _write(save: Callable[[str], object], target: Path, inner: str | None = None) -> None:
    """Have `save` fill a folder beside `target`, then move it there, or its file `inner`, in one step."""
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    old = temporary.with_suffix(".old.tmp")
    try:
        save(str(temporary))
        for file in temporary.rglob("*"):
            if file.is_file():
                with open(file, "rb") as written:
                    os.fsync(written.fileno())  # so that the move cannot overtake the content
        temporary.chmod(0o755)  # mkdtemp makes private folders
        if inner is None and target.exists():
            os.replace(target, old)  # a folder is not replaced, nor deleted in one step
        os.replace(temporary / inner if inner else temporary, target)
    except (OSError, SafetensorError) as error:
        raise WriteFailed(f"{target}: cannot be written ({error}).", hint="Choose another --out.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
