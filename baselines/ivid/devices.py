"""Where a training computes: one device or several processes, through accelerate."""

from __future__ import annotations

import platform

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from ...scenes.errors import UserError

__all__ = ["hardware_of", "make_accelerator"]


def make_accelerator(device: str, precision: str) -> Accelerator:
    """The accelerator of this process.

    `accelerate launch` starts several processes, which find each other here; without it there is one.

    Args:
        device: "cpu", or "cuda" for the GPU of this process.
        precision: "bf16", "fp16" or "no", of products and convolutions; weights stay float32.

    Raises:
        UserError: the device does not have this precision.
    """
    cpu = device == "cpu"
    if precision == "fp16" and cpu:
        raise UserError("Training in fp16 needs a GPU.", hint="Choose --precision bf16 or no, or --device cuda.")
    # accelerate keeps one state a process and refuses to change it; trainings of one process follow each other
    # with settings of their own, while processes that found each other keep together
    held = AcceleratorState._shared_state
    if held and (held.get("_mixed_precision") != precision or (held["device"].type == "cpu") != cpu):
        AcceleratorState._reset_state(reset_partial_state=held["num_processes"] == 1)
    try:
        return Accelerator(mixed_precision=precision, cpu=cpu)
    except ValueError as error:  # bf16 on a device without it
        raise UserError(f"This device cannot train in {precision} ({error}).", hint="Choose --precision no.") from error


def hardware_of(accelerator: Accelerator) -> str:
    """What a training ran on, for its record."""
    if accelerator.device.type == "cuda":
        return f"{accelerator.num_processes} x {torch.cuda.get_device_name(accelerator.device)}"
    return f"cpu ({platform.machine()}, {torch.get_num_threads()} threads)"
