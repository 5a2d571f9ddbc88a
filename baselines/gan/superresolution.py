"""EG3D's super-resolution: from the volume-rendered features to the final picture (Chan et al. 2022, section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from .backbone import SynthesisBlock

__all__ = ["SuperResolution", "resized"]


def resized(pictures: Tensor, size: int) -> Tensor:
    """Pictures [N, C, H, W] at size x size, bilinear with antialiasing, float32."""
    if pictures.shape[-1] == size and pictures.shape[-2] == size:
        return pictures.float()
    return F.interpolate(pictures.float(), (size, size), mode="bilinear", align_corners=False, antialias=True)


class SuperResolution(nn.Module):
    """StyleGAN2 blocks modulated by the scene's latents, with the volume rendering's rgb as the skip connection.

    Args:
        latent: length of the latents.
        features: channels of the feature picture; the first three are its colours.
        start: resolution the feature picture is brought to first (128 in the paper).
        widths: channels of the blocks.
        size: resolution of the result; the last blocks double, the ones before keep the resolution where
            `start` leaves no room to double.
        late: upsample after the convolution rather than before it.
    """

    def __init__(
        self, latent: int, features: int, *, start: int, widths: Sequence[int], size: int, late: bool = False
    ) -> None:
        super().__init__()
        doublings = (size // start).bit_length() - 1
        if start * 2**doublings != size or doublings > len(widths):
            raise ValueError(f"{len(widths)} blocks cannot bring {start} to {size}.")
        blocks, inputs, side = [], features, start
        for index, width in enumerate(widths):
            up = index >= len(widths) - doublings
            side *= 1 + up
            blocks.append(SynthesisBlock(inputs, width, 3, latent, size=side, up=up, late=late))
            inputs = width
        self.blocks = nn.ModuleList(blocks)
        self.start = start

    def forward(self, features: Tensor, latents: Tensor) -> Tensor:
        """Features [N, C, h, w] in [-1, 1] and latents [N, latent] to pictures [N, 3, size, size]."""
        x = resized(features, self.start)
        rgb = x[:, :3]
        for block in self.blocks:
            x, rgb = block(x, rgb, latents)
        return rgb.float()
