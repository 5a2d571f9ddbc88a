"""The authors' network of ivid as plain functions on a dictionary of tensors named as theirs are.

Written from the published description of the architecture (guided diffusion, arXiv 2105.05233:
residual blocks with scale-shift norms, residual up- and downsampling, attention whose qkv rows lie
head by head) and shares nothing with the package: converted networks are held to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

State = dict[str, Tensor]
GROUPS = 32


@dataclass(frozen=True)
class Adm:
    """An architecture; the defaults are small, with two heads or more wherever there is attention.

    Args:
        inputs: channels of the input.
        channels: width of each level.
        attention: whether each level attends.
        blocks: residual blocks a level.
        classes: number of classes; 0 = none.
        head: channels an attention head.
    """

    inputs: int = 4
    channels: tuple[int, ...] = (32, 32, 64, 96)
    attention: tuple[bool, ...] = (False, False, True, True)
    blocks: int = 2
    classes: int = 5
    head: int = 32


def shapes(adm: Adm) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a checkpoint."""
    found: dict[str, tuple[int, ...]] = {}
    width, levels = adm.channels[0], len(adm.channels)
    embedding = 4 * width

    def layer(name: str, *weight: int) -> None:
        found[f"{name}.weight"], found[f"{name}.bias"] = weight, weight[:1]

    def residual(name: str, narrow: int, wide: int) -> None:
        layer(f"{name}.in_layers.0", narrow)
        layer(f"{name}.in_layers.2", wide, narrow, 3, 3)
        layer(f"{name}.emb_layers.1", 2 * wide, embedding)
        layer(f"{name}.out_layers.0", wide)
        layer(f"{name}.out_layers.3", wide, wide, 3, 3)
        if narrow != wide:
            layer(f"{name}.skip_connection", wide, narrow, 1, 1)

    def attend(name: str, wide: int) -> None:
        layer(f"{name}.norm", wide)
        layer(f"{name}.qkv", 3 * wide, wide, 1)
        layer(f"{name}.proj_out", wide, wide, 1)

    found["time_embed.0.freqs"] = (width // 2,)
    layer("time_embed.1", embedding, width)
    layer("time_embed.3", embedding, embedding)
    if adm.classes:
        found["label_emb.weight"] = (adm.classes, embedding)
    layer("input_blocks.0.0", width, adm.inputs, 3, 3)
    kept, now, block = [width], width, 1
    for level, wide in enumerate(adm.channels):
        for _ in range(adm.blocks):
            residual(f"input_blocks.{block}.0", now, wide)
            if adm.attention[level]:
                attend(f"input_blocks.{block}.1", wide)
            now, block = wide, block + 1
            kept.append(now)
        if level < levels - 1:
            residual(f"input_blocks.{block}.0", now, now)
            kept.append(now)
            block += 1
    residual("middle_block.0", now, now)
    attend("middle_block.1", now)
    residual("middle_block.2", now, now)
    block = 0
    for level in reversed(range(levels)):
        for number in range(adm.blocks + 1):
            residual(f"output_blocks.{block}.0", now + kept.pop(), adm.channels[level])
            now, place = adm.channels[level], 1
            if adm.attention[level]:
                attend(f"output_blocks.{block}.1", now)
                place = 2
            if level and number == adm.blocks:
                residual(f"output_blocks.{block}.{place}", now, now)
            block += 1
    layer("out.0", width)
    layer("out.2", 4, width, 3, 3)
    return found


def random_state(adm: Adm, seed: int = 0) -> State:
    """Weights as large as a network's that keeps the size of its numbers; no two tensors alike."""
    generator = torch.Generator().manual_seed(seed)
    state: State = {}
    for name, shape in shapes(adm).items():
        values = torch.randn(shape, generator=generator)
        if name.endswith("freqs"):
            values = frequencies(adm.channels[0])
        elif len(shape) == 1:
            values = 0.2 * values + (1 if _is_norm(name) and name.endswith("weight") else 0)
        elif name != "label_emb.weight":
            values /= math.sqrt(math.prod(shape[1:]))
        state[name] = values
    return state


def forward(adm: Adm, state: State, x: Tensor, times: Tensor, labels: Sequence[int | None] | None) -> Tensor:
    """The network's output, [N, 4, H, W].

    Args:
        x: noisy pictures and whatever else it sees, [N, inputs, H, W].
        times: steps, [N].
        labels: class indices, None for the null class; None alone for a network without classes.
    """
    angles = times[:, None].float() * frequencies(adm.channels[0])
    emb = _linear(state, "time_embed.1", torch.cat([angles.cos(), angles.sin()], 1))
    emb = _linear(state, "time_embed.3", functional.silu(emb))
    if adm.classes:
        assert labels is not None
        table = state["label_emb.weight"]
        emb = emb + torch.stack([torch.zeros_like(table[0]) if one is None else table[one] for one in labels])

    def run(block: str, h: Tensor, change: str = "") -> Tensor:
        """All modules of a block; the last residual one changes the size."""
        places = sorted({int(name[len(block) + 1 :].split(".")[0]) for name in state if name.startswith(f"{block}.")})
        residuals = [place for place in places if f"{block}.{place}.emb_layers.1.weight" in state]
        for place in places:
            module = f"{block}.{place}"
            if place in residuals:
                h = _residual(state, module, h, emb, change if place == residuals[-1] else "")
            elif f"{module}.qkv.weight" in state:
                h = _attend(state, module, h, adm.head)
            else:
                h = functional.conv2d(h, state[f"{module}.weight"], state[f"{module}.bias"], padding=1)
        return h

    levels, h, kept = len(adm.channels), x, []
    for block in range(levels * (adm.blocks + 1)):
        h = run(f"input_blocks.{block}", h, "halve" if block and block % (adm.blocks + 1) == 0 else "")
        kept.append(h)
    h = run("middle_block", h)
    for block in range(levels * (adm.blocks + 1)):
        last = block % (adm.blocks + 1) == adm.blocks and block < (levels - 1) * (adm.blocks + 1)
        h = run(f"output_blocks.{block}", torch.cat([h, kept.pop()], 1), "double" if last else "")
    return _conv(state, "out.2", functional.silu(_norm(state, "out.0", h)))


def frequencies(width: int) -> Tensor:
    """Of the time embedding, [width / 2]: from 1 down to almost 1 / 10000."""
    half = width // 2
    return torch.tensor([10000 ** (-index / half) for index in range(half)])


def _residual(state: State, name: str, x: Tensor, emb: Tensor, change: str) -> Tensor:
    h = functional.silu(_norm(state, f"{name}.in_layers.0", x))
    if change == "halve":
        h, x = functional.avg_pool2d(h, 2), functional.avg_pool2d(x, 2)
    elif change == "double":
        h, x = (value.repeat_interleave(2, 2).repeat_interleave(2, 3) for value in (h, x))
    h = _conv(state, f"{name}.in_layers.2", h)
    scale, shift = _linear(state, f"{name}.emb_layers.1", functional.silu(emb))[:, :, None, None].chunk(2, 1)
    h = _norm(state, f"{name}.out_layers.0", h) * (1 + scale) + shift
    h = _conv(state, f"{name}.out_layers.3", functional.silu(h))
    if f"{name}.skip_connection.weight" in state:
        x = functional.conv2d(x, state[f"{name}.skip_connection.weight"], state[f"{name}.skip_connection.bias"])
    return x + h


def _attend(state: State, name: str, x: Tensor, head: int) -> Tensor:
    flat = x.flatten(2)  # [N, C, pixels]
    rows = functional.conv1d(_norm(state, f"{name}.norm", flat), state[f"{name}.qkv.weight"], state[f"{name}.qkv.bias"])
    outputs = []
    for start in range(0, rows.shape[1], 3 * head):  # of each head: its queries, its keys, its values
        q, k, v = rows[:, start : start + 3 * head].split(head, 1)
        weights = torch.einsum("ncp,ncs->nps", q, k).div(math.sqrt(head)).softmax(-1)
        outputs.append(torch.einsum("nps,ncs->ncp", weights, v))
    h = functional.conv1d(torch.cat(outputs, 1), state[f"{name}.proj_out.weight"], state[f"{name}.proj_out.bias"])
    return (flat + h).view_as(x)


def _norm(state: State, name: str, x: Tensor) -> Tensor:
    return functional.group_norm(x, GROUPS, state[f"{name}.weight"], state[f"{name}.bias"], 1e-5)


def _conv(state: State, name: str, x: Tensor) -> Tensor:
    return functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)


def _linear(state: State, name: str, x: Tensor) -> Tensor:
    return functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def _is_norm(name: str) -> bool:
    return any(f"{layer}." in name for layer in ("in_layers.0", "out_layers.0", "out.0", "norm"))
