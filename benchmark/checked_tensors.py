"""Tensors kept in the cache with the hash of their bytes, so that a damaged file is never read as numbers."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..scenes.files import atomic_write, make_folder
from .fingerprint import sha256_bytes

__all__ = ["read_tensors", "write_tensors"]

DIGEST = 32  # bytes of sha256 before the safetensors file


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write `tensors` in one step; folders are made.

    Raises:
        WriteFailed: disk full or folder not writable.
    """
    body = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    make_folder(path.parent)
    atomic_write(path, bytes.fromhex(sha256_bytes(body)) + body)


def read_tensors(path: Path) -> dict[str, Tensor] | None:
    """What `write_tensors` wrote; None where there is nothing, or something else."""
    try:
        content = path.read_bytes()
        if sha256_bytes(content[DIGEST:]) != content[:DIGEST].hex():
            return None
        return load(content[DIGEST:])
    except (OSError, SafetensorError, ValueError):
        return None
