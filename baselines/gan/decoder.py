"""The small network that reads a tri-plane feature as a density and a value."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from .equalised import Activation, EqualLinear

__all__ = ["PlaneDecoder", "widened_sigmoid"]


def widened_sigmoid(x: Tensor) -> Tensor:
    """A sigmoid with range (-0.001, 1.001), so that 0 and 1 can be reached (EG3D, after mip-NeRF)."""
    return torch.sigmoid(x) * 1.002 - 0.001


class PlaneDecoder(nn.Module):
    """One hidden layer: features to raw density and values.

    Args:
        channels: of the tri-planes.
        hidden: width of the hidden layer.
        values: channels of the values.
        activation: softplus in EG3D, leaky ReLU in EpiGRAF.
        output: "sigmoid" squashes values to (-0.001, 1.001) (EG3D); "linear" leaves them (EpiGRAF).
    """

    def __init__(
        self,
        channels: int,
        hidden: int,
        values: int,
        *,
        activation: Activation = "softplus",
        output: Literal["sigmoid", "linear"] = "sigmoid",
    ) -> None:
        super().__init__()
        self.hidden = EqualLinear(channels, hidden, activation=activation)
        self.output = EqualLinear(hidden, 1 + values)
        self.squash = output == "sigmoid"

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features [..., channels] to raw densities [...] and values [..., values], float32."""
        found = self.output(self.hidden(features)).float()
        raw, values = found[..., 0], found[..., 1:].contiguous()  # what follows is faster without gaps
        return raw, widened_sigmoid(values) if self.squash else values
