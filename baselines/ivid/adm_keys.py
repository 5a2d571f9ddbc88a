"""How the authors' checkpoints of ivid name their tensors, and what `RGBDUNet` calls them.

Their networks are those of guided diffusion (ADM, arXiv 2105.05233): numbered input blocks, a
middle, numbered output blocks. With L levels of R residual blocks there are L (R + 1) input blocks
(a convolution, then for each level R residual blocks and, but for the last, one that halves the
picture) and as many output blocks (R + 1 a level, the last of which carries one that doubles it).
So the network can be read off the names and shapes of its tensors, but for two numbers that leave
no trace: the channels of an attention head and the size of the pictures.

Two things are easily got wrong. The rows of `qkv` lie head by head, ``[head, (q, k, v), channel]``,
in the order ADM calls legacy: three equal parts would mix q, k and v of different heads. And the
null class is no row of `label_emb`: it is the zero vector, which `RGBDUNet` keeps as its last row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ...scenes.errors import UserError

__all__ = ["DROPPED", "Entry", "key_table", "network_arguments", "some"]

DROPPED = frozenset({"time_embed.0.freqs"})
"""A buffer: the frequencies of the time embedding, which are computed here."""

HEAD, GROUPS = 64, 32
"""Channels an attention head and groups of the norms, in every network of the authors."""

Kind = Literal["plain", "qkv", "flat", "classes"]

RESIDUAL = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
}
BLOCK = re.compile(r"(input|output)_blocks\.(\d+)\.(\d+)\.(.+)")


@dataclass(frozen=True)
class Entry:
    """One tensor of a checkpoint.

    Args:
        source: its name there.
        targets: its names in `RGBDUNet`; three for `qkv`, else one.
        kind: what has to be done: nothing; part q, k and v; drop a last axis of length one; append the
            row of the null class.
    """

    source: str
    targets: tuple[str, ...]
    kind: Kind = "plain"

    def source_shape(self, shapes: Mapping[str, torch.Size]) -> tuple[int, ...]:
        """The shape this tensor must have, given those of the network's tensors."""
        shape = tuple(shapes[self.targets[0]])
        if self.kind == "plain":
            return shape
        if self.kind == "classes":
            return (shape[0] - 1, *shape[1:])
        wide = (len(self.targets) * shape[0], *shape[1:])
        return wide if len(shape) == 1 else (*wide, 1)

    def convert(self, tensor: Tensor, head: int) -> dict[str, Tensor]:
        """The network's tensors; `head` is the number of channels an attention head has."""
        if self.kind == "classes":
            tensor = torch.cat([tensor, tensor.new_zeros(1, tensor.shape[1])])
        if self.kind in ("qkv", "flat") and tensor.ndim == 3:
            tensor = tensor[..., 0]  # a convolution over one pixel
        if self.kind != "qkv":
            return {self.targets[0]: tensor}
        rows = tensor.unflatten(0, (-1, 3, head))  # [heads, 3, head, ...]
        return {name: rows[:, part].flatten(0, 1) for part, name in enumerate(self.targets)}


def network_arguments(
    shapes: Mapping[str, tuple[int, ...]], *, head: int = HEAD, size: int | None = None
) -> dict[str, Any]:
    """Arguments of `RGBDUNet` for the network whose tensors have these names and shapes.

    Args:
        shapes: of a checkpoint's tensors.
        head: channels an attention head.
        size: picture height and width; None = the authors', 256 for the upsampler and 128 else.

    Raises:
        UserError: a tensor this is read from is missing, or the blocks form no such network.
    """
    parts = _parts(shapes)
    there = {side: {block for found, block, _ in parts if found == side} for side in ("input", "output")}
    count = len(there["input"])
    if not count or len(there["output"]) != count or any(max(blocks) != count - 1 for blocks in there.values()):
        raise UserError(
            f"There are {count} input_blocks and {len(there['output'])} output_blocks; "
            "the networks of ivid have equally many of both, numbered from 0 without a gap."
        )
    # an output block that doubles the picture ends in a second residual block
    doubling = [block for block in range(count) if _kinds(parts, "output", block).count("residual") == 2]
    levels = len(doubling) + 1
    blocks = count // levels  # of a level, the one that halves or doubles counted in
    if blocks < 2 or doubling != [blocks * (level + 1) - 1 for level in range(levels - 1)] or count % levels:
        raise UserError(
            f"The {count} output_blocks double the picture in {doubling or 'none'}: that divides them into no levels "
            "of equally many blocks. Networks whose levels are joined by plain convolutions are not of this kind."
        )
    inputs = _shape(shapes, "input_blocks.0.0.weight", 4)[1]
    first = [blocks * level + 1 for level in range(levels)]
    arguments: dict[str, Any] = {
        "condition": inputs == 10,
        "classes": _shape(shapes, "label_emb.weight", 2)[0] if "label_emb.weight" in shapes else 0,
        "patch": 1,
        "channels": tuple(_shape(shapes, f"input_blocks.{block}.0.in_layers.2.weight", 4)[0] for block in first),
        "attention": tuple("attention" in _kinds(parts, "input", block) for block in first),
        "layers": blocks - 1,
        "head": head,
        "groups": GROUPS,
        "resample": "resnet",
    }
    outputs = _shape(shapes, "out.2.weight", 4)[0]
    if inputs not in (4, 8, 10) or outputs != 4:
        raise UserError(
            f"The network takes {inputs} channels and returns {outputs}. Those of ivid take 4 (first views), 10 "
            "(following views) or 8 (the upsampler) and return 4: red, green, blue and depth."
        )
    if inputs == 8:
        arguments["extra_channels"] = 4
    arguments["size"] = size if size is not None else 256 if inputs == 8 else 128
    _check_divisible(arguments)
    return arguments


