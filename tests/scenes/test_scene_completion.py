"""What completion tasks add to a scene: the mask of a context, flow and latent."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from viewsweep.scenes import Cameras, Scene, load_scene, save_scene
from viewsweep.scenes.errors import InvalidScene
from viewsweep.scenes.scene import SCHEMA


@pytest.fixture
def scene() -> Scene:
    draw = torch.Generator().manual_seed(1)
    flow = torch.randn(2, 4, 6, 2, generator=draw)
    flow[0, 1, 2] = math.nan
    context = Scene(
        rgb=torch.zeros(1, 4, 6, 3, dtype=torch.uint8),
        cameras=Cameras.orbit([0.0], [0.0]),
        mask=torch.rand(1, 4, 6, generator=draw) > 0.5,
        seed=7,
    )
    rgb = torch.randint(0, 256, (2, 4, 6, 3), generator=draw, dtype=torch.uint8)
    return Scene(
        rgb=rgb, cameras=Cameras.orbit([0.0, 1.0], [0.0, 0.0]), context=context, flow=flow, latent=torch.randn(5)
    )


def test_file_keeps_mask_flow_and_latent(tmp_path, scene):
    save_scene(tmp_path / "a", scene)
    back = load_scene(tmp_path / "a")
    torch.testing.assert_close(back.flow, scene.flow, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(back.latent, scene.latent)
    assert torch.equal(back.context.mask, scene.context.mask)
    assert back.mask is None
    assert back.context.flow is None
    assert back.context.latent is None


def test_files_from_before_these_fields_still_load(tmp_path):
    header = {"viewsweep": json.dumps({"schema": SCHEMA, "label": None, "seed": 3})}
    save_file({"rgb": torch.zeros(1, 2, 2, 3, dtype=torch.uint8)}, tmp_path / "old", metadata=header)
    old = load_scene(tmp_path / "old")
    assert (old.mask, old.flow, old.latent) == (None, None, None)


def test_select_takes_flow_and_mask_with_the_views_and_keeps_the_latent(scene):
    part = replace(scene, mask=torch.rand(2, 4, 6) > 0.5).select([1])
    assert torch.equal(part.flow, scene.flow[1:])
    assert part.mask.shape == (1, 4, 6)
    assert torch.equal(part.latent, scene.latent)


def test_repr_names_them(scene):
    assert "context, flow, latent;" in repr(scene)
    assert "cameras, mask;" in repr(scene.context)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("mask", torch.ones(2, 4, 6), "mask is torch.float32"),
        ("mask", torch.ones(1, 4, 6, dtype=torch.bool), "mask is torch.bool with shape"),
        ("flow", torch.zeros(2, 4, 6), "flow is torch.float32 with shape"),
        ("flow", torch.zeros(2, 4, 6, 2, dtype=torch.float64), "flow is torch.float64"),
        ("flow", torch.full((2, 4, 6, 2), math.inf), "flow of view 0 is infinite"),
        ("flow", torch.tensor([math.nan, 0.0]).expand(2, 4, 6, 2), "NaN in x or y alone"),
        ("latent", torch.zeros(1, 5), "latent is torch.float32 with shape"),
        ("latent", torch.zeros(0), "latent is torch.float32 with shape"),
        ("latent", torch.zeros(5, dtype=torch.float64), "latent is torch.float64"),
        ("latent", torch.tensor([0.0, math.nan]), "not finite"),
    ],
)
def test_parts_that_do_not_fit_are_refused(scene, name, value, words):
    with pytest.raises(InvalidScene, match=words):
        replace(scene, **{name: value})
