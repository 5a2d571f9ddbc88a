"""The archive of a method's scenes: written so that equal scenes give equal bytes, read as if it were hostile.

An archive is a plain ``.tar``, or a ``.zip``, of files ``<index>.safetensors`` and nothing else. Nothing is
unpacked before every member was looked at, and where a file goes follows from its number, never from its name.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from safetensors import SafetensorError, safe_open

from ..scenes.errors import UserError, WriteFailed
from ..scenes.files import make_folder
from .archive_members import SCENE_FILE, Damaged, Limits, Member, Readable, find_members
from .entry import Archive
from .faults import Fault, as_error

__all__ = ["Limits", "check_archive", "open_archive", "write_archive"]

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a .zip knows; times would make equal scenes differ."""

MOST_IN_ZIP = 4000 << 20
"""Beyond 4 GiB a .zip is of another kind, which is not read."""

CHUNK = 1 << 20


def write_archive(scenes_folder: Path, out: Path) -> Archive:
    """Put the scene files of a folder into `out`, a ``.tar`` or ``.zip``; equal scenes give equal bytes.

    Returns:
        Hash, size and number of scenes; no url.

    Raises:
        UserError: there are no scenes, or the name ends in something else.
        WriteFailed: the disk is full or the folder cannot be written.
    """
    files = sorted(path for path in scenes_folder.glob("*.safetensors") if SCENE_FILE.fullmatch(path.name))
    files = [path for path in files if path.is_file() and not path.is_symlink()]
    if not files:
        raise UserError(f"{scenes_folder}: there are no scenes (<index>.safetensors) to archive.")
    if out.suffix not in (".tar", ".zip"):
        raise UserError(f"{out}: an archive ends in .tar or .zip.")
    if out.suffix == ".zip" and sum(path.stat().st_size for path in files) > MOST_IN_ZIP:
        raise UserError(f"{out}: over {MOST_IN_ZIP >> 20} MiB of scenes; write a .tar instead.")
    make_folder(out.absolute().parent)
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.absolute().parent)
        with os.fdopen(handle, "w+b") as file:
            (_write_tar if out.suffix == ".tar" else _write_zip)(file, files)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.chmod(temporary, 0o644)  # mkstemp makes private files; archives are for sharing
        os.replace(temporary, out)
    except OSError as error:
        raise WriteFailed(f"{out}: cannot be written ({error.strerror or error}).") from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
    return Archive(sha256=digest, bytes=size, scenes=len(files))


def check_archive(path: Path, *, expected_sha256: str | None = None, limits: Limits | None = None) -> list[Fault]:
    """Everything that is wrong with the shape of an archive; nothing is unpacked."""
    try:
        with _opened(path) as file:
            return _members(path, file, expected_sha256, limits or Limits())[1]
    except UserError as error:
        return [Fault.error(path, "", str(error).removeprefix(f"{path}: ").rstrip("."), "check the path")]


@contextmanager
def open_archive(
    path: Path, *, expected_sha256: str | None = None, limits: Limits | None = None, folder: Path | None = None
) -> Iterator[Path]:
    """A folder with the scene files of an archive, named as in a run; it is deleted in the end.

    The files are known to be scene files by their header; what is in them is checked by `load_scene`.

    Args:
        path: of the archive.
        expected_sha256: what the entry says.
        limits: on what is unpacked.
        folder: where there is room for it; by default the system's place for temporary files.

    Raises:
        UserError: the archive is not what it should be: all faults are listed, and nothing was
            unpacked. Or its content is not what its table of contents says.
    """
    with tempfile.TemporaryDirectory(prefix="viewsweep-scenes-", dir=folder) as made:
        with _opened(path) as file:
            found, faults = _members(path, file, expected_sha256, limits or Limits())
            if faults:
                raise as_error(faults)
            try:
                for member in found:
                    _unpack(file, member, Path(made))
            except Damaged as error:
                raise UserError(f"{path}: {error}. Download the archive again, or ask for another.") from error
            except OSError as error:
                raise UserError(f"{path}: cannot be unpacked to {made} ({error.strerror or error}).") from error
        yield Path(made)


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    try:
        if path.is_symlink() or not path.is_file():
            raise UserError(f"{path}: there is no such file, or it is a link or a folder.")
        file = open(path, "rb")  # noqa: SIM115  closed below; errors inside the body are not ours
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    with file:
        yield file


def _members(
    path: Path, file: io.BufferedReader, expected_sha256: str | None, limits: Limits
) -> tuple[list[Member], list[Fault]]:
    size = os.fstat(file.fileno()).st_size
    if size > limits.archive_bytes:
        message = f"{size} bytes; archives of up to {limits.archive_bytes} are read"
        return [], [Fault.error(path, "", message, "archive the scenes of one method and protocol only")]
    if expected_sha256 is not None:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected_sha256:
            message = f"its sha256 is {found}; the entry says {expected_sha256}"
            return [], [Fault.error(path, "archive.sha256", message, "take the archive the entry was made from")]
    return find_members(path, file, size, limits)


def _unpack(file: IO[bytes], member: Member, folder: Path) -> None:
    target = folder / f"{member.index:05d}.safetensors"
    left = member.size
    with open(target, "xb") as out, member.open(file) as content:
        while chunk := _read(content, member, min(CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise Damaged(f"{target.name} holds more than the {member.size} bytes it announces")
            out.write(chunk)
    if left:
        raise Damaged(f"{target.name} holds {left} bytes less than it announces")
    try:
        with safe_open(target, framework="pt") as scene:
            if "viewsweep" not in (scene.metadata() or {}):
                raise Damaged(f"{target.name} is no scene file")
    except (SafetensorError, ValueError) as error:
        raise Damaged(f"{target.name} is no scene file") from error


def _read(content: Readable, member: Member, size: int) -> bytes:
    try:
        return content.read(size)
    except OSError:
        raise
    except Exception as error:  # zipfile and zlib have a dozen ways to say that bytes make no sense
        raise Damaged(f"{member.index:05d}.safetensors cannot be decompressed") from error


def _write_tar(out: IO[bytes], files: list[Path]) -> None:
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in files:
            with open(path, "rb") as file:
                header = tarfile.TarInfo(path.name)  # no owner, no time: equal scenes, equal bytes
                header.size = os.fstat(file.fileno()).st_size
                archive.addfile(header, file)


def _write_zip(out: IO[bytes], files: list[Path]) -> None:
    # stored: what a compressor makes of the same bytes differs between builds of zlib
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path in files:
            header = zipfile.ZipInfo(path.name, EPOCH)
            header.create_system, header.external_attr = 3, 0o100644 << 16
            header.file_size = path.stat().st_size
            with open(path, "rb") as file, archive.open(header, "w") as target:
                while chunk := file.read(CHUNK):
                    target.write(chunk)
