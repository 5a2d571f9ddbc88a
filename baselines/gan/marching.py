"""How densities along a ray become shares of the light: the quadrature of volume rendering.

The light that a camera sees along a ray is the integral of T(t) sigma(t) c(t) with the transmittance
T(t) = exp(-integral of sigma up to t) (Max 1995; NeRF, Mildenhall et al. 2020, equation 3). Densities are taken as
constant over stretches of the ray, which makes each stretch's share T * (1 - exp(-sigma * length)).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Field", "Marching", "edges_of", "on_samples", "shares_of"]

Field = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(points [N, R, S, 3] in the world, unit directions [N, R, 3]) -> raw densities [N, R, S], values [N, R, S, C]."""


@dataclass(frozen=True)
class Marching:
    """Where along a ray the field is looked at, and how what is found there adds up.

    Args:
        near: distance along the ray from which something may be seen.
        far: distance along the ray up to which something may be seen.
        coarse: samples spread evenly over the ray's way.
        fine: further samples where the first ones found something.
        bound: radius of the sphere about the origin outside which nothing is; None: near and far alone.
        activation: what makes densities of the field's raw ones.
        shift: added to raw densities first (EG3D: -1).
        placement: what a sample stands for. "sample": the way to the next one, as in NeRF and pi-GAN. "midpoint": the
            ways between neighbours have the mean of their raw densities and values (EG3D). "cell": the way around
            it, half way to its neighbours and up to the ends; the least wrong with few samples.
        last_delta: length the last sample stands for with placement "sample"; None: up to the end. pi-GAN and EpiGRAF
            take 1e10, which gives the last sample all light that is left.
        last_back: give the last sample all light that is left, whatever its density (pi-GAN at evaluation).
        smooth: importance samples follow widened weights: the larger of two neighbours, then the mean of two, plus
            0.01 (EG3D, after mip-NeRF).
    """

    near: float
    far: float
    coarse: int
    fine: int
    bound: float | None = None
    activation: Literal["softplus", "relu"] = "softplus"
    shift: float = 0.0
    placement: Literal["sample", "midpoint", "cell"] = "sample"
    last_delta: float | None = None
    last_back: bool = False
    smooth: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.near < self.far:
            raise ValueError(f"near {self.near:g} and far {self.far:g} must be distances with 0 <= near < far")
        if self.bound is not None and not self.bound > 0:
            raise ValueError(f"bound {self.bound:g} must be a positive radius")
        least = 2 if self.placement == "midpoint" else 1
        if self.coarse < least or self.fine < 0:
            raise ValueError(f"{self.coarse} + {self.fine} samples; '{self.placement}' needs {least} + 0 or more")
        if self.placement != "sample" and (self.last_delta is not None or self.last_back):
            raise ValueError(f"last_delta and last_back go with placement 'sample', not '{self.placement}'")

    def density(self, raw: Tensor) -> Tensor:
        """Densities, per unit length, of the field's raw ones."""
        raw = raw + self.shift if self.shift else raw
        return functional.softplus(raw) if self.activation == "softplus" else raw.relu()

    def raw(self, density: float) -> float:
        """The raw density that becomes a positive density."""
        return (math.log(math.expm1(density)) if self.activation == "softplus" else density) - self.shift


def edges_of(distances: Tensor, begin: Tensor, end: Tensor, marching: Marching) -> Tensor:
    """Ends of the stretches in which importance samples are placed, [..., stretches + 1].

    Args:
        distances: samples along the ray, ascending, [..., S].
        begin: where the ray's way begins, [...].
        end: where it ends, [...].
        marching: decides between S - 1 stretches between the samples and S around them.
    """
    if marching.placement == "midpoint":
        return distances
    middles = (distances[..., 1:] + distances[..., :-1]) / 2
    return torch.cat([begin[..., None], middles, end[..., None]], -1)


def shares_of(distances: Tensor, raw: Tensor, begin: Tensor, end: Tensor, marching: Marching) -> Tensor:
    """Share of the light that comes from each stretch of a ray, [..., S] ("midpoint": [..., S - 1]).

    Args:
        distances: samples along the ray, ascending, [..., S].
        raw: raw densities there, [..., S].
        begin: where the ray's way begins, [...].
        end: where it ends, [...].
        marching: the quadrature.
    """
    if marching.placement == "midpoint":
        raw = (raw[..., 1:] + raw[..., :-1]) / 2
        lengths = distances.diff(dim=-1)
    elif marching.placement == "cell":
        lengths = edges_of(distances, begin, end, marching).diff(dim=-1)
    elif marching.last_delta is None:
        lengths = torch.cat([distances, end[..., None]], -1).diff(dim=-1)
    else:
        last = torch.full_like(distances[..., :1], marching.last_delta)
        lengths = torch.cat([distances.diff(dim=-1), last], -1)
    # cumulative sums of optical depth instead of products of 1 - alpha: one exponential, and gradients that divide
    # by nothing where a stretch is opaque
    left = torch.exp(-(marching.density(raw) * lengths).cumsum(-1))
    before = functional.pad(left[..., :-1], (1, 0), value=1.0)
    if marching.last_back:
        left = functional.pad(left[..., :-1], (0, 1))
    return before - left


def on_samples(shares: Tensor, marching: Marching) -> Tensor:
    """Stretches' shares as weights of the samples, [..., S]: a stretch between two samples counts half for each."""
    if marching.placement != "midpoint":
        return shares
    half = shares / 2
    return functional.pad(half, (0, 1)) + functional.pad(half, (1, 0))
