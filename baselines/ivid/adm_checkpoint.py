"""The authors' checkpoints of ivid, opened and checked.

A checkpoint is a plain dictionary of tensors and is opened as nothing else: with
`weights_only=True`, and no way round it. Every tensor has to be there with the right shape, and none
may be left over; `adm_keys` says which is which.
"""

from __future__ import annotations

import math
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...scenes.errors import UserError
from .adm_keys import DROPPED, HEAD, Entry, key_table, network_arguments, some
from .networks import RGBDUNet

__all__ = ["FILES", "Checkpoint", "blank_network", "read_checkpoint"]

FILES = {"first": "imagenet128_uncond.pt", "following": "imagenet128_cond.pt"}
"""The authors' names of the files a pipeline needs, by part."""

PARTS = {4: "first", 10: "following", 8: "upsampler"}
EXPECTED = "Expected is a dictionary of tensors named input_blocks.0.0.weight, time_embed.1.weight, out.2.weight ..."
WRAPPERS = ("model", "ema", "state_dict", "network", "params")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose names and shapes have been checked.

    Args:
        path: the file.
        arguments: of the `RGBDUNet` it belongs to.
        entries: what each tensor becomes.
        tensors: by the authors' names, possibly still on disk.
    """

    path: Path
    arguments: dict[str, Any]
    entries: list[Entry]
    tensors: Mapping[str, Tensor]

    @property
    def part(self) -> str:
        """Where in the pipeline it belongs: first, following or upsampler."""
        return PARTS[self.tensors["input_blocks.0.0.weight"].shape[1]]

    def check_numbers(self, kind: torch.dtype) -> None:
        """Refuse numbers that are not finite, or that floats of this kind cannot hold.

        Raises:
            UserError: such a number; the message names its tensor.
        """
        for entry in self.entries:
            largest = float(self.tensors[entry.source].abs().max())
            if not math.isfinite(largest):
                raise UserError(
                    f"{self.path}: {entry.source} holds numbers that are not finite. Download the file again."
                )
            if largest > torch.finfo(kind).max:
                raise UserError(f"{self.path}: {entry.source} holds {largest:.3g}, too large for {kind}; omit --half.")

    def state(self, kind: torch.dtype = torch.float32) -> dict[str, Tensor]:
        """The network's tensors, in floats of this kind."""
        head = self.arguments["head"]
        parts = (entry.convert(self.tensors[entry.source], head) for entry in self.entries)
        return {name: value.to(kind).contiguous() for part in parts for name, value in part.items()}

    def network(self, kind: torch.dtype = torch.float32) -> RGBDUNet:
        """The network with this checkpoint's weights; nothing missing, nothing left over."""
        network = blank_network(self.arguments)
        network.load_state_dict(self.state(kind), strict=True, assign=True)
        network.eval().requires_grad_(False)
        return network


def read_checkpoint(path: str | Path, *, head: int = HEAD, size: int | None = None) -> Checkpoint:
    """Open a checkpoint of the authors and hold its names and shapes against the network's.

    Args:
        path: the file.
        head: channels an attention head; shapes do not tell it.
        size: picture height and width, which they do not tell either; None = the authors'.

    Raises:
        UserError: there is no such file, or it is something else; the message names the tensors that
            are missing, left over or of the wrong shape.
    """
    path = Path(path)
    tensors = _tensors(path, _load(path))
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    try:
        arguments = network_arguments(shapes, head=head, size=size)
    except UserError as error:
        raise UserError(f"{path}: this is no network of ivid, or not all of it. {error}") from error
    wanted = {name: tensor.shape for name, tensor in blank_network(arguments).state_dict().items()}
    entries = key_table(arguments, wanted)
    expected = {entry.source: entry.source_shape(wanted) for entry in entries}
    faults = []
    if missing := [name for name in expected if name not in shapes]:
        faults.append(f"{len(missing)} missing ({some(missing)})")
    if surplus := [name for name in shapes if name not in expected and name not in DROPPED]:
        faults.append(f"{len(surplus)} left over ({some(surplus)})")
    if crooked := [name for name in expected if name in shapes and shapes[name] != expected[name]]:
        told = (f"{name} is {_times(shapes[name])}, not {_times(expected[name])}" for name in crooked)
        faults.append(f"{len(crooked)} of the wrong shape ({some(told)})")
    if faults:
        raise UserError(f"{path}: the tensors are not those of ivid's network: {'; '.join(faults)}.")
    return Checkpoint(path, arguments, entries, tensors)


def _load(path: Path) -> Any:
    """Whatever lies in the file, as far as it consists of tensors."""
    if not path.is_file():
        raise UserError(f"{path}: there is no such file.", hint=f"The authors' are {' and '.join(FILES.values())}.")
    zipped = zipfile.is_zipfile(path)
    with open(path, "rb") as file:
        if not zipped and file.read(1) != b"\x80":  # nor a pickle, as old versions of torch wrote
            raise _no_torch_file(path)
    try:
        # a zip archive is mapped: a network of 1.7 GB is not held twice
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped or None)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path}: this pickle holds more than plain tensors and could run code, so it is not opened. "
            "Get the checkpoint from its authors, or save its tensors alone with torch.save on a machine "
            "where you trust it."
        ) from error
    except (RuntimeError, EOFError, ValueError, OSError, KeyError, AttributeError, IndexError, TypeError) as error:
        raise _no_torch_file(path) from error


def _no_torch_file(path: Path) -> UserError:
    return UserError(f"{path}: cannot be read as a file of torch.save; it is of another kind, or cut short.")


def _tensors(path: Path, content: object) -> Mapping[str, Tensor]:
    """The content, if it is a dictionary of tensors named as in these checkpoints."""
    if not isinstance(content, Mapping) or not all(isinstance(name, str) for name in content):
        raise UserError(f"{path}: holds a {type(content).__name__}. {EXPECTED}")
    found = f"{path}: holds {some(sorted(content)) or 'nothing'}."
    inner = [name for name in content if isinstance(content[name], Mapping)]
    if inner:
        known = next((name for name in WRAPPERS if name in inner), inner[0])
        raise UserError(
            f"{found} {EXPECTED}",
            hint=f"This is a trainer's checkpoint; save the weights in it alone: "
            f"torch.save(torch.load({path.name!r}, weights_only=True)[{known!r}], 'weights.pt').",
        )
    strange = [name for name, value in content.items() if not _is_weight(value)]
    if strange or "input_blocks.0.0.weight" not in content:
        what = "It is in the layout of diffusers." if "conv_in.weight" in content else ""
        what = what or (f"No tensor of floating-point numbers: {some(strange)}." if strange else "")
        raise UserError(" ".join(filter(None, (found, what, EXPECTED))))
    return content


def _is_weight(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.layout == torch.strided


def blank_network(arguments: Mapping[str, Any]) -> RGBDUNet:
    """A network without memory for its weights."""
    with torch.device("meta"):
        network: RGBDUNet = RGBDUNet(**arguments)
    return network


def _times(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a single number"
