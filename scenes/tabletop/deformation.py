"""Solids that are stretched or bent: where each point of the deformed solid was before.

    rest(p) = p / stretch + sum_k sway_k sin(wave_k . p + phase_k)

The solid, its texture and its light move along: a point keeps the colour it had at rest, so the
deformed solid is as consistent from view to view as the one at rest, and its depth is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Deformation"]


@dataclass(frozen=True)
class Deformation:
    """How B solids are deformed, or N points of them.

    Args:
        stretch: factors along the axes, above 0 and at most 1, [B, 3].
        sway: how far each of K waves moves a point, [B, K, 3].
        wave: its direction times 2 pi over its length, [B, K, 3].
        phase: its offset, radians, [B, K].

    Raises:
        ValueError: a stretch outside (0, 1]: the solid would leave the sphere it is looked for in.
    """

    stretch: Tensor
    sway: Tensor
    wave: Tensor
    phase: Tensor

    def __post_init__(self) -> None:
        if not bool(((self.stretch > 0) & (self.stretch <= 1)).all()):
            raise ValueError(f"stretch is {self.stretch.tolist()}; factors must lie above 0 and not above 1.")

    @classmethod
    def squeezed(cls, x: float = 1.0, y: float = 1.0, z: float = 1.0) -> Deformation:
        """One solid narrower by these factors along the axes, without waves."""
        none = torch.zeros(1, 0, 3)
        return cls(torch.tensor([[x, y, z]]), none, none, torch.zeros(1, 0))

    @classmethod
    def stacked(cls, parts: Sequence[Deformation]) -> Deformation:
        """Those of several solids, with equally many waves."""
        return cls(*(torch.cat(rows) for rows in zip(*(part._fields() for part in parts), strict=True)))

    @property
    def swing(self) -> float:
        """How far waves can move a point at most."""
        return float(self.sway.norm(dim=-1).sum(-1).max())

    def at(self, rows: Tensor) -> Deformation:
        """Those of the solids `rows` [N]; a single solid's broadcasts without a lookup."""
        return self if len(self.stretch) == 1 else Deformation(*(part[rows] for part in self._fields()))

    def rest(self, points: Tensor) -> Tensor:
        """Where `points` [N, 3] were at rest, [N, 3]."""
        at_rest = points / self.stretch
        return at_rest + (self.sway * self._angle(points).sin()[..., None]).sum(1)

    def normals(self, points: Tensor, at_rest: Tensor) -> Tensor:
        """Unit normals at `points` of the deformed solid, from those `at_rest`; all [N, 3]."""
        # the gradient of distance(rest(p)): the Jacobian of rest, transposed, times that of the distance
        slope = (self.sway * at_rest[:, None]).sum(-1) * self._angle(points).cos()
        gradient = at_rest / self.stretch + (slope[..., None] * self.wave).sum(1)
        return torch.nn.functional.normalize(gradient, dim=-1)

    def pace(self, headings: Tensor) -> Tensor:
        """How far along unit `headings` [N, 3] one may go for each unit of distance at rest, [N]."""
        bent = self.sway.norm(dim=-1) * (self.wave * headings[:, None]).sum(-1).abs()
        speed: Tensor = (headings / self.stretch).norm(dim=-1) + bent.sum(1)
        return speed.reciprocal()

    def _angle(self, points: Tensor) -> Tensor:
        return (self.wave * points[:, None]).sum(-1) + self.phase  # [N, K]

    def _fields(self) -> tuple[Tensor, ...]:
        return self.stretch, self.sway, self.wave, self.phase
