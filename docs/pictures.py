"""Draw the pictures of the documentation again: `python docs/pictures.py`."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from viewsweep.scenes import sweep360, tabletop

HERE = Path(__file__).parent / "images"
COLUMNS = 8
SIZE = 128


def contact_sheet() -> Image.Image:
    """Ten classes, a row each, eight test objects seen from eight sides."""
    cameras = sweep360(COLUMNS, 0.26)
    rows = []
    for label in range(len(tabletop.CLASSES)):
        seeds = [tabletop.TEST_SEEDS.start + 1000 + COLUMNS * label + k for k in range(COLUMNS)]
        views = [tabletop.sample(seed, label).render(cameras[k], SIZE).rgb[0] for k, seed in enumerate(seeds)]
        rows.append(torch.cat(views, 1))
    return Image.fromarray(torch.cat(rows).numpy())


def turntable() -> Image.Image:
    """One object from eight sides: colour above depth, normals below."""
    scene = tabletop.sample(tabletop.TEST_SEEDS.start + 5, "car").render(sweep360(COLUMNS, 0.26), SIZE)
    assert scene.depth is not None
    assert scene.normals is not None
    shade = ((2.15 - scene.depth) / 1.1).nan_to_num(nan=0.0).clamp(0, 1)[..., None].expand(-1, -1, -1, 3)
    normals = ((scene.normals + 1) / 2).nan_to_num(nan=1.0)
    bands = [scene.rgb, (shade * 255).to(torch.uint8), (normals * 255).to(torch.uint8)]
    return Image.fromarray(torch.cat([torch.cat(list(band), 1) for band in bands]).numpy())


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    contact_sheet().save(HERE / "tabletop.png", optimize=True)
    turntable().save(HERE / "turntable.png", optimize=True)
