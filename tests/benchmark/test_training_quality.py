"""KID while training: near 0 for the world's own pictures, far for others, its reference rendered once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from viewsweep.benchmark.training_quality import TrainingQuality
from viewsweep.scenes.tabletop import CLASSES, TRAIN_SEEDS, sample
from viewsweep.scenes.tabletop.splits import render_views, train_cameras

COUNT, SIDE = 40, 16


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    seeds = list(TRAIN_SEEDS[:COUNT])
    objects = [sample(seed, seed % len(CLASSES)) for seed in seeds]
    images = torch.empty(COUNT, SIDE, SIDE, 3, dtype=torch.uint8)
    for rows, rgb, _ in render_views(objects, train_cameras(seeds), SIDE):
        images[rows] = rgb
    return images


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quality")


def test_the_worlds_own_pictures_score_near_zero(pictures: Tensor, folder: Path) -> None:
    lines: list[str] = []
    quality = TrainingQuality(folder, images=COUNT, log=lines.append)
    own = quality(pictures)
    inverted = quality(255 - pictures)
    alike = quality(pictures[:1].expand(COUNT, -1, -1, -1))
    assert abs(own) < 0.3 * min(inverted, alike)
    assert lines == [f"rendering {COUNT} reference pictures"]


def test_the_reference_is_rendered_once_and_a_damaged_one_again(pictures: Tensor, folder: Path) -> None:
    lines: list[str] = []
    first = TrainingQuality(folder, images=COUNT, log=lines.append)(pictures)
    files = list(folder.glob("reference-*.safetensors"))
    assert len(files) == 1
    before = len(lines)
    assert TrainingQuality(folder, images=COUNT, log=lines.append)(pictures) == first
    assert len(lines) == before
    content = files[0].read_bytes()
    files[0].write_bytes(content[:-8] + bytes(8))
    assert TrainingQuality(folder, images=COUNT, log=lines.append)(pictures) == first
    assert len(lines) == before + 1
    assert files[0].read_bytes() == content
