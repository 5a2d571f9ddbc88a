"""The one file a training goes on from: everything that the next step depends on, replaced atomically."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...scenes.errors import UnreadableFile, UserError
from ...scenes.files import atomic_write
from .base import GanDiscriminator, GanGenerator
from .watch import Watch

__all__ = ["FORMAT", "State", "load_checkpoint", "save_checkpoint"]

FORMAT = "viewsweep.gan-checkpoint/1"


@dataclass
class State:
    """What a training is made of while it runs.

    Args:
        generator, discriminator: the networks that learn.
        average: the generator with averaged weights.
        generator_optimiser, discriminator_optimiser: Adam.
        watch: what looks wrong.
        step: steps taken.
    """

    generator: GanGenerator
    discriminator: GanDiscriminator
    average: GanGenerator
    generator_optimiser: torch.optim.Optimizer
    discriminator_optimiser: torch.optim.Optimizer
    watch: Watch
    step: int = 0

    @property
    def parts(self) -> dict[str, Any]:
        """Everything with a `state_dict`."""
        return {name: part for name, part in vars(self).items() if name != "step"}

    @property
    def architecture(self) -> str:
        """Identity of the networks, without that of the training."""
        networks = (self.generator, self.discriminator)
        return " ".join(f"{type(network).__name__}{sorted(network.settings.items())!r}" for network in networks)


def save_checkpoint(path: Path, identity: str, state: State) -> None:
    """Write `state`.

    Raises:
        WriteFailed: disk full or folder not writable; an older checkpoint stays whole.
    """
    content = io.BytesIO()
    held: dict[str, Any] = {name: part.state_dict() for name, part in state.parts.items()}
    names = {"format": FORMAT, "identity": identity, "architecture": state.architecture, "step": state.step}
    torch.save({**names, **held}, content)
    atomic_write(path, content.getvalue())


def load_checkpoint(path: Path, state: State, *, identity: str | None) -> None:
    """Take everything back.

    Args:
        identity: must be the checkpoint's own; None takes any of the same networks, to go on with other
            settings.

    Raises:
        UserError: there is no such file.
        UnreadableFile: it is damaged, no checkpoint, or one of another training or of other networks.
    """
    hint = "Delete it to start over, or choose another --out."
    if identity is None:
        hint = "Give --start the checkpoint.pt of a training of the same method and configuration."
    if not path.is_file():
        raise UserError(f"{path}: there is no checkpoint.", hint=hint)
    try:
        held: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen types for damaged archives
        raise UnreadableFile(f"{path}: not a readable checkpoint ({error}).", hint=hint) from error
    if not isinstance(held, dict) or held.get("format") != FORMAT:
        raise UnreadableFile(f"{path}: this is no checkpoint of a GAN's training.", hint=hint)
    if identity is not None and held["identity"] != identity:
        raise UnreadableFile(f"{path}: this checkpoint belongs to another configuration.", hint=hint)
    if held["architecture"] != state.architecture:
        raise UnreadableFile(f"{path}: this checkpoint holds other networks.", hint=hint)
    for name, part in state.parts.items():
        part.load_state_dict(held[name])
    state.step = int(held["step"])
