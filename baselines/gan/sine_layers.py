"""FiLM-SIREN's layers with a backward pass that keeps nothing but the points.

A field is evaluated at hundreds of thousands of points a step. Autograd keeps every layer's input and pre-activation,
a hundred megabytes each, written to and read from main memory. Here the points go through all layers in blocks that
stay in a processor's cache, forwards and, once more, backwards: half the time on a CPU at 64x64 pictures, and next to
no memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["sine_layers"]

BLOCK = 512  # points; 64 channels of them are 128 KiB


def sine_layers(
    points: Tensor, layers: Sequence[tuple[Tensor, Tensor]], heads: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """sin(... sin(points @ weight + bias) ...), the last layer's and the one before's read out by one head each.

    Args:
        points: [N, P, 3].
        layers: weights [N, inputs, outputs] and biases [N, 1, outputs] of each.
        heads: weight [D, width] and bias [D] of what is read from the last layer but one, then of the last.

    Returns:
        [N, P, D] of each head. They can be differentiated once.
    """
    found: tuple[Tensor, Tensor] = _SineLayers.apply(points, *heads, *(part for layer in layers for part in layer))
    return found


class _SineLayers(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(points, *parameters)
        heads, layers = parameters[:4], parameters[4:]
        outputs = [points.new_empty(*points.shape[:2], len(head)) for head in heads[::2]]
        for item in range(len(points)):
            folded = [part[item] for part in layers]
            for rows in _blocks(points):
                x = points[item, rows]
                for number in range(0, len(folded), 2):
                    if number == len(folded) - 2:
                        torch.addmm(heads[1], x, heads[0].T, out=outputs[0][item, rows])
                    x = torch.addmm(folded[number + 1], x, folded[number]).sin_()
                torch.addmm(heads[3], x, heads[2].T, out=outputs[1][item, rows])
        return outputs[0], outputs[1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        points, *parameters = ctx.saved_tensors
        found = [torch.zeros_like(parameter) for parameter in parameters]
        heads, layers = parameters[:4], parameters[4:]
        towards = torch.empty_like(points) if ctx.needs_input_grad[0] else None
        last = len(layers) - 2
        for item in range(len(points)):
            folded, folded_found = [part[item] for part in layers], [part[item] for part in found[4:]]
            for rows in _blocks(points):
                inputs, slopes = [points[item, rows]], []
                for number in range(0, len(folded), 2):
                    angle = torch.addmm(folded[number + 1], inputs[-1], folded[number])
                    inputs.append(angle.sin())
                    slopes.append(angle.cos_())
                first, second = gradients[0][item, rows], gradients[1][item, rows]
                _head(found[2:4], second, inputs[-1])
                _head(found[0:2], first, inputs[-2])
                back = second @ heads[2]
                for number in range(last, -1, -2):
                    slope = slopes[number // 2].mul_(back)
                    folded_found[number].addmm_(inputs[number // 2].T, slope)
                    folded_found[number + 1] += slope.sum(0)
                    if number or towards is not None:
                        back = slope @ folded[number].T
                    if number == last:
                        back.addmm_(first, heads[0])
                if towards is not None:
                    towards[item, rows] = back
        return towards, *found


def _head(found: list[Tensor], gradient: Tensor, inputs: Tensor) -> None:
    """Add a head's gradients to those found so far."""
    found[0].addmm_(gradient.T, inputs)
    found[1].add_(gradient.sum(0))


def _blocks(points: Tensor) -> list[slice]:
    """Rows that are computed at once; a GPU's caches hold more than a processor's."""
    size = BLOCK if points.device.type == "cpu" else 256 * BLOCK
    return [slice(first, first + size) for first in range(0, points.shape[1], size)]
