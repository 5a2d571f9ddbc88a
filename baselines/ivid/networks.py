"""The two denoising networks of ivid, on diffusers' `UNet2DModel`.

Both work on 4-channel RGBD pictures in [-1, 1]. G_u draws the first view; G_c draws the others and
sees, beside the noisy picture, the condition: ``[rgb mask 1 | rgb 3 | depth 1 | depth mask 1]``,
ten channels in all. A network may fold squares of `patch` x `patch` pixels into channels before
its first convolution (and unfold after its last): the same picture at a quarter of the work, which
is what makes the small configuration affordable on a CPU. The folding is not learned.

`resample="resnet"` gives the paper's topology, that of guided diffusion (ADM, arXiv 2105.05233):
residual blocks halve and double the pictures, at every level. The presets below are its published
configurations: 421.5 million parameters for ImageNet, 105 million for a single category.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from diffusers import ModelMixin, UNet2DModel
from diffusers.configuration_utils import ConfigMixin, register_to_config
from torch import Tensor, nn

from ...scenes.errors import UserError

__all__ = [
    "CONDITION_CHANNELS",
    "IMAGE_CHANNELS",
    "PAPER_IMAGENET",
    "PAPER_SINGLE",
    "PAPER_UPSAMPLER",
    "RGBDUNet",
    "with_condition",
]

IMAGE_CHANNELS = 4
CONDITION_CHANNELS = 6

PLAIN_BLOCKS = {
    "conv": ("DownBlock2D", "UpBlock2D"),
    "resnet": ("ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D"),
}
"""diffusers' blocks of levels that do not attend, by what stands between levels."""

PAPER_IMAGENET: dict[str, Any] = {
    "size": 128,
    "classes": 1000,
    "patch": 1,
    "channels": (256, 256, 512, 768, 1024),
    "attention": (False, False, True, True, True),
    "layers": 2,
    "head": 64,
    "groups": 32,
    "resample": "resnet",
}
"""Arguments of `RGBDUNet` for ImageNet at 128 pixels; attention at 32, 16 and 8 pixels."""

PAPER_SINGLE: dict[str, Any] = {**PAPER_IMAGENET, "classes": 0, "channels": (128, 128, 256, 384, 512)}
"""For a single category (dogs, elephants, horses): half as wide, without classes."""

PAPER_UPSAMPLER: dict[str, Any] = {**PAPER_SINGLE, "size": 256, "classes": 1000, "extra_channels": IMAGE_CHANNELS}
"""For ImageNet from 128 to 256 pixels; attention at 64, 32 and 16 pixels."""


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
        resample: what changes the size between levels: "conv", a strided convolution, or "resnet",
            the paper's residual blocks.
        extra_channels: channels that are put after the noisy picture; None = the six of a condition
            where there is one; the upsampler has the four of its small picture.

    Raises:
        UserError: another `resample`, or `extra_channels` that are not those of a condition.
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
        resample: Literal["conv", "resnet"] = "conv",
        extra_channels: int | None = None,
    ) -> None:
        super().__init__()
        if resample not in PLAIN_BLOCKS:
            raise UserError(f"resample is '{resample}'; between levels there is {' or '.join(PLAIN_BLOCKS)}.")
        if condition and extra_channels not in (None, CONDITION_CHANNELS):
            raise UserError(f"extra_channels is {extra_channels}; a condition has {CONDITION_CHANNELS} channels.")
        extra = extra_channels if extra_channels is not None else CONDITION_CHANNELS if condition else 0
        inputs = IMAGE_CHANNELS + extra
        plain_down, plain_up = PLAIN_BLOCKS[resample]
        down = ["AttnDownBlock2D" if flag else plain_down for flag in attention]
        up = ["AttnUpBlock2D" if flag else plain_up for flag in reversed(attention)]
        # attention is left to the fused kernel, diffusers' default: on a CPU it takes 60 to 70 % of the time
        # of plain matrix products at the paper's 32 x 32 pixels, and the same time at 8 x 8
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
            downsample_type=resample,
            upsample_type=resample,
            num_class_embeds=classes + 1 if classes else None,
        )
        if classes:
            with torch.no_grad():
                self.unet.class_embedding.weight[classes] = 0.0

    @property
    def null_class(self) -> int:
        """The label that stands for "any class"; 0 where there are no classes and every label is ignored."""
        return int(self.config.classes)

    def forward(
        self, sample: Tensor, timestep: Tensor, label: Tensor | None, condition: Tensor | None = None
    ) -> Tensor:
        """What the scheduler's prediction type asks for, [N, 4, H, W].

        Args:
            sample: noisy pictures, [N, 4, H, W].
            timestep: [N].
            label: class indices, [N]; `null_class` for the unguided branch; ignored without classes.
            condition: [N, 6, H, W] for G_c, the enlarged picture [N, 4, H, W] for the upsampler,
                None for G_u.
        """
        x = sample if condition is None else torch.cat([sample, condition], 1)
        patch = self.config.patch
        x = nn.functional.pixel_unshuffle(x, patch)
        y = self.unet(x, timestep, class_labels=label if self.config.classes else None).sample
        return nn.functional.pixel_shuffle(y, patch)

    def freeze_null_class(self) -> None:
        """Hold the null embedding at zero; called after each optimiser step."""
        if self.config.classes:
            with torch.no_grad():
                self.unet.class_embedding.weight[self.null_class] = 0.0


def with_condition(first: RGBDUNet) -> RGBDUNet:
    """A G_c that starts as `first`: the same weights, the new input channels of the first layer zero.

    Raises:
        UserError: `first` already sees more than its noisy picture.
    """
    if first.config.condition or first.config.extra_channels:
        raise UserError("This network already has a condition; a G_c starts from a network of first views.")
    config: dict[str, Any] = {**dict(first.config), "condition": True, "extra_channels": None}
    second: RGBDUNet = RGBDUNet(**{key: value for key, value in config.items() if not key.startswith("_")})
    state = {name: value.clone() for name, value in first.state_dict().items()}
    narrow, wide = state["unet.conv_in.weight"], second.state_dict()["unet.conv_in.weight"]
    widened = torch.zeros_like(wide)
    widened[:, : narrow.shape[1]] = narrow  # pixel_unshuffle keeps the channels of a picture together, in order
    state["unet.conv_in.weight"] = widened
    second.load_state_dict(state)
    return second
