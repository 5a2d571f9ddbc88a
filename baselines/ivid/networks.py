"""The two denoising networks of ivid, on diffusers' `UNet2DModel`.

Both work on 4-channel RGBD pictures in [-1, 1]. G_u draws the first view; G_c draws the others and
sees, beside the noisy picture, the condition: ``[rgb mask 1 | rgb 3 | depth 1 | depth mask 1]``,
ten channels in all. A network may fold squares of `patch` x `patch` pixels into channels before
its first convolution (and unfold after its last): the same picture at a quarter of the work, which
is what makes the small configuration affordable on a CPU. The folding is not learned.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ModelMixin, UNet2DModel
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.attention_processor import Attention, AttnProcessor
from torch import Tensor, nn

__all__ = ["CONDITION_CHANNELS", "IMAGE_CHANNELS", "RGBDUNet"]

IMAGE_CHANNELS = 4
CONDITION_CHANNELS = 6


class RGBDUNet(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers carries no types
    """A class-conditional UNet on RGBD pictures, with or without a condition picture.

    Args:
        size: picture height and width.
        condition: whether the six condition channels are there (G_c) or not (G_u).
        classes: number of classes; one more embedding, the null class, is added and held at zero.
            0 = unconditional.
        patch: side of the squares folded into channels; 1 = none.
        channels: width of each level.
        attention: whether each level attends.
        layers: residual blocks a level.
        head: channels an attention head.
        groups: groups of the group norms.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        size: int = 64,
        condition: bool = False,
        classes: int = 10,
        patch: int = 2,
        channels: tuple[int, ...] = (64, 96, 160),
        attention: tuple[bool, ...] = (False, False, True),
        layers: int = 1,
        head: int = 32,
        groups: int = 32,
    ) -> None:
        super().__init__()
        inputs = IMAGE_CHANNELS + (CONDITION_CHANNELS if condition else 0)
        down = ["AttnDownBlock2D" if flag else "DownBlock2D" for flag in attention]
        up = ["AttnUpBlock2D" if flag else "UpBlock2D" for flag in reversed(attention)]
        self.unet = UNet2DModel(
            sample_size=size // patch,
            in_channels=inputs * patch * patch,
            out_channels=IMAGE_CHANNELS * patch * patch,
            layers_per_block=layers,
            block_out_channels=tuple(channels),
            down_block_types=tuple(down),
            up_block_types=tuple(up),
            attention_head_dim=head,
            norm_num_groups=groups,
            attn_norm_num_groups=groups,
            resnet_time_scale_shift="scale_shift",
            num_class_embeds=classes + 1 if classes else None,
        )
        # few pixels attend: plain matrix products train twice as fast as the fused kernel on a CPU
        for module in self.unet.modules():
            if isinstance(module, Attention):
                module.set_processor(AttnProcessor())
        if classes:
            with torch.no_grad():
                self.unet.class_embedding.weight[classes] = 0.0

    @property
    def null_class(self) -> int:
        """The label that stands for "any class"."""
        return int(self.config.classes)

    def forward(
        self, sample: Tensor, timestep: Tensor, label: Tensor | None, condition: Tensor | None = None
    ) -> Tensor:
        """What the scheduler's prediction type asks for, [N, 4, H, W].

        Args:
            sample: noisy pictures, [N, 4, H, W].
            timestep: [N].
            label: class indices, [N]; `null_class` for the unguided branch.
            condition: [N, 6, H, W] for G_c, None for G_u.
        """
        x = sample if condition is None else torch.cat([sample, condition], 1)
        patch = self.config.patch
        x = nn.functional.pixel_unshuffle(x, patch)
        y = self.unet(x, timestep, class_labels=label).sample
        return nn.functional.pixel_shuffle(y, patch)

    def freeze_null_class(self) -> None:
        """Hold the null embedding at zero; called after each optimiser step."""
        if self.config.classes:
            with torch.no_grad():
                self.unet.class_embedding.weight[self.null_class] = 0.0


def with_condition(first: RGBDUNet) -> RGBDUNet:
    """A G_c that starts as `first`: the same weights, the new input channels of the first layer zero."""
    config: dict[str, Any] = {**dict(first.config), "condition": True}
    second: RGBDUNet = RGBDUNet(**{key: value for key, value in config.items() if not key.startswith("_")})
    state = {name: value.clone() for name, value in first.state_dict().items()}
    narrow, wide = state["unet.conv_in.weight"], second.state_dict()["unet.conv_in.weight"]
    widened = torch.zeros_like(wide)
    widened[:, : narrow.shape[1]] = narrow  # pixel_unshuffle keeps the channels of a picture together, in order
    state["unet.conv_in.weight"] = widened
    second.load_state_dict(state)
    return second
