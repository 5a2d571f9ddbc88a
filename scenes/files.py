"""Writing files so that a reader sees the old content or the new, never half of it.

1. the bytes go to a temporary file in the *same folder* (a rename across file systems is a copy);
2. the file is flushed to the device, so that the rename cannot overtake the data;
3. it is renamed over the target, which POSIX makes atomic;
4. the folder is flushed, so that the rename itself survives a power cut.

A killed writer leaves at most a ``.<name>.<random>.tmp`` beside the target; `remove_leftovers`
clears those. Do not use this for appending to logs: every call rewrites the whole file.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import platformdirs

from .errors import WriteFailed

__all__ = ["atomic_write", "cache_folder", "make_folder", "remove_leftovers"]


def cache_folder() -> Path:
    """Where everything is kept that can be made or fetched again: `VIEWSWEEP_CACHE`, or the user's cache folder."""
    chosen = os.environ.get("VIEWSWEEP_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("viewsweep")


def atomic_write(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Replace `path` by `content` in one step.

    Raises:
        WriteFailed: the folder is missing or not writable, or the disk is full; a file that was
            at `path` before is untouched.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes private files; results are for sharing
        os.replace(temporary, path)
        _flush_folder(path.parent)
    except OSError as error:
        _discard(temporary)
        raise _explain(error, path) from error
    except BaseException:
        _discard(temporary)
        raise


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Create `path` and its parents; an existing folder is fine.

    Raises:
        WriteFailed: it cannot be created, or a file of that name is in the way.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _explain(error, path) from error
    return path


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Delete the temporary files that killed writers left in `folder`."""
    for leftover in Path(folder).glob(".*.tmp"):
        leftover.unlink(missing_ok=True)


def _explain(error: OSError, path: Path) -> WriteFailed:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "Free some space and run the same command again; everything finished before is kept."
        return WriteFailed(f"{path}: the disk is full.", hint=hint)
    hint = "Choose another place with --out, or mend its permissions."
    return WriteFailed(f"{path}: cannot be written ({error.strerror or error}).", hint=hint)


def _discard(temporary: str | None) -> None:
    if temporary is not None and os.path.exists(temporary):
        os.unlink(temporary)


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
