"""What lies behind the object: a colour for each direction of view, a function of the scene and not of the camera's
place, so that it stays put in the world when the camera moves."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from .equalised import LEAK, EqualLinear, full_precision

__all__ = ["SkyBackground"]


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
