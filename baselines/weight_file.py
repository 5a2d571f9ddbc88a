"""One network's weights in one safetensors file: written in half precision, read back only if they fit exactly."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ..scenes.errors import UnreadableFile, UserError
from ..scenes.files import atomic_write

__all__ = ["file_digest", "read_weights", "write_weights"]


def write_weights(path: Path, network: nn.Module, header: Mapping[str, str]) -> str:
    """Write the weights and running means of `network`; the sha256 of the file.

    Raises:
        UserError: a weight too large for half precision.
        WriteFailed: disk full or folder not writable.
    """
    weights = {name: _half(name, value) for name, value in network.state_dict().items()}
    content = save(weights, dict(header))
    atomic_write(path, content)
    return hashlib.sha256(content).hexdigest()


def read_weights(path: Path, network: nn.Module, *, hint: str) -> dict[str, Tensor]:
    """Tensors in the types of `network`, which they fit exactly.

    Args:
        hint: what to do where they do not.

    Raises:
        UnreadableFile: not a weight file; tensors missing, left over, of another shape or not finite.
    """
    try:
        held = load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise UnreadableFile(f"{path}: not a readable weight file ({error}).") from error
    wanted = network.state_dict()
    missing, surplus = sorted(wanted.keys() - held.keys()), sorted(held.keys() - wanted.keys())
    if missing or surplus:
        parts = [f"{_some(names)} {verb}" for names, verb in ((missing, "missing"), (surplus, "left over")) if names]
        raise UnreadableFile(f"{path}: {', '.join(parts)}.", hint=hint)
    for name, value in held.items():
        if value.shape != wanted[name].shape:
            raise UnreadableFile(
                f"{path}: {name} has shape {list(value.shape)}; the configuration makes it {list(wanted[name].shape)}.",
                hint=hint,
            )
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise UnreadableFile(f"{path}: {name} holds numbers that are not finite.")
    return {name: value.to(wanted[name].dtype) for name, value in held.items()}


def file_digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _half(name: str, value: Tensor) -> Tensor:
    value = value.detach().cpu()
    if not value.is_floating_point():
        return value.contiguous()
    stored = value.half().contiguous()
    if not bool(torch.isfinite(stored).all()):
        raise UserError(f"The weight {name} does not fit half precision: it reaches {float(value.abs().max()):g}.")
    return stored


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return (
        f"{shown} and {len(names) - 3} more are" if len(names) > 3 else f"{shown} {'is' if len(names) == 1 else 'are'}"
    )
