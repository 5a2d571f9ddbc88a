"""Notices when a GAN's training has failed, before its last good state is overwritten.

    not finite    a loss or a weight is NaN or infinite: stop at once
    collapse      drawn pictures differ from each other far less than real ones do
    runaway       the discriminator's logits of real and drawn pictures drift apart without end

The last two happen for moments in healthy trainings, so they must last for `patience` steps, and the
first `patience` steps, in which a generator has not learned to draw different things, do not count.
While something looks wrong the checkpoint is not replaced (`Watch.calm`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ...scenes.errors import ChecksFailed

__all__ = ["TrainingStopped", "Watch", "spread"]

LEAST_SPREAD = 0.1
"""Share of the real pictures' spread below which drawn pictures count as all alike. On tabletop healthy trainings stand
between 0.4 and 0.7 after their first hundred steps."""

LARGEST_GAP = 50.0
"""Difference of mean logits beyond which the game is lost. On tabletop healthy trainings with R1 stay below 10."""


class TrainingStopped(ChecksFailed):
    """A training that goes on only to get worse; says what happened, what is kept, and what to try."""


def spread(pictures: Tensor) -> float:
    """How much pictures [N, C, H, W] differ from each other: the mean standard deviation of a value over the batch."""
    return float(pictures.detach().float().std(0).mean()) if len(pictures) > 1 else math.nan


@dataclass
class Watch:
    """Watches one training.

    Args:
        patience: see the module.
        hint: says what to do; asked when training stops, for what is kept by then decides.
        since: first step at which each complaint has stood ever since.
    """

    patience: int
    hint: Callable[[], str] | None = None
    since: dict[str, int] = field(default_factory=dict)

    @property
    def calm(self) -> bool:
        """Whether nothing looks wrong, so that the state is worth keeping."""
        return not self.since

    def look(self, step: int, values: Mapping[str, float], real_spread: float, drawn_spread: float) -> None:
        """Judge what was measured at `step`.

        Args:
            values: means since the last look; "real" and "fake" are logits, all must be finite.
            real_spread, drawn_spread: see `spread`.

        Raises:
            TrainingStopped: it has failed.
        """
        for name, value in values.items():
            if not math.isfinite(value):
                raise self._stopped(step, f"'{name}' is {value}, which is not finite")
        complaints = {}
        if drawn_spread < LEAST_SPREAD * real_spread:
            complaints["collapse"] = (
                f"the generator has collapsed: its pictures differ by {drawn_spread:.3f}, "
                f"real ones by {real_spread:.3f}"
            )
        gap = values.get("real", 0.0) - values.get("fake", 0.0)
        if abs(gap) > LARGEST_GAP:
            complaints["runaway"] = (
                f"the discriminator has run away: its logits of real and drawn pictures lie {gap:.0f} apart"
            )
        self.since = {name: self.since.get(name, step) for name in complaints if step > self.patience}
        for name, text in complaints.items():
            if step - self.since.get(name, step) >= self.patience:
                raise self._stopped(step, f"{text}, and have for {step - self.since[name]} steps")

    def check_weights(self, step: int, networks: Iterable[nn.Module]) -> None:
        """Stop where a weight or a buffer is not finite.

        Raises:
            TrainingStopped: one is not.
        """
        for network in networks:
            for name, value in network.state_dict().items():
                if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                    raise self._stopped(step, f"{type(network).__name__}.{name} holds numbers that are not finite")

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"since": dict(self.since)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.since = {str(name): int(step) for name, step in state["since"].items()}

    def _stopped(self, step: int, what: str) -> TrainingStopped:
        return TrainingStopped(
            f"Training stopped at step {step}: {what}.", hint=None if self.hint is None else self.hint()
        )
