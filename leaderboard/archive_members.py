"""What an archive of scenes holds, found without unpacking and without trusting it.

A tar is read header by header, here and not by `tarfile`, which would follow links between members, unfold
sparse files and read names of any length. Of a zip the table of contents is bounded before it is parsed.
"""

from __future__ import annotations

import re
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from .faults import Fault, shown

__all__ = ["SCENE_FILE", "Damaged", "Limits", "Member", "Readable", "find_members"]

SCENE_FILE = re.compile(r"([0-9]{5,9})\.safetensors", re.ASCII)

BLOCK = 512
MOST_FAULTS = 20

TAR_KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.DIRTYPE: "a folder",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.CONTTYPE: "a contiguous file",
    tarfile.GNUTYPE_LONGNAME: "a long name",
    tarfile.GNUTYPE_LONGLINK: "a long link",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
    tarfile.XHDTYPE: "an extended header",
    tarfile.XGLTYPE: "a global extended header",
}

HINT = "write the archive with viewsweep submit, which puts in <index>.safetensors and nothing else"

END_OF_ZIP = b"PK\x05\x06"
END_OF_ZIP_BYTES = 22
LOCATOR_OF_ZIP64 = b"PK\x06\x07"
LOCATOR_BYTES = 20
ENTRY_OF_ZIP_BYTES = 400
"""Of the table of contents, for one member; it needs 46 and its name."""

ENCRYPTED = 0x1


class Damaged(Exception):
    """The content of an archive is not what its headers say."""


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold.

    Args:
        archive_bytes: of the archive itself.
        members: files in it.
        member_bytes: of one file, unpacked.
        total_bytes: of all files, unpacked.
        ratio: unpacked to packed, of one file in a compressed archive; scenes reach about 30.
    """

    archive_bytes: int = 64 << 30
    members: int = 100_000
    member_bytes: int = 4 << 30
    total_bytes: int = 64 << 30
    ratio: float = 200.0


@dataclass(frozen=True)
class Member:
    """A scene file inside an archive.

    Args:
        index: of the scene.
        size: bytes, unpacked.
        offset: of the content of a tar.
        header, archive: of a zip.
    """

    index: int
    size: int
    offset: int = 0
    header: zipfile.ZipInfo | None = None
    archive: zipfile.ZipFile | None = None

    @contextmanager
    def open(self, file: IO[bytes]) -> Iterator[Readable]:
        """The content; never more than the archive holds.

        Raises:
            Damaged: the archive contradicts itself.
        """
        if self.header is None or self.archive is None:
            file.seek(self.offset)
            yield _Slice(file, self.size)
            return
        try:
            with self.archive.open(self.header) as content:
                yield content
        # zipfile raises NotImplementedError for compression it does not know, RuntimeError for encryption
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
            raise Damaged(f"{self.index:05d}.safetensors cannot be read ({error})") from error


class Readable(Protocol):
    """The content of a member, read from its beginning on."""

    def read(self, size: int, /) -> bytes: ...


class _Slice:
    """The next `size` bytes of a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int, /) -> bytes:
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data


def find_members(path: Path, file: IO[bytes], size: int, limits: Limits) -> tuple[list[Member], list[Fault]]:
    """The scenes in an archive of `size` bytes, by index, and everything that is wrong with it."""
    file.seek(0)
    start = file.read(BLOCK)
    if start.startswith(b"PK"):
        found, faults = _zip_members(path, file, size, limits)
    elif start[257:262] == b"ustar":
        found, faults = _tar_members(path, file, size, limits)
    else:
        return [], [Fault.error(path, "", "neither a .tar without compression nor a .zip", HINT)]
    faults += _numbers(path, found) + _sizes(path, found, limits)
    if not found and not faults:
        faults.append(Fault.error(path, "", "there are no scenes in it", HINT))
    return sorted(found, key=lambda member: member.index), faults[:MOST_FAULTS]


def _index(path: Path, name: str, faults: list[Fault]) -> int:
    """The scene's number in the name of a member."""
    match = SCENE_FILE.fullmatch(name)
    if match is None:
        faults.append(Fault.error(path, shown(name), f"the member {_what(name)}", HINT))
        return -1
    if f"{int(match[1]):05d}" != match[1]:
        faults.append(Fault.error(path, shown(name), "the member's number has needless zeros", HINT))
    return int(match[1])


def _what(name: str) -> str:
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        return "has an absolute path"
    if ".." in re.split(r"[/\\]", name):
        return "points out of its folder"
    if not name.isascii() or not name.isprintable():
        return "has characters in its name that no scene has"
    if "/" in name or "\\" in name:
        return "lies in a folder"
    return "is not named <index>.safetensors"


def _numbers(path: Path, found: list[Member]) -> list[Fault]:
    seen: set[int] = set()
    twice: set[int] = set()
    for member in found:
        if member.index >= 0:
            (twice if member.index in seen else seen).add(member.index)
    return [Fault.error(path, str(index), f"scene {index} is in it twice", HINT) for index in sorted(twice)]


