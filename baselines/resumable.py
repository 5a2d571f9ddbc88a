"""What trainings that can be killed share: the rate's course, averaged weights, the checkpoint, the log of losses.

A training draws each step's random numbers from a generator seeded by the step's number; together with one checkpoint
that is replaced atomically this makes a run that was killed take the very steps it would have taken.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..scenes.errors import UnreadableFile
from ..scenes.files import atomic_write

__all__ = ["kept_lines", "load_state", "rate_share", "restore", "save_state", "update_average"]

WARM_UP = 300
HINT = "Delete it to start over, or choose another --out."


def rate_share(step: int, total: int, kind: str = "cosine") -> float:
    """Linear warm-up, then half a cosine down to a twentieth; or 1 throughout ("constant")."""
    if kind == "constant":
        return 1.0
    warm = min(WARM_UP, max(1, total // 10))
    if step <= warm:
        return step / warm
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


@torch.no_grad()
def update_average(average: Mapping[str, Tensor], network: nn.Module, decay: float) -> None:
    """Move averaged weights towards those of `network`."""
    current = network.state_dict()
    moving = [name for name, value in average.items() if value.is_floating_point()]
    torch._foreach_lerp_([average[name] for name in moving], [current[name] for name in moving], 1 - decay)


def save_state(
    path: Path,
    identity: str,
    step: int,
    network: nn.Module,
    average: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
    scaler: Any,
) -> None:
    """Write the checkpoint.

    Raises:
        WriteFailed: disk full or folder not writable; an older checkpoint stays whole.
    """
    content = io.BytesIO()
    state = {
        "identity": identity,
        "step": step,
        "network": network.state_dict(),
        "average": dict(average),
        "optimiser": optimiser.state_dict(),
        "scaler": None if scaler is None else scaler.state_dict(),
    }
    torch.save(state, content)
    atomic_write(path, content.getvalue())


def load_state(path: Path, identity: str) -> dict[str, Any] | None:
    """What `save_state` wrote, or None where there is no file.

    Raises:
        UnreadableFile: it is damaged, or belongs to another configuration.
    """
    if not path.exists():
        return None
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen types for damaged archives
        raise UnreadableFile(f"{path}: not a readable checkpoint ({error}).", hint=HINT) from error
    if not isinstance(state, dict) or state.get("identity") != identity:
        raise UnreadableFile(f"{path}: this checkpoint belongs to another configuration.", hint=HINT)
    return state


def restore(
    state: Mapping[str, Any] | None,
    network: nn.Module,
    average: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
    scaler: Any,
) -> int:
    """Take everything back from `state`; the number of steps taken so far."""
    if state is None:
        return 0
    network.load_state_dict(state["network"])
    for name, value in state["average"].items():
        average[name].copy_(value)
    optimiser.load_state_dict(state["optimiser"])
    if scaler is not None and state["scaler"] is not None:
        scaler.load_state_dict(state["scaler"])
    return int(state["step"])


def kept_lines(path: Path, step: int) -> list[str]:
    """Lines of a log, without its heading, up to `step`; later ones are of steps that will be taken again."""
    if not path.exists():
        return []
    lines = path.read_text().splitlines()[1:]
    return [line for line in lines if int(line.split(",")[0]) <= step]
