"""What lies behind the object: a colour for each direction of view, a function of the scene and not of the camera's
place, so that it stays put in the world when the camera moves.

    SkyBackground    any smooth function of the direction
    Backdrop         a vertical blend, the same all around

Where pictures of a scene are taken from one side each, nothing tells a generator that the sky behind the front and
the one behind the back belong together: it draws its variety from the side it is seen from instead of from z. Worlds
that are lit alike all around are better served by `Backdrop`.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from .equalised import LEAK, EqualLinear, full_precision, normalise_moment

__all__ = ["Backdrop", "SkyBackground", "behind"]


class SkyBackground(nn.Module):
    """Values by world direction: one hidden layer whose scales and shifts are made from the scene's latents.

    Args:
        latent: length of the latents.
        channels: of the values; they are not squashed, which the caller does where its values have a range.
        hidden: width of the hidden layer; few units make the sky smooth.
    """

    def __init__(self, latent: int, channels: int, hidden: int = 32) -> None:
        super().__init__()
        self.style = EqualLinear(latent, 2 * hidden)
        self.direction = EqualLinear(3, hidden)
        self.output = EqualLinear(hidden, channels)

    def forward(self, latents: Tensor, directions: Tensor) -> Tensor:
        """Latents [N, L] (or [1, L]) and directions [N, R, 3] of any length to [N, R, channels], float32."""
        with full_precision(directions):
            scale, shift = self.style(latents.float())[:, None].chunk(2, -1)
            x = self.direction(F.normalize(directions.float(), dim=-1))
            x = F.leaky_relu(x * (1 + scale) + shift, LEAK)
            values: Tensor = self.output(x)
        return values


GAIN = 3.0
"""Multiplies a backdrop's values. A generator that begins with backdrops of all kinds keeps those that are real; one
that begins with nearly the same for all finds one kind and no way to the others."""


class Backdrop(nn.Module):
    """Values by height of the direction alone: a hidden layer, its scales and shifts made by another from the latents.

    Args:
        latent: length of the latents.
        channels: of the values; they are not squashed, see `SkyBackground`.
        hidden: width of the hidden layers.
    """

    def __init__(self, latent: int, channels: int, hidden: int = 32) -> None:
        super().__init__()
        self.mix = EqualLinear(latent, hidden, activation="leaky_relu")
        self.style = EqualLinear(hidden, 2 * hidden)
        self.height = EqualLinear(1, hidden)
        self.output = EqualLinear(hidden, channels)

    def forward(self, latents: Tensor, directions: Tensor) -> Tensor:
        """Latents [N, L] (or [1, L]) and directions [N, R, 3] of any length to [N, R, channels], float32."""
        with full_precision(directions):
            scale, shift = self.style(self.mix(normalise_moment(latents.float())))[:, None].chunk(2, -1)
            x = self.height(F.normalize(directions.float(), dim=-1)[..., 1:2])
            values: Tensor = self.output(F.leaky_relu(x * (1 + scale) + shift, LEAK)) * GAIN
        return values


def behind(background: str, latent: int, channels: int) -> nn.Module | None:
    """The network for what a generator calls its background; None where it needs none."""
    kinds: dict[str, type[nn.Module]] = {"learned": SkyBackground, "backdrop": Backdrop}
    return kinds[background](latent, channels) if background in kinds else None