def _sizes(path: Path, found: list[Member], limits: Limits) -> list[Fault]:
    faults = [
        Fault.error(path, str(member.index), f"unpacks to {member.size} bytes; {limits.member_bytes} are allowed", HINT)
        for member in found
        if member.size > limits.member_bytes
    ]
    total = sum(member.size for member in found)
    if total > limits.total_bytes:
        message = f"unpacks to {total} bytes; {limits.total_bytes} are allowed"
        faults.append(Fault.error(path, "", message, "archive the scenes of one method and protocol only"))
    return faults


def _too_many(path: Path, limits: Limits) -> Fault:
    return Fault.error(path, "", f"more than {limits.members} members", "archive the scenes of one method")


def _tar_members(path: Path, file: IO[bytes], size: int, limits: Limits) -> tuple[list[Member], list[Fault]]:
    found: list[Member] = []
    faults: list[Fault] = []
    offset = 0
    while len(faults) < MOST_FAULTS:
        file.seek(offset)
        block = file.read(BLOCK)
        offset += BLOCK
        if len(block) < BLOCK:
            faults.append(Fault.error(path, "", "it is cut off", "download it again"))
            break
        if not any(block):
            if not _only_zeros(file):
                faults.append(Fault.error(path, "", "something is hidden behind its end", HINT))
            break
        try:
            header = tarfile.TarInfo.frombuf(block, "ascii", "surrogateescape")
        except (tarfile.HeaderError, ValueError):
            faults.append(Fault.error(path, "", f"no member begins at byte {offset - BLOCK}", "download it again"))
            break
        if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            kind = TAR_KINDS.get(header.type, "of an unknown kind")
            faults.append(Fault.error(path, shown(header.name), f"the member is {kind}", HINT))
            if header.size < 0 or header.type not in TAR_KINDS:
                break  # how long it is, nobody knows
        elif not 0 <= header.size <= size - offset:
            message = f"announces {header.size} bytes; {size - offset} are left"
            faults.append(Fault.error(path, shown(header.name), message, "download it again"))
            break
        else:
            found.append(Member(_index(path, header.name, faults), header.size, offset))
        if len(found) > limits.members:
            return [], [_too_many(path, limits)]
        offset += -(-header.size // BLOCK) * BLOCK
    return found, faults


def _only_zeros(file: IO[bytes]) -> bool:
    """Whether a tar goes on with the padding that writers add, and nothing else."""
    rest = file.read(1 << 20)
    return not any(rest) and len(rest) < 1 << 20


def _zip_members(path: Path, file: IO[bytes], size: int, limits: Limits) -> tuple[list[Member], list[Fault]]:
    contents = _zip_contents(file, size)
    if contents is None:
        message = "its table of contents is not at its end, or of the kind for over 4 GiB"
        return [], [Fault.error(path, "", message, "write a .tar instead")]
    count, table = contents
    if count > limits.members or table > limits.members * ENTRY_OF_ZIP_BYTES:
        return [], [_too_many(path, limits)]
    try:
        archive = zipfile.ZipFile(file)  # not closed: the members are read through it, and `file` is the caller's
        headers = archive.infolist()
    except Exception as error:  # whatever zipfile stumbles over, the archive is the reason
        message = f"its table of contents cannot be read ({shown(str(error))})"
        return [], [Fault.error(path, "", message, "download it again")]
    if len(headers) > limits.members:
        return [], [_too_many(path, limits)]
    found: list[Member] = []
    faults: list[Fault] = []
    for header in headers:
        if len(faults) >= MOST_FAULTS:
            break
        if wrong := _wrong_zip_member(header, limits):
            faults.append(Fault.error(path, shown(header.orig_filename), wrong, HINT))
        found.append(
            Member(_index(path, header.orig_filename, faults), header.file_size, header=header, archive=archive)
        )
    places = sorted((header.header_offset, header.compress_size) for header in headers)
    ends = [start + packed for start, packed in places]
    if any(end > start for end, (start, _) in zip(ends, places[1:], strict=False)) or (ends and ends[-1] > size):
        faults.append(Fault.error(path, "", "its members overlap", "this is a bomb; do not unpack it"))
    return found, faults


def _zip_contents(file: IO[bytes], size: int) -> tuple[int, int] | None:
    """How many members a zip announces and how long its table of contents is; None where it is not plain.

    The record must be the very last one, so that everybody who reads the file finds the same.
    """
    length = END_OF_ZIP_BYTES + LOCATOR_BYTES
    file.seek(max(size - length, 0))
    tail = file.read(length).rjust(length, b"\0")
    end = tail[LOCATOR_BYTES:]
    if not end.startswith(END_OF_ZIP) or any(end[20:22]) or tail.startswith(LOCATOR_OF_ZIP64):
        return None
    return int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")


def _wrong_zip_member(header: zipfile.ZipInfo, limits: Limits) -> str | None:
    kind = stat.S_IFMT(header.external_attr >> 16)
    if header.orig_filename.endswith("/"):
        return "the member is a folder"
    if kind not in (0, stat.S_IFREG):
        return "the member is a symbolic link" if kind == stat.S_IFLNK else "the member is no plain file"
    if header.flag_bits & ENCRYPTED:
        return "the member is encrypted"
    if header.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "the member is compressed by another method than deflate"
    if header.file_size > limits.ratio * max(header.compress_size, 1):
        return f"the member unpacks to more than {limits.ratio:.0f} times its size, as a bomb does"
    return None