def key_table(arguments: Mapping[str, Any], names: Iterable[str]) -> list[Entry]:
    """Every tensor a checkpoint of this network has.

    Args:
        arguments: from `network_arguments`.
        names: of the network's tensors, which tell where residual blocks change their width.
    """
    names = set(names)
    levels, layers, attention = len(arguments["channels"]), arguments["layers"], arguments["attention"]
    blocks = layers + 1
    entries = [
        *_both("time_embed.1", "time_embedding.linear_1"),
        *_both("time_embed.3", "time_embedding.linear_2"),
        *([Entry("label_emb.weight", ("unet.class_embedding.weight",), "classes")] if arguments["classes"] else []),
        *_both("input_blocks.0.0", "conv_in"),
        *_both("out.0", "conv_norm_out"),
        *_both("out.2", "conv_out"),
        *_residual("middle_block.0", "mid_block.resnets.0", names),
        *_attention("middle_block.1", "mid_block.attentions.0"),
        *_residual("middle_block.2", "mid_block.resnets.1", names),
    ]
    for level in range(levels):
        ours = f"down_blocks.{level}"
        for block in range(layers):
            theirs = f"input_blocks.{blocks * level + 1 + block}"
            entries += _residual(f"{theirs}.0", f"{ours}.resnets.{block}", names)
            if attention[level]:
                entries += _attention(f"{theirs}.1", f"{ours}.attentions.{block}")
        if level < levels - 1:
            entries += _residual(f"input_blocks.{blocks * (level + 1)}.0", f"{ours}.downsamplers.0", names)
    for level, attends in enumerate(reversed(attention)):
        ours = f"up_blocks.{level}"
        for block in range(blocks):
            theirs = f"output_blocks.{blocks * level + block}"
            entries += _residual(f"{theirs}.0", f"{ours}.resnets.{block}", names)
            if attends:
                entries += _attention(f"{theirs}.1", f"{ours}.attentions.{block}")
        if level < levels - 1:
            entries += _residual(f"{theirs}.{2 if attends else 1}", f"{ours}.upsamplers.0", names)
    return entries


def some(names: Iterable[str], most: int = 4) -> str:
    """The first few names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def _both(theirs: str, ours: str, kind: Kind = "plain") -> Iterator[Entry]:
    for part in ("weight", "bias"):
        yield Entry(f"{theirs}.{part}", (f"unet.{ours}.{part}",), kind)


def _residual(theirs: str, ours: str, names: set[str]) -> Iterator[Entry]:
    for layer, name in RESIDUAL.items():
        yield from _both(f"{theirs}.{layer}", f"{ours}.{name}")
    if f"unet.{ours}.conv_shortcut.weight" in names:
        yield from _both(f"{theirs}.skip_connection", f"{ours}.conv_shortcut")


def _attention(theirs: str, ours: str) -> Iterator[Entry]:
    yield from _both(f"{theirs}.norm", f"{ours}.group_norm")
    for part in ("weight", "bias"):
        yield Entry(f"{theirs}.qkv.{part}", tuple(f"unet.{ours}.to_{name}.{part}" for name in "qkv"), "qkv")
    yield from _both(f"{theirs}.proj_out", f"{ours}.to_out.0", "flat")


def _parts(names: Iterable[str]) -> dict[tuple[str, int, int], str]:
    """What stands at each place (side, block, place in the block)."""
    found: dict[tuple[str, int, int], str] = {}
    for match in filter(None, map(BLOCK.fullmatch, names)):
        place = match[1], int(match[2]), int(match[3])
        if match[4].startswith(("in_layers.", "emb_layers.", "out_layers.")):
            found[place] = "residual"
        elif match[4].startswith(("qkv.", "proj_out.")):
            found[place] = "attention"
        else:
            found.setdefault(place, "other")
    return found


def _kinds(parts: Mapping[tuple[str, int, int], str], side: str, block: int) -> list[str]:
    return [kind for (found, number, _), kind in sorted(parts.items()) if (found, number) == (side, block)]


def _shape(shapes: Mapping[str, tuple[int, ...]], name: str, axes: int) -> tuple[int, ...]:
    if name not in shapes:
        raise UserError(f"{name} is missing, from which the network is recognised.")
    if len(shapes[name]) != axes:
        raise UserError(f"{name} has the shape {list(shapes[name])}; {axes} axes were expected.")
    return shapes[name]


def _check_divisible(arguments: Mapping[str, Any]) -> None:
    """Refuse widths that groups and heads do not divide, which no network could have been built with."""
    attention = [*arguments["attention"][:-1], True]  # the middle attends at the last level's width
    for level, (width, attends) in enumerate(zip(arguments["channels"], attention, strict=True)):
        shares = {"groups": GROUPS} | ({"channels a head": arguments["head"]} if attends else {})
        for what, share in shares.items():
            if width % share or not width:
                raise UserError(f"Level {level} is {width} channels wide, which {share} {what} do not divide.")
