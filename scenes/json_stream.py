"""Long JSON arrays, gzipped or not, one item at a time: a class of CO3D has 100,000 frames in one array.

What is held in memory at once is one item and a little of what follows, however large the file is; a file that
unfolds without end, or an item that does, is refused.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from .errors import UnreadableFile

__all__ = ["MAXIMUM_BYTES", "stream_array"]

CHUNK = 1 << 20
MAXIMUM_ITEM = 1 << 22  # characters
MAXIMUM_BYTES = 8 << 30  # characters of all items together; the largest class of CO3D has a tenth of that
BLANK = " \t\r\n"


def stream_array(path: Path, *, hint: str | None = None, maximum: int = MAXIMUM_BYTES) -> Iterator[Any]:
    """The items of the JSON array in a file; one that ends in ``gz`` is unpacked.

    Args:
        hint: what to do about a broken file, for the error.
        maximum: most characters that are read.

    Raises:
        UnreadableFile: missing, truncated, no such array, or too large. Items before the fault were yielded.
    """
    try:
        with _opened(path) as file:
            yield from _items(file, path, maximum)
    except UnreadableFile as error:
        raise UnreadableFile(str(error), hint=hint) from error
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        if isinstance(error, FileNotFoundError):
            reason = "there is no such file"
        elif isinstance(error, EOFError):
            reason = "the file is truncated"
        else:
            reason = str(error) or type(error).__name__
        raise UnreadableFile(f"{path}: not readable ({reason}).", hint=hint) from error


def _opened(path: Path) -> IO[str]:
    if path.name.endswith("gz"):
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _items(file: IO[str], path: Path, maximum: int) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    reader = _Reader(file, path, maximum)
    if reader.take() != "[":
        raise UnreadableFile(f"{path}: does not hold a list ('[' at its start).")
    first = True
    while True:
        mark = reader.peek()
        if mark == "]":
            reader.take()
            break
        if not first:
            if mark != ",":
                raise UnreadableFile(f"{path}: after item {reader.count} there is {mark!r}, not ',' or ']'.")
            reader.take()
            reader.peek()
        first = False
        yield reader.item(decoder)
    if reader.peek(end_allowed=True):
        raise UnreadableFile(f"{path}: something follows the end of the list.")


class _Reader:
    """Text of a file, as far as it is needed."""

    def __init__(self, file: IO[str], path: Path, maximum: int) -> None:
        self._file, self._path, self._left = file, path, maximum
        self._text, self._at = "", 0
        self.count = 0

    def peek(self, *, end_allowed: bool = False) -> str:
        """The next character that is not blank; empty at the end of the file, where that is allowed."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in BLANK:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                if end_allowed:
                    return ""
                raise EOFError

    def take(self) -> str:
        mark = self.peek()
        self._at += 1
        return mark

    def item(self, decoder: json.JSONDecoder) -> Any:
        """The value that starts here."""
        while True:
            start = self._at
            try:
                value, end = decoder.raw_decode(self._text, start)
            except json.JSONDecodeError as error:
                fault = f"{self._path}: item {self.count} is not complete, or no JSON ({error.msg})."
                if len(self._text) - start > MAXIMUM_ITEM or not self._more():
                    raise UnreadableFile(fault) from error
                continue
            if len(self._text) - end < len("e+0"):  # a number that is cut in the middle, 1.5 or 1e+5, looks whole
                if self._more():
                    continue
                end -= start
            self._at = end
            self.count += 1
            return value

    def _more(self) -> bool:
        """Drop what was taken and read on; False at the end of the file."""
        fresh = self._file.read(CHUNK)
        self._left -= len(fresh)
        if self._left < 0:
            raise UnreadableFile(f"{self._path}: unfolds to more text than any file of this format holds.")
        self._text, self._at = self._text[self._at :] + fresh, 0
        return bool(fresh)
