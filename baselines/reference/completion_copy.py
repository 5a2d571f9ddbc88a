"""`completion-copy`: the cheat that answers every camera with the picture it was given.

Its view from the context's own camera is perfect and its pictures are real, so context fidelity and the quality of
single pictures praise it; no other view is right. Of motion it says that there is none. What a mask hides stays hidden.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from ...scenes.generator import GeneratorInfo, Request
from ...scenes.scene import Scene
from .completed_worlds import COMPLETIONS, context_of, same_camera

__all__ = ["CompletionCopy"]


class CompletionCopy:
    """The first view of the context, repeated; in place of a motion, none."""

    def info(self) -> GeneratorInfo:
        return GeneratorInfo(
            name="completion-copy",
            description="A cheat: the given picture repeated, whatever the camera; nothing moves.",
            has_depth=False,
            tasks=COMPLETIONS,
        )

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        """One scene a request.

        Raises:
            UserError: no context, or one of another size.
        """
        for request in requests:
            context = context_of(request, "completion-copy")
            rgb = context.rgb[[0] * len(request.cameras)]
            flow = torch.zeros(*rgb.shape[:3], 2) if same_camera(request) else None
            yield Scene(rgb, request.cameras, label=request.label, seed=request.seed, flow=flow)
