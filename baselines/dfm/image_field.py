"""A radiance field conditioned on pictures: what each picture shows where a point projects to, then a small network.

After pixelNeRF (Yu et al., "pixelNeRF: neural radiance fields from one or few images", CVPR 2021): per point and
picture, the feature at its projection and its place in the camera's axes; blocks for each picture, their mean, blocks
for all. Told of times (0 = clean) as in DFM: each picture's before the mean, the noisy one's after it.

Colours may be taken from the pictures themselves: a point is a mixture of what each picture shows there and of a colour
of its own, after IBRNet (Wang et al., "IBRNet: learning multi-view image-based rendering", CVPR 2021). What is given
thus stays as sharp as it is. Of the noisy picture nothing is taken: its noise would stay, too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

__all__ = ["FieldNetwork", "features_at", "in_cameras"]

OCTAVES = 5


class FieldNetwork(nn.Module):
    """Features and places of points to raw densities and values.

    Args:
        features: channels of the pictures' features.
        values: channels of the values.
        width: of all layers.
        before: blocks for each picture.
        after: blocks for their mean.
        distance: how far the cameras stand, which centres and scales places.
        density_gain: multiplies raw densities; surfaces must become opaque within a few hundredths of a unit.
        mixes: whether values are colours, mixed with those of the pictures.
    """

    def __init__(
        self,
        features: int,
        values: int,
        *,
        width: int = 64,
        before: int = 2,
        after: int = 2,
        distance: float = 1.6,
        density_gain: float = 10.0,
        mixes: bool = False,
    ) -> None:
        super().__init__()
        self.distance, self.density_gain = distance, density_gain
        self.first = nn.Linear(features + 1 + 3 * (1 + 2 * OCTAVES), width)
        self.before = nn.ModuleList(_Block(width) for _ in range(before))
        self.after = nn.ModuleList(_Block(width) for _ in range(after))
        self.last = nn.Linear(width, 1 + values)
        self.mixture = nn.ModuleDict({"own": nn.Linear(width, 1), "shown": nn.Linear(width, 1)}) if mixes else None

    def forward(
        self, features: Tensor, places: Tensor, inside: Tensor, times: Tensor, shown: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """What is at P points, seen in V pictures.

        Args:
            features: [N, V, P, C].
            places: in the cameras' axes, [N, V, P, 3].
            inside: 1 where the point lies within the picture, else 0, [N, V, P].
            times: of the pictures, [N, V]; the last one's is that of the noisy one.
            shown: what the first W pictures show there, in [-1, 1], [N, W, P, values], W <= V; those that may be
                mixed in by a network that mixes.

        Returns:
            raw densities [N, P] and values [N, P, values], float32; of a network that mixes colours in [-1, 1].
        """
        centred = (places - places.new_tensor([0.0, 0.0, self.distance])) * 2
        x = self.first(torch.cat([features, inside[..., None], _waves(centred)], -1))
        for block in self.before:
            x = block(x, times[:, :, None, None])
        each, x = x, x.mean(1)
        for block in self.after:
            x = block(x, times[:, -1, None, None])
        found = self.last(F.silu(x)).float()
        raw, values = found[..., 0] * self.density_gain, found[..., 1:]
        if self.mixture is None or shown is None:
            return raw, values
        count = shown.shape[1]
        trust = self.mixture["shown"](F.silu(each[:, :count])).float()[..., 0]
        trust = trust.masked_fill(inside[:, :count] == 0, -torch.inf)
        own = self.mixture["own"](F.silu(x)).float()[..., 0]
        shares = torch.cat([own[:, None], trust], 1).softmax(1)
        return raw, shares[:, 0, :, None] * values.tanh() + (shares[:, 1:, :, None] * shown).sum(1)


def in_cameras(points: Tensor, world_to_cam: Tensor, lens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Points [N, P, 3] as V cameras [N, V, 4, 4] with intrinsics [N, V, 3, 3] see them.

    Returns:
        places in the cameras' axes [N, V, P, 3], normalised picture coordinates [N, V, P, 2], and whether a point is in
        front of the camera and within its picture, as 0 or 1, [N, V, P].
    """
    places = points[:, None] @ world_to_cam[..., :3, :3].transpose(-1, -2) + world_to_cam[..., None, :3, 3]
    image = places @ lens.transpose(-1, -2)
    uv = image[..., :2] / image[..., 2:].clamp(min=1e-6)
    inside = ((uv >= 0) & (uv <= 1)).all(-1) & (image[..., 2] > 0)
    return places, uv, inside.to(points.dtype)


def features_at(pictures: Tensor, uv: Tensor) -> Tensor:
    """Bilinear features of pictures [N, V, C, H, W] at normalised coordinates [N, V, P, 2]: [N, V, P, C].

    Beyond the border the border goes on; `in_cameras` says where that is.
    """
    count, views = pictures.shape[:2]
    places = (uv * 2 - 1).flatten(0, 1)[:, :, None]
    found = F.grid_sample(pictures.flatten(0, 1), places, padding_mode="border", align_corners=False)
    features: Tensor = found[..., 0].transpose(1, 2).unflatten(0, (count, views))
    return features


class _Block(nn.Module):
    """A residual block of two layers, scaled and shifted by a time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.one, self.two, self.film = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(2, 2 * width)
        nn.init.zeros_(self.two.weight)
        nn.init.zeros_(self.two.bias)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.film(torch.cat([time, time.square()], -1)).chunk(2, -1)
        found: Tensor = x + self.two(F.silu(self.one(F.silu(x)) * (1 + scale) + shift))
        return found


def _waves(x: Tensor) -> Tensor:
    """Coordinates [..., 3] with sinusoids of OCTAVES frequencies, [..., 3 (1 + 2 OCTAVES)]."""
    phase = x[..., None] * (2.0 ** torch.arange(OCTAVES, device=x.device)) * 1.5
    return torch.cat([x, phase.sin().flatten(-2), phase.cos().flatten(-2)], -1)
