"""Small random networks: what the machinery does must not depend on what was learned."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from viewsweep.baselines.ivid.networks import RGBDUNet, with_condition
from viewsweep.baselines.ivid.pipeline import IvidPipeline
from viewsweep.baselines.ivid.recipe import CONFIGS
from viewsweep.baselines.ivid.sampling import ddim_scheduler


def random_network(seed: int = 0, **settings: object) -> RGBDUNet:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network: RGBDUNet = RGBDUNet(**{**CONFIGS["tiny"].network, **settings})
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def first() -> RGBDUNet:
    """A G_u for 16x16 pictures."""
    return random_network()


@pytest.fixture(scope="session")
def following(first: RGBDUNet) -> RGBDUNet:
    """A G_c that makes use of its condition."""
    second = with_condition(first)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(1)
        weight = second.unet.conv_in.weight
        weight += 0.05 * torch.randn(weight.shape, generator=generator)
    return second.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def pipeline(first: RGBDUNet, following: RGBDUNet) -> IvidPipeline:
    made = IvidPipeline(first, following, ddim_scheduler("v_prediction"))
    made.set_progress_bar_config(disable=True)
    return made


@pytest.fixture(scope="session")
def folder(pipeline: IvidPipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline on disk, in half precision as it is shipped."""
    path = tmp_path_factory.mktemp("pipeline")
    halves = IvidPipeline(
        *(type(part).from_config(part.config) for part in (pipeline.first, pipeline.following)), pipeline.scheduler
    )
    halves.first.load_state_dict(pipeline.first.state_dict())
    halves.following.load_state_dict(pipeline.following.state_dict())
    halves.first.half()
    halves.following.half()
    halves.save_pretrained(path)
    return path
