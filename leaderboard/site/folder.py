"""The site's folder: written file by file, with a list of them, so that the next build removes what is gone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ...scenes.errors import UserError, WriteFailed
from ...scenes.files import make_folder

__all__ = ["LIST", "write_site"]

LIST = ".viewsweep-site"


def write_site(out: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write `files` below `out`, remove those that an earlier site left there, and return the paths, sorted.

    Args:
        files: content by path relative to `out`, with forward slashes.

    Raises:
        UserError: `out` is a file, or holds something else than a site of ours.
        WriteFailed: a file cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: this is a file.", hint="Name a folder with --out.")
    listed = out / LIST
    if out.is_dir() and not listed.is_file() and any(out.iterdir()):
        raise UserError(f"{out}: holds files that are no site of viewsweep's.", hint="Name an empty folder with --out.")
    earlier = listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else []
    make_folder(out)
    names = sorted(files)
    # listed before written: a build that breaks off leaves nothing that the next one would not know
    _write(listed, "".join(f"{name}\n" for name in sorted({*names, *filter(_stays_inside, earlier)})).encode())
    for name in names:
        target = out / name
        make_folder(target.parent)
        _write(target, files[name])
    for name in earlier:
        if name not in files and _stays_inside(name):
            (out / name).unlink(missing_ok=True)
    _write(listed, "".join(f"{name}\n" for name in names).encode())
    return [out / name for name in names]


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise WriteFailed(
            f"{path}: cannot be written ({error.strerror or error}).", hint="Choose another --out."
        ) from error
