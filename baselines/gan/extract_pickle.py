"""`viewsweep convert pigan|eg3d|epigraf`: the tensors of a published checkpoint, taken out of its pickle.

pi-GAN's files are whole pickled modules; EG3D's and EpiGRAF's bring Python source along that runs when they are
loaded. Neither is ever loaded here: a process of its own takes the file apart (see `pickle_worker`), and what
comes out are numbers and names:

    OUT/tensors.safetensors    every tensor under its dotted name, `G_ema.backbone.synthesis.b4.const`
    OUT/found.json             shapes, classes that were not built, names of embedded source that was not run, and
                               sha256 of the file

These are for adapters of your own. They are not weights of our networks, whose layers are written from the papers
and have other names.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ...scenes.errors import UnreadableFile, UserError, WriteFailed
from ...scenes.files import make_folder

__all__ = ["extract", "extract_eg3d", "extract_epigraf", "extract_pigan", "worker_environment"]

LARGEST = 8 << 30
TIMEOUT = 1800.0

DAMAGE = ("UnpicklingError", "EOFError", "RuntimeError", "BadZipFile", "UnicodeDecodeError", "IndexError", "KeyError")
"""What reading a damaged file ends with; of other errors another copy of the file would not cure the process."""


def extract(
    checkpoints: Sequence[str | Path],
    out: str | Path,
    *,
    family: str,
    trust_pickle: bool = False,
    log: Callable[[str], object] = print,
    timeout: float = TIMEOUT,
) -> None:
    """Take the tensors of one checkpoint out.

    Args:
        checkpoints: one file.
        out: folder for `tensors.safetensors` and `found.json`.
        family: whose checkpoint it is, for the record.
        trust_pickle: whether the user has seen that it is a pickle.
        log: told what was found.
        timeout: seconds until the process is ended.

    Raises:
        UserError: no flag, several files, a file that is too large or cannot be taken apart.
        WriteFailed: the disk refused.
    """
    if len(checkpoints) != 1:
        raise UserError(f"{len(checkpoints)} files: `convert {family}` takes one checkpoint at a time.")
    file, out = Path(checkpoints[0]), Path(out)
    if not file.is_file():
        raise UserError(f"{file}: there is no such file.")
    if file.stat().st_size > LARGEST:
        raise UserError(f"{file}: larger than {LARGEST >> 30} GiB; no checkpoint of {family} is.")
    if not trust_pickle:
        raise UserError(
            f"{file}: checkpoints of {family} are pickles, which can run whatever their maker wrote into them. "
            "With --trust-pickle it is taken apart, without running any of it, in a process without network and "
            "secrets."
        )
    make_folder(out)
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    workplace = Path(tempfile.mkdtemp(prefix=".extract.", dir=out.resolve()))  # the process stands elsewhere than we
    try:
        _run_worker(file.resolve(), workplace, timeout)
        record = {"family": family, "file": file.name, "sha256": digest, **_checked(file, workplace)}
        (workplace / "found.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
        for name in ("tensors.safetensors", "found.json"):
            os.replace(workplace / name, out / name)
    except OSError as error:
        raise WriteFailed(f"{out}: cannot be written ({error}).", hint="Choose another --out.") from error
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
    log(
        f"{file.name}: {len(record['tensors'])} tensors, {len(record['classes'])} classes that were not built, "
        f"{len(record['sources'])} pieces of source that were not run; network: {record['network']}"
    )
    log(f"{out / 'tensors.safetensors'} holds the tensors under their names, {out / 'found.json'} says what was found.")


extract_pigan = partial(extract, family="pigan")
extract_eg3d = partial(extract, family="eg3d")
extract_epigraf = partial(extract, family="epigraf")


def worker_environment(home: Path) -> dict[str, str]:
    """All that the process is told of ours: no keys, no tokens, no home."""
    return {
        "PATH": os.defpath,
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


def _run_worker(file: Path, workplace: Path, timeout: float) -> None:
    command = [sys.executable, "-I", str(Path(__file__).with_name("pickle_worker.py")), str(file), str(workplace)]
    try:
        done = subprocess.run(
            command,
            cwd=workplace,
            env=worker_environment(workplace),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableFile(f"{file}: not taken apart within {timeout:.0f} seconds, and given up.") from error
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = lines[-1][:600] if lines else f"the process ended with {done.returncode}"
        damaged = reason.partition(":")[0] in DAMAGE
        raise UnreadableFile(
            f"{file}: cannot be taken apart ({reason}).", hint="Download the file again." if damaged else None
        )


def _checked(file: Path, workplace: Path) -> dict[str, Any]:
    """What the worker says it found, held against the tensors it wrote."""
    try:
        record = json.loads((workplace / "found.json").read_text(encoding="utf-8"))
        with safe_open(workplace / "tensors.safetensors", framework="pt") as tensors:
            names = set(tensors.keys())
        known = {key: record[key] for key in ("tensors", "classes", "sources", "network")}
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise UnreadableFile(f"{file}: what was taken out cannot be read ({error}).") from error
    if names != set(known["tensors"]):
        raise UnreadableFile(f"{file}: the tensors that were taken out are not those that were listed.")
    if not names:
        raise UnreadableFile(f"{file}: holds no tensors.")
    return known
