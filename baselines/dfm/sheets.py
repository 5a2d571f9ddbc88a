"""Pictures of samples while a problem trains: a row for each example, context, truth and samples side by side."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ...scenes.files import atomic_write
from ...scenes.generator import scene_generator
from .batches import Maker
from .core import InverseProblem
from .sampling import Sampling, sample
from .training import moved

__all__ = ["write_samples"]

ROWS, SAMPLES, STEPS = 6, 4, 8


def write_samples(problem: InverseProblem, batches: Maker, path: Path) -> None:
    """Write ROWS examples, each as what is given, what was seen, and SAMPLES observations of samples; PNG."""
    device = next(problem.parameters()).device
    batch = moved(batches(ROWS, scene_generator(0, "dfm.sheet")), device)
    given = batch.context["picture"]
    columns = [given[:, 0] if given.ndim == 5 else given, *batch.target.picture.split(3, 1)]
    for number in range(SAMPLES):
        seeds = [number * ROWS + row for row in range(ROWS)]
        drawn = sample(problem, batch.context, batch.target.parameters, seeds, Sampling(steps=STEPS))
        columns.extend(drawn.observation.split(3, 1))
    sheet = torch.cat([torch.cat(list(column.float().cpu()), 1) for column in columns], 2)
    content = io.BytesIO()
    Image.fromarray(_bytes(sheet).numpy()).save(content, "PNG")
    atomic_write(path, content.getvalue())


def _bytes(picture: Tensor) -> Tensor:
    return ((picture.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0)
