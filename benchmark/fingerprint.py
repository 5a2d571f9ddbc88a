"""Hashes that tell whether something is still what it was: values, files, our own source code."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

__all__ = ["canonical_json", "sha256_bytes", "sha256_file", "sha256_json", "source_fingerprint"]

PACKAGE = Path(__file__).parents[1]
SOURCES = (".py", ".json", ".yaml", ".safetensors", ".html", ".css", ".js")


def canonical_json(value: Any) -> str:
    """One text for one value: keys sorted, no blanks, numbers as Python writes them, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def sha256_json(value: Any) -> str:
    return sha256_bytes(canonical_json(value).encode())


def sha256_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: str | os.PathLike[str]) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def source_fingerprint(*folders: str) -> str:
    """Hash of the code, weights and settings below these folders of the package.

    Equal fingerprints mean equal behaviour on one installation, without importing anything; a
    different one means no more than that somebody has to look.
    """
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted((PACKAGE / folder).rglob("*")):
            if path.suffix in SOURCES and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(PACKAGE).as_posix()}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()
